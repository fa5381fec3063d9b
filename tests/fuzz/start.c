/* MPI for targets that need a communicator: this process alone. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "balans/base/log.h"
#include "balans/io/aside.h"
#include "balans/kernel/blas.h"
#include "target.h"

static bal_comm comm;

static void finish(void)
{
    bal_comm_finish(&comm);
    MPI_Finalize();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int granted;

    bal_aside_serve(*argc, *argv);
    bal_blas_serial();
    MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &granted);
    bal_comm_init(&comm, MPI_COMM_WORLD);
    bal_log_init(BAL_LOG_ERROR, 0);
    atexit(finish);
    return 0;
}

bal_comm *fuzz_comm(void)
{
    return &comm;
}

void fuzz_insist(bool holds)
{
    if (holds)
        return;
    fprintf(stderr, "does not hold; %s: %s\n",
            bal_status_name((bal_status)bal_error_get()->code),
            bal_error_get()->text);
    abort();
}

uint8_t fuzz_byte(fuzz_bytes *b)
{
    if (b->left == 0)
        return 0;
    b->left--;
    return *b->next++;
}

uint64_t fuzz_word(fuzz_bytes *b)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | fuzz_byte(b);
    return v;
}
