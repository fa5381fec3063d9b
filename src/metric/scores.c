/* The order of things: silhouettes on all points; then, on all points or a
 * sample, the neighbour graph and what is read from it; retrieval; averages. */
#include "balans/metric/scores.h"

#include <math.h>

#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/metric/cluster.h"
#include "balans/metric/graph.h"
#include "balans/metric/kbet.h"
#include "balans/metric/knn.h"
#include "balans/metric/lisi.h"
#include "balans/metric/retrieval.h"
#include "balans/metric/silhouette.h"
#include "balans/metric/stat.h"
#include "balans/par/agree.h"
#include "scores_internal.h"

enum { LISI_NEIGHBORS = 90, GRAPH_NEIGHBORS = 24 };
static const double RESOLUTION = 1.0;

typedef struct work {
    bal_comm *c;
    const bal_score_params *par;
    bal_set *set;            /* all points */
    const bal_set *controls; /* may be NULL */
    bal_set *drawn;          /* the sample, or all points */
    bal_knn *g;
    int32_t *root; /* [n of drawn] */
    bal_scores *s;
} work;

static const char *const titles[BAL_SCORE_COUNT][2] = {
    [BAL_SCORE_CONNECTIVITY] = {"graph_connectivity", "graph connectivity"},
    [BAL_SCORE_KBET] = {"kbet", "kBET"},
    [BAL_SCORE_LISI_BATCH] = {"lisi_batch", "LISI batch"},
    [BAL_SCORE_SILHOUETTE_BATCH] = {"silhouette_batch", "silhouette batch"},
    [BAL_SCORE_ARI] = {"leiden_ari", "Leiden ARI"},
    [BAL_SCORE_NMI] = {"leiden_nmi", "Leiden NMI"},
    [BAL_SCORE_LISI_LABEL] = {"lisi_label", "LISI label"},
    [BAL_SCORE_SILHOUETTE_LABEL] = {"silhouette_label", "silhouette label"},
    [BAL_SCORE_AVG_BATCH] = {"avg_batch", "Avg-batch"},
    [BAL_SCORE_AVG_LABEL] = {"avg_label", "Avg-label"},
    [BAL_SCORE_AVG_ALL] = {"avg_all", "Avg-all"},
    [BAL_SCORE_SCIB] = {"scib_overall", "scib 0.4/0.6"},
    [BAL_SCORE_MAP] = {"map", "mAP replicates"},
    [BAL_SCORE_MAP_CONTROL] = {"map_control", "mAP against controls"},
};

const char *bal_score_key(bal_score s)
{
    return titles[s][0];
}

const char *bal_score_title(bal_score s)
{
    return titles[s][1];
}

static const bal_score score_of[BAL_COLUMN_COUNT] = {
    [BAL_COLUMN_CONNECTIVITY] = BAL_SCORE_CONNECTIVITY,
    [BAL_COLUMN_KBET] = BAL_SCORE_KBET,
    [BAL_COLUMN_LISI_BATCH] = BAL_SCORE_LISI_BATCH,
    [BAL_COLUMN_SILHOUETTE_BATCH] = BAL_SCORE_SILHOUETTE_BATCH,
    [BAL_COLUMN_LISI_LABEL] = BAL_SCORE_LISI_LABEL,
    [BAL_COLUMN_SILHOUETTE_LABEL] = BAL_SCORE_SILHOUETTE_LABEL,
    [BAL_COLUMN_MAP] = BAL_SCORE_MAP,
    [BAL_COLUMN_MAP_CONTROL] = BAL_SCORE_MAP_CONTROL,
};

const char *bal_column_key(bal_column s)
{
    return bal_score_key(score_of[s]);
}

/* ---- the result ---- */

static bool by_batch(int column)
{
    return column != BAL_COLUMN_CONNECTIVITY && column != BAL_COLUMN_KBET;
}

