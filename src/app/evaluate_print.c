#include <math.h>
#include <string.h>

#include "balans/app/version.h"
#include "balans/metric/retrieval.h"
#include "evaluate_internal.h"

enum { TITLE = 22, LEAST_WIDTH = 10 };

/* ---- the table ---- */

/* As many as are printed, so that what looks equal is equally good. */
static long long rounded(double v)
{
    return llround(v * 1e4);
}

static bool is_best(const bal_panel *v, bal_size i, bal_score s)
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

static void print_line(const bal_panel *v, bal_score s)
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

static void print_lines(const bal_panel *v, const char *title, bal_score from,
                        bal_score to)
{
    printf("%s\n", title);
    for (bal_score s = from; s <= to; s++)
        if (s != BAL_SCORE_MAP_CONTROL || v->control >= 0)
            print_line(v, s);
}

static void print_head(const bal_panel *v)
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
static void print_undefined(const bal_panel *v)
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

static void print_samples(const bal_panel *v)
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

void bal_evaluation_print(const bal_panel *v)
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

static void record_scores(const bal_panel *v, const bal_scores *s,
                          bal_record *r)
{
    bal_record *scores = bal_record_node(r, "scores");
    bal_record *undefined = bal_record_node(r, "undefined");

    for (int k = 0; k < BAL_SCORE_COUNT; k++) {
        const char *key = bal_score_key((bal_score)k);
        if (k == BAL_SCORE_MAP_CONTROL && v->control < 0)
            continue;
        bal_record_real(scores, key, s->value[k]);
        if (s->why[k] != NULL)
            bal_record_text(undefined, key, s->why[k]);
    }
    bal_record_int(r, "graph_points", s->graph_points);
    bal_record_int(r, "graph_neighbors", s->graph_neighbors);
    bal_record_int(r, "lisi_neighbors", s->lisi_neighbors);
    bal_record_real(r, "lisi_perplexity", s->perplexity);
    bal_record_int(r, "leiden_clusters", s->clusters);
    bal_record_int(r, "silhouette_points", s->silhouette_points);
    bal_record_int(r, "retrieval_queries", s->queries);
}

static void record_groups(const bal_panel *v, double *const *column,
                          const bal_labels *groups, const bal_size *size,
                          bal_record *r)
{
    for (bal_size g = 0; g < groups->count; g++) {
        if (size[g] == 0)
            continue;
        bal_record *one = bal_record_append(r, groups->name[g]);
        bal_record_int(one, "points", size[g]);
        for (int t = 0; t < BAL_COLUMN_COUNT; t++)
            if (column[t] != NULL &&
                (t != BAL_COLUMN_MAP_CONTROL || v->control >= 0))
                bal_record_real(one, bal_column_key((bal_column)t),
                                column[t][g]);
    }
}

bal_record *bal_evaluation_record(const bal_panel *v)
{
    bal_record *r = bal_record_create();
    bal_record *matrices;

    bal_record_text(r, "version", bal_version());
    bal_record_text(r, "commit", bal_commit());
    bal_record_text(r, "file", v->par->input);
    bal_options_record(bal_evaluation_table, v->par,
                       bal_record_node(r, "parameters"));
    bal_record_int(r, "points", v->points);
    bal_record_int(r, "controls", v->controls);
    bal_record_int(r, "batches", v->batch->count);
    bal_record_int(r, "labels", v->label->count - (v->control >= 0));
    matrices = bal_record_node(r, "matrices");
    for (bal_size i = 0; i < v->matrices; i++) {
        bal_record *one = bal_record_node(matrices, v->name[i]);
        const bal_scores *s = v->score[i];
        record_scores(v, s, one);
        record_groups(v, s->label, v->label, v->label_size,
                      bal_record_node(one, "per_label"));
        record_groups(v, s->batch, v->batch, v->batch_size,
                      bal_record_node(one, "per_batch"));
    }
    return r;
}
