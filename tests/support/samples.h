/**
 * @file
 * Data sets and settings for tests of the sampler, and what its results are
 * compared with.
 */
#ifndef TEST_SAMPLES_H
#define TEST_SAMPLES_H

#include "balans/algo/sampler.h"
#include "points.h"

typedef struct sample_shape {
    int64_t size[5], batches, p, repeat;
} sample_shape;

typedef struct sample_setting {
    int64_t k;
    double share;
    bool scale;
    double gate;
    int64_t block, patience, max_landmarks;
    bool keep;
    int64_t landmarks;
} sample_setting;

enum { SAMPLE_SHAPES = 7, SAMPLE_SETTINGS = 18 };
extern const sample_shape sample_shapes[];
extern const sample_setting sample_settings[];

/** All ranks; the data set in use, and this rank's points of it. */
extern bal_comm sample_comm;
extern ref_data *sample_data;
extern points *sample_points;

/** Fixture.  Collective. */
void sample_set_up(void);
void sample_tear_down(void);

/** Makes a data set the one in use.  Collective. */
void sample_prepare(const sample_shape *s, uint64_t seed);

/** Parameters of the reference, and the same for the library. */
ref_params sample_reference_params(const sample_setting *s, uint64_t seed);
bal_sample_params sample_library_params(const ref_params *par, uint32_t pass,
                                        int w);
bal_row_params sample_row_params(const ref_params *par, int threads);

/** The sampler on the data set in use.  Collective. */
bal_verdict sample_draw(const bal_row_params *rows,
                        const bal_sample_params *par, bal_csr **a,
                        bal_sample_report *report);

/** Differences between one row of A and the part of the dense one. */
int sample_compare_row(const bal_csr_row *row, const ref_sample *want,
                       int64_t l);

/** Differences between a report and what was to be found, with at most w blocks
 *  in flight. */
int sample_compare_report(const bal_sample_report *r, const ref_sample *want,
                          const ref_params *par, int w);

/** Differences between the landmarks' scales and those of dense rows. */
int sample_compare_scales(const float *scale, const ref_sample *want,
                          const ref_params *par);

#endif
