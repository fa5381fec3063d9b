/** @file  --help and --version; all of it is local and needs no MPI. */
#ifndef BAL_CLI_HELP_H
#define BAL_CLI_HELP_H

#include <stdbool.h>
#include <stdio.h>

#include "balans/cli/command.h"

/** Whether this is the process that prints, as far as the launcher's variables
 *  in the environment say. */
bool bal_help_is_first(void);

void bal_help_program(FILE *stream);
void bal_help_command(const bal_command *command, FILE *stream);
void bal_help_version(FILE *stream);

#endif
