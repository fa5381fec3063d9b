/** @file  The commands of the program: one table. */
#ifndef BAL_CLI_COMMAND_H
#define BAL_CLI_COMMAND_H

#include <stddef.h>

#include "balans/app/params.h"
#include "balans/base/status.h"
#include "balans/par/comm.h"

enum { BAL_OPERANDS_MOST = 2 };

/** A positional argument, all of which are needed. */
typedef struct bal_operand {
    const char *name; ///< in --help, such as "INPUT.h5ad"; NULL if none
    const char *what; ///< such as "an input file"
    size_t at;        ///< offset of a char * in bal_params
} bal_operand;

typedef struct bal_command {
    const char *name;
    const char *meaning; ///< one line, lower case, no full stop
    unsigned options;    ///< bal_for: the options it takes
    bal_operand operand[BAL_OPERANDS_MOST];
    const char *notes; ///< more for --help, with line ends; may be NULL

    /** Does the job; `p` is complete and checked.  Collective. */
    bal_verdict (*run)(bal_comm *c, const bal_params *p);
} bal_command;

/** All commands; the last one has no name. */
extern const bal_command bal_commands[];

/** The command of that name, or NULL.  Local. */
const bal_command *bal_command_find(const char *name);

/** The name nearest to a mistyped one; NULL if none is near.  Local. */
const char *bal_command_nearest(const char *name);

#endif
