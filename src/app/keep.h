/**
 * @file
 * Stopping in time and going on: when the state of a run is kept, and how it is
 * taken up again.  Without --checkpoint a keeper does nothing.
 */
#ifndef BAL_APP_KEEP_H
#define BAL_APP_KEEP_H

#include "passes.h"

struct bal_model_out;

/** How far the sampling is. */
typedef struct bal_mark {
    int64_t pass;
    bal_sample_stage stage;
    bal_size block, width, rows;
} bal_mark;

typedef struct bal_keeper {
    const bal_input *in;
    bal_comm *comm;
    const bal_params *par;
    double start;   ///< bal_now() at the start of the program ...
    double saved;   ///< ... of the sampler, or after the latest checkpoint
    double cost;    ///< seconds the latest checkpoint took
    double asked;   ///< when somebody asked last ...
    double gap;     ///< ... and the longest time between
    double told;    ///< when the answer first was to stop, or 0
    bool there;     ///< there is a checkpoint to go on from
    bal_mark began; ///< what the one at the start held ...
    bal_mark kept;  ///< ... and what it holds now
    int64_t pass;   ///< the running one
    bool blending;  ///< which is the one that blends
    char *identity; ///< lines that tell runs apart
    bal_points *points;
    bal_passed *passed;
    struct bal_model_out *model; ///< that grows beside, where one is wanted
    bal_sample_state from; ///< where to go on
    bal_sample_hook hook;
} bal_keeper;

/** From now on signals and the time limit stop the run.  Local. */
void bal_keeper_start(bal_keeper *k, bal_comm *c, const bal_params *par);

/** Looks for a checkpoint.  Collective.  Fails with BAL_EIO where none could be
 *  written. */
bal_verdict bal_keeper_open(bal_keeper *k);

/** What tells this run from others, once X was read.  Collective. */
bal_verdict bal_keeper_identify(bal_keeper *k, const bal_input *in,
                                uint64_t checksum);

/** Goes on where the checkpoint says, if there is one: points, what was told of
 *  earlier passes, what the model has of them, the pass, and whether it blends.
 *  Collective. */
bal_verdict bal_keeper_restore(bal_keeper *k, bal_points *points,
                               struct bal_model_out *model, int64_t *pass,
                               bool *blending, bal_passed *out);

/** The sampler's hook for a pass, or NULL.  Local. */
const bal_sample_hook *bal_keeper_hook(bal_keeper *k, int64_t pass,
                                       bool blending);

/** Removes the checkpoint, since the output is there.  Collective. */
void bal_keeper_remove(bal_keeper *k);

/** Local. */
void bal_keeper_finish(bal_keeper *k);

#endif
