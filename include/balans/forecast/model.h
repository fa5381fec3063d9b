/**
 * @file
 * What a run needs: arithmetic on the shape of its input, its parameters, and
 * what a sample of the file and this machine told (forecast/measure).
 *
 * No files and no messages are at work here; all functions are local and pure.
 * Source: architecture.md, invariant 5; docs/forecast.md.
 */
#ifndef BAL_FORECAST_MODEL_H
#define BAL_FORECAST_MODEL_H

#include "balans/algo/correct.h"
#include "balans/algo/sampler.h"
#include "balans/algo/space.h"
#include "balans/io/h5ad.h"

/** Phases that a run has: BAL_PHASE_READ .. BAL_PHASE_WRITE. */
enum { BAL_RUN_PHASES = BAL_PHASE_WRITE + 1 };

/** A run that is asked about.  Threads and bytes of work space of a rank are
 *  those of `space`. */
typedef struct bal_workload {
    bal_size n, d, p;           ///< profiles, features, dimensions of Z
    bal_size batches;
    const bal_size *batch_size; ///< [batches], borrowed
    int ranks;
    bal_space_params space;
    bal_row_params rows;
    bal_sample_params sample; ///< of the first pass
    bal_correction form;
    bal_trusting trust;
    bool trusts;              ///< whether parts are weighed by trust
    int64_t passes;           ///< at most, with that which blends
    bool until_still;         ///< they end where points no longer move
    bool streamed;            ///< X is read again for every sweep
    bool save_affinity, keep_original;
    bal_matrix_info matrix;   ///< as it is in the file
    bal_size file_bytes;      ///< of the file
} bal_workload;

/** What one rank of it holds. */
typedef struct bal_rank_part {
    bal_size rows, blocks;         ///< of X, in the order of the file
    bal_size points, lanes, tiles; ///< of Z, in batch order
    int width; ///< blocks of the sampler whose work space fits, 0 = none
} bal_rank_part;

/** The part of the rank whose layout is `l`, in a run of l->size ranks.  Local.
 *  Cost: that of its blocks and tiles. */
bal_rank_part bal_model_part(const bal_workload *w, const bal_layout *l);

/** The most of each over all ranks, and the least width; of more than 256 ranks
 *  it looks at as many, evenly spread.  Local.  Fails with BAL_ENOMEM,
 *  BAL_ERANGE. */
bal_status bal_model_largest(const bal_workload *w, bal_rank_part *out);

/** Bytes of A on a rank that has `entries` of it, while all three of its forms
 *  are there: 8 an entry by row, 6 by tile and 6 by block, and 8 for each
 *  landmark with entries in a tile or block.  Local. */
bal_size bal_model_affinities(const bal_rank_part *part, double landmarks,
                              double entries);
enum { BAL_ENTRY_BYTES = 36 }; ///< the most of it for one entry

/**
 * The memory formula: most bytes of a rank in each phase.
 *
 * Everywhere the program with its libraries, the rank's blocks of X or the
 * buffer for them, and both orders of the points; from the space on Z; then A
 * and the work space; while it corrects, weights and trust of landmarks by
 * batch.  Local.
 * @param[in]  landmarks   of a pass
 * @param[in]  affinities  bytes of A on the rank
 * @param[out] phase       [BAL_RUN_PHASES]
 * @return the most of them
 */
bal_size bal_model_memory(const bal_workload *w, const bal_rank_part *part,
                          double landmarks, bal_size affinities,
                          bal_size *phase);

/** Sweeps over X of a run whose passes have so many landmarks, by phase
 *  [BAL_RUN_PHASES].  Local.  @return all of them */
double bal_model_sweeps(const bal_workload *w, double landmarks, double *phase);

/** Bytes read from and written to files by all ranks, for so many landmarks and
 *  entries.  Local. */
void bal_model_files(const bal_workload *w, double landmarks, double entries,
                     double *read, double *write);

/** One run of the sampler on part of the sample. */
typedef struct bal_trial {
    bal_size n, batches; ///< points, and batches that occur
    bal_size landmarks, filled, rows, entries; ///< as its report counts them
} bal_trial;

enum { BAL_TRIALS_MOST = 20 };

/** What the sample told, and how fast a rank is; the same on every rank. */
typedef struct bal_measured {
    bal_size n;      ///< rows of the sample
    bal_size d, p;   ///< features of them, and dimensions of its Z
    bool whole;      ///< the last trial is the run's first pass
    bool by_batch;   ///< trials differ in their batches, not in the points of
                     ///< each and in k
    double stretch;  ///< what their k lacks of the sample's part of the run's
    bal_trial trial[BAL_TRIALS_MOST]; ///< in ascending order of n
    int trials;
    double opening;     ///< seconds until rows can be read
    double read_row;    ///< seconds to read a row
    double space_fixed; ///< seconds of the space that do not grow with n ...
    double space_row;   ///< ... and for each row of a rank
    double point;       ///< seconds of the sampler for a row and a point
    double arrange;     ///< seconds for an entry of A, to turn it into an order
                        ///< of points and to find parts and trust
    double correct;     ///< seconds of the correction, an entry and a feature
} bal_measured;

/** Least, expected and most. */
typedef struct bal_range {
    double low, mid, high;
} bal_range;

/** What is expected of a pass. */
typedef struct bal_expected {
    bal_range landmarks, entries; ///< of all ranks together
    double rows;                  ///< that the sampler computes
    bool exact;                   ///< known, not guessed
} bal_expected;

/** From the sample to all points.  Local.  `m` has one trial at least. */
void bal_model_expect(const bal_workload *w, const bal_measured *m,
                      bal_expected *out);

/** Seconds of each phase on the rank with the most, [BAL_RUN_PHASES].  Local.
 *  @return their sum, for the least, the expected and the most landmarks */
bal_range bal_model_time(const bal_workload *w, const bal_rank_part *part,
                         const bal_measured *m, const bal_expected *e,
                         double *phase);

#endif
