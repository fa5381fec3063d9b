#include "balans/app/evaluate.h"
#include "balans/base/log.h"
#include "balans/cli/args.h"
#include "balans/cli/command.h"
#include "balans/cli/machine.h"
#include "balans/par/agree.h"

static const bal_operand operands[] = {
    {"FILE.h5ad", offsetof(bal_evaluation, input)},
    {NULL, 0},
};

static bal_log_level level_of(const bal_evaluation *e)
{
    if (e->quiet)
        return BAL_LOG_ERROR;
    return e->verbose ? BAL_LOG_DEBUG : BAL_LOG_INFO;
}

static bal_verdict run(bal_comm *c, int argc, char *const *argv)
{
    bal_verdict st;
    bal_evaluation e = {0};

    BAL_TRY(bal_args_read(c, &bal_cmd_evaluate, &e, argc, argv));
    BAL_TRY(bal_agree(c, bal_evaluation_check(&e)));
    bal_log_init(level_of(&e), c->rank);
    bal_machine_say();
    BAL_TRY(bal_evaluate_file(c, &e));
done:
    bal_evaluation_destroy(&e);
    return st;
}

const bal_command bal_cmd_evaluate = {
    .name = "evaluate",
    .meaning = "measure how well batches mix and labels keep apart",
    .options = bal_evaluation_table,
    .operands = operands,
    .notes = "Prints a table of metrics, larger being better, one column for "
             "each matrix:\n"
             "    balans evaluate out.h5ad --batch plate --label compound \\\n"
             "        --matrix X --matrix layers/original\n",
    .run = run,
};
