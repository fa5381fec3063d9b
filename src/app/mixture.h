/* A structured Gaussian mixture seen through batches: points drawn one by one,
 * each a function of the seed and its index. */
#ifndef BAL_APP_MIXTURE_H
#define BAL_APP_MIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "balans/base/status.h"
#include "balans/base/types.h"

typedef struct bal_mixture_params {
    bal_size d;        /* features, at least 1 */
    bal_size clusters; /* at least 1 */
    bal_size batches;  /* at least 1 */
    double missing;    /* share of the clusters that each batch lacks */
    double
        confounded;  /* share of the points that are in their cluster's home */
    double outliers; /* share of the points that are wild */
    bool nested;     /* batches lie in sources that have effects, too */
    uint64_t seed;
} bal_mixture_params;

typedef struct bal_mixture {
    bal_mixture_params par;
    float *mean;     /* [clusters, d], where the cluster is */
    float *stretch;  /* [clusters, d], the direction it is drawn out along */
    float *spread;   /* [clusters], its standard deviation */
    float *shift;    /* [batches, d], added by the batch */
    float *scale;    /* [batches, d], multiplied before */
    float *noise;    /* [batches], standard deviation of what it adds */
    int32_t *home;   /* [clusters], the batch that each is always in */
    bal_size kept;   /* clusters in each batch */
    int32_t *member; /* [batches, kept], these clusters, ascending */
    uint64_t *upto;  /* [batches, kept], running sum of their weights */
} bal_mixture;

/** What a point is before its values are drawn. */
typedef struct bal_point {
    bal_gidx index;
    int32_t batch, cluster;
    bool outlier;
} bal_point;

/** How many clusters each batch lacks: a whole number.  Local. */
bal_size bal_mixture_lacking(const bal_mixture_params *par);

/** How many sources there are: the root of the number of batches, rounded up.
 *  Local. */
bal_size bal_mixture_sources(bal_size batches);

/** The source of a batch: each holds a run of batches.  Local. */
bal_size bal_mixture_source(bal_size batches, bal_size batch);

/** Draws what clusters and batches are like.  Local, and the same on every
 *  rank.  Fails with BAL_ENOMEM.
 *  Cost: 12 d (clusters + batches) + 12 batches kept + 4 clusters bytes. */
bal_status bal_mixture_create(const bal_mixture_params *par, bal_mixture **out);

/** Local; NULL is fine. */
void bal_mixture_destroy(bal_mixture **m);

/** Draws batch, cluster and whether the point is wild.  Local. */
bal_point bal_mixture_point(const bal_mixture *m, bal_gidx index);

/** Draws the values of a point.  Local.
 *  @param[out] x      [d], as measured
 *  @param[out] truth  [d], without batch and accident; NULL if not wanted */
void bal_mixture_values(const bal_mixture *m, const bal_point *p, float *x,
                        float *truth);

#endif
