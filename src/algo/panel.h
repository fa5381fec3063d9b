/**
 * @file
 * A panel of features on its way through the affinities: sums over points for
 * every landmark, and back from the landmarks to the points.  For the
 * corrections, not for others.
 *
 * Work space: 24 m bytes a feature of the panel, 2 KiB a feature and thread.
 */
#ifndef BAL_ALGO_PANEL_H
#define BAL_ALGO_PANEL_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/data/csr.h"
#include "balans/data/shard.h"
#include "balans/par/comm.h"
#include "balans/par/sum.h"

/** Everything a panel needs.  A row of sums has `width` columns: the panel's
 *  features and the weight, which is the sum over points of a alone. */
typedef struct bal_panel {
    bal_comm *comm;
    const bal_csr *a;
    const bal_layout *layout;
    bal_shard *x;
    int threads;
    bal_size room;    ///< most features in a panel
    bal_size first;   ///< first feature
    bal_size count;   ///< features
    bal_size width;   ///< count + 1
    float *most;      ///< [room] max |x_f|
    bal_scale *scale; ///< [room + 1]
    double *up;       ///< [room + 1] the scales' 2^e
    int64_t *sum;     ///< [m, 2, width] high and low limbs
    double *mu;       ///< [m, width] means, the last column the weight
    double *partial;  ///< [threads, room + 2] of one tile
    double *point;    ///< [threads, BAL_TILE, room + 2]
    bal_size *cursor; ///< [threads, m] first entry of a row not yet passed
    int64_t longest;  ///< entries of the longest row
} bal_panel;

/** A run of this rank's tiles. */
typedef struct bal_run {
    bal_size from, to;
} bal_run;

/** The way back: what landmarks give, and who takes what a tile's points got.
 *  Both are called by several threads at once. */
typedef struct bal_handing {
    bal_size columns; ///< numbers given, at most room + 1
    /** [columns], what row l gives to its points, each a / weight times of it;
     *  may be made in `room`, [room + 2]. */
    const double *(*give)(const bal_panel *p, const void *self, bal_size l,
                          double *room, double *weight);
    /** `point` is [tile->m, columns + 1]: the sums, and the sum of a / weight,
     *  which is 0 where no landmark covers a point. */
    void (*take)(const bal_panel *p, const void *self, const bal_tile *tile,
                 const double *point);
    const void *self; ///< handed to both
} bal_handing;

/**
 * Makes the work space for panels of x, as many features as fit.
 *
 * Collective; at the fault point "correct".
 * @param[in] memory  bytes for the panel and what the caller adds to it
 * @param[in] extra   of these, the caller's bytes for a feature
 * Fails with BAL_ENOMEM.
 */
bal_verdict bal_panel_init(bal_comm *c, const bal_csr *a, bal_shard *x,
                           bal_size memory, bal_size extra, int threads,
                           bal_panel *p);

/** Local; one that was zeroed is fine. */
void bal_panel_finish(bal_panel *p);

/** Goes to the panel that starts at feature `first` and makes the sums of all
 *  rows over all ranks.  Collective. */
void bal_panel_load(bal_panel *p, bal_size first);

/** Sums of all rows over a run of tiles.  Local. */
void bal_panel_sum(bal_panel *p, bal_run tiles);

/** Column f of the sums of row l.  Local. */
double bal_panel_total(const bal_panel *p, bal_size l, bal_size f);

/** mu: sums divided by the weight, which stays.  Local. */
void bal_panel_means(bal_panel *p);

/** Gives the points of row l its mean: for bal_handing.  Local. */
const double *bal_panel_give_mean(const bal_panel *p, const void *self,
                                  bal_size l, double *room, double *weight);

/** From the landmarks to the points of a run of tiles; sums over landmarks run
 *  in canonical order, in double.  Local. */
void bal_panel_hand(const bal_panel *p, bal_run tiles, const bal_handing *h);

/** All tiles of this rank.  Local. */
static inline bal_run bal_run_all(const bal_layout *l)
{
    return (bal_run){0, l->tiles};
}

#endif
