#include "balans/par/exchange.h"

#include <limits.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"

/* MPI counts and displacements, in records. */
typedef struct plan {
    int *send, *send_at, *recv, *recv_at;
    bal_size sent, received;
} plan;

static bal_status plan_create(const bal_comm *c, plan *p)
{
    bal_status st;

    BAL_TRY(bal_alloc(&p->send, c->size, "an exchange"));
    BAL_TRY(bal_alloc(&p->send_at, c->size, "an exchange"));
    BAL_TRY(bal_alloc(&p->recv, c->size, "an exchange"));
    BAL_TRY(bal_alloc(&p->recv_at, c->size, "an exchange"));
done:
    return st;
}

static void plan_finish(plan *p)
{
    bal_free(&p->send);
    bal_free(&p->send_at);
    bal_free(&p->recv);
    bal_free(&p->recv_at);
}

/* Turns 64-bit counts into MPI's; ERANGE where they do not fit. */
static bal_status narrow(const bal_size *count, int size, int *out, int *at,
                         bal_size *total)
{
    *total = 0;
    for (int r = 0; r < size; r++) {
        if (*total + count[r] > INT_MAX)
            return BAL_FAIL(BAL_ERANGE,
                            "cannot exchange %lld records at once; use more "
                            "ranks or a smaller --memory-per-rank",
                            (long long)(*total + count[r]));
        out[r] = (int)count[r];
        at[r] = (int)*total;
        *total += count[r];
    }
    return BAL_OK;
}

static void transfer(bal_comm *c, const void *send, const plan *p, size_t size,
                     void *recv)
{
    MPI_Datatype record;

    MPI_Type_contiguous((int)size, MPI_BYTE, &record);
    MPI_Type_commit(&record);
    MPI_Alltoallv(send, p->send, p->send_at, record, recv, p->recv, p->recv_at,
                  record, c->mpi);
    MPI_Type_free(&record);
    bal_comm_count(c, p->sent * (bal_size)size);
}

bal_verdict bal_exchange(bal_comm *c, const void *send,
                         const bal_size *send_count, size_t size, void **recv,
                         bal_size *recv_count)
{
    bal_verdict st;
    bal_status mine;
    plan p = {0};
    void *fresh = NULL;

    *recv = NULL;
    MPI_Alltoall(send_count, 1, MPI_INT64_T, recv_count, 1, MPI_INT64_T,
                 c->mpi);
    bal_comm_count(c, (bal_size)sizeof *send_count * c->size);
    mine = plan_create(c, &p);
    if (!bal_failed(mine))
        mine = narrow(send_count, c->size, p.send, p.send_at, &p.sent);
    if (!bal_failed(mine))
        mine = narrow(recv_count, c->size, p.recv, p.recv_at, &p.received);
    if (!bal_failed(mine))
        mine = bal_mem_alloc(&fresh, p.received, size, "an exchange");
    BAL_TRY(bal_agree(c, mine));
    transfer(c, send, &p, size, fresh);
    *recv = fresh;
    fresh = NULL;
done:
    bal_mem_free(&fresh);
    plan_finish(&p);
    return st;
}
