#include "balans/app/simulate.h"
#include "balans/base/log.h"
#include "balans/cli/args.h"
#include "balans/cli/command.h"
#include "balans/cli/machine.h"
#include "balans/par/agree.h"

static const bal_operand operands[] = {
    {"OUTPUT.h5ad", offsetof(bal_simulation, output)},
    {NULL, 0},
};

static bal_verdict run(bal_comm *c, int argc, char *const *argv)
{
    bal_verdict st;
    bal_simulation s = {0};

    BAL_TRY(bal_args_read(c, &bal_cmd_simulate, &s, argc, argv));
    BAL_TRY(bal_agree(c, bal_simulation_check(&s)));
    bal_log_init(s.quiet ? BAL_LOG_ERROR : BAL_LOG_INFO, c->rank);
    bal_machine_say();
    BAL_TRY(bal_simulate_file(c, &s));
done:
    bal_simulation_destroy(&s);
    return st;
}

const bal_command bal_cmd_simulate = {
    .name = "simulate",
    .meaning = "write synthetic data with batch effects",
    .options = bal_simulation_table,
    .operands = operands,
    .notes = "The data have the obs columns 'batch' and 'label'.  The file has "
             "the same bytes\non any number of ranks, and its first rows are "
             "those of a smaller one made with\nthe same other options.\n",
    .run = run,
};
