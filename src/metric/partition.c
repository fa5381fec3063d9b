#include <igraph.h>
#include <math.h>

#include "balans/metric/cluster.h"

static igraph_error_t compare(const int32_t *a, const int32_t *b, bal_size n,
                              igraph_vector_int_t *in_a,
                              igraph_vector_int_t *in_b, double *ari,
                              double *nmi)
{
    igraph_error_t bad;

    if ((bad = igraph_vector_int_init(in_a, n)) ||
        (bad = igraph_vector_int_init(in_b, n)))
        return bad;
    for (bal_size i = 0; i < n; i++) {
        VECTOR(*in_a)[i] = a[i];
        VECTOR(*in_b)[i] = b[i];
    }
    bad = igraph_compare_communities(in_a, in_b, nmi, IGRAPH_COMMCMP_NMI);
    /* Of fewer than two points there are no pairs. */
    *ari = NAN;
    return bad || n < 2 ? bad
                        : igraph_compare_communities(
                              in_a, in_b, ari, IGRAPH_COMMCMP_ADJUSTED_RAND);
}

bal_status bal_partition_scores(const int32_t *a, const int32_t *b, bal_size n,
                                double *ari, double *nmi)
{
    igraph_vector_int_t in_a = {0}, in_b = {0};

    igraph_set_error_handler(igraph_error_handler_ignore);
    igraph_error_t bad = compare(a, b, n, &in_a, &in_b, ari, nmi);
    igraph_vector_int_destroy(&in_a);
    igraph_vector_int_destroy(&in_b);
    if (bad)
        return BAL_FAIL(BAL_ENOMEM,
                        "cannot compare two partitions of %lld points: igraph "
                        "says '%s'",
                        (long long)n, igraph_strerror(bad));
    /* No pair can tell two partitions apart that are both trivial. */
    if (isnan(*ari))
        *ari = 1;
    return BAL_OK;
}
