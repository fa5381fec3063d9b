/* One program, one command per job; from the command line to an exit code. */
#define _POSIX_C_SOURCE 200809L
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balans/base/fault.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/signals.h"
#include "balans/base/text.h"
#include "balans/base/timer.h"
#include "balans/base/watch.h"
#include "balans/cli/args.h"
#include "balans/cli/command.h"
#include "balans/cli/help.h"
#include "balans/cli/machine.h"
#include "balans/cli/manual.h"
#include "balans/io/aside.h"
#include "balans/kernel/blas.h"
#include "balans/par/agree.h"

/* `balans help` and what follows it.  @return whether there was an answer */
static bool answer_help(int argc, char *const *argv)
{
    const char *topic = argc > 2 ? argv[2] : NULL;
    const bal_command *command =
        bal_command_find(argc > 2 ? argv[argc - 1] : "");

    if (topic == NULL)
        bal_help_program(stdout);
    else if (strcmp(topic, "--man") == 0)
        bal_manual_page(command, stdout);
    else if (strcmp(topic, "--completion") == 0)
        bal_manual_completion(stdout);
    else if (command != NULL)
        bal_help_command(command, stdout);
    else
        return false;
    return true;
}

static bool is_one_of(const char *given, const char *a, const char *b)
{
    return strcmp(given, a) == 0 || strcmp(given, b) == 0;
}

/* @return whether help or the version was asked for, and printed */
static bool answer_without_mpi(int argc, char *const *argv)
{
    const bal_command *command = bal_command_find(argv[1]);
    bool version = is_one_of(argv[1], "--version", "-V");
    bool help = is_one_of(argv[1], "--help", "-h") ||
                (command != NULL && bal_args_ask_help(argc - 2, argv + 2));
    bool topic = strcmp(argv[1], "help") == 0;

    if (!help && !version && !topic)
        return false;
    if (!bal_help_is_first())
        return !topic || argc < 3 || argv[2][0] == '-' ||
               bal_command_find(argv[2]) != NULL;
    if (topic)
        return answer_help(argc, argv);
    if (version)
        bal_help_version(stdout);
    else if (command != NULL)
        bal_help_command(command, stdout);
    else
        bal_help_program(stdout);
    return true;
}

/* What the launcher says; read before MPI is started, which sets some of these
 * variables itself. */
typedef struct launch {
    int64_t size;         /* processes, as far as anybody says */
    const char *variable; /* that says so */
    bool is_first;
} launch;

/* The largest number that one of the variables holds. */
static void look_at(launch *l, const char *const *variable, int64_t offset)
{
    int64_t number;

    for (; *variable != NULL; variable++) {
        const char *text = getenv(*variable);
        if (text != NULL && bal_parse_int(text, &number) &&
            number + offset > l->size) {
            l->size = number + offset;
            l->variable = *variable;
        }
    }
}

/* What Slurm says counts only where no other launcher stands between, as mpirun
 * starts its own helpers as a step. */
static launch look_at_launch(void)
{
    static const char *const launcher[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                           NULL};
    static const char *const slurm[] = {"SLURM_STEP_NUM_TASKS", NULL};
    static const char *const rank[] = {"PMIX_RANK", NULL};
    launch l = {.is_first = bal_help_is_first()};

    look_at(&l, launcher, 0);
    if (l.size == 0)
        look_at(&l, slurm, 0);
    if (l.size <= 1)
        look_at(&l, rank, 1);
    return l;
}

/* Where the program and the launcher do not understand each other, each process
 * believes to be alone and does all of the work, over the same output. */
static bal_status check_launch(const bal_comm *c, const launch *l)
{
    if (c->size > 1 || l->size <= 1)
        return BAL_OK;
    return BAL_FAIL(BAL_EUSAGE,
                    "cannot start: %s says that there are several processes, "
                    "but MPI sees one; start with the mpirun of the MPI the "
                    "program was built with ('balans --version'), or with srun "
                    "--mpi=pmix or --mpi=pmi2, whichever that MPI knows",
                    l->variable);
}

