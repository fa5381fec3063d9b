/* The phases of `balans apply`: the model is opened; the input's features are
 * matched with the model's, and the model's space is put into the input's
 * order, so that no profile has to be; coordinates go to the tiles; the passes
 * of the model move both; the blocks are written.
 * Reference: docs/algorithm.md, section 10. */
#include "balans/app/apply.h"

#include <string.h>

#include "apply_internal.h"
#include "balans/app/options.h"
#include "balans/app/version.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/data/checksum.h"
#include "balans/io/report.h"
#include "balans/par/agree.h"
#include "output.h"
#include "summary.h"
#include "workload.h"

/* When it is time to fit anew. */
static const double far = 1.5, bare = 0.25;

/* A run of the command; members are set from top to bottom. */
typedef struct run {
    bal_comm *c;
    bal_params par; /* the command's, with what the model says */
    char *batch;    /* the model's columns */
    bal_model model;
    bal_input in;
    bal_workload workload;
    bal_matched match;
    bal_h5ad_out *out;
    bal_profiles profiles;
    bal_points points;
    bal_passed passed;
    bal_nearness near;
    bal_shift shift;
    uint64_t checksum_out;
} run;

/* ---- Batches ---- */

/* The columns that the model names, where the command line names none. */
static bal_status choose_columns(run *r)
{
    const bal_model *m = &r->model;
    size_t bytes = 1;
    bal_status st;

    r->par.pca = m->space->pca ? m->space->p : 0;
    if (r->par.batch != NULL)
        return BAL_OK;
    for (bal_size i = 0; i < m->columns; i++)
        bytes += strlen(m->column[i]) + 1;
    st = bal_alloc(&r->batch, (bal_size)bytes, "the batch columns");
    for (bal_size i = 0; i < m->columns && !bal_failed(st); i++) {
        strcat(r->batch, i > 0 ? "," : "");
        strcat(r->batch, m->column[i]);
    }
    r->par.batch = r->batch;
    return st;
}

static bal_status check_columns(const run *r)
{
    if (r->in.columns == r->model.columns)
        return BAL_OK;
    return BAL_FAIL(BAL_EUSAGE,
                    "cannot take '%s' for option '--batch': model '%s' was "
                    "fitted by %lld column%s, not %d",
                    r->par.batch, r->par.model, (long long)r->model.columns,
                    r->model.columns == 1 ? "" : "s", r->in.columns);
}

/* ---- Reading ---- */

/* Coordinates that are features, in the order of the model. */
static void reorder(const run *r, bal_size count, const float *z, float *out)
{
    bal_size d = r->match.space->d, p = r->model.space->p;

    for (bal_size i = 0; i < count; i++)
        for (bal_size f = 0; f < d; f++)
            if (r->match.feature[f] >= 0)
                out[i * p + r->match.feature[f]] = z[i * d + f];
}

static bal_verdict take_coordinates(void *arg, bal_size first, bal_size count,
                                    const float *z)
{
    run *r = arg;
    float *own = NULL;
    bal_verdict st;

    if (!r->match.space->pca) {
        BAL_TRY(bal_agree(r->c, bal_alloc(&own, count * r->model.space->p,
                                          "a piece of the coordinates")));
        reorder(r, count, z, own);
    }
    BAL_TRY(bal_route_to_tiles(r->c, r->points.order, first, count,
                               own != NULL ? own : z, r->points.z));
done:
    bal_free(&own);
    return st;
}

static bal_verdict read_points(run *r)
{
    bal_size memory = bal_params_memory(&r->par);
    bal_verdict st;

    BAL_TRY(bal_points_order(&r->in, &r->points));
    BAL_TRY(bal_profiles_open(&r->in, r->workload.streamed, r->par.output,
                              memory / 4, &r->profiles));
    bal_comm_enter(r->c, BAL_PHASE_SPACE);
    BAL_TRY(bal_agree(r->c, bal_points_make(r->profiles.x, r->model.space->p,
                                            &r->points)));
    BAL_TRY(bal_correct_bounds(r->c, r->profiles.x, r->points.most_x));
    BAL_TRY(bal_space_project(r->c, r->match.space, r->profiles.x, memory,
                              bal_params_threads(&r->par), take_coordinates,
                              r));
    BAL_TRY(bal_points_bound(r->c, &r->points));
done:
    return st;
}

/* ---- What there is to say ---- */

static void say_input(const run *r)
{
    int64_t small = 0;

    bal_info("'%s', matrix '%s': %lld profiles x %lld features, %lld batches; "
             "model '%s', %lld passes",
             r->par.input, r->in.info.name, (long long)r->in.info.n,
             (long long)r->in.info.d, (long long)r->in.labels[0]->count,
             r->par.model, (long long)r->model.passes);
    for (int i = 0; i < r->in.columns; i++)
        for (bal_size b = 0; b < r->in.labels[i]->count; b++)
            small += r->in.labels[i]->size[b] < BAL_APPLY_FEW;
    if (small > 0)
        bal_warn("%lld batch%s fewer than %d points: little is gained there",
                 (long long)small, small == 1 ? " has" : "es have",
                 BAL_APPLY_FEW);
    if (r->match.further > 0 && r->par.keep_extra)
        bal_warn("%lld features that the model does not know are copied as "
                 "they are (--keep-extra): %s",
                 (long long)r->match.further, r->match.names);
    else if (r->match.further > 0)
        bal_warn("%lld features that the model does not know are left out%s: "
                 "%s; --keep-extra copies them",
                 (long long)r->match.further,
                 strncmp(r->in.info.name, "obsm/", 5) == 0
                     ? ""
                     : ", in var, layers, varm and varp as well",
                 r->match.names);
    for (int64_t t = 0; t < r->model.passes; t++)
        if (r->model.pass[t].batches == 1) {
            bal_warn("model '%s' knows one batch of '%s' only, and corrects "
                     "others in part; fit on two or more",
                     r->par.model, r->model.column[r->model.pass[t].column]);
            break;
        }
}

