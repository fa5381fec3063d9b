/* The phases of `balans correct`: the input is opened and the output begun; X
 * is read in blocks of the file; the distance space is fitted to it, and its
 * coordinates go to the tiles; passes move both; the blocks are written. */
#include "balans/app/correct.h"

#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/timer.h"
#include "balans/data/checksum.h"
#include "balans/forecast/print.h"
#include "balans/io/report.h"
#include "balans/par/agree.h"
#include "keep.h"
#include "model.h"
#include "output.h"
#include "summary.h"
#include "workload.h"

/* A run of the command; members are set from top to bottom. */
typedef struct run {
    bal_comm *c;
    const bal_params *par;
    bal_keeper keeper;
    bal_input in;
    bal_workload workload;
    bal_h5ad_out *out;
    bal_model_out model;
    bal_profiles profiles;
    bal_space *space;
    bal_points points;
    bal_passed passed;
    bal_shift shift;
    json_t *provenance;
} run;

static bal_verdict read_profiles(run *r)
{
    const char *written =
        r->par->output != NULL ? r->par->output : r->par->save_model;
    bal_verdict st;

    BAL_TRY(bal_points_order(&r->in, &r->points));
    BAL_TRY(bal_profiles_open(&r->in, r->workload.streamed, written,
                              bal_params_memory(r->par) / 4, &r->profiles));
    BAL_TRY(bal_keeper_identify(&r->keeper, &r->in, r->profiles.checksum));
done:
    return st;
}

static bal_verdict take_coordinates(void *arg, bal_size first, bal_size count,
                                    const float *z)
{
    run *r = arg;

    return bal_route_to_tiles(r->c, r->points.order, first, count, z,
                              r->points.z);
}

/* The space has seen the range of every feature; no sweep is needed. */
static void bound_profiles(run *r)
{
    const bal_space *s = r->space;

    for (bal_size f = 0; f < s->d; f++) {
        float low = s->low[f] < 0 ? -s->low[f] : s->low[f];
        float high = s->high[f] < 0 ? -s->high[f] : s->high[f];
        r->points.most_x[f] = low > high ? low : high;
    }
}

static bal_verdict build_space(run *r)
{
    const bal_space_params par = r->workload.space;
    bal_verdict st;

    bal_comm_enter(r->c, BAL_PHASE_SPACE);
    BAL_TRY(bal_space_fit(r->c, r->profiles.x, &par, &r->space));
    bal_input_say(&r->in);
    if (r->profiles.stream != NULL)
        bal_info("profiles stay in the file and are read again for every "
                 "sweep (--stream)");
    if (r->space->constant > 0)
        bal_info("%lld of %lld features do not vary",
                 (long long)r->space->constant, (long long)r->space->d);
    bal_debug("distance space: %lld dimensions%s", (long long)r->space->p,
              r->space->pca ? ", principal components" : "");
    BAL_TRY(bal_agree(r->c, bal_points_make(r->profiles.x, r->space->p,
                                            &r->points)));
    bound_profiles(r);
    BAL_TRY(bal_space_project(r->c, r->space, r->profiles.x, par.memory,
                              par.threads, take_coordinates, r));
    BAL_TRY(bal_points_bound(r->c, &r->points));
done:
    return st;
}

static bal_outcome what_ran(const run *r)
{
    return (bal_outcome){
        .in = &r->in,
        .workload = &r->workload,
        .space = r->space,
        .points = &r->points,
        .passed = &r->passed,
        .shift = &r->shift,
        .checksum_in = r->profiles.checksum,
    };
}

static bal_verdict write_profiles(run *r, const bal_outcome *ran)
{
    const bal_output o = {&r->in,     r->space,      &r->points,
                          &r->passed, r->provenance, false};
    json_t *late = NULL;
    bal_verdict st;

    BAL_TRY(bal_output_write(&o, r->out));
    BAL_TRY(bal_run_report(ran, &late));
    BAL_TRY(bal_h5ad_out_finish(&r->out, late));
done:
    json_decref(late);
    return st;
}

