#include "balans/app/version.h"

#include "bal_commit.h"

const char *bal_version(void)
{
    return BAL_VERSION;
}

const char *bal_commit(void)
{
    return BAL_COMMIT;
}

const char *bal_build(void)
{
    return BAL_BUILD;
}
