/* A pass: landmarks and their affinities on the tiles; A by tile and by block
 * of the file; the parts of the batches and the trust in them; Z by tile, then
 * X by block. The next pass measures its distances in the moved Z. */
#include "passes.h"

#include <stdio.h>
#include <string.h>

#include "advice.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "keep.h"
#include "landmarks.h"
#include "model.h"
#include "moves.h"

enum { PASSES_MOST = 4 }; /* of --passes auto */

static const double still = 0.06; /* a median move that ends the passes */
static const double warn_unseen = 0.09;

bal_row_params bal_run_row_params(const bal_params *par)
{
    return (bal_row_params){
        .neighbors = par->neighbors,
        .sparsify = (bal_sparsify)par->sparsify,
        .gate = par->gate,
        .threads = bal_params_threads(par),
    };
}

bool bal_run_compares(const bal_params *par)
{
    bool residual = par->correction == BAL_RESIDUAL || par->passes > 1;

    return residual && par->sparsify == BAL_SCALE;
}

bool bal_run_trusts(const bal_params *par)
{
    return bal_run_compares(par) && par->trust != BAL_TRUST_OFF;
}

int64_t bal_run_passes(const bal_params *par)
{
    if (par->passes > 0)
        return par->passes;
    return par->correction == BAL_RESIDUAL ? PASSES_MOST : 1;
}

bal_sample_params bal_run_sample_params(const bal_params *par, int64_t pass)
{
    return (bal_sample_params){
        .block = par->block,
        .landmarks = par->landmarks,
        .patience = par->patience,
        .uncovered = (bal_uncovered)par->uncovered,
        .max_landmarks = par->max_landmarks,
        .seed = par->seed,
        .pass = (uint32_t)pass,
        .scales = bal_run_trusts(par) || par->passes == 0 ||
                  par->save_model != NULL ||
                  (pass == 1 && bal_run_compares(par)),
        .memory = bal_params_memory(par),
    };
}

void bal_passed_finish(bal_passed *p)
{
    bal_landmarks_finish(&p->last);
    bal_free(&p->pass);
    bal_free(&p->between);
}

static void say_sampled(const bal_sample_report *r, bal_size n)
{
    bal_info("%lld landmarks (%lld by extension, %lld for batches that had "
             "few), %lld affinities, %lld of %lld points uncovered",
             (long long)r->landmarks, (long long)r->extended,
             (long long)r->filled, (long long)r->entries,
             (long long)r->uncovered, (long long)n);
    bal_debug("%lld rows computed, at most %d blocks in flight; %lld dropped "
              "(overshoot), %lld repeats",
              (long long)r->rows, r->in_flight, (long long)r->overshoot,
              (long long)r->repeats);
}

/* A run of the passes. */
typedef struct run {
    bal_comm *c;
    const bal_params *par;
    char *const *column;
    const bal_space *space;
    bal_points *points;
    bal_keeper *keeper;
    bal_model_out *model;
    bal_passed *out;
    int64_t expected; /* draws of the pass before */
    bool blending;    /* in the pass after the others */
    bal_size memory;
    int threads;
} run;

static bal_verdict sample(run *r, int64_t pass)
{
    const bal_layout *l = r->points->order->layout;
    bal_row_params rows = bal_run_row_params(r->par);
    bal_sample_params par = bal_run_sample_params(r->par, pass);
    bal_landmarks *k = &r->out->last;
    bal_csr *a = NULL;
    bal_verdict st;

    bal_comm_enter(r->c, BAL_PHASE_SAMPLE);
    bal_landmarks_finish(k);
    par.hook = bal_keeper_hook(r->keeper, pass, r->blending);
    par.expected = r->expected;
    BAL_TRY(bal_sample(r->c, r->points->z, r->points->order, &rows, &par, &a,
                       &k->report));
    if (pass == 1 && k->report.small_batches > 0)
        bal_warn("%lld of %lld batches have fewer than k other points; their "
                 "farthest point sets the scale there",
                 (long long)k->report.small_batches, (long long)l->batches);
    r->expected = k->report.landmarks - k->report.extended - k->report.filled +
                  k->report.repeats;
    say_sampled(&k->report, l->n);
    BAL_TRY(bal_landmarks_arrange(r->c, a, r->memory, r->threads, r->points, k,
                                  &r->out->affinity_bytes));
done:
    bal_csr_destroy(&a);
    return st;
}

