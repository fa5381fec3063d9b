#include "balans/app/params.h"
#include "balans/app/pipeline.h"
#include "balans/base/log.h"
#include "balans/base/watch.h"
#include "balans/cli/args.h"
#include "balans/cli/command.h"
#include "balans/cli/machine.h"
#include "balans/par/agree.h"

static const bal_operand operands[] = {
    {"INPUT.h5ad", offsetof(bal_params, input)},
    {"OUTPUT.h5ad", offsetof(bal_params, output)},
    {NULL, 0},
};

static bal_log_level level_of(const bal_params *p)
{
    if (p->quiet)
        return BAL_LOG_ERROR;
    return p->verbose ? BAL_LOG_DEBUG : BAL_LOG_INFO;
}

static bal_verdict run(bal_comm *c, int argc, char *const *argv)
{
    bal_verdict st;
    bal_params p = {0};

    BAL_TRY(bal_args_read(c, &bal_cmd_correct, &p, argc, argv));
    BAL_TRY(bal_agree(c, bal_params_check(&p)));
    bal_log_init(level_of(&p), c->rank);
    bal_machine_say();
    BAL_TRY(bal_agree(c, bal_watch_start((double)p.stall_timeout, c->rank)));
    BAL_TRY(bal_correct_file(c, &p));
done:
    bal_params_destroy(&p);
    return st;
}

const bal_command bal_cmd_correct = {
    .name = "correct",
    .meaning = "correct batch effects",
    .options = bal_params_table,
    .operands = operands,
    .notes = "With a launcher the work is shared by all ranks, as in\n"
             "    mpirun -n 4 balans correct in.h5ad out.h5ad --batch plate\n"
             "The output has the same bytes on any number of ranks and "
             "threads.\n",
    .run = run,
};