static bal_status fail_command(int argc, char *const *argv)
{
    bool topic = argc > 2 && strcmp(argv[1], "help") == 0;
    const char *given = argc < 2 ? NULL : argv[topic ? 2 : 1];
    const char *near = given != NULL ? bal_command_nearest(given) : NULL;

    if (given == NULL)
        return BAL_FAIL(BAL_EUSAGE, "cannot start without a command; 'balans "
                                    "--help' lists them");
    if (near != NULL)
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot %s '%s': there is no such command; is '%s' "
                        "meant",
                        topic ? "explain" : "run", given, near);
    return BAL_FAIL(BAL_EUSAGE,
                    "cannot %s '%s': there is no such command; 'balans "
                    "--help' lists those there are",
                    topic ? "explain" : "run", given);
}

static bal_log_level level_of(const bal_params *p)
{
    if (p->quiet)
        return BAL_LOG_ERROR;
    return p->verbose ? BAL_LOG_DEBUG : BAL_LOG_INFO;
}

/* A model alone, or the output, which comes last. */
static void say_written(const bal_params *p)
{
    const char *path = p->output != NULL ? p->output : p->save_model;

    if (path != NULL)
        bal_info("wrote '%s' in %.1f s", path, bal_now() - bal_started());
}

static bal_verdict run(bal_comm *c, const launch *l, int argc,
                       char *const *argv)
{
    const bal_command *command = argc < 2 ? NULL : bal_command_find(argv[1]);
    bal_params p = {0};
    bal_verdict st;

    if (command == NULL)
        return bal_agree(c, fail_command(argc, argv));
    if (bal_failed(check_launch(c, l)))
        return bal_agree(c, BAL_EUSAGE);
    bal_machine_agree(c);
    BAL_TRY(bal_args_read(c, command, &p, argc - 2, argv + 2));
    bal_log_init(level_of(&p), c->rank);
    bal_machine_say(c);
    BAL_TRY(bal_agree(c, bal_watch_start((double)p.stall_timeout, c->rank)));
    BAL_TRY(command->run(c, &p));
    if (!p.dry_run)
        say_written(&p);
done:
    bal_params_destroy(&p);
    return st;
}

/* Results that did not reach stdout are a failure as well. */
static bal_verdict flush(bal_comm *c, bal_verdict st)
{
    bool lost = fflush(stdout) != 0 || ferror(stdout);

    if (bal_failed(st))
        return st;
    return bal_agree(c,
                     lost ? BAL_FAIL(BAL_EIO, "cannot write to standard output")
                          : BAL_OK);
}

static void report_failure(const bal_comm *c, const launch *l, bal_verdict st)
{
    const bal_error *e = bal_error_get();

    if (c->rank != 0 || (c->size == 1 && !l->is_first))
        return;
    bal_progress_end();
    if (c->size > 1)
        fprintf(stderr, "balans: %s on rank %d: %s\n", bal_status_name(st.code),
                e->rank, e->text);
    else
        fprintf(stderr, "balans: %s: %s\n", bal_status_name(st.code), e->text);
    fflush(stderr);
}

int main(int argc, char **argv)
{
    int granted;
    bal_comm c;

    bal_aside_serve(argc, argv);
    (void)bal_started();
    bal_machine_repair(argv);
    if (argc > 1 && answer_without_mpi(argc, argv))
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    bal_blas_serial();
    const launch l = look_at_launch();
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &granted);
    bal_comm_init(&c, MPI_COMM_WORLD);
    bal_signals_obey(c.rank);
    bal_fault_set_rank(c.rank);
    bal_log_init(BAL_LOG_INFO, c.rank);

    bal_verdict st = flush(&c, run(&c, &l, argc, argv));
    if (bal_failed(st))
        report_failure(&c, &l, st);
    else if (bal_mem_held() != 0)
        bal_debug("%lld bytes were not given back", (long long)bal_mem_held());
    int code = bal_status_exit_code(st.code);
    if (c.torn) {
        bal_signals_clean();
        /* A launcher ends the others soon after the first has gone. */
        bal_comm_barrier(&c);
        _exit(code);
    }
    bal_signals_end(code);
    bal_comm_finish(&c);
    MPI_Finalize();
    bal_watch_stop();
    return code;
}
