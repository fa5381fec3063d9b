#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "balans/app/apply.h"
#include "balans/app/evaluate.h"
#include "balans/app/info.h"
#include "balans/app/options.h"
#include "balans/app/correct.h"
#include "balans/app/page.h"
#include "balans/app/simulate.h"
#include "balans/base/fault.h"
#include "balans/base/text.h"
#include "balans/cli/command.h"

static bal_verdict print_params(bal_comm *c, const bal_params *p)
{
    bal_verdict st = {BAL_OK};
    const char *const *point = bal_fault_points;

    if (c->rank == 0 && p->faults) {
        while (*point != NULL)
            puts(*point++);
    } else if (c->rank == 0) {
        puts("# Parameters of 'balans correct'; --config reads such a file.");
        bal_options_print(BAL_FOR_CORRECT, p, stdout);
    }
    return st;
}

#define AT(member) offsetof(bal_params, member)

const bal_command bal_commands[] = {
    {
        .name = "apply",
        .meaning = "correct new plates by a model",
        .options = BAL_FOR_APPLY,
        .operand = {{"MODEL.h5", "a model file", AT(model)},
                    {"INPUT.h5ad", "an input file", AT(input)},
                    {"OUTPUT.h5ad", "an output file", AT(output)}},
        .notes = "The batch column is that of the model, unless --batch names "
                 "one. Features are\nmatched by name. Each batch is corrected "
                 "by itself: a file of several batches\ngives what its "
                 "batches give one by one.\n",
        .run = bal_apply_file,
    },
    {
        .name = "correct",
        .meaning = "correct batch effects",
        .options = BAL_FOR_CORRECT,
        .operand = {{"INPUT.h5ad", "an input file", AT(input)},
                    {"OUTPUT.h5ad", "an output file", AT(output)}},
        .notes = "With a launcher the work is shared by all ranks, as in\n"
                 "    mpirun -n 4 balans correct in.h5ad out.h5ad --batch "
                 "plate\n"
                 "The output has the same bytes on any number of ranks and "
                 "threads.\n",
        .run = bal_correct_file,
    },
    {
        .name = "evaluate",
        .meaning = "measure how well batches mix and labels keep apart",
        .options = BAL_FOR_EVALUATE,
        .operand = {{"FILE.h5ad", "a file", AT(input)}},
        .notes = "Prints a table of metrics, larger being better, one column "
                 "for each matrix:\n"
                 "    balans evaluate out.h5ad --batch plate --label compound "
                 "\\\n"
                 "        --matrix X --matrix layers/original\n",
        .run = bal_evaluate_file,
    },
    {
        .name = "fit",
        .meaning = "learn a correction and keep it as a model",
        .options = BAL_FOR_FIT,
        .operand = {{"INPUT.h5ad", "an input file", AT(input)},
                    {"MODEL.h5", "a model file", AT(save_model)}},
        .notes = "Learns what 'balans correct' would, and writes no profiles. "
                 "The model has\nthe same bytes on any number of ranks and "
                 "threads; 'balans info MODEL.h5' shows\nit.\n",
        .run = bal_correct_file,
    },
    {
        .name = "info",
        .meaning = "show what is in a file, and what a run on it would need",
        .options = BAL_FOR_INFO,
        .operand = {{"FILE.h5ad", "a file", AT(input)}},
        .notes = "With --batch it says how many landmarks and how much time to "
                 "expect, from a\nsample of the file and a calibration of this "
                 "machine; start it with as many\nranks on a host as the run "
                 "will have there. The options are those\nof 'correct' that "
                 "change what a run needs.  Of a model it shows what is in "
                 "it.\n",
        .run = bal_info_file,
    },
    {
        .name = "params",
        .meaning = "print every parameter with its value, as YAML",
        .options = BAL_FOR_PARAMS,
        .notes = "The values are the defaults, changed by --config and by the "
                 "options given.\n",
        .run = print_params,
    },
    {
        .name = "report",
        .meaning = "make a page of figures about an output",
        .options = BAL_FOR_REPORT,
        .operand = {{"OUTPUT.h5ad", "an output of 'balans correct'",
                     AT(input)}},
        .notes = "The page needs no other file and no network:\n"
                 "    balans report out.h5ad -o report.html --label compound "
                 "\\\n"
                 "        --scores scores.json\n"
                 "Profiles before the correction are those that "
                 "--keep-original has kept, or\nthose of the input where it "
                 "still stands beside the output.  At most 20,000 are\n"
                 "drawn.\n",
        .run = bal_page_file,
    },
    {
        .name = "simulate",
        .meaning = "write synthetic data with batch effects",
        .options = BAL_FOR_SIMULATE,
        .operand = {{"OUTPUT.h5ad", "an output file", AT(output)}},
        .notes = "The data have the obs columns 'batch' and 'label'.  The file "
                 "has the same bytes\non any number of ranks, and its first "
                 "rows are those of a smaller one made with\nthe same other "
                 "options.\n",
        .run = bal_simulate_file,
    },
    {.name = NULL},
};

const bal_command *bal_command_find(const char *name)
{
    for (const bal_command *c = bal_commands; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

const char *bal_command_nearest(const char *name)
{
    const char *names[sizeof bal_commands / sizeof *bal_commands];
    size_t count = 0;

    for (const bal_command *c = bal_commands; c->name != NULL; c++)
        names[count++] = c->name;
    names[count++] = "help";
    return bal_nearest(name, names, count);
}
