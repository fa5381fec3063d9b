#define _POSIX_C_SOURCE 200809L
#include "balans/cli/machine.h"

#include <stdlib.h>
#include <unistd.h>

#include "balans/base/log.h"
#include "balans/kernel/blas.h"
#include "balans/kernel/cpu.h"
#include "balans/par/processors.h"

/* Holds the name of the core that OpenBLAS chose by itself; its being there is
 * also what keeps a second start from happening. */
#define GUARD "BALANS_BLAS_REPLACED"

void bal_machine_repair(char **argv)
{
    const char *core = bal_blas_core();
    const char *better = bal_blas_better_core(core, bal_isa_best());

    if (better == NULL || getenv(GUARD) != NULL ||
        getenv(BAL_BLAS_VARIABLE) != NULL)
        return;
    if (setenv(GUARD, core, 1) != 0 ||
        setenv(BAL_BLAS_VARIABLE, better, 0) != 0 ||
        setenv("OPENBLAS_NUM_THREADS", "1", 0) != 0)
        return;
    execv("/proc/self/exe", argv);
    /* Still here: the program works all the same, only slower. */
}

void bal_machine_agree(bal_comm *c)
{
    int64_t isa = (int64_t)bal_isa_best();

    bal_comm_min_i64(c, &isa, 1);
    bal_isa_use((bal_isa)isa);
}

void bal_machine_say(bal_comm *c)
{
    bal_processors p = bal_processors_of(c, bal_blas_core());
    const char *replaced = getenv(GUARD), *named = getenv(BAL_BLAS_VARIABLE);
    const char *library = bal_blas_version(), *core = bal_blas_core();

    if (p.mixed)
        bal_warn("the ranks' processors differ: OpenBLAS has kernels for %s; "
                 "the last digits of a result may depend on which rank runs "
                 "where, unless all use one set, as with " BAL_BLAS_VARIABLE
                 "=Haswell in the environment",
                 p.text);
    bal_debug("kernels for %s", bal_isa_name(bal_isa_now()));
    if (replaced != NULL)
        bal_debug("%s with its %s kernels; by itself it chose those for %s, so "
                  "the program started anew",
                  library, core, replaced);
    else
        bal_debug("%s with its %s kernels%s", library, core,
                  named != NULL ? ", as " BAL_BLAS_VARIABLE " says" : "");
}