static void say_nearness(const run *r)
{
    const bal_model_pass *first = &r->model.pass[0];
    double now = (double)r->near.uncovered / (double)r->in.info.n;
    double fit = (double)first->uncovered / (double)first->n;

    bal_info("%.1f %% of the points without landmark (fit: %.1f %%), median "
             "distance to the nearest %.4g (fit: %.4g)",
             100 * now, 100 * fit, r->near.now, r->near.fit);
    if (r->near.now > far * r->near.fit || now > fit + bare)
        bal_warn("the points are far from what the model was fitted to (median "
                 "distance to the nearest landmark %.4g, fit %.4g; %.0f %% "
                 "without landmark, fit %.0f %%): it is time to fit anew",
                 r->near.now, r->near.fit, 100 * now, 100 * fit);
}

static json_t *provenance_of(const run *r)
{
    const json_t *fitted = json_object_get(r->model.provenance, "checksum");

    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:O?, s:I, s:I, s:f, s:f, s:I, s:o, "
        "s:o, s:o}",
        "version", bal_version(), "commit", bal_commit(), "build",
        bal_report_text(bal_build()), "params",
        bal_options_report(BAL_FOR_APPLY, &r->par), "input",
        bal_run_input(&r->in, r->profiles.checksum), "model",
        bal_report_text(bal_path_name(r->par.model)),
        "model_checksum", fitted, "n_landmarks",
        (json_int_t)r->passed.last.m, "n_uncovered",
        (json_int_t)r->near.uncovered, "nearest_median", r->near.now,
        "nearest_median_fit", r->near.fit, "further_features",
        (json_int_t)r->match.further, "checksum",
        json_sprintf("%016llx", (unsigned long long)r->checksum_out), "shift",
        bal_shift_report(&r->points, &r->shift), "scaling",
        bal_run_scaling(r->match.space));
}

/* ---- Writing ---- */

static bal_outcome what_ran(const run *r)
{
    return (bal_outcome){
        .in = &r->in,
        .workload = &r->workload,
        .space = r->match.space,
        .points = &r->points,
        .passed = &r->passed,
        .shift = &r->shift,
        .checksum_in = r->profiles.checksum,
        .checksum_out = r->checksum_out,
    };
}

static bal_verdict write_output(run *r)
{
    bal_output o = {&r->in, r->match.space, &r->points, &r->passed, NULL, true};
    json_t *uns = NULL, *late = NULL;
    bal_outcome ran;
    bal_verdict st;

    bal_comm_enter(r->c, BAL_PHASE_WRITE);
    BAL_TRY(bal_checksum_rows(r->c, r->points.x, &r->checksum_out));
    o.uns = uns = provenance_of(r);
    BAL_TRY(bal_agree(r->c, bal_report_status(uns)));
    BAL_TRY(bal_output_write(&o, r->out));
    ran = what_ran(r);
    BAL_TRY(bal_run_report(&ran, &late));
    BAL_TRY(bal_h5ad_out_finish(&r->out, late));
    bal_progress_end();
    bal_run_print_phases(late);
    if (r->par.report != NULL) {
        bool all = bal_report_add(late, "result", json_incref(uns));
        BAL_TRY(bal_report_write(r->c, r->par.report, all ? late : NULL));
    }
done:
    json_decref(uns);
    json_decref(late);
    return st;
}

static bal_verdict apply(run *r)
{
    bal_application a = {
        .c = r->c,
        .model = &r->model,
        .points = &r->points,
        .passed = &r->passed,
        .memory = bal_params_memory(&r->par),
        .threads = bal_params_threads(&r->par),
    };
    bal_verdict st;

    BAL_TRY(bal_model_open(r->c, r->par.model, &r->model));
    BAL_TRY(bal_agree(r->c, choose_columns(r)));
    BAL_TRY(bal_input_open(r->c, &r->par, &r->in));
    BAL_TRY(bal_agree(r->c, check_columns(r)));
    BAL_TRY(bal_apply_match(&r->model, &r->in, &r->match));
    BAL_TRY(bal_run_workload(&r->in, r->c->size, &r->workload));
    BAL_TRY(bal_output_begin(&r->in, &r->out));
    BAL_TRY(read_points(r));
    say_input(r);
    a.feature = r->match.feature;
    BAL_TRY(bal_shift_begin(r->c, &r->points, &r->shift));
    BAL_TRY(bal_apply_passes(&a));
    BAL_TRY(bal_shift_end(r->c, &r->points, &r->shift));
    r->near = a.near;
    say_nearness(r);
    BAL_TRY(write_output(r));
done:
    return st;
}

static void finish(run *r)
{
    bal_passed_finish(&r->passed);
    bal_shift_finish(&r->shift);
    bal_points_finish(&r->points);
    bal_profiles_close(&r->profiles);
    bal_h5ad_out_discard(&r->out);
    bal_matched_finish(&r->match);
    bal_input_close(&r->in);
    bal_model_close(&r->model);
    bal_free(&r->batch);
}

bal_verdict bal_apply_file(bal_comm *c, const bal_params *par)
{
    run r = {.c = c, .par = *par};
    bal_verdict st;

    bal_comm_enter(c, BAL_PHASE_READ);
    BAL_TRY(bal_output_check(c, par));
    st = apply(&r);
    bal_progress_end();
    finish(&r);
done:
    return st;
}
