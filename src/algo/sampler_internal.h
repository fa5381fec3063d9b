/** @file  What the files of algo/sampler share; not for others. */
#ifndef BAL_ALGO_SAMPLER_INTERNAL_H
#define BAL_ALGO_SAMPLER_INTERNAL_H

#include "balans/algo/sampler.h"
#include "balans/par/ticket.h"
#include "cover.h"
#include "places.h"

/** A run of the sampler.  Blocks in flight are a group; place i of it is step
 *  i mod J of its block i / J. */
typedef struct bal_sampler {
    bal_comm *comm;
    const bal_layout *layout;
    const bal_order *order;
    const bal_sample_params *par;
    bal_size limit; ///< landmarks at which drawing ends, 0 = none
    bal_rows *rows; ///< work space for w_most landmarks
    int threads;
    int w_most;     ///< blocks in flight at most, the same on every rank
    int w_fit;      ///< blocks whose rows fit on every rank
    int first_most; ///< rows to begin while no row's length is known

    bal_cover *cover;   ///< [w_most], of the blocks in flight
    bal_size *started;  ///< [w_most] steps begun of each block in flight
    bal_size *again;    ///< [w_most] of them, of points drawn before
    bal_csr_row *ahead; ///< [w_most, block] rows of the blocks in flight
    bal_size held;      ///< bytes of them on this rank
    bal_size held_rows;
    bal_places flying; ///< canonically first places of points in flight
    bal_places kept;   ///< the rows of A
    bal_size locals;   ///< batches of this rank, if scales are wanted, else 0
    bal_size first_local; ///< the first of them
    float *ahead_scale;   ///< [w_most, block, locals] scales of the rows ahead
    float *scale;         ///< [scale_room, locals] of the landmarks in A
    bal_size scale_room;

    int active[BAL_ROWS_MOST];     ///< blocks that take part in the step
    bal_gidx begun[BAL_ROWS_MOST]; ///< the points they drew
    bal_csr_row *step;             ///< [w_most] rows computed in the step
    int next;                      ///< of them, to be taken next
    int64_t *drawn;     ///< [2 w_most] what this rank has to be drawn from
    int64_t *before;    ///< [2 w_most] what the ranks below have
    int64_t *total;     ///< [2 w_most + 3] what all have, and signs
    int64_t *count;     ///< [w_most block + 2] new points, and signs
    bal_gidx *pos;      ///< [w_most]
    bal_ticket *ticket; ///< [w_most]

    bal_bits covered;      ///< by any row kept so far
    bal_bits landmark;     ///< points that are landmarks
    bal_bits spare;        ///< copy of covered, from before a group
    bal_size quiet;        ///< rows in succession that covered nothing new
    bal_size points;       ///< covered points, over all ranks
    bal_size news, looked; ///< latest rows that covered new points, of all
    bool full;             ///< max_landmarks is reached
    bal_sample_stage stage;
    bal_size block; ///< complete blocks
    int width;      ///< blocks of the group, or of the next one
    bool stopping;  ///< some rank wished it
    bool saving;
    bool crowded; ///< some rank has no room for the group's rows
    bal_csr *a;
    bal_sample_report *report;
    bal_status mine; ///< this rank's first failure
} bal_sampler;

/* ---- Rows in flight (sampler_flight.c) ---- */

/** The blocks that may go on, to s->active; how many.  Local, the same on every
 *  rank. */
int bal_flight_choose(bal_sampler *s);

/** Which of the points drawn, [count], need a row computed.  Local, the same on
 *  every rank. */
void bal_flight_look_up(bal_sampler *s, int count, const bal_gidx *pos,
                        bool *want);

/** Gives active block x its row; failures go to s->mine.  Local. */
void bal_flight_add(bal_sampler *s, int x);

/** Adds the rows that the first `count` active blocks were given to what they
 *  cover; failures go to s->mine.  Local. */
void bal_flight_cover(bal_sampler *s, int count);

/** Whether place i was begun; whether it holds a point not drawn before, in
 *  canonical order.  Local, the same on every rank. */
bool bal_flight_is_there(const bal_sampler *s, bal_size i);
bool bal_flight_is_new(const bal_sampler *s, bal_size i);

/** Whether this rank will not have room for the rows of the group.  Local. */
bool bal_flight_is_crowded(const bal_sampler *s);

/** Sets s->w_fit by the rows in flight.  Collective. */
void bal_flight_fit(bal_sampler *s);

/** Drops the last blocks, so that the group fits.  Collective.  @return true */
bool bal_flight_narrow(bal_sampler *s);

/** Frees the rows in the first places of the group; no place is begun then.
 *  Local. */
void bal_flight_clear(bal_sampler *s, bal_size places);

/** Blocks of the next group.  Local, the same on every rank. */
int bal_sampler_width(const bal_sampler *s);

/* ---- Stages ---- */

/** The part of the work space that is for rows of blocks in flight: how long
 *  they are is not known before some have been computed.  Local. */
static inline bal_size bal_sampler_rows_share(const bal_sample_params *par)
{
    return par->memory / 4;
}

/** Draws group after group of blocks, until there are enough landmarks or the
 *  stopping rule holds.  Collective. */
bal_verdict bal_sampler_blocks(bal_sampler *s);

/** Makes landmarks of points no landmark covers, until there are none.
 *  Collective. */
bal_verdict bal_sampler_extend(bal_sampler *s);

/** Makes landmarks of all points, in the global order.  Collective. */
bal_verdict bal_sampler_all(bal_sampler *s);

/** Makes landmarks of points in batches that have few.  Collective. */
bal_verdict bal_sampler_fill(bal_sampler *s);

/** The place of local point j in the random order of points.  Local. */
bal_ticket bal_sampler_ticket(const bal_sampler *s, bal_lidx j);

/** Whether max_landmarks is reached.  Local. */
static inline bool bal_sampler_is_full(const bal_sampler *s)
{
    return s->par->max_landmarks > 0 &&
           s->report->landmarks >= s->par->max_landmarks;
}

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
