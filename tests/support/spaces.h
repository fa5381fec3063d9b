/**
 * @file
 * Data sets for tests of the distance space, and runs of it.
 */
#ifndef TEST_SPACES_H
#define TEST_SPACES_H

#include <stddef.h>

#include "balans/algo/space.h"

/* A data set: points, features, and a value for each. */
typedef struct space_data {
    bal_size n, d;
    float (*value)(bal_gidx pos, bal_size f);
} space_data;

/* Where X is. */
typedef struct space_place {
    bool streamed; /* from an array, one block at a time */
    int fails;     /* the rank whose source fails, or none */
    int when;      /* ... at this read of it, from 0 */
} space_place;

/* One run of the module on one communicator. */
typedef struct space_run {
    bal_comm c;
    bal_blocks *x;
    bal_space *s;
    float *z; /* [x->m, s->p] */
    bal_size pieces;
    bal_verdict st;
    float *rows; /* what the source reads */
    const space_place *place;
    int reads; /* of this rank */
} space_run;

/** Standard scaling, clip 10, no PCA, one thread. */
extern const bal_space_params space_standard;

/** All rows in memory; all streamed. */
extern const space_place space_resident, space_streamed;

/** Correlated features; 3 is constant, 6 repeats 5, point 500 repeats point 10,
 *  and every 97th point is a broken well. */
float space_usual(bal_gidx pos, bal_size f);

/** Values of about 1; all points equal; feature 2 at the ends of float32;
 *  values of about 1e-30; one value infinite (point 4, feature 2); a feature at
 *  each end of float32: 0 alternates between -3.4e38 and 3.4e38, 1 has one
 *  wild value, 2 the smallest denormals, 3 zeros of both signs, 4 one value of
 *  1e-45 among zeros. */
float space_even(bal_gidx pos, bal_size f);
float space_equal(bal_gidx pos, bal_size f);
float space_huge(bal_gidx pos, bal_size f);
float space_tiny(bal_gidx pos, bal_size f);
float space_broken(bal_gidx pos, bal_size f);
float space_wild(bal_gidx pos, bal_size f);

/** Makes the data set on the ranks of mpi, its distance space, and Z in pieces.
 *  Collective over MPI_COMM_WORLD. */
void space_start(space_run *r, MPI_Comm mpi, const space_data *of,
                 const bal_space_params *par, const space_place *place);
void space_end(space_run *r);

/** Zeroed memory; freed with bal_free().  Collective. */
void *space_get(bal_size count, size_t size);

/** The reference's xs of all points, [n, d].  Collective. */
double *space_reference(const space_data *of, const bal_space_params *par);

/** The largest difference between this rank's Z and its part of rows [n, p].
 *  Collective. */
double space_worst(const space_run *r, const double *rows);

#endif