static bal_pass_report *report_of(run *r, int64_t pass)
{
    return &r->out->pass[pass - 1];
}

/* ---- Trust ---- */

/* The mean trust between batches, as it is in the last pass that had any. */
static bal_verdict keep_between(run *r, const bal_trust *t)
{
    const bal_layout *l = r->points->order->layout;
    bal_verdict st;

    bal_free(&r->out->between);
    BAL_TRY(bal_agree(r->c, bal_alloc(&r->out->between, l->batches * l->batches,
                                      "the trust between batches")));
    bal_trust_between(t, l, r->out->last.position, r->out->between);
done:
    return st;
}

static void tell_unseen(run *r, int64_t pass, const bal_trust *t)
{
    report_of(r, pass)->unseen = bal_trust_unseen(t);
    if (pass > 1)
        return;
    bal_advise_strict(r->par, r->points->order, r->out->last.m);
    r->out->unseen = bal_trust_unseen(t);
    if (r->out->unseen > warn_unseen)
        bal_advise_pairs(r->par, r->points->order, t);
}

/* The parts of the batches, and how far they are believed. What the batches
 * share is told in any case, by pass 1. */
static bal_verdict weigh(run *r, int64_t pass, bool residual)
{
    const bal_layout *l = r->points->order->layout;
    bal_landmarks *k = &r->out->last;
    bool off = r->par->trust == BAL_TRUST_OFF;
    bal_trusting form = off ? BAL_TRUST_ON : (bal_trusting)r->par->trust;
    bal_verdict st;

    BAL_TRY(bal_parts_create(r->c, k->by_tile, l, residual ? l->batches : 1,
                             &k->parts));
    if (!residual || !bal_run_compares(r->par) || (off && pass > 1))
        goto done;
    BAL_TRY(bal_trust_create(r->c, form, k->by_tile, l, k->parts,
                             k->report.scale, k->position, &k->trust));
    tell_unseen(r, pass, k->trust);
    if (off)
        bal_trust_destroy(&k->trust);
    else
        BAL_TRY(keep_between(r, k->trust));
done:
    return st;
}

/* ---- Moving ---- */

/* What a pass does, found out before it. */
typedef struct form {
    bal_correction correction;
    bool nystrom, last;
    double blend;
} form;

/* What is to be kept of the consensus, if anything. */
static const bal_fitted *fitted_of(const run *r, const bal_fitted *keep)
{
    return r->model->store != NULL ? keep : NULL;
}

/* Bytes that the parts of the batches hold while a correction goes on. */
static bal_size bytes_of_parts(const run *r)
{
    const bal_landmarks *k = &r->out->last;
    bal_size batches = r->points->order->layout->batches, bytes;

    bytes = 8 * k->m * (k->parts->groups + 1);
    if (k->trust != NULL)
        bytes += 16 * k->m * batches;
    if (k->report.scale != NULL)
        bytes += 4 * k->m * batches;
    if (r->out->between != NULL)
        bytes += 8 * batches * batches;
    return bytes;
}

static bal_correct_params correct_params(const run *r, const form *f)
{
    const bal_landmarks *k = &r->out->last;

    return (bal_correct_params){
        .form = f->correction,
        .parts = k->parts,
        .trust = k->trust,
        .keep_uncovered = r->par->uncovered == BAL_KEEP,
        .blend = f->blend,
        .memory = r->memory - bytes_of_parts(r),
        .threads = r->threads,
    };
}

