/** @file  What every test of a metric has: a communicator, points, and the same
 *  points as the program holds them.  Included by the test's one file. */
#ifndef TEST_METRIC_FIXTURE_H
#define TEST_METRIC_FIXTURE_H

#include "metric_points.h"

static bal_comm c;
static metric_points *p;
static bal_set *set;

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    bal_set_destroy(&set);
    metric_points_destroy(&p);
    bal_comm_finish(&c);
}

#endif
