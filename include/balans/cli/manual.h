/** @file  Manual pages and completion, made of the tables; all of it is local
 *  and needs no MPI. */
#ifndef BAL_CLI_MANUAL_H
#define BAL_CLI_MANUAL_H

#include <stdio.h>

#include "balans/cli/command.h"

/** Writes the page of a command as roff; that of the program for NULL. */
void bal_manual_page(const bal_command *command, FILE *stream);

/** Writes the completion of bash. */
void bal_manual_completion(FILE *stream);

#endif
