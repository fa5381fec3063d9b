/**
 * @file
 * The whole method once more: dense, serial, slow and obvious, for tests.
 *
 * Nothing here knows of ranks, tiles, blocks in flight or histograms kept in
 * integers; a row of A is n numbers, A is m x n, and everything is double.
 *
 * In the mode `exact32` the squared distances, scales and affinities are taken
 * in float32 with the operations the program promises (one chain of fused
 * multiply-adds, bal_affinity_at(), bal_affinity_edges()), so that decisions -
 * who is kept, who is drawn - can be compared exactly.  Otherwise they are
 * double.
 *
 * Points stand in the global order: by batch, then by input row.  All functions
 * are local, and end the program when memory runs out.
 */
#ifndef TEST_REFERENCE_H
#define TEST_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ref_data {
    int64_t n, d, p, batches;
    float *x;     ///< [n, d] profiles
    float *z;     ///< [n, p] the space of the distances
    int *batch;   ///< [n], 0 .. batches - 1, ascending
    int64_t *row; ///< [n], input row of each point
} ref_data;

typedef struct ref_params {
    bool exact32;
    int64_t k;         ///< neighbour that gives the scale; 0 = `share` alone
    double share;      ///< of each batch; 0 = `k` alone; the larger counts
    double gate;       ///< 0 = off
    bool scale;        ///< sparsifier: scale instead of elbow
    int64_t landmarks; ///< wanted; 0 = until nothing new is covered
    int64_t block, patience, max_landmarks;
    bool keep; ///< uncovered points keep their values; else extend
    uint64_t seed;
    uint32_t first_pass; ///< number of the first pass in random counters
    bool residual, nystrom;
    double rcond;
    int64_t passes;
} ref_params;

/** k 10, block 50, patience 20, elbow, extend, smooth, one pass numbered 1. */
ref_params ref_params_default(void);

/** Everything about the affinities of one landmark. */
typedef struct ref_row {
    double *d2;       ///< [n]
    double *s2;       ///< [batches]; NaN where the batch has no other point
    double *a;        ///< [n], before sparsification; gated batches are 0
    double *kept;     ///< [n], 0 where dropped
    int64_t count;    ///< kept entries
    int64_t gated;    ///< batches gated
    int64_t bin;      ///< h* of the elbow, -1 for the scale sparsifier
    double threshold; ///< of the elbow
} ref_row;

ref_row *ref_row_create(const ref_data *x, const ref_params *par, int64_t i);
void ref_row_destroy(ref_row **r);

/** (N - R(h)) H - h N of the elbow for affinities a[0 .. n) in double, with
 *  edges in float32 or double. */
int64_t ref_elbow_score(const double *a, int64_t n, int64_t h, bool exact32);

/** What sampling found. */
typedef struct ref_sample {
    int64_t n, m;
    int64_t *landmark; ///< [m], positions in canonical order
    double *a;         ///< [m, n], 0 where not kept
    double *coverage;  ///< [n]
    int64_t blocks;    ///< blocks that counted
    int64_t rows;      ///< steps of those blocks, repeats included
    int64_t weighted;  ///< draws by weight among them
    int64_t repeats;   ///< draws of a point that was a landmark already
    int64_t extended;  ///< landmarks that extension added
    int64_t filled;    ///< landmarks that batches with few were given
    int64_t uncovered; ///< points that no landmark covers
} ref_sample;

ref_sample *ref_sample_create(const ref_data *x, const ref_params *par,
                              uint32_t pass);
void ref_sample_destroy(ref_sample **s);

/** The corrections of values [n, d]; out [n, d].  `batch` is [n]. */
void ref_smooth(const ref_sample *s, const double *value, int64_t d,
                double *out);
void ref_residual(const ref_sample *s, const int *batch, int64_t batches,
                  const double *value, int64_t d, double *out);

/** One pass of blending; points that no landmark covers stay. */
void ref_blend(const ref_sample *s, double share, const double *value,
               int64_t d, double *out);

/** The landmarks' scales in float32, [m, batches], -1 where there is none; to
 *  be freed with free(). */
double *ref_scales(const ref_data *x, const ref_params *par,
                   const ref_sample *s);

/** How far landmarks believe batches. */
typedef struct ref_trust {
    double *omega, *q;     ///< [m, batches]
    int64_t pairs, unseen; ///< of a landmark and another batch
} ref_trust;

/** Trust of the form `on`, or `strict`. */
ref_trust *ref_trust_create(const ref_sample *s, const double *s2,
                            const int *batch, int64_t batches, bool strict);
void ref_trust_destroy(ref_trust **t);

/** The residual form with trust.
 *  @param[in] keep  whether points that no landmark covers stay */
void ref_trusted(const ref_sample *s, const ref_trust *t, const int *batch,
                 int64_t batches, bool keep, const double *value, int64_t d,
                 double *out);

/** @param[in] input  [n, d], gives the range of every feature
 *  @return covered points that fell back to smooth */
int64_t ref_nystrom(const ref_sample *s, double rcond, const double *input,
                    const double *value, int64_t d, double *out);

/** The whole of it. */
typedef struct ref_result {
    ref_sample *sample; ///< of the last pass
    double *x;          ///< [n, d] corrected
    double *z;          ///< [n, p] corrected
    int64_t fallbacks;  ///< of nystrom
} ref_result;

/** Runs all passes.  Between passes X and Z are rounded to float32. */
ref_result *ref_correct(const ref_data *x, const ref_params *par);
void ref_result_destroy(ref_result **r);

/** Eigenvalues, descending, and eigenvectors (columns of v) of a symmetric
 *  matrix [n, n], by Jacobi's rotations; `a` is overwritten. */
void ref_eigen(double *a, int64_t n, double *value, double *v);

/** The distance space. */
typedef struct ref_space {
    int64_t d, p;
    bool pca;
    double *mean, *sd, *centre; ///< [d]
    double *components;         ///< [d, p], NULL without PCA
    double *variance;           ///< [p], NULL without PCA
    double *z;                  ///< [n, p]
    double total;               ///< variance of all components
    int64_t constant;           ///< features that do not vary
} ref_space;

ref_space *ref_space_create(const float *x, int64_t n, int64_t d, bool standard,
                            double clip, int64_t pca);
void ref_space_destroy(ref_space **s);

/** Made-up points: batches of the given sizes, clusters, float32 values that
 *  depend on `seed`; every `repeat`-th point copies the one before it (0 =
 *  none).  Input rows are a permutation that keeps the order within batches.
 *  Z gets the first min(d, p) features of X, scaled. */
ref_data *ref_data_create(const int64_t *batch_size, int64_t batches, int64_t d,
                          int64_t p, int64_t repeat, uint64_t seed);
void ref_data_destroy(ref_data **x);

/** Zeroed memory that is there. */
void *ref_new(int64_t count, int64_t size);

#endif