static bal_verdict move_coordinates(run *r, int64_t pass, const form *f)
{
    bal_correct_params par = correct_params(r, f);
    bal_pass_report *told = report_of(r, pass);
    const bal_landmarks *k = &r->out->last;
    bool measured = k->report.scale != NULL;
    bal_blocks *z = NULL;
    double *move2 = NULL;
    bal_status mine;
    bal_verdict st;

    mine = bal_tiles_blocks(r->points->z, r->memory / 16, &z);
    if (!bal_failed(mine))
        mine = bal_alloc(&move2, measured ? z->m : 0, "the points' moves");
    BAL_TRY(bal_agree(r->c, mine));
    par.memory -= r->memory / 16;
    par.fitted = fitted_of(r, &r->model->keep_z);
    BAL_TRY(bal_correct(r->c, k->by_tile, z, &par, r->points->most_z,
                        measured ? move2 : NULL));
    if (!measured)
        goto done;
    BAL_TRY(
        bal_moves_median(r->c, r->points->order->layout, move2, &told->move));
    BAL_TRY(bal_agree(
        r->c, bal_moves_scale(r->points->order->layout, k, &told->scale)));
    bal_debug("pass %lld: median move %.4g, scale %.4g", (long long)pass,
              told->move, told->scale);
done:
    bal_free(&move2);
    bal_blocks_destroy(&z);
    return st;
}

/* The estimator works on rows of the file: so do the coordinates that follow
 * it, which is why they go there and back. */
static bal_verdict follow_nystrom(run *r, bal_nystrom *nystrom)
{
    const bal_landmarks *k = &r->out->last;
    bal_points *points = r->points;
    bal_blocks *z = NULL;
    bal_status mine = bal_blocks_create(points->x->n, points->z->p, r->c->rank,
                                        r->c->size, &z);
    bal_verdict st;

    if (!bal_failed(mine))
        mine = bal_blocks_reside(z);
    BAL_TRY(bal_agree(r->c, mine));
    BAL_TRY(bal_route_to_file(r->c, points->order, 0, z->m, points->z, z->at));
    BAL_TRY(bal_nystrom_correct(r->c, nystrom, k->by_block, k->parts, NULL,
                                NULL, r->memory, r->threads, points->most_z,
                                z));
    BAL_TRY(bal_route_to_tiles(r->c, points->order, 0, z->m, z->at, points->z));
done:
    bal_blocks_destroy(&z);
    return st;
}

static bal_verdict move_by_nystrom(run *r)
{
    const bal_landmarks *k = &r->out->last;
    const bal_nystrom_report *told = &r->out->nystrom;
    bal_nystrom *nystrom = NULL;
    bal_verdict st;

    BAL_TRY(bal_nystrom_create(r->c, k->by_tile, r->points->order->layout,
                               k->position, r->points->x->m, r->par->rcond,
                               r->memory, &nystrom));
    BAL_TRY(bal_nystrom_correct(r->c, nystrom, k->by_block, k->parts,
                                r->space->low, r->space->high, r->memory,
                                r->threads, r->points->most_x, r->points->x));
    r->out->nystrom = bal_nystrom_told(nystrom);
    bal_debug("nystrom: %lld of %lld eigenvalues kept; largest %.6g, smallest "
              "%.6g, %.1f %% negative",
              (long long)told->kept, (long long)told->landmarks, told->largest,
              told->smallest, 100 * told->negative);
    bal_info("nystrom: %lld of %lld points fell back to smoothing",
             (long long)told->fallbacks, (long long)r->points->x->n);
    if (r->space->pca)
        BAL_TRY(follow_nystrom(r, nystrom));
done:
    bal_nystrom_destroy(&nystrom);
    return st;
}

static bal_verdict move(run *r, int64_t pass, const form *f)
{
    const bal_model_form kept = {pass, f->correction, f->blend};
    bal_landmarks *k = &r->out->last;
    bal_correct_params par;
    bal_verdict st;

    bal_comm_enter(r->c, BAL_PHASE_CORRECT);
    BAL_TRY(weigh(r, pass, f->correction == BAL_RESIDUAL));
    if (f->nystrom)
        return move_by_nystrom(r);
    if (r->model->store != NULL)
        BAL_TRY(bal_model_add_pass(r->model, &kept, r->points, k,
                                   r->points->x->d));
    if (!f->last || r->space->pca || k->report.scale != NULL)
        BAL_TRY(move_coordinates(r, pass, f));
    bal_affinity_destroy(&k->by_tile);
    par = correct_params(r, f);
    par.fitted = fitted_of(r, &r->model->keep_x);
    BAL_TRY(bal_correct(r->c, k->by_block, r->points->x, &par,
                        r->points->most_x, NULL));
done:
    return st;
}

/* ---- All passes ---- */

