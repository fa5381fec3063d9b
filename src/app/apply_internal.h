/** @file  What the parts of `balans apply` share; not for others. */
#ifndef BAL_APP_APPLY_INTERNAL_H
#define BAL_APP_APPLY_INTERNAL_H

#include "model.h"

/** What a pass of a model keeps, but for the consensus, on every rank. */
typedef struct bal_fit_pass {
    const bal_model_pass *head;
    int64_t number;
    float *landmark; ///< [m, p]
    double *sum;     ///< [m] t(i)
    float *s2;       ///< [m, B]
    float *omega;    ///< [m, B]; NULL without trust
    int64_t *own;    ///< [m] batch of each landmark
    int32_t *cut;    ///< [m]; NULL without cuts
    char **name;     ///< [B] batches
    int64_t *size, *k; ///< [B]
} bal_fit_pass;

/** Reads them.  Collective.  Fails as the store does. */
bal_verdict bal_fit_pass_read(bal_model *m, int64_t number, bal_fit_pass *f);
void bal_fit_pass_finish(bal_fit_pass *f);

/** The new batches of a pass, the same on every rank. */
typedef struct bal_new_batches {
    bal_size count;
    bal_size *size;  ///< [count] n'
    bal_size *k;     ///< [count] k'
    bal_size *known; ///< [count] number among the model's; -1: a new name
    double *prior, *damp; ///< [count]
} bal_new_batches;

/** How near the points are to the landmarks of the first pass. */
typedef struct bal_nearness {
    int64_t uncovered; ///< points without landmark
    double now, fit;   ///< median distance to the nearest landmark; of the
                       ///< model's samples, to another than the point itself
} bal_nearness;

/** An application under way. */
typedef struct bal_application {
    bal_comm *c;
    bal_model *model;
    const bal_size *feature; ///< [d of the input] number in the model, or -1
    bal_points *points;
    bal_passed *passed;
    bal_size memory;
    int threads;
    bal_nearness near;
} bal_application;

/** Fewer points than this gain little. */
enum { BAL_APPLY_FEW = 20 };

/** Moves the points through all passes.  Collective. */
bal_verdict bal_apply_passes(bal_application *a);

/**
 * Trust in the new batches.
 *
 * Collective.
 * @param[in]  s2     [m, B'] scales of the model's landmarks in the new batches
 * @param[in]  parts  of the new batches
 * @param[out] out    [m, B'], as bal_correct() takes it
 * Cost: min(n', 500) rows over each sample for each new batch, shared out by
 * the model's batches; 8 m B' bytes reduced.
 */
bal_verdict bal_apply_trust(bal_application *a, const bal_fit_pass *f,
                            const bal_new_batches *b, const float *s2,
                            const bal_parts *parts, bal_trust **out);

/** The points of a batch's sample as tiles of one rank's own.  Local. */
typedef struct bal_stand_in {
    bal_layout *layout;
    bal_tiles *z;
} bal_stand_in;
bal_status bal_stand_in_read(const bal_model *m, const bal_fit_pass *f,
                             bal_size batch, bal_stand_in *s);
void bal_stand_in_finish(bal_stand_in *s);

/** Fills in a->near but for `uncovered`.  Collective.  Fails with BAL_ENOMEM.
 *  Cost: distances of all points, and of the samples, to all landmarks. */
bal_verdict bal_apply_nearness(bal_application *a, const bal_fit_pass *f);

/** Gives every point without landmark the one that is nearest in d2 / s2, if
 *  any has a scale in its batch.  Local.
 *  @param[in]     s2    [m, count] scales in the new batches
 *  @param[in,out] rows  this rank's, which are replaced */
bal_status bal_apply_cover(const bal_application *a, const bal_fit_pass *f,
                           const float *s2, bal_size count, bal_csr **rows);

/** The features of an input and those of a model. */
typedef struct bal_matched {
    bal_size *feature; ///< [d of the input] number in the model, or -1
    bal_size further;  ///< features that the model does not know
    char *names;       ///< of some of them; NULL without
    bal_space *space;  ///< the model's, in the order of the input
} bal_matched;

/**
 * Matches features by name.  Further ones are left out of the input, or with
 * par->keep_extra have no number.
 *
 * Collective.
 * @param[in,out] in   its matrix is open, and may lose features
 * @param[out]    out  ended by bal_matched_finish(), also after a failure
 * Fails with BAL_EINPUT: features are missing, or to be kept under a model that
 * smooths; with BAL_ENOMEM.
 */
bal_verdict bal_apply_match(const bal_model *m, bal_input *in,
                            bal_matched *out);
void bal_matched_finish(bal_matched *m);

#endif
