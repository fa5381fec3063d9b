/**
 * @file
 * The parameters of `balans correct`, and the one table that describes them.
 *
 * Command line, YAML file, --help, `balans params`, configs/default.yaml and
 * the provenance in the output are all made from this table.
 * Source: interface.md, "correct".
 */
#ifndef BAL_APP_PARAMS_H
#define BAL_APP_PARAMS_H

#include <stdbool.h>
#include <stdio.h>

#include "balans/algo/correct.h"
#include "balans/algo/row.h"
#include "balans/algo/sampler.h"
#include "balans/algo/space.h"
#include "balans/app/options.h"
#include "balans/base/record.h"
#include "balans/base/status.h"
#include "balans/base/types.h"

/** Every parameter, in the order of the table.  Strings are owned. */
typedef struct bal_params {
    char *batch;
    char *matrix;
    int scale; ///< bal_scaling
    double clip;
    int64_t pca;
    bal_neighbors neighbors;
    int64_t landmarks; ///< 0 = auto: until nothing new is covered
    int64_t block;
    int64_t patience;
    int sparsify; ///< bal_sparsify
    double gate;
    int uncovered; ///< bal_uncovered
    int64_t max_landmarks;
    int correction; ///< bal_correction
    int estimator;  ///< bal_estimator
    double rcond;
    int64_t passes;
    uint64_t seed;
    bool save_affinity;
    bool keep_original;
    int64_t memory_per_rank; ///< bytes; 0 = auto = 1 GiB
    int64_t threads;         ///< 0 = OMP_NUM_THREADS, else 1
    int pca_solver;          ///< bal_pca_solver
    char *checkpoint;        ///< NULL = none
    double checkpoint_every; ///< minutes
    double time_limit;       ///< minutes; 0 = none
    int64_t stall_timeout;   ///< seconds; 0 = never
    char *report;            ///< NULL = none
    bool dry_run;
    bool force;
    bool verbose, quiet;
    bool patience_given, uncovered_given; ///< on the command line
    char *input, *output; ///< positional
    char *config;         ///< NULL = none; was read already
} bal_params;

/** The table; its object is a bal_params. */
extern const bal_option bal_params_table[];

/** Sets every parameter to its default.  Local.  Fails with BAL_ENOMEM. */
bal_status bal_params_default(bal_params *p);

/** Checks the rules that concern more than one parameter.  Local.  Fails with
 *  BAL_EUSAGE. */
bal_status bal_params_check_rules(const bal_params *p);

/** The same, and that nothing required is missing.  Local.  Fails with
 *  BAL_EUSAGE. */
bal_status bal_params_check(const bal_params *p);

/** Adds all parameters that determine the output, under their names.  Local. */
void bal_params_record(const bal_params *p, bal_record *r);

/** OpenMP threads per rank, at least 1; bytes of work space per rank.  Local.
 *  `auto` is resolved here. */
int bal_params_threads(const bal_params *p);
bal_size bal_params_memory(const bal_params *p);

/** Frees the strings.  Local. */
void bal_params_destroy(bal_params *p);

#endif
