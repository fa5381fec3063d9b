#include "balans/metric/kbet.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/metric/knn.h"
#include "balans/metric/stat.h"
#include "balans/par/agree.h"
#include "clusters.h"

enum { LEAST_POINTS = 10, LEAST_K = 10, MOST_K = 70, COMPONENT = 3 };
static const double LEVEL = 0.05, LEAST_SHARE = 0.75;

typedef struct work {
    const bal_set *set;
    const int32_t *root;
    bal_clusters *k;    /* batches within labels */
    int32_t *component; /* [n], points in the component of a root */
    bal_size *used;     /* [labels], points in components that are tested */
    int *k0;            /* [labels]; 0 where not defined */
    bool *split;        /* [labels], too much is in small components */
    double *rejected;   /* [m], 0 or 1; NaN where not tested */
    double *seen;       /* [threads, batches of a label] */
    bal_size batches;   /* most of a label */
} work;

static bal_status allocate(work *w, int threads)
{
    const char *what = "kBET";
    bal_status st;
    bal_size labels = w->set->label.count;

    BAL_TRY(bal_clusters_create(w->set, BAL_SILHOUETTE_BATCH, &w->k));
    for (bal_size g = 0; g < w->k->count; g++) {
        bal_size batches = w->k->end[g] - w->k->begin[g];
        w->batches = batches > w->batches ? batches : w->batches;
    }
    BAL_TRY(bal_alloc(&w->component, w->set->n, what));
    BAL_TRY(bal_alloc(&w->used, labels, what));
    BAL_TRY(bal_alloc(&w->k0, labels, what));
    BAL_TRY(bal_alloc(&w->split, labels, what));
    BAL_TRY(bal_alloc(&w->rejected, w->set->m, what));
    BAL_TRY(bal_alloc(&w->seen, threads * w->batches, what));
done:
    return st;
}

static void finish(work *w)
{
    bal_clusters_destroy(&w->k);
    bal_free(&w->component);
    bal_free(&w->used);
    bal_free(&w->k0);
    bal_free(&w->split);
    bal_free(&w->rejected);
    bal_free(&w->seen);
}

static int choose_k0(const bal_clusters *k, bal_size g)
{
    bal_size points = k->in_scope[g], batches = k->end[g] - k->begin[g];
    bal_size k0 = points / batches / 4;

    if (points < LEAST_POINTS || batches < 2)
        return 0;
    k0 = k0 > LEAST_K ? k0 : LEAST_K;
    return (int)(k0 < MOST_K ? k0 : MOST_K);
}

/* Whether a point's component is large enough. */
static bool in_large(const work *w, bal_gidx i)
{
    int32_t l = w->set->label.code[i], size = w->component[w->root[i]];

    return size == w->set->label.size[l] || size >= COMPONENT * w->k0[l];
}

static void plan(work *w)
{
    const bal_grouping *label = &w->set->label;

    for (bal_size i = 0; i < w->set->n; i++) {
        w->component[w->root[i]]++;
        w->k0[label->code[i]] = choose_k0(w->k, w->k->of[i]);
    }
    for (bal_size i = 0; i < w->set->n; i++)
        w->used[label->code[i]] += in_large(w, i);
    for (bal_size l = 0; l < label->count; l++)
        w->split[l] = (double)w->used[l] < LEAST_SHARE * (double)label->size[l];
}

static double test(const work *w, const bal_knn *g, bal_gidx first, bal_size i,
                   double *seen)
{
    bal_size own = w->k->of[first + i], begin = w->k->begin[own];
    bal_size batches = w->k->end[own] - begin;
    int k0 = w->k0[w->set->label.code[first + i]];
    int others = g->count[i] < k0 - 1 ? g->count[i] : k0 - 1;
    double chi2 = 0;

    memset(seen, 0, (size_t)batches * sizeof *seen);
    seen[own - begin] = 1;
    for (int j = 0; j < others; j++)
        seen[w->k->of[bal_knn_id(g, i, j)] - begin] += 1;
    for (bal_size b = 0; b < batches; b++) {
        double share =
            (double)w->k->size[begin + b] / (double)w->k->in_scope[own];
        double expected = share * (others + 1), off = seen[b] - expected;
        chi2 += off * off / expected;
    }
    return bal_chi2_survival(chi2, (double)(batches - 1)) < LEVEL;
}

static void test_points(work *w, const bal_knn *g, bal_gidx first, int threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (bal_size i = 0; i < w->set->m; i++) {
        int32_t l = w->set->label.code[first + i];
        bool tested = w->k0[l] > 0 && !w->split[l] && in_large(w, first + i);
        w->rejected[i] = tested
                             ? test(w, g, first, i,
                                    w->seen + omp_get_thread_num() * w->batches)
                             : NAN;
    }
}

static int most_neighbours(const work *w)
{
    int most = 0;

    for (bal_size l = 0; l < w->set->label.count; l++)
        if (w->k0[l] > most && !w->split[l])
            most = w->k0[l];
    return most - 1;
}

bal_verdict bal_kbet(bal_comm *c, const bal_set *set, bal_space_kind kind,
                     const int32_t *root, int threads, double *rate)
{
    bal_verdict st;
    work w = {.set = set, .root = root};
    bal_knn *g = NULL;
    bal_gidx first = set->first[c->rank];

    BAL_TRY(bal_agree(c, allocate(&w, threads)));
    plan(&w);
    int k = most_neighbours(&w);
    if (k > 0)
        BAL_TRY(bal_knn_create(c, set, kind, set->label.code, k, threads, &g));
    if (k > 0)
        test_points(&w, g, first, threads);
    else
        for (bal_size i = 0; i < set->m; i++)
            w.rejected[i] = NAN;
    BAL_TRY(bal_group_means(c, w.rejected, set->label.code + first, set->m,
                            set->label.count, 1, set->n, rate, NULL));
    for (bal_size l = 0; l < set->label.count; l++)
        if (w.k0[l] > 0 && w.split[l])
            rate[l] = 1;
done:
    bal_knn_destroy(&g);
    finish(&w);
    return st;
}
