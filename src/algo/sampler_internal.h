/** @file  What the files of algo/sampler share; not for others. */
#ifndef BAL_ALGO_SAMPLER_INTERNAL_H
#define BAL_ALGO_SAMPLER_INTERNAL_H

#include "balans/algo/sampler.h"
#include "balans/par/kmerge.h"
#include "cover.h"

/** A run of the sampler. */
typedef struct bal_sampler {
    bal_comm *comm;
    const bal_layout *layout;
    const bal_order *order;
    const bal_sample_params *par;
    bal_rows *rows;      ///< work space for w_most landmarks
    int w_most;          ///< blocks in flight at most, the same on every rank
    int w_fit;           ///< blocks whose rows fit on every rank
    bal_cover *cover;    ///< [w_most], of the blocks in flight
    bal_csr_row *ahead;  ///< [w_most, block] rows of the blocks in flight
    bal_csr_row *step;   ///< [w_most] rows of one step
    bal_size locals;     ///< batches of this rank, if scales are wanted, else 0
    bal_size first_local;  ///< the first of them
    float *ahead_scale;  ///< [w_most, block, locals] scales of the rows ahead
    float *scale;        ///< [scale_room, locals] of the landmarks in A
    bal_size scale_room;
    int64_t *drawn;      ///< [2 w_most + 1] what this rank has to be drawn from
    int64_t *drawn_all;  ///< [size, 2 w_most + 1]
    int64_t *count;      ///< [2 w_most block + 2] new points, new landmarks
    bal_gidx *pos;       ///< [w_most]
    bal_ticket *ticket;  ///< [w_most]
    bal_bits covered;    ///< by any row kept so far
    bal_bits landmark;   ///< points that are landmarks
    bal_bits spare;      ///< copies of both, from before a group
    bal_bits spare_mark;
    bal_size quiet;      ///< rows in succession that covered nothing new
    bal_size points;     ///< covered points, over all ranks
    bool full;           ///< max_landmarks is reached
    bal_sample_stage stage;
    bal_size block;      ///< complete blocks
    int width;           ///< blocks of the next group
    bool stopping;       ///< some rank wished it
    bool saving;
    bal_csr *a;
    bal_sample_report *report;
    bal_status mine;     ///< this rank's first failure
} bal_sampler;

/** The part of the work space that is for rows of blocks in flight: how long
 *  they are is not known before some have been computed.  Local. */
static inline bal_size bal_sampler_rows_share(const bal_sample_params *par)
{
    return par->memory / 4;
}

/** Draws group after group of blocks, until the stopping rule holds.
 *  Collective. */
bal_verdict bal_sampler_blocks(bal_sampler *s);

/** Makes landmarks of points no landmark covers, until there are none.
 *  Collective. */
bal_verdict bal_sampler_extend(bal_sampler *s);

/** What this rank wishes.  Local. */
bal_wish bal_sampler_wish(const bal_sampler *s);

/** Hands the state to the hook.  Collective; fails with BAL_ESTOPPED or worse
 *  when stopping. */
bal_verdict bal_sampler_save(bal_sampler *s, bool stop);

/** Goes on where the hook says, if it does.  Collective. */
bal_verdict bal_sampler_restore(bal_sampler *s);

/** Moves a row to A, as one more landmark, with its scales [locals]; failures
 *  go to s->mine.  Local. */
void bal_sampler_keep(bal_sampler *s, bal_csr_row *row, const float *scale);

/** The scales of row i of the step, [locals].  Local. */
const float *bal_sampler_scales(const bal_sampler *s, int i);

/** Collects the scales of all landmarks from the ranks, [landmarks, batches];
 *  NULL if they are not wanted.  Collective.  Fails with BAL_ENOMEM. */
bal_verdict bal_sampler_collect_scales(bal_sampler *s, float **out);

/** Adds a point to the report's curve.  Local. */
void bal_sampler_note(bal_sampler *s);

/** One line of progress.  Local. */
void bal_sampler_progress(const bal_sampler *s);

#endif
