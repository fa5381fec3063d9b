/*
 * Records the MPI calls of a run: a library to be loaded before the program.
 *
 *     mpicc -O2 -shared -fPIC record.c -o record.so
 *     mpirun -n 4 -x LD_PRELOAD=./record.so -x RECORD=calls balans correct ...
 *
 * writes calls.0 ... calls.3, a line for each call on the first duplicate of
 * MPI_COMM_WORLD, which is the program's communicator; what libraries send
 * among themselves is left out:
 *
 *     PHASE KIND BYTES PEER SECONDS [BYTES TO EACH RANK]
 *
 * PHASE is what the program told MPI_Pcontrol(), less LEVEL (par/comm.h); BYTES
 * is what the rank handed to the call, or asks for where it receives; PEER the
 * root or the other end, -1 for none; SECONDS the processor time of the calling
 * thread since the call before.
 */
#define _GNU_SOURCE
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LEVEL = 100 };

static MPI_Comm program = MPI_COMM_NULL;
static FILE *out;
static int phase;
static double last;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static long long bytes_of(int count, MPI_Datatype type)
{
    int size;

    PMPI_Type_size(type, &size);
    return (long long)size * count;
}

/* The line up to its end; @return whether the call is to be recorded. */
static int begin(MPI_Comm comm, const char *kind, long long bytes, int peer)
{
    if (comm != program || out == NULL)
        return 0;
    fprintf(out, "%d %s %lld %d %.9f", phase, kind, bytes, peer, now() - last);
    return 1;
}

static int end(int recorded, int code)
{
    if (recorded) {
        fputc('\n', out);
        last = now();
    }
    return code;
}

int MPI_Pcontrol(const int level, ...)
{
    phase = level - LEVEL;
    return MPI_SUCCESS;
}

int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *new)
{
    int code = PMPI_Comm_dup(comm, new), rank;
    const char *name = getenv("RECORD");
    char path[4096];

    if (comm != MPI_COMM_WORLD || program != MPI_COMM_NULL || name == NULL)
        return code;
    program = *new;
    PMPI_Comm_rank(program, &rank);
    snprintf(path, sizeof path, "%s.%d", name, rank);
    out = fopen(path, "w");
    last = now();
    return code;
}

int MPI_Finalize(void)
{
    if (out != NULL)
        fclose(out);
    out = NULL;
    return PMPI_Finalize();
}

int MPI_Comm_split_type(MPI_Comm comm, int type, int key, MPI_Info info,
                        MPI_Comm *new)
{
    int recorded = begin(comm, "split", 0, -1);

    return end(recorded, PMPI_Comm_split_type(comm, type, key, info, new));
}

int MPI_Barrier(MPI_Comm comm)
{
    int recorded = begin(comm, "barrier", 0, -1);

    return end(recorded, PMPI_Barrier(comm));
}

int MPI_Allreduce(const void *in, void *result, int count, MPI_Datatype type,
                  MPI_Op op, MPI_Comm comm)
{
    int recorded = begin(comm, "allreduce", bytes_of(count, type), -1);

    return end(recorded, PMPI_Allreduce(in, result, count, type, op, comm));
}

int MPI_Exscan(const void *in, void *result, int count, MPI_Datatype type,
               MPI_Op op, MPI_Comm comm)
{
    int recorded = begin(comm, "exscan", bytes_of(count, type), -1);

    return end(recorded, PMPI_Exscan(in, result, count, type, op, comm));
}

int MPI_Bcast(void *data, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
    int recorded = begin(comm, "bcast", bytes_of(count, type), root);

    return end(recorded, PMPI_Bcast(data, count, type, root, comm));
}

int MPI_Allgather(const void *in, int count, MPI_Datatype type, void *result,
                  int each, MPI_Datatype to, MPI_Comm comm)
{
    int recorded = begin(comm, "allgather", bytes_of(count, type), -1);

    return end(recorded,
               PMPI_Allgather(in, count, type, result, each, to, comm));
}

int MPI_Gather(const void *in, int count, MPI_Datatype type, void *result,
               int each, MPI_Datatype to, int root, MPI_Comm comm)
{
    int recorded = begin(comm, "gather", bytes_of(count, type), root);

    return end(recorded,
               PMPI_Gather(in, count, type, result, each, to, root, comm));
}

int MPI_Gatherv(const void *in, int count, MPI_Datatype type, void *result,
                const int *each, const int *at, MPI_Datatype to, int root,
                MPI_Comm comm)
{
    int recorded = begin(comm, "gather", bytes_of(count, type), root);

    return end(recorded,
               PMPI_Gatherv(in, count, type, result, each, at, to, root, comm));
}

int MPI_Alltoall(const void *in, int count, MPI_Datatype type, void *result,
                 int each, MPI_Datatype to, MPI_Comm comm)
{
    int ranks;

    PMPI_Comm_size(comm, &ranks);
    int recorded = begin(comm, "alltoall", ranks * bytes_of(count, type), -1);
    return end(recorded,
               PMPI_Alltoall(in, count, type, result, each, to, comm));
}

int MPI_Alltoallv(const void *in, const int *count, const int *at,
                  MPI_Datatype type, void *result, const int *each,
                  const int *from, MPI_Datatype to, MPI_Comm comm)
{
    long long sum = 0;
    int ranks;

    PMPI_Comm_size(comm, &ranks);
    for (int r = 0; r < ranks; r++)
        sum += bytes_of(count[r], type);
    int recorded = begin(comm, "alltoallv", sum, -1);
    for (int r = 0; recorded && r < ranks; r++)
        fprintf(out, " %lld", bytes_of(count[r], type));
    return end(recorded, PMPI_Alltoallv(in, count, at, type, result, each, from,
                                        to, comm));
}

int MPI_Send(const void *data, int count, MPI_Datatype type, int to, int tag,
             MPI_Comm comm)
{
    int recorded = begin(comm, "send", bytes_of(count, type), to);

    return end(recorded, PMPI_Send(data, count, type, to, tag, comm));
}

int MPI_Recv(void *data, int count, MPI_Datatype type, int from, int tag,
             MPI_Comm comm, MPI_Status *status)
{
    int recorded = begin(comm, "receive", bytes_of(count, type), from);

    return end(recorded, PMPI_Recv(data, count, type, from, tag, comm, status));
}
