/* Compiles with -DBAL_TEST_AGREED and must not compile without: a collective
 * function may not leave on an outcome the other ranks have not heard of. */
#include "balans/par/agree.h"

bal_status alone(void);
bal_verdict together(bal_comm *c);

bal_verdict together(bal_comm *c)
{
    bal_verdict st;

    (void)c;
#ifdef BAL_TEST_AGREED
    BAL_TRY(bal_agree(c, alone()));
#else
    BAL_TRY(alone());
#endif
done:
    return st;
}