/* What was asked for: the profiles, a model, or both. */
static bal_verdict write_output(run *r, bal_outcome *ran)
{
    bal_verdict st;

    bal_comm_enter(r->c, BAL_PHASE_WRITE);
    BAL_TRY(bal_checksum_rows(r->c, r->points.x, &ran->checksum_out));
    r->provenance = bal_run_provenance(ran);
    BAL_TRY(bal_agree(r->c, bal_report_status(r->provenance)));
    if (r->model.store != NULL)
        BAL_TRY(bal_model_finish(&r->model, &r->in, r->space, r->passed.passes,
                                 r->provenance));
    if (r->out != NULL)
        BAL_TRY(write_profiles(r, ran));
    bal_progress_end();
done:
    return st;
}

static bal_verdict tell(run *r, const bal_outcome *ran)
{
    json_t *report = NULL;
    bal_verdict st;

    BAL_TRY(bal_run_report(ran, &report));
    bal_run_print_phases(report);
    if (r->par->report != NULL) {
        bool all =
            bal_report_add(report, "result", json_incref(r->provenance));
        BAL_TRY(bal_report_write(r->c, r->par->report, all ? report : NULL));
    }
done:
    json_decref(report);
    return st;
}

/* The last pass leaves coordinates that are features where they are, unless
 * they are measured. */
static bool is_moved(const run *r)
{
    return r->space->pca || (r->par->estimator != BAL_NYSTROM &&
                             r->passed.last.report.scale != NULL);
}

static bal_verdict correct(run *r)
{
    bal_outcome ran;
    bal_verdict st;

    bal_keeper_start(&r->keeper, r->c, r->par);
    BAL_TRY(bal_input_open(r->c, r->par, &r->in));
    BAL_TRY(bal_run_workload(&r->in, r->c->size, &r->workload));
    BAL_TRY(bal_keeper_open(&r->keeper));
    if (r->par->output != NULL)
        BAL_TRY(bal_output_begin(&r->in, &r->out));
    BAL_TRY(bal_model_begin(&r->in, &r->model));
    BAL_TRY(read_profiles(r));
    BAL_TRY(bal_pause(r->c));
    BAL_TRY(build_space(r));
    BAL_TRY(bal_shift_begin(r->c, &r->points, &r->shift));
    BAL_TRY(bal_passes_run(r->c, r->par, r->in.column, r->space, &r->points,
                           &r->keeper, &r->model, &r->passed));
    if (is_moved(r))
        BAL_TRY(bal_shift_end(r->c, &r->points, &r->shift));
    else
        bal_shift_finish(&r->shift);
    BAL_TRY(bal_pause(r->c));
    ran = what_ran(r);
    BAL_TRY(write_output(r, &ran));
    BAL_TRY(tell(r, &ran));
    bal_keeper_remove(&r->keeper);
done:
    return st;
}

/* Says what the run would need. */
static bal_verdict rehearse(run *r)
{
    double start = bal_now();
    bal_verdict st;

    BAL_TRY(bal_input_open(r->c, r->par, &r->in));
    bal_input_say(&r->in);
    start = bal_now() - start;
    BAL_TRY(bal_matrices_print(r->c, r->in.file));
    BAL_TRY(bal_h5ad_matrix_open(r->in.file, r->par->matrix, &r->in.info));
    BAL_TRY(bal_run_forecast(&r->in, r->c->size, start));
done:
    return st;
}

static void finish(run *r)
{
    bal_keeper_finish(&r->keeper);
    json_decref(r->provenance);
    bal_passed_finish(&r->passed);
    bal_shift_finish(&r->shift);
    bal_points_finish(&r->points);
    bal_space_destroy(&r->space);
    bal_profiles_close(&r->profiles);
    bal_model_discard(&r->model);
    bal_h5ad_out_discard(&r->out);
    bal_input_close(&r->in);
}

bal_verdict bal_correct_file(bal_comm *c, const bal_params *par)
{
    run r = {.c = c, .par = par};
    bal_verdict st;

    bal_comm_enter(c, BAL_PHASE_READ);
    BAL_TRY(bal_output_check(c, par));
    st = par->dry_run ? rehearse(&r) : correct(&r);
    bal_progress_end();
    finish(&r);
done:
    return st;
}
