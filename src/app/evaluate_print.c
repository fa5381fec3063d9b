#include <math.h>
#include <string.h>

#include "balans/app/options.h"
#include "balans/app/version.h"
#include "balans/io/report.h"
#include "balans/metric/retrieval.h"
#include "evaluate_internal.h"

enum { TITLE = 22, LEAST_WIDTH = 10 };

/* ---- the table ---- */

/* As many as are printed, so that what looks equal is equally good. */
static long long rounded(double v)
{
    return llround(v * 1e4);
}

static bool is_best(const bal_evaluation *v, bal_size i, bal_score s)
{
    long long mine = rounded(v->score[i]->value[s]);

    for (bal_size k = 0; k < v->matrices; k++) {
        double other = v->score[k]->value[s];
        if (!isnan(other) && rounded(other) > mine)
            return false;
    }
    return v->matrices > 1;
}

static int width_of(const char *name)
{
    int width = (int)strlen(name);

    return width > LEAST_WIDTH ? width : LEAST_WIDTH;
}

static void print_line(const bal_evaluation *v, bal_score s)
{
    printf("  %-*s", TITLE, bal_score_title(s));
    for (bal_size i = 0; i < v->matrices; i++) {
        double value = v->score[i]->value[s];
        if (isnan(value))
            printf("  %*s ", width_of(v->name[i]), "-");
        else
            printf("  %*.4f%c", width_of(v->name[i]), value,
                   is_best(v, i, s) ? '*' : ' ');
    }
    putchar('\n');
}

static void print_lines(const bal_evaluation *v, const char *title,
                        bal_score from, bal_score to)
{
    printf("%s\n", title);
    for (bal_score s = from; s <= to; s++)
        if (s != BAL_SCORE_MAP_CONTROL || v->control >= 0)
            print_line(v, s);
}

static void print_head(const bal_evaluation *v)
{
    static const char *const kind[] = {"cosine", "Euclidean"};
    bal_size labels = v->label->count - (v->control >= 0);

    printf("%s: %lld points, %lld batch%s (%s), %lld label%s (%s), %s "
           "distances\n\n%*s",
           v->par->input, (long long)v->points, (long long)v->batch->count,
           v->batch->count == 1 ? "" : "es", v->par->batch, (long long)labels,
           labels == 1 ? "" : "s", v->par->label, kind[v->par->distance],
           TITLE + 2, "");
    for (bal_size i = 0; i < v->matrices; i++)
        printf("  %*s ", width_of(v->name[i]), v->name[i]);
    putchar('\n');
}

/* ---- notes ---- */

/* All matrices have the same points, so what is undefined is so for all. */
static void print_undefined(const bal_evaluation *v)
{
    const bal_scores *s = v->score[0];
    bool said[BAL_SCORE_COUNT] = {false};

    for (int a = 0; a < BAL_SCORE_COUNT; a++) {
        if (s->why[a] == NULL || said[a])
            continue;
        printf("- ");
        for (int b = a; b < BAL_SCORE_COUNT; b++) {
            if (s->why[b] == NULL || strcmp(s->why[a], s->why[b]) != 0)
                continue;
            printf("%s%s", b > a ? ", " : "", bal_score_title((bal_score)b));
            said[b] = true;
        }
        printf(": not defined, %s\n", s->why[a]);
    }
}

static void print_samples(const bal_evaluation *v)
{
    const bal_scores *s = v->score[0];

    if (s->graph_points < s->points)
        printf("neighbour graph (connectivity, kBET, LISI, Leiden) and mAP: a "
               "sample of %lld of %lld points, seed %llu (--sample 0: all)\n",
               (long long)s->graph_points, (long long)s->points,
               (unsigned long long)v->par->seed);
    if (s->silhouette_points < s->points)
        printf("silhouettes: a sample of %lld of %lld points, seed %llu "
               "(cosine distances need none)\n",
               (long long)s->silhouette_points, (long long)s->points,
               (unsigned long long)v->par->seed);
    if (s->queries_limited)
        printf("mAP: %lld queries, at most %d of each label, seed %llu\n",
               (long long)s->queries, BAL_RETRIEVAL_QUERIES,
               (unsigned long long)v->par->seed);
}

