/* Compiles with -DBAL_TEST_AGREED and must not compile without: the other way
 * round, a verdict may not be passed to bal_agree() as if one rank had found
 * it. */
#include "balans/par/agree.h"

bal_status alone(void);
bal_verdict together(bal_comm *c);

bal_verdict together(bal_comm *c)
{
    bal_verdict st = bal_agree(c, alone());

#ifdef BAL_TEST_AGREED
    return st;
#else
    return bal_agree(c, st);
#endif
}
