/* Clusters within scopes: what a point's silhouette compares.  Labels are one
 * scope of all labels; batches within labels are a scope for each label.
 * Everything is known on every rank. */
#ifndef BAL_METRIC_CLUSTERS_H
#define BAL_METRIC_CLUSTERS_H

#include "balans/metric/set.h"
#include "balans/metric/silhouette.h"

typedef struct bal_clusters {
    bal_size count;     /* clusters, each with a point */
    bal_size *size;     /* [count] */
    int32_t *of;        /* [n], cluster of each point */
    bal_size *begin;    /* [count], the scope of a cluster is begin .. end-1 */
    bal_size *end;      /* [count] */
    bal_size *in_scope; /* [count], points in its scope */
} bal_clusters;

/* Local.  Fails with BAL_ENOMEM. */
bal_status bal_clusters_create(const bal_set *set, bal_silhouette_kind which,
                               bal_clusters **out);
void bal_clusters_destroy(bal_clusters **k);

/* Whether a point of cluster g has a silhouette.  Local. */
static inline bool bal_clusters_defined(const bal_clusters *k, bal_size g)
{
    bal_size clusters = k->end[g] - k->begin[g];

    return clusters > 1 && clusters < k->in_scope[g];
}

/* Silhouettes s [m] by all Euclidean distances, which takes all points to every
 * rank.  Collective.  Fails with BAL_ENOMEM. */
bal_verdict bal_silhouette_euclid(bal_comm *c, const bal_set *set,
                                  const bal_clusters *k, int threads,
                                  double *s);

/* From the two mean distances, rounding errors taken away.  Local. */
double bal_silhouette_value(double a, double b);

#endif
