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
 * Fills a zeroed object: the defaults, then what the file of --config says (if
 * the table has such an option), then the command line; of repeated options the
 * last one counts.
 *
 * Collective.  Same on every rank: all arguments.
 * Fails with BAL_EUSAGE: unknown option (the message has the nearest name),
 * missing or wrong value, an operand too many; also as bal_config_read() does.
 */
bal_verdict bal_args_read(bal_comm *c, const bal_command *command, void *object,
                          int argc, char *const *argv);

/** Whether -h or --help stands among the options, that is before "--".
 *  Local. */
bool bal_args_ask_help(int argc, char *const *argv);

#endif
