/**
 * @file
 * What the ranks compute with, which may differ from host to host.
 *
 * OpenBLAS picks kernels by processor model, and those of two models may differ
 * in the last bits of a product, such as the covariance.  Where all ranks use
 * the same set, the result does not depend on which rank holds what.
 */
#ifndef BAL_PAR_PROCESSORS_H
#define BAL_PAR_PROCESSORS_H

#include <stdbool.h>

#include "balans/par/comm.h"

typedef struct bal_processors {
    bool mixed;     ///< ranks use different sets
    char text[160]; ///< "SkylakeX"; where mixed "SkylakeX on rank 0, Haswell on
                    ///< rank 3" and a checksum over the sets by rank
} bal_processors;

/** Compares the sets of all ranks.  Collective.  The same on every rank.
 *  @param[in] core  of this rank, as bal_blas_core() says */
bal_processors bal_processors_of(bal_comm *c, const char *core);

#endif