static bal_verdict run_pass(run *r, int64_t pass, const form *f)
{
    bal_pass_report *told = report_of(r, pass);
    const bal_landmarks *k = &r->out->last;
    bal_verdict st;

    *told = (bal_pass_report){
        .column = r->points->column, .move = -1, .scale = -1, .unseen = -1};
    BAL_TRY(sample(r, pass));
    BAL_TRY(move(r, pass, f));
    told->landmarks = k->report.landmarks;
    told->entries = k->report.entries;
    told->uncovered = k->report.uncovered;
    r->out->passes = pass;
done:
    return st;
}

/* Whether pass `pass` of --passes auto has moved little enough to be the
 * last. */
static bool is_still(const run *r, int64_t pass)
{
    const bal_pass_report *told = &r->out->pass[pass - 1];

    return r->par->passes == 0 && pass >= 2 &&
           (told->scale < 0 || told->move <= still * told->scale);
}

/* The chosen correction is that of the very last pass. */
static form form_of(const run *r, bool last)
{
    return (form){
        .correction = last ? (bal_correction)r->par->correction : BAL_RESIDUAL,
        .nystrom = last && r->par->estimator == BAL_NYSTROM,
        .last = last && !(r->par->blend > 0),
        .blend = 1,
    };
}

static void say_pass(const run *r, int64_t pass, int64_t passes)
{
    int64_t all = passes + r->points->columns - 1;

    if (r->points->columns > 1)
        bal_info("pass %lld of %s%lld, on the batches of '%s'", (long long)pass,
                 r->par->passes == 0 ? "at most " : "", (long long)all,
                 r->column[r->points->column]);
    else if (passes > 1)
        bal_info("pass %lld of %s%lld", (long long)pass,
                 r->par->passes == 0 ? "at most " : "", (long long)all);
}

/* The passes on the first column from *pass on, as many as it takes. */
static bal_verdict run_first(run *r, int64_t *pass, int64_t passes)
{
    bool alone = r->points->columns == 1, enough = false;
    bal_verdict st = {BAL_OK};

    for (; *pass <= passes && !enough; ++*pass) {
        form f = form_of(r, alone && *pass == passes);
        say_pass(r, *pass, passes);
        BAL_TRY(run_pass(r, *pass, &f));
        enough = is_still(r, *pass);
    }
done:
    return st;
}

/* One pass on each further column. */
static bal_verdict run_further(run *r, int64_t *pass, int64_t passes)
{
    int columns = r->points->columns;
    bal_verdict st = {BAL_OK};

    /* A checkpoint may have been made in the pass of such a column. */
    for (int i = r->points->column > 0 ? r->points->column : 1; i < columns;
         i++, ++*pass) {
        form f = form_of(r, i == columns - 1);
        if (i != r->points->column) /* it is of another column's batches */
            bal_free(&r->out->between);
        BAL_TRY(bal_points_turn(r->c, r->points, i));
        r->expected = 0;
        say_pass(r, *pass, passes);
        BAL_TRY(run_pass(r, *pass, &f));
    }
done:
    return st;
}

bal_verdict bal_passes_run(bal_comm *c, const bal_params *par,
                           char *const *column, const bal_space *space,
                           bal_points *points, bal_keeper *keeper,
                           bal_model_out *model, bal_passed *out)
{
    run r = {.c = c,
             .par = par,
             .column = column,
             .space = space,
             .points = points,
             .keeper = keeper,
             .model = model,
             .out = out,
             .memory = bal_params_memory(par),
             .threads = bal_params_threads(par)};
    const form blend = {
        .correction = BAL_SMOOTH, .last = true, .blend = par->blend};
    int64_t passes = bal_run_passes(par), pass = 1;
    bal_verdict st;

    out->unseen = -1;
    BAL_TRY(bal_agree(
        c, bal_alloc(&out->pass, passes + points->columns, "the passes")));
    BAL_TRY(bal_keeper_restore(keeper, points, model, &pass, &r.blending,
                               out));
    if (!r.blending && points->column == 0)
        BAL_TRY(run_first(&r, &pass, passes));
    if (!r.blending)
        BAL_TRY(run_further(&r, &pass, passes));
    if (par->blend > 0) {
        r.blending = true;
        bal_info("pass %lld: blending", (long long)pass);
        BAL_TRY(run_pass(&r, pass, &blend));
    }
done:
    return st;
}
