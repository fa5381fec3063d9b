/* --help and --version.  They need no MPI, so that they work on the login node
 * of a cluster; under a launcher, one process prints. */
#include <ctype.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/app/options.h"
#include "balans/app/version.h"
#include "balans/cli/help.h"
#include "balans/io/library.h"
#include "balans/kernel/blas.h"

bool bal_help_is_first(void)
{
    static const char *const ranks[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK",
                                        "PMI_RANK", "SLURM_PROCID"};

    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
        const char *rank = getenv(ranks[i]);
        if (rank != NULL)
            return strcmp(rank, "0") == 0;
    }
    return true;
}

void bal_help_program(FILE *stream)
{
    fputs("usage: balans COMMAND [ARGUMENT]...\n\n"
          "Batch correction of Cell Painting profiles by batch-dependent "
          "kernels and\nadaptive sampling, on any number of cores and "
          "machines.\n\n",
          stream);
    for (const bal_command *c = bal_commands; c->name != NULL; c++)
        fprintf(stream, "  %-10s%s\n", c->name, c->meaning);
    fputs("\n'balans help COMMAND' explains a command; 'balans --version' says "
          "which one\nthis is.  Exit codes: 0 done, 1 failed, 2 wrong "
          "usage, 75 stopped with a\ncheckpoint.\n",
          stream);
}

static void print_usage(const bal_command *command, FILE *stream)
{
    fprintf(stream, "usage: balans %s", command->name);
    for (int i = 0; i < BAL_OPERANDS_MOST && command->operand[i].name; i++)
        fprintf(stream, " %s", command->operand[i].name);
    fputs(" [OPTION]...\n\n", stream);
    fprintf(stream, "%c%s.\n\n", toupper((unsigned char)command->meaning[0]),
            command->meaning + 1);
}

void bal_help_command(const bal_command *command, FILE *stream)
{
    print_usage(command, stream);
    bal_options_help(command->options, stream);
    fputs("  -h, --help                print this\n", stream);
    if (command->notes != NULL)
        fprintf(stream, "\n%s", command->notes);
}

void bal_help_version(FILE *stream)
{
    char mpi[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;

    MPI_Get_library_version(mpi, &length);
    mpi[strcspn(mpi, ",\n")] = '\0';
    fprintf(stream, "balans %s (commit %s)\n%s\n%s\n%s (%s kernels)\n",
            bal_version(), bal_commit(), mpi, bal_hdf5_version(),
            bal_blas_version(), bal_blas_core());
}
