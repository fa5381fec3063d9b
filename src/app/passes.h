/**
 * @file
 * The passes of a correction: landmarks are drawn in the distance space, and
 * both the coordinates and the profiles are moved by what they say.
 */
#ifndef BAL_APP_PASSES_H
#define BAL_APP_PASSES_H

#include "balans/algo/correct.h"
#include "balans/algo/nystrom.h"
#include "balans/algo/sampler.h"
#include "balans/algo/space.h"
#include "balans/algo/trust.h"
#include "balans/data/affinity.h"
#include "balans/data/route.h"
#include "profiles.h"

struct bal_keeper;
struct bal_model_out;

/** What passes move: the points in both orders. */
typedef struct bal_points {
    bal_order **orders;     ///< [columns] batch order of each column
    int columns;
    int column;             ///< that of the running pass
    const bal_order *order; ///< its order
    bal_tiles *z;           ///< coordinates, by tile
    bal_blocks *x;          ///< profiles, by block of the file; borrowed
    float *most_z, *most_x; ///< [p], [d] largest magnitudes
} bal_points;

/** The landmarks of a pass and what they hold. */
typedef struct bal_landmarks {
    bal_size m;
    bal_gidx *position;     ///< [m] in the batch order
    int64_t *row;           ///< [m] in the input
    int64_t *length;        ///< [m] entries of each row of A, over all ranks
    bal_affinity *by_tile;  ///< A; NULL once the coordinates have moved
    bal_affinity *by_block; ///< A
    bal_parts *parts;
    bal_trust *trust; ///< NULL where every part is believed
    bal_sample_report report;
} bal_landmarks;

/** What is told of a pass; the same on every rank. */
typedef struct bal_pass_report {
    int64_t column; ///< of the batches
    int64_t landmarks, entries, uncovered;
    double move;   ///< median length of a point's move in Z; -1: not measured
    double scale;  ///< median distance scale of the landmarks; -1 likewise,
                   ///< or where each is alone in its batch
    double unseen; ///< of its trust; -1 without
} bal_pass_report;

/** What all passes leave. */
typedef struct bal_passed {
    bal_landmarks last;    ///< of the last pass
    bal_pass_report *pass; ///< [passes]
    int64_t passes;
    double unseen;   ///< of pass 1; -1 without trust
    double *between; ///< [B, B] mean trust in the last pass that had it
    bal_nystrom_report nystrom;
    bal_size affinity_bytes; ///< most bytes of A held at a time
} bal_passed;

/** Local; one that was zeroed is fine. */
void bal_passed_finish(bal_passed *p);

/** The orders of the points by each column of batches, the first to begin with.
 *  `out` is zeroed before, and ended by bal_points_finish(), also after a
 *  failure.  Collective.  Fails with BAL_ENOMEM. */
bal_verdict bal_points_order(const bal_input *in, bal_points *out);

/** Room for p coordinates of every point of x, which is borrowed, and for the
 *  largest magnitudes.  After bal_points_order().  Local.  Fails with
 *  BAL_ENOMEM. */
bal_status bal_points_make(bal_blocks *x, bal_size p, bal_points *points);

/** The largest magnitudes of the coordinates.  Collective.  Fails with
 *  BAL_ENOMEM, BAL_ERANGE. */
bal_verdict bal_points_bound(bal_comm *c, bal_points *p);

/** Local; one that was zeroed is fine. */
void bal_points_finish(bal_points *p);

/** Brings the coordinates into the batch order of another column.  Collective.
 *  Fails with BAL_ENOMEM, BAL_ERANGE. */
bal_verdict bal_points_turn(bal_comm *c, bal_points *p, int column);

/** Parameters of the parts, as a run sets them; the sampler's without a hook.
 *  Local. */
bal_row_params bal_run_row_params(const bal_params *par);
bal_sample_params bal_run_sample_params(const bal_params *par, int64_t pass);

/** Whether landmarks can compare batches: residual passes with the k nearest of
 *  every batch; and whether they weigh them by trust.  Local. */
bool bal_run_compares(const bal_params *par);
bool bal_run_trusts(const bal_params *par);

/** Passes at most on the first column, blending not counted.  Local. */
int64_t bal_run_passes(const bal_params *par);

/**
 * Runs all passes, from the one that `keeper` says.
 *
 * Collective.
 * @param[in]     column  names of the batch columns
 * @param[in]     space   gave points->z
 * @param[in,out] points  moved
 * @param[in]     keeper  stops, saves and restores; never NULL
 * @param[in]     model   gets every pass, where one is wanted; never NULL
 * @param[out]    out     ended by bal_passed_finish(), also after a failure
 */
bal_verdict bal_passes_run(bal_comm *c, const bal_params *par,
                           char *const *column, const bal_space *space,
                           bal_points *points, struct bal_keeper *keeper,
                           struct bal_model_out *model, bal_passed *out);

#endif
