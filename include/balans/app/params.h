/**
 * @file
 * The parameters of all commands.  What they are called, mean and may be is in
 * one table (balans/app/options.h).
 *
 * Source: interface.md.
 */
#ifndef BAL_APP_PARAMS_H
#define BAL_APP_PARAMS_H

#include <stdbool.h>

#include "balans/algo/correct.h"
#include "balans/algo/row.h"
#include "balans/algo/sampler.h"
#include "balans/algo/space.h"
#include "balans/base/status.h"
#include "balans/base/types.h"

enum { BAL_OPTIONS_MOST = 96 }; ///< lines of the table, at most

/** Where X is during a run. */
typedef enum bal_streaming {
    BAL_STREAM_AUTO = 0,
    BAL_STREAM_ON,
    BAL_STREAM_OFF,
} bal_streaming;

/** How `report` places points in the plane. */
typedef enum bal_layout_kind {
    BAL_LAYOUT_UMAP = 0,
    BAL_LAYOUT_PCA,
} bal_layout_kind;

/** Every parameter; a command reads those that are its own.  Strings are
 *  owned. */
typedef struct bal_params {
    char *input, *output; ///< positional
    char *batch, *label;
    char *matrix;  ///< of evaluate: names joined by line breaks
    char *control; ///< NULL = none
    int scale;     ///< bal_scaling
    double clip;
    int64_t pca;
    int pca_solver; ///< bal_pca_solver
    bal_neighbors neighbors;
    int64_t block;
    int64_t patience;
    int sparsify; ///< bal_sparsify
    double gate;
    int uncovered;     ///< bal_uncovered
    int64_t landmarks; ///< 0 = auto
    int64_t max_landmarks;
    int correction; ///< bal_correction
    int estimator;  ///< bal_estimator
    double rcond;
    int64_t passes; ///< 0 = auto
    int trust;      ///< bal_trusting
    double blend;
    int distance;   ///< bal_space_kind
    int64_t sample; ///< 0 = all points
    int64_t fit_sample; ///< profiles to fit to; 0 = all
    int64_t points, dims, clusters, batches;
    double missing;    ///< share of the clusters that each batch lacks
    double confounded; ///< share of the points in their cluster's own batch
    bool nested;       ///< batches lie in sources
    double outliers;   ///< share of the points with wild values
    bool truth;        ///< store the values without batch effects
    uint64_t seed;
    bool save_affinity;
    bool keep_original;
    int64_t memory_per_rank; ///< bytes; 0 = auto = 1 GiB
    int stream;              ///< bal_streaming
    int64_t threads;         ///< 0 = OMP_NUM_THREADS, else 1
    int64_t ranks;           ///< of the run asked about; 0 = as many as ask
    char *checkpoint;        ///< NULL = none
    double checkpoint_every; ///< minutes
    double time_limit;       ///< minutes; 0 = none
    int64_t stall_timeout;   ///< seconds; 0 = never
    char *report, *json;     ///< NULL = none
    char *scores, *original; ///< of report; NULL = none
    int layout;              ///< bal_layout_kind
    char *save_model;        ///< NULL = none
    char *model;             ///< positional, of apply
    bool keep_extra;
    bool dry_run;
    bool force;
    char *config; ///< NULL = none; was read already
    bool faults;
    bool verbose, quiet;
    bool given[BAL_OPTIONS_MOST]; ///< lines that the command line has set
} bal_params;

/** Sets every parameter to its default; what `p` held is forgotten.  Local.
 *  Fails with BAL_ENOMEM. */
bal_status bal_params_default(bal_params *p);

/** Checks the rules that concern more than one parameter.  Local.  Fails with
 *  BAL_EUSAGE. */
bal_status bal_params_check(const bal_params *p);

/** OpenMP threads per rank, at least 1; bytes of work space per rank.  Local.
 *  `auto` is resolved here. */
int bal_params_threads(const bal_params *p);
bal_size bal_params_memory(const bal_params *p);

/** Frees the strings.  Local. */
void bal_params_destroy(bal_params *p);

#endif
