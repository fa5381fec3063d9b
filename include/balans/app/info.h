/** @file  `balans info`: what is in a file, and what a run on it would need. */
#ifndef BAL_APP_INFO_H
#define BAL_APP_INFO_H

#include "balans/app/params.h"
#include "balans/par/comm.h"

/**
 * Prints matrices and columns of the file, and what a run on p->ranks ranks (0:
 * as many as ask) would need (forecast/print.h), on rank 0's stdout.  Without
 * p->batch, only what does not hang on it.  Nothing is written.
 *
 * Collective.  Same on every rank: p.
 * Fails as opening the file and as the forecast do.
 */
bal_verdict bal_info_file(bal_comm *c, const bal_params *p);

#endif
