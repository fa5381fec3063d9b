#include "balans/par/agree.h"

#include <stddef.h>

bal_verdict bal_agree(bal_comm *c, bal_status mine)
{
    struct {
        int failed, rank;
    } here = {.failed = mine != BAL_OK, .rank = c->rank}, first;

    /* MAXLOC gives the lowest rank among those that failed. */
    MPI_Allreduce(&here, &first, 1, MPI_2INT, MPI_MAXLOC, c->mpi);
    bal_comm_count(c, (bal_size)sizeof here);
    if (first.failed == 0)
        return (bal_verdict){BAL_OK};

    if (mine != BAL_OK)
        (void)BAL_FAIL(mine, "no details"); /* if nobody left a sentence */
    bal_error e = *bal_error_get();
    e.code = (int)mine;
    e.rank = c->rank;
    bal_comm_bcast(c, &e, (bal_size)sizeof e, first.rank);
    bal_error_set(&e);
    return (bal_verdict){(bal_status)e.code};
}

bal_verdict bal_pause(bal_comm *c)
{
    if (c->ask == NULL)
        return (bal_verdict){BAL_OK};
    return bal_agree(c, c->ask(c->ask_arg));
}
