#include <string.h>

#include "balans/app/params.h"
#include "balans/base/fault.h"
#include "balans/cli/args.h"
#include "balans/cli/command.h"
#include "balans/par/agree.h"

static const bal_operand operands[] = {{NULL, 0}};

static void print_faults(void)
{
    for (const char *const *point = bal_fault_points; *point != NULL; point++)
        puts(*point);
}

static void print_params(const bal_params *p)
{
    puts("# Parameters of 'balans correct'; --config reads such a file.\n");
    bal_options_print(bal_params_table, p, stdout);
}

static bal_verdict run(bal_comm *c, int argc, char *const *argv)
{
    bal_verdict st;
    bal_params p = {0};
    bool faults = argc == 1 && strcmp(argv[0], "--faults") == 0;

    BAL_TRY(bal_args_read(c, &bal_cmd_params, &p, faults ? 0 : argc, argv));
    BAL_TRY(bal_agree(c, bal_params_check_rules(&p)));
    if (c->rank == 0 && faults)
        print_faults();
    else if (c->rank == 0)
        print_params(&p);
done:
    bal_params_destroy(&p);
    return st;
}

const bal_command bal_cmd_params = {
    .name = "params",
    .meaning = "print every parameter with its value, as YAML",
    .options = bal_params_table,
    .operands = operands,
    .notes = "The values are the defaults, changed by --config and by the "
             "options given.\n"
             "'balans params --faults' lists the places where, for tests,\n"
             "BAL_FAULT=PLACE:RANK in the environment makes a run fail.\n",
    .run = run,
};
