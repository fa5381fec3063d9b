/* Which scores the data do not define, and why. */
#include <math.h>
#include <stddef.h>

#include "scores_internal.h"

static bool has_twins(const bal_grouping *g)
{
    for (bal_size a = 0; a < g->count; a++)
        if (g->size[a] > 1)
            return true;
    return false;
}

static const char *lacks_batches(const bal_set *set)
{
    return set->batch.filled < 2 ? "there is one batch only" : NULL;
}

static const char *lacks_labels(const bal_set *set)
{
    if (set->label.filled < 2)
        return "there is one label only";
    return has_twins(&set->label) ? NULL : "no label has two points";
}

static const char *or_else(const char *first, const char *second)
{
    return first != NULL ? first : second;
}

static const char *reason(bal_score s, const bal_set *all, const bal_set *drawn,
                          bool defined)
{
    const char *none = NULL;

    switch (s) {
    case BAL_SCORE_CONNECTIVITY:
        return has_twins(&drawn->label) ? NULL : "no label has two points";
    case BAL_SCORE_KBET:
        none = defined ? NULL : "no label has 10 points and two batches";
        return or_else(lacks_batches(drawn), none);
    case BAL_SCORE_LISI_BATCH:
        return lacks_batches(drawn);
    case BAL_SCORE_SILHOUETTE_BATCH:
        none = defined ? NULL
                       : "no label has two batches and more points than "
                         "batches";
        return or_else(lacks_batches(all), none);
    case BAL_SCORE_ARI:
    case BAL_SCORE_NMI:
    case BAL_SCORE_LISI_LABEL:
        return lacks_labels(drawn);
    case BAL_SCORE_SILHOUETTE_LABEL:
        return lacks_labels(all);
    case BAL_SCORE_MAP:
    case BAL_SCORE_MAP_CONTROL:
        none = defined ? NULL : "no label is in two batches";
        none = or_else(lacks_batches(drawn), none);
        return s == BAL_SCORE_MAP ? or_else(none, lacks_labels(drawn)) : none;
    case BAL_SCORE_AVG_BATCH:
    case BAL_SCORE_AVG_LABEL:
    case BAL_SCORE_AVG_ALL:
    case BAL_SCORE_SCIB:
        none = s == BAL_SCORE_SCIB ? "one of its parts is not defined"
                                   : "none of its parts is defined";
        return defined ? NULL : none;
    case BAL_SCORE_COUNT:
        break;
    }
    return NULL;
}

void bal_scores_explain(bal_scores *s, bal_score from, bal_score to,
                        const bal_set *all, const bal_set *drawn)
{
    for (bal_score v = from; v <= to; v++) {
        s->why[v] = reason(v, all, drawn, !isnan(s->value[v]));
        if (s->why[v] == NULL && isnan(s->value[v]))
            s->why[v] = "there are too few points";
        if (s->why[v] != NULL)
            s->value[v] = NAN;
    }
}
