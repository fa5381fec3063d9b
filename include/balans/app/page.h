/** @file  `balans report`: a page of figures about an output. */
#ifndef BAL_APP_PAGE_H
#define BAL_APP_PAGE_H

#include "balans/app/params.h"
#include "balans/par/comm.h"

/**
 * Reads an output of `correct` or `apply` and writes a page about it, which
 * needs no other file and has the same bytes whenever it is made of the same
 * files.
 *
 * Collective; rank 0 works.  Same on every rank: p.
 * Fails as reading does; with BAL_EUSAGE where a file would take another's
 * place; with BAL_EINPUT where the file is not such an output, has no label
 * column of that name, or the scores or the original are of another; with
 * BAL_EIO, BAL_ENOMEM.
 * Cost: 3 s^2 p flops for each of two layouts of s <= 20,000 points, and 200 to
 * 500 passes over their edges.
 */
bal_verdict bal_page_file(bal_comm *c, const bal_params *p);

#endif
