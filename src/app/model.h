/**
 * @file
 * Models: what a fit leaves, so that new points can be corrected by it.
 *
 * A model is a store (io/store) of the features' names, the distance space, the
 * settings that still matter, and for each pass its landmarks: coordinates, row
 * sums, scales, trust, consensus in the profiles and in the coordinates, the
 * batches by name with a uniform sample of the points of each.  Consensus is
 * kept feature by feature, as it is made in panels of features.
 *
 * Memory of the file: about (m (2 p + d + 2 B) + 500 B p) 4 bytes a pass.
 * Source: algorithm.md, section 10.
 */
#ifndef BAL_APP_MODEL_H
#define BAL_APP_MODEL_H

#include <jansson.h>

#include "balans/io/store.h"
#include "input.h"
#include "passes.h"

enum { BAL_MODEL_SAMPLE = 500 }; ///< points of a batch in its sample, at most

/** min(n, BAL_MODEL_SAMPLE). */
static inline bal_size bal_model_sampled(bal_size n)
{
    return n < BAL_MODEL_SAMPLE ? n : BAL_MODEL_SAMPLE;
}

/** Draws bal_model_sampled(n) of the numbers 0 .. n - 1, uniformly, each once
 *  (R. Floyd's method: Bentley, Programming pearls, CACM 30, 1987), the same
 *  for the same seed, pass and n.  Local.
 *  @param[out] out  ascending */
void bal_model_draw(uint64_t seed, int64_t pass, bal_size n, bal_gidx *out);

/** Coordinates of the points at given positions, [count, p], on every rank.
 *  Collective. */
void bal_model_points(bal_comm *c, const bal_tiles *z, const bal_gidx *position,
                      bal_size count, float *out);

/* ---- Writing ---- */

/** A model that grows. */
typedef struct bal_model_out {
    bal_comm *comm;
    const bal_params *par;
    bal_store *store;     ///< NULL: none is wanted
    bal_store_array x, z; ///< the running pass's consensus
    bal_fitted keep_x, keep_z;
} bal_model_out;

/** Begins in->par->save_model, if it is set.  Collective.  Ended by
 *  bal_model_finish() or bal_model_discard().  Fails as the store does; with
 *  BAL_EINPUT where two features have one name. */
bal_verdict bal_model_begin(const bal_input *in, bal_model_out *m);

/** What a pass does, for its model. */
typedef struct bal_model_form {
    int64_t pass;
    bal_correction correction;
    double blend;
} bal_model_form;

/**
 * Adds a pass, after its landmarks are known and before anything moves.  The
 * consensus follows through m->keep_z and m->keep_x.
 *
 * Collective.  Fails as the store does, with BAL_ENOMEM.
 * @param[in] k  with parts and scales
 */
bal_verdict bal_model_add_pass(bal_model_out *m, const bal_model_form *form,
                               const bal_points *points,
                               const bal_landmarks *k, bal_size d);

/**
 * Completes the model.  Collective.
 * @param[in] passes      how many there are
 * @param[in] provenance  how it came about, rank 0's counts
 * Fails as the store does.
 */
bal_verdict bal_model_finish(bal_model_out *m, const bal_input *in,
                             const bal_space *space, int64_t passes,
                             const json_t *provenance);

/** Local; one that was zeroed, or is finished, is fine. */
void bal_model_discard(bal_model_out *m);

/* ---- Reading ---- */

/** What a pass is, the same on every rank. */
typedef struct bal_model_pass {
    int64_t column; ///< of the batches
    bal_correction correction;
    bool trusts, strict;   ///< it has trust; of the strict form
    bool cuts;             ///< it has cuts: bins of the least affinity kept
    bal_size m, batches;   ///< landmarks; batches
    bal_size sampled;      ///< points in all samples
    bal_size n, uncovered; ///< points of the fit; those without landmark
    double blend;
} bal_model_pass;

typedef struct bal_model {
    bal_comm *comm;
    const char *path; ///< borrowed
    bal_store *store;
    bal_space *space;
    char **feature; ///< [space->d]
    char **column;  ///< [columns]
    bal_size columns;
    int64_t passes;
    bal_model_pass *pass; ///< [passes]
    uint64_t seed;
    bal_neighbors neighbors;
    double gate;
    bal_sparsify sparsify;
    bal_uncovered uncovered;
    json_t *provenance; ///< on every rank
} bal_model;

/** Opens a model and reads what does not belong to one pass; `path` is borrowed
 *  until it is closed.  Collective.
 *  Fails with BAL_EINPUT: no model, damaged, or of another version. */
bal_verdict bal_model_open(bal_comm *c, const char *path, bal_model *m);

/** Local; one that was zeroed is fine. */
void bal_model_close(bal_model *m);

/** Fails with BAL_EINPUT unless what a model says is right.  Local. */
bal_status bal_model_check(const bal_model *m, bool right);

/** The key of something of a pass, such as "scales".  Local.  @return key */
const char *bal_model_key(int64_t pass, const char *what,
                          char key[BAL_STORE_KEY]);

/** Prints what is in a model.  Collective.  Fails as bal_model_open() does. */
bal_verdict bal_model_print(bal_comm *c, const char *path);

#endif
