/* The phases of `balans correct`: read, space, sample and correct (once for
 * each pass), write. A pass before the last moves X and Z together by the
 * residual form, and the next measures its distances in the moved Z. */
#include "balans/app/pipeline.h"

#include "balans/algo/correct.h"
#include "balans/app/plan.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/io/report.h"
#include "balans/par/agree.h"
#include "job.h"

bal_space_params bal_job_space_params(const bal_job *j)
{
    return (bal_space_params){
        .scale = (bal_scaling)j->par->scale,
        .clip = j->par->clip,
        .pca = j->par->pca,
        .solver = (bal_pca_solver)j->par->pca_solver,
        .memory = j->memory,
        .threads = j->threads,
    };
}

bal_row_params bal_job_row_params(const bal_job *j)
{
    return (bal_row_params){
        .neighbors = j->par->neighbors,
        .sparsify = (bal_sparsify)j->par->sparsify,
        .gate = j->par->gate,
        .threads = j->threads,
    };
}

bal_sample_params bal_job_sample_params(const bal_job *j, int64_t pass)
{
    return (bal_sample_params){
        .block = j->par->block,
        .landmarks = j->par->landmarks,
        .patience = j->par->patience,
        .uncovered = (bal_uncovered)j->par->uncovered,
        .max_landmarks = j->par->max_landmarks,
        .seed = j->par->seed,
        .pass = (uint32_t)pass,
        .memory = j->memory,
    };
}

static bal_verdict build_space(bal_job *j)
{
    bal_space_params par = bal_job_space_params(j);
    bal_verdict st;

    bal_comm_enter(j->comm, BAL_PHASE_SPACE);
    BAL_TRY(bal_space_create(j->comm, j->x, &par, &j->space));
    bal_job_say_input(j);
    if (j->space->constant > 0)
        bal_info("%lld of %lld features do not vary",
                 (long long)j->space->constant, (long long)j->space->d);
    bal_debug("distance space: %lld dimensions%s", (long long)j->space->p,
              j->space->pca ? ", principal components" : "");
done:
    return st;
}

static void say_sampled(const bal_job *j)
{
    const bal_sample_report *r = &j->report;
    bool number = j->par->landmarks > 0;

    bal_info("%lld landmarks (%lld %s), %lld affinities, %lld of %lld points "
             "uncovered",
             (long long)r->landmarks,
             (long long)(number ? r->filled : r->extended),
             number ? "for batches with few" : "by extension",
             (long long)r->entries, (long long)r->uncovered,
             (long long)j->layout->n);
    bal_debug("%lld rows computed, at most %d blocks in flight; %lld dropped "
              "(overshoot), %lld repeats",
              (long long)r->rows, r->in_flight, (long long)r->overshoot,
              (long long)r->repeats);
}

static bal_verdict sample(bal_job *j, int64_t pass)
{
    bal_row_params rows = bal_job_row_params(j);
    bal_sample_params par = bal_job_sample_params(j, pass);
    bal_verdict st;

    /* The pass before needed about as many draws. */
    par.expected = j->report.landmarks - j->report.extended -
                   j->report.filled + j->report.repeats;
    par.hook = bal_job_keep_hook(j, pass);
    bal_comm_enter(j->comm, BAL_PHASE_SAMPLE);
    bal_csr_destroy(&j->a);
    bal_sample_report_finish(&j->report);
    BAL_TRY(bal_sample(j->comm, j->space->z, j->route, &rows, &par, &j->a,
                       &j->report));
    if (pass == 1 && j->report.small_batches > 0)
        bal_warn("%lld of %lld batches have fewer than k other points; their "
                 "farthest point sets the scale there",
                 (long long)j->report.small_batches,
                 (long long)j->layout->batches);
    say_sampled(j);
done:
    return st;
}

static void say_inverted(const bal_nystrom_report *r)
{
    bal_debug("nystrom: %lld of %lld eigenvalues kept; largest %.6g, smallest "
              "%.6g, %.1f %% negative",
              (long long)r->kept, (long long)r->landmarks, r->largest,
              r->smallest, 100 * r->negative);
}

/* Prepares the estimator where the last pass asks for it. */
static bal_verdict invert(bal_job *j, bool last)
{
    bal_verdict st = {BAL_OK};

    if (!last || j->par->estimator != BAL_NYSTROM)
        goto done;
    BAL_TRY(bal_nystrom_create(j->comm, j->a, j->par->rcond, j->memory,
                               &j->nystrom));
    j->nystrom_report = bal_nystrom_told(j->nystrom);
    say_inverted(&j->nystrom_report);
done:
    return st;
}

