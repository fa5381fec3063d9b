/* What the tests of the correction share: a sample whose affinities are known,
 * the program's corrections of it, and the dense formulas. */
#ifndef BAL_TEST_CORRECTION_H
#define BAL_TEST_CORRECTION_H

#include "affinities.h"
#include "balans/algo/correct.h"
#include "mpi_check.h"

typedef struct shape {
    int64_t size[5], batches, d, repeat;
} shape;

enum { SHAPES = 6 };
extern const shape shapes[SHAPES];

/* What a correction does. */
typedef enum form { SMOOTH = 0, BLEND, RESIDUAL, TRUSTED, STRICT, FORMS } form;

/* Where a run has its values, and what it may use. */
typedef struct way {
    bool tiles, streamed;
    bal_size memory;
    int threads;
} way;

extern const bal_size plenty; /* of memory */
extern const way simply;

extern bal_comm c, self;
extern ref_data *data;
extern ref_sample *sample;
extern points *p, *alone; /* spread over all ranks; all on this one */
extern bool keep;         /* what no landmark covers */

void set_up(void);
void tear_down(void);

/* With `few` landmarks some points are not covered, and some parts empty. */
void prepare(const shape *s, bool few);

/* Corrects all rows of x, whose squared moves go to move2 [m] unless NULL. */
bal_verdict run(bal_comm *comm, const points *at, form f, const way *w,
                bal_blocks *x, double *move2);

/* Corrected values of this rank, to be freed with free(): profiles in the order
 * of the file, or coordinates in that of the tiles. */
float *correct(bal_comm *comm, const points *at, form f, way w);

/* What the formula gives, [n, d], to be freed with free(). */
double *expected(form f, const float *values, int64_t d);

/* The row of this rank, of a run's values, where point j stands; -1: none. */
int64_t place_of(int64_t j, bool tiles);

/* Values that are off by more than rounding to float32 explains: sums are in
 * double, as the formula's are. */
int count_wrong(const float *got, const double *want, const float *values,
                int64_t d, bool tiles);

/* The same of a run by this form, in this way. */
int compare(form f, way w);

/* Memory for one panel of eight features, not for two. */
bal_size one_panel(form f);

#endif
