/** @file  What a run would need: a pilot on a sample of the file, a calibration
 *  of this machine, and what follows from both.  Not for others than the
 *  forecast and who prints it. */
#ifndef BAL_APP_FORECAST_INTERNAL_H
#define BAL_APP_FORECAST_INTERNAL_H

#include "job.h"

/** One run of the sampler on part of the sample. */
typedef struct bal_trial {
    bal_size n, batches; ///< points, and batches that occur
    bal_sample_report report;
} bal_trial;

enum { BAL_TRIALS_MOST = 20 };

/** Steps of the sampler's inner loop that a row costs with a point, beside one
 *  for each dimension, and with a batch, however small.  Measured. */
#define BAL_POINT_STEPS 20.0
#define BAL_BATCH_STEPS 2000.0

/** What the sample told; the same on every rank. */
typedef struct bal_pilot {
    bal_size n;       ///< rows of the sample, over all ranks
    int p;            ///< dimensions of Z
    float *z;         ///< [n, p], in the order of the file
    int32_t *code;    ///< [n], batch of each, as in the labels
    bool whole;       ///< the sample is the file, in the run's own space
    bal_size batches; ///< that occur in it
    double share;     ///< of their points that it has
    bool by_batch;    ///< trials differ in their batches, not in the points of
                      ///< each ...
    bal_size k;       ///< ... and so in k, which goes with the points
    double stretch;   ///< what k lacks of that
    bool thin;        ///< too few points of a batch for its k
    bal_trial trial[BAL_TRIALS_MOST]; ///< in ascending order of n
    int trials;
    bal_size band;      ///< rows that are decompressed together
    bool cached;        ///< they stay in memory from one panel to the next
    double read_band;   ///< seconds to read a band of this rank's slab ...
    double route_row;   ///< ... and to send a row where it belongs
    double space_fixed; ///< seconds of the space that do not grow with n ...
    double space_row;   ///< ... and for each row of a rank
} bal_pilot;

/** Reads a sample and runs space and sampler on it.  Collective.  Fails as
 *  these do. */
bal_verdict bal_pilot_run(bal_job *j, bal_pilot *p);

/** Local. */
void bal_pilot_finish(bal_pilot *p);

/** Least, expected and most. */
typedef struct bal_guess {
    double low, mid, high;
} bal_guess;

/** What is expected of all ranks together. */
typedef struct bal_expected {
    bal_guess landmarks, entries;
    double rows; ///< that the sampler will compute
    int width;   ///< blocks that fit the work space at the same time
    bool exact;  ///< known, not guessed
} bal_expected;

/** Extrapolates from the pilot to all points.  Local.
 *  @param[in] ranks  of the run
 *  @param[in] width  blocks whose work space fits, at least 1 */
void bal_expect(const bal_job *j, const bal_pilot *p, int ranks, int width,
                bal_expected *e);

/** Rows the sampler computes for m landmarks, of which `extended` by extension:
 *  where their number is not known before, the last group of blocks, up to an
 *  eighth of them and up to `width`, is finished.  Local. */
double bal_expect_rows(const bal_params *par, double m, double extended,
                       int width);

/** Rates of this machine, all ranks working at the same time. */
typedef struct bal_speed {
    double row_point;     ///< seconds of the sampler for a row and a point
    double correct_entry; ///< seconds of the correction for an entry of A
} bal_speed;

/** Times the sampler and the correction on made-up points as many as fit a
 *  fraction of a second.  Collective.  Fails with BAL_ENOMEM. */
bal_verdict bal_speed_measure(bal_job *j, const bal_pilot *p,
                              const bal_expected *e, bal_speed *s);

#endif
