/** @file  What every test of points has: a communicator, points by the
 *  reference, and the same as the program holds them.  Included by the test's
 *  one file. */
#ifndef TEST_POINTS_FIXTURE_H
#define TEST_POINTS_FIXTURE_H

#include "points.h"

static bal_comm c;
static ref_data *data;
static points *p;

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    points_destroy(&p);
    ref_data_destroy(&data);
    bal_comm_finish(&c);
}

/* Points as of ref_data_create(), in place of those there were. */
static void make_points(const int64_t *size, int64_t batches, int64_t d,
                        int64_t dim, int64_t repeat, uint64_t seed)
{
    points_destroy(&p);
    ref_data_destroy(&data);
    data = ref_data_create(size, batches, d, dim, repeat, seed);
    p = points_create(&c, data);
}

#endif
