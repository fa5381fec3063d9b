/**
 * @file
 * All metrics of one matrix.
 *
 * Larger is better for each.  docs/metrics.md has the definitions.
 */
#ifndef BAL_METRIC_SCORES_H
#define BAL_METRIC_SCORES_H

#include "balans/base/status.h"
#include "balans/metric/ring.h"
#include "balans/metric/set.h"
#include "balans/par/comm.h"

typedef enum bal_score {
    BAL_SCORE_CONNECTIVITY = 0,
    BAL_SCORE_KBET,
    BAL_SCORE_LISI_BATCH,
    BAL_SCORE_SILHOUETTE_BATCH,
    BAL_SCORE_ARI,
    BAL_SCORE_NMI,
    BAL_SCORE_LISI_LABEL,
    BAL_SCORE_SILHOUETTE_LABEL,
    BAL_SCORE_AVG_BATCH,
    BAL_SCORE_AVG_LABEL,
    BAL_SCORE_AVG_ALL,
    BAL_SCORE_SCIB,
    BAL_SCORE_MAP,
    BAL_SCORE_MAP_CONTROL,
    BAL_SCORE_COUNT
} bal_score;

/** What the tables by label and by batch hold, as it is: rates and indices, not
 *  scaled to 0 .. 1. */
typedef enum bal_column {
    BAL_COLUMN_CONNECTIVITY = 0, ///< by label only
    BAL_COLUMN_KBET,             ///< by label only; rate of acceptance
    BAL_COLUMN_LISI_BATCH,
    BAL_COLUMN_SILHOUETTE_BATCH, ///< mean of 1 - |s|
    BAL_COLUMN_LISI_LABEL,
    BAL_COLUMN_SILHOUETTE_LABEL, ///< mean of (s + 1) / 2
    BAL_COLUMN_MAP,
    BAL_COLUMN_MAP_CONTROL,
    BAL_COLUMN_COUNT
} bal_column;

typedef struct bal_score_params {
    bal_space_kind kind;
    bal_size sample; ///< most points in the neighbour graph and in retrieval;
                     ///< 0 = no limit
    uint64_t seed;
    int threads;
} bal_score_params;

typedef struct bal_scores {
    double value[BAL_SCORE_COUNT];    ///< NaN where not defined
    const char *why[BAL_SCORE_COUNT]; ///< why it is not; NULL where it is
    double *label[BAL_COLUMN_COUNT];  ///< [labels], NaN where not defined
    double *batch[BAL_COLUMN_COUNT];  ///< [batches]; NULL for some
    bal_size points;                  ///< that silhouettes were computed on
    bal_size graph_points;            ///< in the graph and in retrieval
    bal_size silhouette_points;       ///< less than `points` if sampled
    bal_size queries;                 ///< that retrieval was averaged over
    bool queries_limited;             ///< whether not all points were queries
    bal_size clusters;                ///< of Leiden
    int graph_neighbors, lisi_neighbors;
    double perplexity;
} bal_scores;

/** Key in files and title in tables of a score; key of a column.  Local. */
const char *bal_score_key(bal_score s);
const char *bal_score_title(bal_score s);
const char *bal_column_key(bal_column s);

/**
 * Computes them.
 *
 * Collective.  Same on every rank: all parameters but threads.
 * @param[in]  set       at least 1 point; controls are not among them
 * @param[in]  controls  NULL if there are none
 * @param[out] out       the same on every rank
 * Fails with BAL_ENOMEM, BAL_ERANGE, BAL_ENUMERIC.
 */
bal_verdict bal_scores_create(bal_comm *c, bal_set *set,
                              const bal_set *controls,
                              const bal_score_params *par, bal_scores **out);

/** Local; NULL is fine. */
void bal_scores_destroy(bal_scores **s);

#endif