static bal_status scores_create(const bal_set *set, bal_scores **out)
{
    bal_status st;
    bal_scores *s = NULL;

    *out = NULL;
    BAL_TRY(bal_alloc(&s, 1, "scores"));
    for (int v = 0; v < BAL_SCORE_COUNT; v++)
        s->value[v] = NAN;
    for (int t = 0; t < BAL_COLUMN_COUNT; t++) {
        BAL_TRY(bal_alloc(&s->label[t], set->label.count, "scores"));
        for (bal_size l = 0; l < set->label.count; l++)
            s->label[t][l] = NAN;
        if (!by_batch(t))
            continue;
        BAL_TRY(bal_alloc(&s->batch[t], set->batch.count, "scores"));
        for (bal_size b = 0; b < set->batch.count; b++)
            s->batch[t][b] = NAN;
    }
    s->points = set->n;
    *out = s;
    s = NULL;
done:
    bal_scores_destroy(&s);
    return st;
}

void bal_scores_destroy(bal_scores **s)
{
    if (*s == NULL)
        return;
    for (int t = 0; t < BAL_COLUMN_COUNT; t++) {
        bal_free(&(*s)->label[t]);
        bal_free(&(*s)->batch[t]);
    }
    bal_free(s);
}

/* Means of a value of each point by label and by batch, and over all. */
static bal_verdict tabulate(work *w, const bal_set *set, const double *value,
                            double bound, bal_column t, double *all)
{
    bal_verdict st;
    bal_gidx first = set->first[w->c->rank];

    BAL_TRY(bal_group_means(w->c, value, set->label.code + first, set->m,
                            set->label.count, bound, set->n, w->s->label[t],
                            NULL));
    BAL_TRY(bal_group_means(w->c, value, set->batch.code + first, set->m,
                            set->batch.count, bound, set->n, w->s->batch[t],
                            NULL));
    BAL_TRY(bal_group_means(w->c, value, NULL, set->m, 1, bound, set->n, all,
                            NULL));
done:
    return st;
}

/* ---- silhouettes ---- */

static double transformed(bal_silhouette_kind which, double s)
{
    return which == BAL_SILHOUETTE_BATCH ? 1 - fabs(s) : (s + 1) / 2;
}

static bal_verdict silhouette(work *w, bal_silhouette_kind which)
{
    bool batch = which == BAL_SILHOUETTE_BATCH;
    bal_column t =
        batch ? BAL_COLUMN_SILHOUETTE_BATCH : BAL_COLUMN_SILHOUETTE_LABEL;
    bal_verdict st;
    bal_set *of = w->set;
    double *s = NULL, all;

    BAL_TRY(bal_silhouette(w->c, w->set, w->par->kind, which, w->par->seed,
                           w->par->threads, &s, &of));
    w->s->silhouette_points = of->n;
    for (bal_size i = 0; i < of->m; i++)
        s[i] = transformed(which, s[i]);
    BAL_TRY(tabulate(w, of, s, 1, t, &all));
    w->s->value[score_of[t]] =
        batch ? bal_mean_defined(w->s->label[t], of->label.count) : all;
done:
    bal_free(&s);
    if (of != w->set)
        bal_set_destroy(&of);
    return st;
}

/* ---- the graph ---- */

static bal_verdict connectivity(work *w)
{
    bal_verdict st;
    double *share = w->s->label[BAL_COLUMN_CONNECTIVITY];

    BAL_TRY(bal_agree(w->c, bal_alloc(&w->root, w->drawn->n, "components")));
    BAL_TRY(bal_label_components(w->c, w->drawn, w->g, w->s->graph_neighbors,
                                 w->root));
    BAL_TRY(bal_agree(w->c, bal_connectivity(w->drawn, w->root, share)));
    w->s->value[BAL_SCORE_CONNECTIVITY] =
        bal_mean_defined(share, w->drawn->label.count);
done:
    return st;
}

static double scaled(double index, bal_size groups, bool many_is_good)
{
    double share = (index - 1) / (double)(groups - 1);

    return groups < 2 ? NAN : many_is_good ? share : 1 - share;
}

