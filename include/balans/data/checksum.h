/**
 * @file
 * Checksums of what a run is given and gives: to tell data sets apart, not to
 * withstand forgers.  They do not depend on the number of ranks.
 */
#ifndef BAL_DATA_CHECKSUM_H
#define BAL_DATA_CHECKSUM_H

#include <stdint.h>

#include "balans/data/blocks.h"
#include "balans/data/labels.h"
#include "balans/par/comm.h"

/** Of the rows of a matrix in file order, and every bit of them.  Collective.
 *  Fails as reading the rows does. */
bal_verdict bal_checksum_rows(bal_comm *c, bal_blocks *x, uint64_t *out);

/** Of which row is in which batch.  Collective. */
uint64_t bal_checksum_batches(bal_comm *c, const bal_labels *labels);

/** Of bytes, mixed with a number; differs whenever one byte does.  Local. */
uint64_t bal_checksum_bytes(uint64_t number, const void *bytes,
                            bal_size count);

#endif
