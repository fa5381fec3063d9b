/** @file  One run of `balans correct`: what its phases hand on.  Not for others
 *  than the pipeline. */
#ifndef BAL_APP_JOB_H
#define BAL_APP_JOB_H

#include <stddef.h>

#include "balans/algo/nystrom.h"
#include "balans/algo/sampler.h"
#include "balans/algo/space.h"
#include "balans/app/params.h"
#include "balans/data/csr.h"
#include "balans/data/labels.h"
#include "balans/data/shard.h"
#include "balans/io/h5ad.h"
#include "balans/io/h5ad_out.h"
#include "balans/par/comm.h"
#include "balans/par/layout.h"

/** How far the sampling is. */
typedef struct bal_mark {
    int64_t pass;
    bal_sample_stage stage;
    bal_size block, width, rows;
} bal_mark;

/** When the state of the run was or is to be kept. */
typedef struct bal_keeper {
    double start;     ///< bal_now() at the start of the program ...
    double saved;     ///< ... of the sampler, or after the latest checkpoint
    double cost;      ///< seconds the latest checkpoint took
    double asked;     ///< when somebody asked last ...
    double gap;       ///< ... and the longest time between
    double told;      ///< when the answer first was to stop, or 0
    bool there;       ///< there is a checkpoint to go on from
    bal_mark began;   ///< what the one at the start held ...
    bal_mark kept;    ///< ... and what it holds now
    int64_t pass;     ///< the running one
    char *identity;   ///< lines that tell runs apart
    bal_sample_state from; ///< where to go on
    bal_sample_hook hook;
} bal_keeper;

typedef struct bal_job {
    bal_comm *comm;
    const bal_params *par;
    int threads;
    bal_size memory;      ///< bytes of work space per rank
    bal_h5ad *file;       ///< the input
    bal_h5ad_out *out;    ///< the output
    bal_matrix_info info; ///< of the matrix that is corrected
    bal_labels *labels;   ///< batches
    bal_layout *layout;
    bal_route *route;
    bal_shard *x;         ///< profiles; corrected in place
    uint64_t checksum;    ///< of the profiles as read ...
    uint64_t checksum_x;  ///< ... and as corrected
    bal_space *space;
    bal_shard *z;         ///< corrected coordinates, where PCA was used
    bal_csr *a;           ///< of the last pass
    bal_sample_report report; ///< of the last pass
    bal_range range;      ///< of the input's features; with nystrom only
    bal_nystrom *nystrom; ///< what corrects in the last pass, or NULL
    bal_nystrom_report nystrom_report;
    bal_keeper keeper; ///< with --checkpoint only
} bal_job;

/** From now on signals and the time limit stop the run; does nothing without
 *  --checkpoint, as the following do.  Local. */
void bal_job_keep_start(bal_job *j);

/** Looks for a checkpoint.  Collective. */
bal_verdict bal_job_keep_open(bal_job *j);

/** Goes on where the checkpoint says, if there is one: the pass, X and Z.
 *  Collective. */
bal_verdict bal_job_keep_restore(bal_job *j, int64_t *pass);

/** The sampler's hook for a pass, or NULL.  Local. */
const bal_sample_hook *bal_job_keep_hook(bal_job *j, int64_t pass);

/** Removes the checkpoint, since the output is there.  Collective. */
void bal_job_keep_remove(bal_job *j);

/** Local. */
void bal_job_keep_finish(bal_job *j);

/** Opens the input and lays its points out.  Collective. */
bal_verdict bal_job_open(bal_job *j);

/** Says what the run works on.  Only once it has been read, as a failure before
 *  that is to be all that is on stderr. */
void bal_job_say_input(const bal_job *j);

/** Reads the matrix.  Collective. */
bal_verdict bal_job_read(bal_job *j);

/** Begins the output, before the work: its name, and all that is copied.
 *  Collective. */
bal_verdict bal_job_begin_output(bal_job *j);

/** Writes the output.  Collective. */
bal_verdict bal_job_write(bal_job *j);

/** Rows of a panel of slab rows of d floats, the same on every rank, and the
 *  number of panels that covers all slabs.  Local. */
bal_size bal_job_panel(const bal_job *j, bal_size d, bal_size *panels);

enum { BAL_PATH_MOST = 512 }; ///< of elements named after the matrix

/** The element that --keep-original makes.  Local. */
void bal_job_original(const bal_job *j, char *path, size_t size);

/** The memory formula of one rank, in bytes: the program with its libraries,
 *  the shard of X, Z in tiles and in rows, the order of rows, `affinities`
 *  bytes for its columns of A, and the work space.  Local.
 *  @param[in] p  dimensions of Z */
bal_size bal_job_memory(const bal_job *j, bal_size p, bal_size affinities);

/** The same for a rank of another number of ranks.  Local.
 *  @param[in] l  its layout */
bal_size bal_job_memory_of(const bal_job *j, const bal_layout *l, bal_size p,
                           bal_size affinities);

/** Parameters of the parts, as the run sets them; the sampler's without a hook.
 *  Local. */
bal_space_params bal_job_space_params(const bal_job *j);
bal_row_params bal_job_row_params(const bal_job *j);
bal_sample_params bal_job_sample_params(const bal_job *j, int64_t pass);

/** Dimensions of Z.  Local. */
bal_size bal_job_dimensions(const bal_job *j);

/** Prints what a run on `ranks` ranks would do and need, on rank 0's stdout.
 *  Collective. */
bal_verdict bal_job_plan(bal_job *j, int ranks);

/** What determines the result and what came out: parameters, version, input,
 *  counts; the same for equal runs.  NULL if memory ran out.  Local. */
json_t *bal_job_provenance(const bal_job *j);

/** What may differ between equal runs: hosts, times, calls, bytes, memory.
 *  Collective.  Fails with BAL_ENOMEM. */
bal_verdict bal_job_run_report(bal_job *j, json_t **out);

/** The table of phases, at level info.  Local; from the report of a run. */
void bal_job_print_phases(const json_t *run);

#endif
