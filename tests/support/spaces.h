/**
 * @file
 * Data sets for tests of the distance space, and runs of it.
 */
#ifndef TEST_SPACES_H
#define TEST_SPACES_H

#include <stddef.h>

#include "balans/algo/space.h"

/* A data set: batches, features, and a value for each point and feature. */
typedef struct space_data {
    bal_size batch[4];
    bal_size batches;
    bal_size d;
    float (*value)(bal_gidx pos, bal_size f);
} space_data;

/* One run of the module on one communicator. */
typedef struct run {
    bal_comm c;
    bal_layout *layout;
    bal_shard *x;
    bal_space *s;
    bal_verdict st;
} space_run;

/** Standard scaling, clip 10, no PCA, one thread. */
extern const bal_space_params space_standard;

/** Correlated features; 3 is constant, 6 repeats 5, point 500 repeats point 10,
 *  and every 97th point is a broken well. */
float space_usual(bal_gidx pos, bal_size f);

/** Values of about 1; all points equal; feature 2 at the ends of float32;
 *  values of about 1e-30; one value infinite (point 4, feature 2). */
float space_even(bal_gidx pos, bal_size f);
float space_equal(bal_gidx pos, bal_size f);
float space_huge(bal_gidx pos, bal_size f);
float space_tiny(bal_gidx pos, bal_size f);
float space_broken(bal_gidx pos, bal_size f);

/** Points of all batches. */
bal_size space_points(const space_data *of);

/** Makes the data set and its distance space on the ranks of mpi.  Collective
 *  over MPI_COMM_WORLD. */
void space_start(space_run *r, MPI_Comm mpi, const space_data *of,
                 const bal_space_params *par);
void space_end(space_run *r);

/** Zeroed memory; freed with bal_free().  Collective. */
void *space_get(bal_size count, size_t size);

/** The reference's xs of all points, [n, d].  Collective. */
double *space_reference(const space_data *of, const bal_space_params *par);

/** The largest difference between this rank's Z and its part of rows [n, p].
 *  Collective. */
double space_worst(const space_run *r, const double *rows);

#endif
