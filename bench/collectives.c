/*
 * The sampler's communication pattern alone, for SimGrid's SMPI: CALLS times a
 * sum over all ranks of BYTES bytes.  Prints ranks, bytes and the simulated
 * seconds of one sum.
 *
 *     smpicc -O2 collectives.c -o collectives
 *     smpirun -np 64 ... ./collectives 20 6400
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int calls = argc > 1 ? atoi(argv[1]) : 20;
    int count = (argc > 2 ? atoi(argv[2]) : 6400) / 8;
    long long *mine, *sum;
    double since;
    int rank, size;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    mine = calloc((size_t)count, sizeof *mine);
    sum = calloc((size_t)count, sizeof *sum);
    MPI_Barrier(MPI_COMM_WORLD);
    since = MPI_Wtime();
    for (int i = 0; i < calls; i++)
        MPI_Allreduce(mine, sum, count, MPI_LONG_LONG, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%d,%d,%.9f\n", size, count * 8,
               (MPI_Wtime() - since) / calls);
    free(mine);
    free(sum);
    MPI_Finalize();
    return 0;
}
