/**
 * @file
 * The command line: --name value, --name=value, flags, one-letter flags, "--",
 * operands.
 */
#ifndef BAL_CLI_ARGS_H
#define BAL_CLI_ARGS_H

#include <stdbool.h>

#include "balans/cli/command.h"

/**
 * Sets all parameters: the defaults, then what the file of --config says (if
 * the command takes one), then the command line; of repeated options the last
 * one counts.  `argv` holds what follows the command.
 *
 * Collective.  Same on every rank: all arguments.
 * Fails with BAL_EUSAGE: unknown option (the message has the nearest name),
 * missing or wrong value, a file or a required option missing, an operand too
 * many, parameters that do not go together; also as bal_config_read() does.
 */
bal_verdict bal_args_read(bal_comm *c, const bal_command *command,
                          bal_params *p, int argc, char *const *argv);

/** Whether -h or --help stands among the options, that is before "--".
 *  Local. */
bool bal_args_ask_help(int argc, char *const *argv);

#endif
