/**
 * @file
 * The commands of the program: one table, one file for each.
 */
#ifndef BAL_CLI_COMMAND_H
#define BAL_CLI_COMMAND_H

#include "balans/app/options.h"
#include "balans/base/status.h"
#include "balans/par/comm.h"

/** A positional argument: a text member of the same object as the options. */
typedef struct bal_operand {
    const char *name; ///< in --help, such as "INPUT.h5ad"; NULL ends the list
    size_t at;        ///< offset of a char *, owned by the object
} bal_operand;

typedef struct bal_command {
    const char *name;
    const char *meaning; ///< one line, lower case, no full stop
    const bal_option *options;
    const bal_operand *operands;
    const char *notes; ///< more for --help, with line ends; may be NULL

    /** Does the job.  Collective.  `argv` holds what follows the name. */
    bal_verdict (*run)(bal_comm *c, int argc, char *const *argv);
} bal_command;

/** All commands; the last one has no name. */
extern const bal_command *const bal_commands[];

extern const bal_command bal_cmd_correct;
extern const bal_command bal_cmd_evaluate;
extern const bal_command bal_cmd_info;
extern const bal_command bal_cmd_params;
extern const bal_command bal_cmd_simulate;

#endif
