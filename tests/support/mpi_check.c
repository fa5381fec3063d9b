#include "mpi_check.h"

#include <stdarg.h>
#include <stdio.h>

#include "balans/io/aside.h"

static char text[512];

bool mpi_check_all(bool mine)
{
    int here = mine, everywhere;

    MPI_Allreduce(&here, &everywhere, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    return everywhere != 0;
}

void mpi_check_explain(bool holds, const char *fmt, ...)
{
    int rank, used;
    va_list ap;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (holds) {
        snprintf(text, sizeof text, "rank %d: holds here, not elsewhere", rank);
        return;
    }
    used = snprintf(text, sizeof text, "rank %d: does not hold here ", rank);
    va_start(ap, fmt);
    vsnprintf(text + used, sizeof text - (size_t)used, fmt, ap);
    va_end(ap);
}

const char *mpi_check_text(void)
{
    return text;
}

static enum print_output loudness(int rank)
{
    return rank == 0 ? CK_NORMAL : CK_MINIMAL;
}

static void report(SRunner *runner, int rank)
{
    int failed = srunner_ntests_failed(runner);

    if (rank != 0 && failed > 0)
        fprintf(stderr, "rank %d: %d failed\n", rank, failed);
    srunner_print(runner, failed > 0 || rank == 0 ? loudness(rank) : CK_SILENT);
}

int mpi_check_run(Suite *suite, int argc, char **argv)
{
    int rank, got, failed;

    bal_aside_serve(argc, argv);
    SRunner *runner = srunner_create(suite);

    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &got);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    report(runner, rank);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    MPI_Finalize();
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