static bal_verdict lisi(work *w)
{
    bal_verdict st;
    const bal_grouping *by[2] = {&w->drawn->batch, &w->drawn->label};
    const bal_column column[2] = {BAL_COLUMN_LISI_BATCH, BAL_COLUMN_LISI_LABEL};
    double *index[2] = {NULL, NULL}, all, median;
    bal_size m = w->drawn->m;

    bal_status mine = bal_alloc(&index[0], m, "LISI");
    if (!bal_failed(mine))
        mine = bal_alloc(&index[1], m, "LISI");
    if (!bal_failed(mine))
        mine = bal_lisi(w->g, w->s->lisi_neighbors, w->s->perplexity, by, 2,
                        w->par->threads, index);
    BAL_TRY(bal_agree(w->c, mine));
    for (int b = 0; b < 2; b++) {
        BAL_TRY(tabulate(w, w->drawn, index[b], LISI_NEIGHBORS + 1, column[b],
                         &all));
        BAL_TRY(bal_median(w->c, index[b], m, &median));
        w->s->value[score_of[column[b]]] =
            scaled(median, by[b]->filled, b == 0);
    }
done:
    bal_free(&index[0]);
    bal_free(&index[1]);
    return st;
}

static bal_verdict kbet(work *w)
{
    bal_verdict st;
    double *rate = w->s->label[BAL_COLUMN_KBET];
    bal_size labels = w->drawn->label.count;

    BAL_TRY(
        bal_kbet(w->c, w->drawn, w->par->kind, w->root, w->par->threads, rate));
    for (bal_size l = 0; l < labels; l++)
        rate[l] = 1 - rate[l];
    w->s->value[BAL_SCORE_KBET] = bal_mean_defined(rate, labels);
done:
    return st;
}

static bal_verdict leiden(work *w)
{
    bal_verdict st;
    bal_set *set = w->drawn;
    int k = w->s->graph_neighbors;
    double *weight = NULL;
    int32_t *member = NULL, most = -1;

    bal_status mine = bal_alloc(&weight, set->m * k, "weights of neighbours");
    if (!bal_failed(mine))
        mine = bal_alloc(&member, set->n, "clusters");
    BAL_TRY(bal_agree(w->c, mine));
    BAL_TRY(bal_graph_weights(w->c, set, w->g, k, w->par->threads, weight));
    BAL_TRY(bal_leiden(w->c, set, w->g, k, weight, RESOLUTION, w->par->seed,
                       member));
    for (bal_size i = 0; i < set->n; i++)
        most = member[i] > most ? member[i] : most;
    w->s->clusters = most + 1;
    BAL_TRY(
        bal_agree(w->c, bal_partition_scores(set->label.code, member, set->n,
                                             &w->s->value[BAL_SCORE_ARI],
                                             &w->s->value[BAL_SCORE_NMI])));
done:
    bal_free(&weight);
    bal_free(&member);
    return st;
}

static bal_verdict graph(work *w)
{
    bal_verdict st;
    bal_scores *s = w->s;
    bal_size others = w->drawn->n - 1;
    int k = others < LISI_NEIGHBORS ? (int)others : LISI_NEIGHBORS;

    s->lisi_neighbors = k;
    s->graph_neighbors = k < GRAPH_NEIGHBORS ? k : GRAPH_NEIGHBORS;
    s->perplexity = k >= 3 ? floor(k / 3.0) : 1;
    bal_progress("nearest neighbours of %lld points", (long long)w->drawn->n);
    BAL_TRY(bal_knn_create(w->c, w->drawn, w->par->kind, NULL, k,
                           w->par->threads, &w->g));
    bal_progress("metrics of the neighbour graph");
    BAL_TRY(connectivity(w));
    BAL_TRY(lisi(w));
    BAL_TRY(kbet(w));
    bal_progress("Leiden clusters");
    BAL_TRY(leiden(w));
done:
    return st;
}

/* ---- retrieval ---- */

static bal_size count_defined(bal_comm *c, const double *v, bal_size m)
{
    int64_t count = 0;

    for (bal_size i = 0; i < m; i++)
        count += !isnan(v[i]);
    bal_comm_sum_i64(c, &count, 1);
    return count;
}

static bool limits_queries(const bal_set *set)
{
    if (set->n <= BAL_RETRIEVAL_ALL)
        return false;
    for (bal_size l = 0; l < set->label.count; l++)
        if (set->label.size[l] > BAL_RETRIEVAL_QUERIES)
            return true;
    return false;
}

