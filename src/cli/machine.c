#define _GNU_SOURCE /* sched_getaffinity() */
#include "balans/cli/machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balans/app/params.h"
#include "balans/base/log.h"
#include "balans/base/text.h"
#include "balans/kernel/blas.h"
#include "balans/kernel/cpu.h"
#include "balans/par/processors.h"

/* Holds the name of the core that OpenBLAS chose by itself; its being there is
 * also what keeps a second start from happening. */
#define GUARD "BALANS_BLAS_REPLACED"

/* Says how many threads share how many cores; its being there says that the
 * policy of waiting was not the user's. */
#define SHARED      "BALANS_CORES_SHARED"
#define WAIT_POLICY "OMP_WAIT_POLICY"

/* @return whether the environment was changed */
static bool choose_blas(void)
{
    const char *core = bal_blas_core();
    const char *better = bal_blas_better_core(core, bal_isa_best());

    return better != NULL && getenv(GUARD) == NULL &&
           getenv(BAL_BLAS_VARIABLE) == NULL && setenv(GUARD, core, 1) == 0 &&
           setenv(BAL_BLAS_VARIABLE, better, 0) == 0 &&
           setenv("OPENBLAS_NUM_THREADS", "1", 0) == 0;
}

/* Ranks on this host, as far as the launcher says; Slurm's list starts with
 * those on the first host. */
static long ranks_here(void)
{
    static const char *const names[] = {
        "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS",
        "MV2_COMM_WORLD_LOCAL_SIZE", "SLURM_STEP_TASKS_PER_NODE"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        long ranks = text != NULL ? strtol(text, NULL, 10) : 0;
        if (ranks > 0)
            return ranks;
    }
    return 1;
}

/* Of a rank, as far as the command line says, or OMP_NUM_THREADS. */
static long threads_wanted(char *const *argv)
{
    static const char option[] = "--threads";
    bal_params p = {0};

    for (; *argv != NULL && p.threads == 0; argv++) {
        const char *value = NULL;
        if (strcmp(*argv, option) == 0)
            value = argv[1];
        else if (strncmp(*argv, option, sizeof option - 1) == 0 &&
                 (*argv)[sizeof option - 1] == '=')
            value = *argv + sizeof option;
        if (value != NULL && !bal_parse_int(value, &p.threads))
            p.threads = 1;
    }
    return bal_params_threads(&p);
}

/* Cores that a process may use; 0 if that cannot be told. */
static long cores_of(pid_t process)
{
    cpu_set_t set;

    return sched_getaffinity(process, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                             : 0;
}

/* Threads that wait for others at the end of a loop keep their core busy.
 * Where the others wait for that very core, all lose.  The library of threads
 * has its policy from the environment when it is loaded.
 * @return whether the environment was changed */
static bool choose_waiting(char *const *argv)
{
    long threads = threads_wanted(argv), ranks = ranks_here();
    long cores = cores_of(0);
    char text[96];

    if (threads < 2 || cores == 0 || getenv(WAIT_POLICY) != NULL ||
        getenv("GOMP_SPINCOUNT") != NULL)
        return false;
    /* A rank that may use less than its launcher was bound to cores of its own;
     * else all ranks of the host share those of the launcher. */
    if (cores_of(getppid()) > cores)
        ranks = 1;
    snprintf(text, sizeof text, "%ld x %ld threads on %ld cores", ranks,
             threads, cores);
    return ranks * threads > cores && setenv(SHARED, text, 1) == 0 &&
           setenv(WAIT_POLICY, "passive", 0) == 0;
}

void bal_machine_repair(char **argv)
{
    bool blas = choose_blas(), waiting = choose_waiting(argv);

    if (blas || waiting)
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
    const char *shared = getenv(SHARED);
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
    if (shared != NULL)
        bal_debug("threads wait without keeping their core busy, as there are "
                  "%s; " WAIT_POLICY " in the environment changes that",
                  shared);
}
