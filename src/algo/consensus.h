/**
 * @file
 * The two products with A that corrections are made of: sums over points for
 * every landmark, and back from the landmarks to the points.  For the
 * corrections, not for others.
 *
 * Each landmark has `groups` rows in a table: one for each batch, or one in
 * all.  Row l groups + g holds, for a panel of features, the exact sum over the
 * points j of group g of a_lj x_jf; the caller turns it into what the points
 * are to get, and a point of group g takes from the rows of its own group
 * alone:
 *
 *     up     sum(l, g)_f = sum over j in g of a_lj x_jf
 *     down   acc_jf = sum over l of a_lj weight(l, g_j) row(l, g_j)_f
 *            den_j  = sum over l of a_lj divisor(l, g_j),
 *            rho_j  = sum over l of a_lj / t(l)
 *
 * Panels are as wide as the work space allows; each costs two sweeps over X.
 */
#ifndef BAL_ALGO_CONSENSUS_H
#define BAL_ALGO_CONSENSUS_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/data/affinity.h"
#include "balans/data/blocks.h"
#include "balans/par/comm.h"
#include "balans/par/sum.h"

/** Features f .. of the rows of a block, whose first is x. */
typedef struct bal_strip {
    const float *x;
    bal_size f;
    int vectors;
} bal_strip;

/** What a thread works with. */
typedef struct bal_consensus_scratch {
    uint32_t *index;  ///< [most + some] row of the table of each entry ...
    double *weight;   ///< [most + some] ... and its weight
    int32_t *first;   ///< [longest + 2] first entry of each point
    double *den, *rho; ///< [longest]
    double *acc;      ///< [BAL_VECTORS BAL_VECTOR]
    float *most;      ///< [room] largest |x| of what was written
    bal_strip *strip; ///< those of a panel
    bal_size broken;  ///< first feature that became not finite, or d
} bal_consensus_scratch;

typedef struct bal_consensus {
    bal_comm *comm;
    const bal_affinity *a;
    bal_blocks *x;
    int threads;
    bal_size groups;       ///< G, 1 or the number of batches
    const double *sum;     ///< [m] t(l)
    const double *weight;  ///< [m, G]
    const double *divisor; ///< [m, G]
    double longest;        ///< most entries in a row of A
    bal_size room;         ///< features that a panel holds
    bal_size first, count; ///< features of the panel
    bal_size wide;         ///< count, rounded up to whole vectors
    double *table;         ///< [m G, 2, wide], limbs at first
    bal_scale *scale;      ///< [room]
    double *up;            ///< [room] 2^e of the scales
    float *most;           ///< [d] largest |x| of each feature
    bal_consensus_scratch *scratch; ///< [threads]
    bal_size *share;       ///< [threads + 1] first landmark of each thread
    bal_size chunk;        ///< landmarks whose sums are made at a time
} bal_consensus;

/**
 * Makes the work space.
 *
 * Collective; at the fault point "correct".
 * @param[in] extra   bytes a landmark and group that the caller adds
 * @param[in] longest most entries in a row of A, the same on every rank
 * Fails with BAL_ENOMEM; with BAL_EUSAGE where `memory` does not hold a panel
 * of one vector.
 */
bal_verdict bal_consensus_init(bal_consensus *p, bal_size memory,
                               bal_size extra);

/** Local; one that was zeroed is fine. */
void bal_consensus_finish(bal_consensus *p);

/** Goes to the panel that starts at feature `first`, and sums.  Collective.
 *  Fails as reading X does. */
bal_verdict bal_consensus_load(bal_consensus *p, bal_size first);

/** The sum of feature f of the panel in a row of the table.  Local. */
double bal_consensus_sum(const bal_consensus *p, bal_size row, bal_size f);

/** The row of the table as doubles, [wide], `2 wide` apart.  Local. */
static inline double *bal_consensus_row(const bal_consensus *p, bal_size row)
{
    return p->table + row * 2 * p->wide;
}

/** What came down to one point: features `first` .. first + count - 1 of X. */
typedef struct bal_arrival {
    bal_size point;       ///< local row
    bal_size first, count;
    const double *acc;    ///< [count]
    double den, rho;
    float *x;             ///< [count], to be changed
} bal_arrival;

/** Called for every point and up to BAL_VECTORS vectors of features, by several
 *  threads at once, each point by one of them. */
typedef void bal_arrive(const void *self, const bal_arrival *a);

/** From the landmarks to the points; what `take` leaves is kept if `keep`.
 *  p->most becomes that of the new values.  Collective.  Fails as X's source
 *  does; with BAL_ENUMERIC, naming the first feature that is not finite. */
bal_verdict bal_consensus_spread(bal_consensus *p, bal_arrive *take,
                                 const void *self, bool keep);

#endif
