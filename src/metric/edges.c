#include "edges.h"

#include <stdlib.h>

bal_size bal_edges_list(const bal_knn *g, int k, const double *w,
                        bal_gidx first, bal_edge *out)
{
    bal_size edges = 0;

    for (bal_size i = 0; i < g->m; i++)
        for (int j = 0; j < k && j < g->count[i]; j++) {
            int32_t id = bal_knn_id(g, i, j), self = (int32_t)(first + i);
            out[edges++] = (bal_edge){
                .a = id < self ? id : self,
                .b = id < self ? self : id,
                .w = w[i * k + j],
            };
        }
    return edges;
}

static int compare(const void *x, const void *y)
{
    const bal_edge *a = x, *b = y;

    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    return a->b < b->b ? -1 : a->b > b->b;
}

/* The sum does not depend on which comes first. */
bal_size bal_edges_unite(bal_edge *e, bal_size count)
{
    bal_size left = 0;

    qsort(e, (size_t)count, sizeof *e, compare);
    for (bal_size i = 0; i < count; i++) {
        bool twin = left > 0 && compare(&e[left - 1], &e[i]) == 0;
        if (twin)
            e[left - 1].w = (e[left - 1].w + e[i].w) - e[left - 1].w * e[i].w;
        else
            e[left++] = e[i];
    }
    return left;
}