static bal_verdict retrieval(work *w)
{
    bal_verdict st;
    bal_set *set = w->drawn;
    double *ap = NULL, *against = NULL, all;

    bal_progress("retrieval of replicates");
    w->s->queries_limited = limits_queries(set);
    bal_status mine = bal_alloc(&ap, set->m, "retrieval");
    if (!bal_failed(mine) && w->controls != NULL)
        mine = bal_alloc(&against, set->m, "retrieval");
    BAL_TRY(bal_agree(w->c, mine));
    BAL_TRY(bal_retrieval(w->c, set, w->controls, w->par->kind, w->par->seed,
                          w->par->threads, ap, against));
    BAL_TRY(tabulate(w, set, ap, 1, BAL_COLUMN_MAP, &all));
    w->s->value[BAL_SCORE_MAP] =
        bal_mean_defined(w->s->label[BAL_COLUMN_MAP], set->label.count);
    w->s->queries = count_defined(w->c, ap, set->m);
    if (against == NULL)
        goto done;
    BAL_TRY(tabulate(w, set, against, 1, BAL_COLUMN_MAP_CONTROL, &all));
    w->s->value[BAL_SCORE_MAP_CONTROL] =
        bal_mean_defined(w->s->label[BAL_COLUMN_MAP_CONTROL], set->label.count);
    w->s->queries = count_defined(w->c, against, set->m);
done:
    bal_free(&ap);
    bal_free(&against);
    return st;
}

/* ---- all of it ---- */

static void average(bal_scores *s)
{
    const double *batch = s->value + BAL_SCORE_CONNECTIVITY;
    const double *label = s->value + BAL_SCORE_ARI;
    bal_size batches = BAL_SCORE_ARI - BAL_SCORE_CONNECTIVITY;
    bal_size labels = BAL_SCORE_AVG_BATCH - BAL_SCORE_ARI;
    double b = bal_mean_defined(batch, batches);
    double l = bal_mean_defined(label, labels);

    s->value[BAL_SCORE_AVG_BATCH] = b;
    s->value[BAL_SCORE_AVG_LABEL] = l;
    s->value[BAL_SCORE_AVG_ALL] = bal_mean_defined(batch, batches + labels);
    s->value[BAL_SCORE_SCIB] = 0.4 * b + 0.6 * l;
}

static bal_verdict run(work *w)
{
    bal_verdict st;
    bal_size sample = w->par->sample;

    bal_progress("silhouettes of %lld points", (long long)w->set->n);
    BAL_TRY(silhouette(w, BAL_SILHOUETTE_BATCH));
    BAL_TRY(silhouette(w, BAL_SILHOUETTE_LABEL));
    if (sample > 0 && w->set->n > sample)
        BAL_TRY(bal_set_sample(w->c, w->set, sample, w->par->seed, &w->drawn));
    w->s->graph_points = w->drawn->n;
    if (w->drawn->n > 1) {
        BAL_TRY(graph(w));
        bal_knn_destroy(&w->g);
        BAL_TRY(retrieval(w));
    }
    bal_scores_explain(w->s, BAL_SCORE_CONNECTIVITY, BAL_SCORE_SILHOUETTE_LABEL,
                       w->set, w->drawn);
    average(w->s);
    bal_scores_explain(w->s, BAL_SCORE_AVG_BATCH, BAL_SCORE_MAP_CONTROL, w->set,
                       w->drawn);
    if (w->controls == NULL)
        w->s->why[BAL_SCORE_MAP_CONTROL] = NULL;
done:
    return st;
}

bal_verdict bal_scores_create(bal_comm *c, bal_set *set,
                              const bal_set *controls,
                              const bal_score_params *par, bal_scores **out)
{
    bal_verdict st;
    work w = {
        .c = c, .par = par, .set = set, .controls = controls, .drawn = set};

    *out = NULL;
    BAL_TRY(bal_agree(c, scores_create(set, &w.s)));
    BAL_TRY(run(&w));
    *out = w.s;
    w.s = NULL;
done:
    bal_scores_destroy(&w.s);
    bal_knn_destroy(&w.g);
    bal_free(&w.root);
    if (w.drawn != set)
        bal_set_destroy(&w.drawn);
    return st;
}