static bal_verdict correct_profiles(bal_job *j, bal_correction form)
{
    bal_verdict st;

    if (j->nystrom == NULL)
        return bal_correct(j->comm, j->a, form, j->memory, j->threads, j->x);
    BAL_TRY(bal_nystrom_correct(j->comm, j->nystrom, &j->range, j->memory,
                                j->threads, j->x));
    j->nystrom_report = bal_nystrom_told(j->nystrom);
    bal_info("nystrom: %lld of %lld points fell back to smoothing",
             (long long)j->nystrom_report.fallbacks, (long long)j->layout->n);
done:
    return st;
}

static bal_verdict correct_space(bal_job *j, bal_correction form)
{
    if (j->nystrom == NULL)
        return bal_correct(j->comm, j->a, form, j->memory, j->threads, j->z);
    return bal_nystrom_correct(j->comm, j->nystrom, NULL, j->memory, j->threads,
                               j->z);
}

/* Corrects X, and Z where anybody will look at it: the next pass, or the user
 * who gets the corrected components. */
static bal_verdict apply(bal_job *j, bal_correction form, bool last)
{
    bal_verdict st;

    bal_comm_enter(j->comm, BAL_PHASE_CORRECT);
    BAL_TRY(invert(j, last));
    BAL_TRY(correct_profiles(j, form));
    if (last && !j->space->pca)
        goto done;
    BAL_TRY(bal_agree(j->comm,
                      bal_shard_create(j->layout, j->space->p, &j->z)));
    bal_tiles_to_rows(j->space->z, j->z);
    if (last)
        bal_tiles_destroy(&j->space->z);
    BAL_TRY(correct_space(j, form));
    if (!last) {
        bal_tiles_from_rows(j->space->z, j->z);
        bal_shard_destroy(&j->z);
    }
done:
    return st;
}

static bal_verdict run_passes(bal_job *j)
{
    bal_verdict st = {BAL_OK};
    int64_t first = 1;

    if (j->par->estimator == BAL_NYSTROM)
        BAL_TRY(bal_range_find(j->comm, j->x, &j->range));
    BAL_TRY(bal_job_keep_restore(j, &first));
    for (int64_t pass = first; pass <= j->par->passes; pass++) {
        bool last = pass == j->par->passes;
        if (j->par->passes > 1)
            bal_info("pass %lld of %lld", (long long)pass,
                     (long long)j->par->passes);
        BAL_TRY(sample(j, pass));
        BAL_TRY(apply(j, last ? (bal_correction)j->par->correction
                              : BAL_RESIDUAL,
                      last));
    }
done:
    return st;
}

static bal_verdict run(bal_job *j)
{
    bal_verdict st;
    json_t *report = NULL;

    bal_comm_enter(j->comm, BAL_PHASE_READ);
    if (!j->par->dry_run)
        bal_job_keep_start(j);
    BAL_TRY(bal_h5ad_out_check(j->comm, j->par->output, j->par->input,
                               j->par->force));
    BAL_TRY(bal_job_open(j));
    if (j->par->dry_run) {
        bal_job_say_input(j);
        BAL_TRY(bal_plan_matrices(j->comm, j->file));
        BAL_TRY(bal_h5ad_matrix_open(j->file, j->par->matrix, &j->info));
        BAL_TRY(bal_job_plan(j, j->comm->size));
        goto done;
    }
    BAL_TRY(bal_job_keep_open(j));
    BAL_TRY(bal_job_read(j));
    BAL_TRY(bal_pause(j->comm));
    BAL_TRY(build_space(j));
    BAL_TRY(run_passes(j));
    BAL_TRY(bal_pause(j->comm));
    BAL_TRY(bal_job_write(j));
    BAL_TRY(bal_job_run_report(j, &report));
    bal_job_print_phases(report);
    if (j->par->report != NULL) {
        bool all = bal_report_add(report, "result", bal_job_provenance(j));
        BAL_TRY(bal_report_write(j->comm, j->par->report, all ? report : NULL));
    }
    bal_job_keep_remove(j);
done:
    json_decref(report);
    return st;
}

static void finish(bal_job *j)
{
    bal_job_keep_finish(j);
    bal_h5ad_close(&j->file);
    bal_labels_destroy(&j->labels);
    bal_route_destroy(&j->route);
    bal_shard_destroy(&j->x);
    bal_shard_destroy(&j->z);
    bal_space_destroy(&j->space);
    bal_nystrom_destroy(&j->nystrom);
    bal_range_finish(&j->range);
    bal_csr_destroy(&j->a);
    bal_sample_report_finish(&j->report);
    bal_layout_destroy(&j->layout);
}

bal_verdict bal_correct_file(bal_comm *c, const bal_params *par)
{
    bal_job j = {
        .comm = c,
        .par = par,
        .threads = bal_params_threads(par),
        .memory = bal_params_memory(par),
    };
    bal_verdict st = run(&j);

    bal_progress_end();
    finish(&j);
    return st;
}
