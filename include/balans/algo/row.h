/**
 * @file
 * Affinity rows of W landmarks at a time, from drawn points to sparse rows.
 *
 *     d2(i, j) = |z_i - z_j|^2                     this rank's points, by tiles
 *     s2(i, b) = k-th smallest d2(i, j), j != i in b          over all ranks
 *     a(i, j)  = exp(-d2(i, j) / s2(i, b_j)),  a(i, i) = 1
 *     kept     : a >= edge_h* (elbow), or d2 <= s2 (scale)    over all ranks
 *
 * Three passes, of which only the first sees all points: it computes the
 * distances of a tile to all W landmarks while the tile is in cache, selects
 * the k smallest of each batch, and stores the candidates - what may still
 * reach the affinity floor. The other two read candidates only.
 *
 * Cost for W landmarks: 3 W p flops a point, and three collectives, none of a
 * size that grows with n: coordinates (W (p + 2) words), k smallest (W lists of
 * k a batch that several ranks hold), histograms (W BAL_BINS counts; elbow
 * only). Large k take three calls instead of one (par/kmerge.h).
 * Source: paper, Definition 1 and Algorithm 3; algorithm.md, sections 3, 4, 9.
 */
#ifndef BAL_ALGO_ROW_H
#define BAL_ALGO_ROW_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/data/csr.h"
#include "balans/data/tiles.h"
#include "balans/par/comm.h"

/** How a row is made sparse (section 4). */
typedef enum bal_sparsify { BAL_ELBOW = 0, BAL_SCALE } bal_sparsify;

/** k: a number, a share of each batch, or the larger of both. */
typedef struct bal_neighbors {
    bal_size k;   ///< at least 1; 0 = the share alone
    double share; ///< in (0, 1]; 0 = the number alone
} bal_neighbors;

typedef struct bal_row_params {
    bal_neighbors neighbors;
    bal_sparsify sparsify;
    double gate; ///< G: 0 (off) or at least 1
    int threads; ///< OpenMP threads
} bal_row_params;

enum { BAL_ROWS_MOST = 64 }; ///< most landmarks in flight

/** k of a batch of the given size, before it is limited by the points the
 *  batch has: the larger of k and the share, rounded up.  The share counts as
 *  the decimal of 15 digits it stands for: 7 % of 100 are 7.  Local. */
bal_size bal_neighbors_in(bal_neighbors neighbors, bal_size batch_size);

/** Bytes of work space this rank needs for W landmarks in flight.  Local. */
bal_size bal_rows_memory(const bal_layout *l, int p, const bal_row_params *par,
                         int w);

typedef struct bal_rows bal_rows;

/**
 * Makes the work space for up to `w` landmarks.  Local.
 * @param[in] z  borrowed
 * @param[in] w  1 .. BAL_ROWS_MOST
 * Fails with BAL_ENOMEM.
 */
bal_status bal_rows_create(const bal_tiles *z, const bal_row_params *par, int w,
                           bal_rows **out);

/** Local; NULL is fine. */
void bal_rows_destroy(bal_rows **r);

/**
 * Computes the rows of `w` landmarks.
 *
 * Collective.  Same on every rank: w, and what the rows were created with.  The
 * calling rank's part may fail while the others' succeeds; so that no call is
 * spent on it here, the caller agrees on the outcome at its next appointment.
 * @param[in,out] pos   [w], the landmark's position on the rank that holds it,
 *                      -1 on the others; on return its position everywhere
 * @param[out]    out   [w], this rank's entries; owned by the caller; some may
 *                      be empty after a failure
 * @param[in,out] mine  this rank's first failure so far; becomes BAL_ENOMEM if
 *                      it was BAL_OK and memory ran out
 */
void bal_rows_compute(bal_comm *c, bal_rows *r, int w, bal_gidx *pos,
                      bal_csr_row *out, bal_status *mine);

/**
 * The two halves of bal_rows_compute(), for who wants to know where the
 * landmarks are before their rows are computed.
 *
 * Collective.  Same on every rank: w.  Parameters as above.
 */
void bal_rows_place(bal_comm *c, bal_rows *r, int w, bal_gidx *pos);
void bal_rows_fill(bal_comm *c, bal_rows *r, int w, const bal_gidx *pos,
                   bal_csr_row *out, bal_status *mine);

/**
 * Between the two: leaves out the landmarks that are not wanted.  Local.
 * @param[in,out] pos   [w], as bal_rows_place() set it; closes up
 * @return how many are left, the w of bal_rows_fill(); if none, it is not
 * called
 */
int bal_rows_pick(bal_rows *r, int w, const bool *want, bal_gidx *pos);

/**
 * The scales s2(i, b) of landmark i of the latest bal_rows_compute(), before
 * any gate, in the batches this rank holds points of: a run of batches.  Local.
 * @param[out] first_batch  the first of them
 * @param[out] batches      how many
 * @return [batches], -1 where the batch has no point but the landmark; borrowed
 *         until the next bal_rows_compute()
 */
const float *bal_rows_scales(const bal_rows *r, int i, bal_size *first_batch,
                             bal_size *batches);

#endif