void bal_evaluation_print(const bal_evaluation *v)
{
    print_head(v);
    print_lines(v, "batch", BAL_SCORE_CONNECTIVITY, BAL_SCORE_SILHOUETTE_BATCH);
    print_lines(v, "label", BAL_SCORE_ARI, BAL_SCORE_SILHOUETTE_LABEL);
    print_lines(v, "average", BAL_SCORE_AVG_BATCH, BAL_SCORE_SCIB);
    print_lines(v, "retrieval", BAL_SCORE_MAP, BAL_SCORE_MAP_CONTROL);
    printf("\nlarger is better%s\n",
           v->matrices > 1 ? "; * marks the best of a line" : "");
    if (v->control >= 0)
        printf("%lld points with label '%s' are controls, left out of all "
               "metrics but mAP against controls\n",
               (long long)v->controls, v->par->control);
    print_samples(v);
    print_undefined(v);
}

/* ---- the file ---- */

static json_t *scores_of(const bal_evaluation *v, const bal_scores *s,
                         bool values)
{
    json_t *r = json_object();
    bool all = r != NULL;

    for (int k = 0; k < BAL_SCORE_COUNT; k++) {
        const char *key = bal_score_key((bal_score)k);
        if (k == BAL_SCORE_MAP_CONTROL && v->control < 0)
            continue;
        if (values)
            all = bal_report_add(r, key, bal_report_real(s->value[k])) && all;
        else if (s->why[k] != NULL)
            all = bal_report_add(r, key, json_string(s->why[k])) && all;
    }
    return bal_report_whole(r, all);
}

static json_t *groups_of(const bal_evaluation *v, double *const *column,
                         const bal_labels *groups, const bal_size *size)
{
    json_t *r = json_object();
    bool all = r != NULL;

    for (bal_size g = 0; g < groups->count; g++) {
        if (size[g] == 0)
            continue;
        json_t *one = json_pack("{s:I}", "points", (json_int_t)size[g]);
        for (int t = 0; t < BAL_COLUMN_COUNT; t++)
            if (column[t] != NULL &&
                (t != BAL_COLUMN_MAP_CONTROL || v->control >= 0))
                all = bal_report_add(one, bal_column_key((bal_column)t),
                                     bal_report_real(column[t][g])) &&
                      all;
        all = bal_report_add(r, groups->name[g], one) && all;
    }
    return bal_report_whole(r, all);
}

static json_t *matrix_of(const bal_evaluation *v, const bal_scores *s)
{
    return json_pack(
        "{s:o, s:o, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:o, s:o}", "scores",
        scores_of(v, s, true), "undefined", scores_of(v, s, false),
        "graph_points", (json_int_t)s->graph_points, "graph_neighbors",
        (json_int_t)s->graph_neighbors, "lisi_neighbors",
        (json_int_t)s->lisi_neighbors, "lisi_perplexity",
        bal_report_real(s->perplexity), "leiden_clusters",
        (json_int_t)s->clusters, "silhouette_points",
        (json_int_t)s->silhouette_points, "retrieval_queries",
        (json_int_t)s->queries, "per_label",
        groups_of(v, s->label, v->label, v->label_size), "per_batch",
        groups_of(v, s->batch, v->batch, v->batch_size));
}

json_t *bal_evaluation_report(const bal_evaluation *v)
{
    json_t *matrices = json_object();
    bool all = matrices != NULL;

    for (bal_size i = 0; i < v->matrices; i++)
        all = bal_report_add(matrices, v->name[i], matrix_of(v, v->score[i])) &&
              all;
    return json_pack("{s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:o}", "version",
                     bal_version(), "commit", bal_commit(), "file",
                     bal_report_text(v->par->input), "parameters",
                     bal_options_report(BAL_FOR_EVALUATE, v->par), "points",
                     (json_int_t)v->points, "controls", (json_int_t)v->controls,
                     "batches", (json_int_t)v->batch->count, "labels",
                     (json_int_t)(v->label->count - (v->control >= 0)),
                     "matrices", bal_report_whole(matrices, all));
}
