#include "balans/par/comm.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/timer.h"
#include "balans/base/watch.h"

/* Most elements in one MPI call; larger arrays go in pieces, of which MPI keeps
 * copies while it adds them up. */
enum { PIECE = 1 << 21 };

static void end_job(MPI_Comm *mpi, int *code, ...)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int len = 0;

    MPI_Error_string(*code, text, &len);
    fprintf(stderr, "balans: communication failed: %s\n", text);
    MPI_Abort(*mpi, EXIT_FAILURE);
}

void bal_comm_init(bal_comm *c, MPI_Comm mpi)
{
    MPI_Errhandler handler;

    memset(c, 0, sizeof *c);
    MPI_Comm_dup(mpi, &c->mpi);
    MPI_Comm_create_errhandler(end_job, &handler);
    MPI_Comm_set_errhandler(c->mpi, handler);
    MPI_Errhandler_free(&handler);
    MPI_Comm_rank(c->mpi, &c->rank);
    MPI_Comm_size(c->mpi, &c->size);
    c->phase_since = bal_now();
}

void bal_comm_finish(bal_comm *c)
{
    MPI_Comm_free(&c->mpi);
}

void bal_comm_enter(bal_comm *c, bal_phase phase)
{
    double now = bal_now();

    c->tally[c->phase].seconds += now - c->phase_since;
    c->phase = phase;
    c->phase_since = now;
    bal_watch_name(bal_phase_name(phase));
    MPI_Pcontrol(BAL_TOOL_LEVEL + (int)phase);
}

const char *bal_phase_name(bal_phase phase)
{
    static const char *const name[BAL_PHASE_COUNT] = {
        [BAL_PHASE_READ] = "read",       [BAL_PHASE_SPACE] = "space",
        [BAL_PHASE_SAMPLE] = "sample",   [BAL_PHASE_CORRECT] = "correct",
        [BAL_PHASE_WRITE] = "write",     [BAL_PHASE_METRIC] = "metric",
        [BAL_PHASE_DRAW] = "draw",
    };

    return name[phase];
}

void bal_comm_count(bal_comm *c, bal_size bytes)
{
    c->tally[c->phase].calls++;
    c->tally[c->phase].bytes += bytes;
    bal_alive();
}

void bal_comm_count_io(bal_comm *c, bal_size bytes)
{
    c->tally[c->phase].io_bytes += bytes;
    bal_alive();
}

static void allreduce(bal_comm *c, void *x, bal_size n, size_t size,
                      MPI_Datatype type, MPI_Op op)
{
    char *at = x;

    while (n > 0) {
        int now = n < PIECE ? (int)n : PIECE;
        MPI_Allreduce(MPI_IN_PLACE, at, now, type, op, c->mpi);
        bal_comm_count(c, (bal_size)size * now);
        at += size * (size_t)now;
        n -= now;
    }
}

void bal_comm_sum_i64(bal_comm *c, int64_t *x, bal_size n)
{
    allreduce(c, x, n, sizeof *x, MPI_INT64_T, MPI_SUM);
}

void bal_comm_max_i64(bal_comm *c, int64_t *x, bal_size n)
{
    allreduce(c, x, n, sizeof *x, MPI_INT64_T, MPI_MAX);
}

void bal_comm_min_i64(bal_comm *c, int64_t *x, bal_size n)
{
    allreduce(c, x, n, sizeof *x, MPI_INT64_T, MPI_MIN);
}

void bal_comm_or_u64(bal_comm *c, uint64_t *x, bal_size n)
{
    allreduce(c, x, n, sizeof *x, MPI_UINT64_T, MPI_BOR);
}

void bal_comm_or_u32(bal_comm *c, uint32_t *x, bal_size n)
{
    allreduce(c, x, n, sizeof *x, MPI_UINT32_T, MPI_BOR);
}

void bal_comm_min_f32(bal_comm *c, float *x, bal_size n)
{
    allreduce(c, x, n, sizeof *x, MPI_FLOAT, MPI_MIN);
}

void bal_comm_max_f32(bal_comm *c, float *x, bal_size n)
{
    allreduce(c, x, n, sizeof *x, MPI_FLOAT, MPI_MAX);
}

void bal_comm_max_f64(bal_comm *c, double *x, bal_size n)
{
    allreduce(c, x, n, sizeof *x, MPI_DOUBLE, MPI_MAX);
}

void bal_comm_gather_i64(bal_comm *c, const int64_t *mine, bal_size n,
                         int64_t *out)
{
    BAL_REQUIRE(n <= INT_MAX / c->size);
    MPI_Allgather(mine, (int)n, MPI_INT64_T, out, (int)n, MPI_INT64_T, c->mpi);
    bal_comm_count(c, (bal_size)sizeof *mine * n);
}

void bal_comm_exscan_i64(bal_comm *c, const int64_t *x, bal_size n,
                         int64_t *out)
{
    memset(out, 0, (size_t)n * sizeof *out); /* rank 0's is left as it is */
    for (bal_size at = 0; at < n; at += PIECE) {
        int now = n - at < PIECE ? (int)(n - at) : PIECE;
        MPI_Exscan(x + at, out + at, now, MPI_INT64_T, MPI_SUM, c->mpi);
        bal_comm_count(c, (bal_size)sizeof *x * now);
    }
}

void bal_comm_bcast(bal_comm *c, void *bytes, bal_size count, int root)
{
    char *at = bytes;

    while (count > 0) {
        int now = count < PIECE ? (int)count : PIECE;
        MPI_Bcast(at, now, MPI_BYTE, root, c->mpi);
        bal_comm_count(c, now);
        at += now;
        count -= now;
    }
}

bal_pieces bal_pieces_cut(bal_comm *c, bal_size rows, bal_size width,
                          bal_size most)
{
    bal_pieces p = {rows, most / width > 0 ? most / width : 1, 0};

    p.count = (rows + p.step - 1) / p.step;
    bal_comm_max_i64(c, &p.count, 1);
    return p;
}

int bal_comm_on_host(bal_comm *c)
{
    MPI_Comm host;
    int size;

    MPI_Comm_split_type(c->mpi, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    MPI_Comm_size(host, &size);
    MPI_Comm_free(&host);
    bal_comm_count(c, 0);
    return size;
}

void bal_comm_send(bal_comm *c, int to, int tag, const void *bytes,
                   bal_size count)
{
    BAL_REQUIRE(count <= INT_MAX);
    MPI_Send(bytes, (int)count, MPI_BYTE, to, tag, c->mpi);
    bal_comm_count(c, count);
}

void bal_comm_receive(bal_comm *c, int from, int tag, void *bytes,
                      bal_size count)
{
    BAL_REQUIRE(count <= INT_MAX);
    MPI_Recv(bytes, (int)count, MPI_BYTE, from, tag, c->mpi, MPI_STATUS_IGNORE);
    bal_comm_count(c, 0);
}

void bal_comm_barrier(bal_comm *c)
{
    MPI_Barrier(c->mpi);
    bal_comm_count(c, 0);
}

void bal_comm_reduce(bal_comm *c, void *x, int n, MPI_Datatype type, MPI_Op op)
{
    int size;

    MPI_Type_size(type, &size);
    MPI_Allreduce(MPI_IN_PLACE, x, n, type, op, c->mpi);
    bal_comm_count(c, (bal_size)size * n);
}
