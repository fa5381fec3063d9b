/**
 * @file
 * What the landmarks hold of each batch, and how far they believe it.
 *
 * A batch that lacks a landmark's kind still supplies its k nearest points, and
 * then the wrong ones.  Trust weighs the part beta of landmark i, of batch a:
 *
 *     W(i,beta)     = sum over j in beta of R_ij,   R_ij = A_ij / t(i)
 *     competition   kappa = min(1, 1.1 min over gamma != a of s2(i,gamma)
 *                                      / s2(i,beta))^4
 *     coverage      c(j,beta) = sum of A_lj over the landmarks l of beta
 *                   v(i,beta) = sum over j in a of R_ij c(j,beta) / W(i,a)
 *     on            omega(i,beta) = kappa min(1, 2 v(i,beta) / vbar(a,beta))^2
 *     strict        kappa with power 8, and coverage seen twice
 *     q(i,beta)     = omega(i,beta) min(1, sum over gamma != beta of omega)
 *
 * All is a function of Z, A and the batches.  Sums over points are exact
 * reductions, those over landmarks in double in canonical order, so the result
 * is the same on any number of ranks and threads.
 * Source: algorithm.md, section 6.
 */
#ifndef BAL_ALGO_TRUST_H
#define BAL_ALGO_TRUST_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/data/affinity.h"
#include "balans/par/comm.h"
#include "balans/par/layout.h"

typedef enum bal_trusting {
    BAL_TRUST_ON = 0,
    BAL_TRUST_STRICT,
    BAL_TRUST_OFF,
} bal_trusting;

/** The parts of the landmarks, the same on every rank. */
typedef struct bal_parts {
    bal_size m, groups;  ///< landmarks; batches, or 1: not told apart
    double *sum;         ///< [m] t(i)
    double *weight;      ///< [m, groups] sum over j in beta of A_ij
    int64_t longest;     ///< most entries in a row of A
} bal_parts;

/**
 * Sums up the parts.  Collective.
 * @param[in] by_tile  A by tile
 * @param[in] groups   1 or the number of batches
 * Fails with BAL_ENOMEM.  Cost: one pass over A, 16 m groups bytes reduced.
 */
bal_verdict bal_parts_create(bal_comm *c, const bal_affinity *by_tile,
                             const bal_layout *l, bal_size groups,
                             bal_parts **out);

/** Local; NULL is fine. */
void bal_parts_destroy(bal_parts **p);

/** A pair of batches and the share of its landmarks that are not seen. */
typedef struct bal_pair_share {
    bal_size from, to; ///< landmarks of batch `from`, seen by those of `to`
    double share;
} bal_pair_share;

enum { BAL_PAIRS_TOLD = 5 };

/** The same on every rank. */
typedef struct bal_trust {
    bal_size m, batches;
    double *omega;    ///< [m, B], in [0, 1]
    double *q;        ///< [m, B]
    bal_size pairs;   ///< of a landmark and another batch
    bal_size unseen;  ///< of them, those with x < 0.5
    bal_pair_share least[BAL_PAIRS_TOLD]; ///< that share least, in order
    int told;         ///< how many of them there are
} bal_trust;

/**
 * Finds omega and q.
 *
 * Collective.  Same on every rank: form (on or strict), s2, landmark.
 * @param[in] s2        [m, B] k-th smallest squared distances; -1: none
 * @param[in] landmark  [m] positions
 * Fails with BAL_ENOMEM.
 * Cost: two passes over A with B additions for each entry in the landmark's own
 * batch; 16 m B bytes reduced twice (strict: four times).
 */
bal_verdict bal_trust_create(bal_comm *c, bal_trusting form,
                             const bal_affinity *by_tile, const bal_layout *l,
                             const bal_parts *parts, const float *s2,
                             const bal_gidx *landmark, bal_trust **out);

/** Local; NULL is fine. */
void bal_trust_destroy(bal_trust **t);

/** Share of the pairs that are not seen; 0 where there are none.  Local. */
double bal_trust_unseen(const bal_trust *t);

/** Mean of omega over the landmarks of each batch, [B, B]: row a, column beta.
 *  Local. */
void bal_trust_between(const bal_trust *t, const bal_layout *l,
                       const bal_gidx *landmark, double *mean);

#endif
