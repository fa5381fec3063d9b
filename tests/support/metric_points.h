/**
 * @file
 * Sets of points for the tests of metrics, and the metrics once more: serial,
 * in double, by definition, from all distances.
 *
 * All functions but metric_set() are local.  A test that runs out of memory
 * ends.
 */
#ifndef TEST_METRIC_POINTS_H
#define TEST_METRIC_POINTS_H

#include <stdbool.h>

#include "balans/metric/ring.h"
#include "balans/metric/set.h"

typedef struct metric_points {
    int n, d, batches, labels;
    float *x; /* [n, d] */
    int *batch, *label;
} metric_points;

/** Points around one centre for each label, moved by `shift` in each batch.
 *  Every batch and label has one point at least, if n allows. */
metric_points *metric_points_random(int n, int d, int batches, int labels,
                                    double shift, unsigned seed);
void metric_points_destroy(metric_points **p);

/** The same points as the program holds them.  Collective. */
bal_set *metric_set(bal_comm *c, const metric_points *p);

/** Distances of all pairs, [n, n]; freed with free(). */
double *metric_distances(const metric_points *p, bal_space_kind kind);

/** The k nearest others, nearest first, [n, k]; -1 where there are no more.
 *  With `group` only those of the point's own. */
int *metric_neighbours(const double *distance, int n, int k, const int *group);

/** Silhouettes of the points with in[i] == which, among themselves; others are
 *  left as they are. */
void metric_silhouettes(const double *distance, int n, const int *cluster,
                        const int *in, int which, double *s);

/** LISI of a point with these neighbours. */
double metric_lisi(const double *distance, const int *neighbour, int k,
                   double perplexity, const int *group);

/** Average precision of query i by sorting everybody. */
double metric_precision(const metric_points *p, const double *distance, int i);

#endif
