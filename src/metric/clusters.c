#include "clusters.h"

#include <stdlib.h>

#include "balans/base/mem.h"

/* A point as it is sorted: by scope, then by its group within. */
typedef struct member {
    int32_t scope, group, i;
} member;

static int compare(const void *a, const void *b)
{
    const member *x = a, *y = b;

    if (x->scope != y->scope)
        return x->scope < y->scope ? -1 : 1;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->i < y->i ? -1 : x->i > y->i;
}

static bool same_cluster(const member *a, const member *b)
{
    return a->scope == b->scope && a->group == b->group;
}

static bal_size count_clusters(const member *at, bal_size n)
{
    bal_size count = 0;

    for (bal_size i = 0; i < n; i++)
        count += i == 0 || !same_cluster(&at[i], &at[i - 1]);
    return count;
}

static bal_status clusters_create(bal_size count, bal_size n,
                                  bal_clusters **out)
{
    bal_status st;
    bal_clusters *k = NULL;

    *out = NULL;
    BAL_TRY(bal_alloc(&k, 1, "clusters"));
    k->count = count;
    BAL_TRY(bal_alloc(&k->size, count, "clusters"));
    BAL_TRY(bal_alloc(&k->of, n, "clusters"));
    BAL_TRY(bal_alloc(&k->begin, count, "clusters"));
    BAL_TRY(bal_alloc(&k->end, count, "clusters"));
    BAL_TRY(bal_alloc(&k->in_scope, count, "clusters"));
    *out = k;
    k = NULL;
done:
    bal_clusters_destroy(&k);
    return st;
}

/* Clusters [begin, end) are one scope. */
static void close_scope(bal_clusters *k, bal_size begin, bal_size end)
{
    bal_size points = 0;

    for (bal_size g = begin; g < end; g++)
        points += k->size[g];
    for (bal_size g = begin; g < end; g++) {
        k->begin[g] = begin;
        k->end[g] = end;
        k->in_scope[g] = points;
    }
}

static void number(const member *at, bal_size n, bal_clusters *k)
{
    bal_size g = -1, begin = 0;

    for (bal_size i = 0; i < n; i++) {
        if (i == 0 || !same_cluster(&at[i], &at[i - 1]))
            g++;
        if (i > 0 && at[i].scope != at[i - 1].scope) {
            close_scope(k, begin, g);
            begin = g;
        }
        k->of[at[i].i] = (int32_t)g;
        k->size[g]++;
    }
    close_scope(k, begin, g + 1);
}

bal_status bal_clusters_create(const bal_set *set, bal_silhouette_kind which,
                               bal_clusters **out)
{
    bal_status st;
    member *at = NULL;
    bool batch = which == BAL_SILHOUETTE_BATCH;

    *out = NULL;
    BAL_TRY(bal_alloc(&at, set->n, "clusters"));
    for (bal_size i = 0; i < set->n; i++)
        at[i] = (member){batch ? set->label.code[i] : 0,
                         batch ? set->batch.code[i] : set->label.code[i],
                         (int32_t)i};
    qsort(at, (size_t)set->n, sizeof *at, compare);
    BAL_TRY(clusters_create(count_clusters(at, set->n), set->n, out));
    number(at, set->n, *out);
done:
    bal_free(&at);
    return st;
}

void bal_clusters_destroy(bal_clusters **k)
{
    if (*k == NULL)
        return;
    bal_free(&(*k)->size);
    bal_free(&(*k)->of);
    bal_free(&(*k)->begin);
    bal_free(&(*k)->end);
    bal_free(&(*k)->in_scope);
    bal_free(k);
}

/* Of equal points the distances are rounding errors of either sign; their
 * quotient would be anything. */
double bal_silhouette_value(double a, double b)
{
    const double floor = 1e-12;

    a = a > floor ? a : 0;
    b = b > floor ? b : 0;
    if (!(a > 0) && !(b > 0))
        return 0;
    return (b - a) / (a > b ? a : b);
}
