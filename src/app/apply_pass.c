/* A pass of a model over new points: rows of the model's landmarks, the parts
 * of the new batches, trust, guards, and the move by the consensus of the fit.
 *
 * Every new batch by itself: scales, trust, guards and the batch's shift are
 * its own, and the consensus does not change.
 * Reference: docs/algorithm.md, section 10. */
#include <math.h> /* NAN */
#include <string.h>

#include "apply_internal.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "landmarks.h"

static const char what[] = "the rows of a model's landmarks";

typedef struct work {
    bal_application *a;
    bal_fit_pass fit;
    bal_new_batches b;
    float *s2;  /* [m, B'] on every rank, -1: none */
    float *own; /* [m] scale in the landmark's own batch; gate only */
    bal_size *home; /* [m] its number among the new batches, or -1 */
    bal_csr *rows;
    bal_store_array x, z; /* consensus */
} work;

static void release(work *w)
{
    bal_fit_pass_finish(&w->fit);
    bal_free(&w->b.size);
    bal_free(&w->b.k);
    bal_free(&w->b.known);
    bal_free(&w->b.prior);
    bal_free(&w->b.damp);
    bal_free(&w->s2);
    bal_free(&w->own);
    bal_free(&w->home);
    bal_csr_destroy(&w->rows);
}

/* ---- New batches ---- */

static bal_size find_name(const bal_fit_pass *f, const char *name)
{
    for (bal_size g = 0; g < f->head->batches; g++)
        if (strcmp(f->name[g], name) == 0)
            return g;
    return -1;
}

/* What keeps small batches from moving too far; without effect from 400 points
 * on. */
static void guard(bal_new_batches *b, bal_size i)
{
    bal_size n = b->size[i], most = (n + 19) / 20;
    double damp = 1.025 * (double)n / ((double)n + 10);

    most = most > 1 ? most : 1;
    b->k[i] = b->k[i] < most ? b->k[i] : most;
    b->prior[i] = 120 / (double)n > 0.3 ? 120 / (double)n : 0.3;
    b->damp[i] = n < 400 && damp < 1 ? damp : 1;
}

static bal_status list_batches(work *w)
{
    const bal_labels *labels = w->a->points->order->labels;
    bal_new_batches *b = &w->b;
    bal_status st;

    b->count = labels->count;
    BAL_TRY(bal_alloc(&b->size, b->count, what));
    BAL_TRY(bal_alloc(&b->k, b->count, what));
    BAL_TRY(bal_alloc(&b->known, b->count, what));
    BAL_TRY(bal_alloc(&b->prior, b->count, what));
    BAL_TRY(bal_alloc(&b->damp, b->count, what));
    for (bal_size i = 0; i < b->count; i++) {
        b->size[i] = labels->size[i];
        b->k[i] = bal_neighbors_in(w->a->model->neighbors, b->size[i]);
        b->known[i] = find_name(&w->fit, labels->name[i]);
        guard(b, i);
    }
done:
    return st;
}

/* The landmarks' own batches, as the gate asks for them. */
static bal_status find_homes(work *w)
{
    const bal_fit_pass *f = &w->fit;
    bal_size m = f->head->m;
    bal_status st;

    BAL_TRY(bal_alloc(&w->own, m, what));
    BAL_TRY(bal_alloc(&w->home, m, what));
    for (bal_size i = 0; i < m; i++) {
        w->own[i] = f->s2[i * f->head->batches + f->own[i]];
        w->home[i] = -1;
        for (bal_size b = 0; b < w->b.count; b++)
            if (w->b.known[b] == f->own[i])
                w->home[i] = b;
    }
done:
    return st;
}

/* ---- Rows ---- */

static void keep_scales(work *w, const bal_rows *r, bal_size first, int count)
{
    bal_size batch, batches;

    for (int i = 0; i < count; i++) {
        const float *s2 = bal_rows_scales(r, i, &batch, &batches);
        if (batches > 0)
            memcpy(w->s2 + (first + i) * w->b.count + batch, s2,
                   (size_t)batches * sizeof *s2);
    }
}

static bal_row_params row_params(const work *w)
{
    const bal_model *m = w->a->model;

    return (bal_row_params){
        .neighbors = m->neighbors,
        .sparsify = m->sparsify,
        .gate = m->gate,
        .threads = w->a->threads,
        .k = w->b.k,
    };
}

/* As many landmarks at a time as every rank has room for. */
static bal_status choose_width(const work *w, int64_t *width)
{
    bal_row_params par = row_params(w);
    const bal_layout *l = w->a->points->order->layout;
    int p = w->a->points->z->p;

    *width = BAL_ROWS_MOST;
    while (*width > 1 &&
           bal_rows_memory(l, p, &par, (int)*width) > w->a->memory)
        *width /= 2;
    if (bal_rows_memory(l, p, &par, (int)*width) <= w->a->memory)
        return BAL_OK;
    return BAL_FAIL(BAL_EUSAGE, "cannot apply a model within this "
                                "--memory-per-rank; allow more, or use more "
                                "ranks");
}

static bal_status start_rows(work *w, int64_t width, bal_rows **r)
{
    bal_row_params par = row_params(w);
    bal_size all = w->fit.head->m * w->b.count;
    bal_status st;

    BAL_TRY(bal_rows_create(w->a->points->z, &par, (int)width, r));
    BAL_TRY(bal_csr_create(w->a->points->order->layout, &w->rows));
    BAL_TRY(bal_alloc(&w->s2, all, what));
    for (bal_size i = 0; i < all; i++)
        w->s2[i] = -1;
done:
    return st;
}

static void push_rows(work *w, bal_csr_row *row, int count, bal_status *mine)
{
    for (int i = 0; i < count; i++) {
        if (!bal_failed(*mine))
            *mine = bal_csr_push(w->rows, &row[i]);
        bal_csr_row_finish(&row[i]);
    }
}

static bal_verdict make_rows(work *w)
{
    const bal_fit_pass *f = &w->fit;
    bal_size m = f->head->m, p = w->a->points->z->p;
    bal_csr_row row[BAL_ROWS_MOST];
    bal_rows *r = NULL;
    int64_t width = 1;
    bal_status mine = choose_width(w, &width);
    bal_verdict st;

    BAL_TRY(bal_agree(w->a->c, mine));
    bal_comm_min_i64(w->a->c, &width, 1);
    BAL_TRY(bal_agree(w->a->c, start_rows(w, width, &r)));
    for (bal_size i = 0; i < m; i += width) {
        int now = (int)(m - i < width ? m - i : width);
        const bal_foreign foreign = {
            .point = f->landmark + i * p,
            .alike = true,
            .cut = f->cut != NULL ? f->cut + i : NULL,
            .own = w->own + i,
            .home = w->home + i,
        };
        bal_rows_foreign(w->a->c, r, now, &foreign, row, &mine);
        keep_scales(w, r, i, now);
        push_rows(w, row, now, &mine);
        bal_progress_share((double)(i + now) / (double)m);
        bal_progress("%lld of %lld landmarks", (long long)(i + now),
                     (long long)m);
    }
    BAL_TRY(bal_agree(w->a->c, mine));
    bal_comm_max_f32(w->a->c, w->s2, m * w->b.count);
done:
    bal_rows_destroy(&r);
    return st;
}

/* ---- Consensus ---- */

static bal_verdict give_z(void *arg, bal_size first, bal_size count, float *g)
{
    const work *w = arg;

    return bal_agree(w->a->c,
                     bal_store_read(w->a->model->store, &w->z, first, count,
                                    g));
}

/* Features of the input, as the model knows them; further ones do not move. */
static bal_verdict give_x(void *arg, bal_size first, bal_size count, float *g)
{
    const work *w = arg;
    bal_size m = w->fit.head->m;
    bal_status mine = BAL_OK;

    for (bal_size f = 0; f < count && !bal_failed(mine); f++) {
        bal_size known = w->a->feature[first + f];
        if (known >= 0)
            mine = bal_store_read(w->a->model->store, &w->x, known, 1,
                                  g + f * m);
        else
            for (bal_size i = 0; i < m; i++)
                g[f * m + i] = NAN;
    }
    return bal_agree(w->a->c, mine);
}

static bal_verdict find_consensus(work *w)
{
    const bal_model *m = w->a->model;
    char key[BAL_STORE_KEY];
    bal_status mine;

    mine = bal_store_find(m->store,
                          bal_model_key(w->fit.number, "consensus", key),
                          BAL_STORE_F32, m->space->d, w->fit.head->m, &w->x);
    if (!bal_failed(mine))
        mine = bal_store_find(
            m->store,
            bal_model_key(w->fit.number, "consensus of coordinates", key),
            BAL_STORE_F32, m->space->p, w->fit.head->m, &w->z);
    return bal_agree(w->a->c, mine);
}

/* ---- Moving ---- */

/* Bytes that the parts of the batches hold while a correction goes on. */
static bal_size bytes_of_parts(const work *w)
{
    const bal_landmarks *k = &w->a->passed->last;
    bal_size each = 8 * (k->parts->groups + 1) + 4 * w->b.count;

    return k->m * (each + (k->trust != NULL ? 16 * w->b.count : 0));
}

static bal_verdict move(work *w)
{
    bal_application *a = w->a;
    bal_landmarks *k = &a->passed->last;
    const bal_fitted in_z = {.arg = w, .give = give_z, .prior = w->b.prior,
                             .damp = w->b.damp};
    const bal_fitted in_x = {.arg = w, .give = give_x, .prior = w->b.prior,
                             .damp = w->b.damp};
    bal_correct_params par = {
        .form = w->fit.head->correction,
        .parts = k->parts,
        .trust = k->trust,
        .keep_uncovered = a->model->uncovered == BAL_KEEP,
        .blend = w->fit.head->blend,
        .fitted = &in_z,
        .memory = a->memory - a->memory / 16 - bytes_of_parts(w),
        .threads = a->threads,
    };
    bal_blocks *z = NULL;
    bal_verdict st;

    BAL_TRY(find_consensus(w));
    BAL_TRY(bal_agree(a->c,
                      bal_tiles_blocks(a->points->z, a->memory / 16, &z)));
    BAL_TRY(bal_correct(a->c, k->by_tile, z, &par, a->points->most_z, NULL));
    bal_affinity_destroy(&k->by_tile);
    par.fitted = &in_x;
    par.memory = a->memory - bytes_of_parts(w);
    BAL_TRY(bal_correct(a->c, k->by_block, a->points->x, &par,
                        a->points->most_x, NULL));
done:
    bal_blocks_destroy(&z);
    return st;
}

static bal_verdict weigh(work *w)
{
    bal_application *a = w->a;
    bal_landmarks *k = &a->passed->last;
    bool residual = w->fit.head->correction == BAL_RESIDUAL;
    bal_verdict st;

    BAL_TRY(bal_parts_create(a->c, k->by_tile, a->points->order->layout,
                             residual ? w->b.count : 1, &k->parts));
    /* R is A by the sums of the fit. */
    memcpy(k->parts->sum, w->fit.sum,
           (size_t)k->m * sizeof *k->parts->sum);
    if (residual && w->fit.omega != NULL)
        BAL_TRY(bal_apply_trust(a, &w->fit, &w->b, w->s2, k->parts,
                                &k->trust));
done:
    return st;
}

/* ---- A pass ---- */

static int64_t count_uncovered(const bal_csr *a, const bal_layout *l,
                               uint8_t *covered)
{
    int64_t count = 0;

    for (bal_size i = 0; i < a->m; i++)
        for (bal_size e = 0; e < a->row[i].count; e++)
            covered[a->row[i].index[e]] = 1;
    for (bal_lidx j = 0; j < l->m; j++)
        count += covered[j] == 0;
    return count;
}

static bal_verdict find_uncovered(work *w, int64_t *count)
{
    const bal_layout *l = w->a->points->order->layout;
    uint8_t *covered = NULL;
    bal_verdict st;

    BAL_TRY(bal_agree(w->a->c, bal_alloc(&covered, l->m, what)));
    *count = count_uncovered(w->rows, l, covered);
    bal_comm_sum_i64(w->a->c, count, 1);
done:
    bal_free(&covered);
    return st;
}

static bal_verdict run_pass(bal_application *a, int64_t number)
{
    work w = {.a = a};
    const bal_model_pass *head = &a->model->pass[number - 1];
    bal_landmarks *k = &a->passed->last;
    bal_pass_report *told = &a->passed->pass[number - 1];
    bool smooth = head->correction == BAL_SMOOTH && !(head->blend < 1) &&
                  a->model->uncovered != BAL_KEEP;
    bal_verdict st;

    bal_comm_enter(a->c, BAL_PHASE_SAMPLE);
    bal_landmarks_finish(k);
    *told = (bal_pass_report){
        .column = head->column, .move = -1, .scale = -1, .unseen = -1};
    BAL_TRY(bal_fit_pass_read(a->model, number, &w.fit));
    BAL_TRY(bal_agree(a->c, list_batches(&w)));
    BAL_TRY(bal_agree(a->c, find_homes(&w)));
    BAL_TRY(make_rows(&w));
    BAL_TRY(find_uncovered(&w, &told->uncovered));
    if (number == 1) {
        a->near.uncovered = told->uncovered;
        BAL_TRY(bal_apply_nearness(a, &w.fit));
    }
    if (smooth && told->uncovered > 0)
        BAL_TRY(bal_agree(a->c, bal_apply_cover(a, &w.fit, w.s2, w.b.count,
                                                &w.rows)));
    BAL_TRY(bal_landmarks_arrange(a->c, w.rows, a->memory, a->threads,
                                  a->points, k, &a->passed->affinity_bytes));
    bal_csr_destroy(&w.rows);
    told->landmarks = k->m;
    for (bal_size i = 0; i < k->m; i++)
        told->entries += k->length[i];
    k->report.landmarks = k->m;
    k->report.entries = told->entries;
    bal_comm_enter(a->c, BAL_PHASE_CORRECT);
    BAL_TRY(weigh(&w));
    BAL_TRY(move(&w));
    a->passed->passes = number;
done:
    release(&w);
    return st;
}

bal_verdict bal_apply_passes(bal_application *a)
{
    bal_verdict st;

    a->passed->unseen = -1;
    BAL_TRY(bal_agree(a->c, bal_alloc(&a->passed->pass, a->model->passes,
                                      "the passes")));
    for (int64_t t = 1; t <= a->model->passes; t++) {
        BAL_TRY(bal_points_turn(a->c, a->points,
                                (int)a->model->pass[t - 1].column));
        bal_info("pass %lld of %lld", (long long)t,
                 (long long)a->model->passes);
        BAL_TRY(run_pass(a, t));
        BAL_TRY(bal_pause(a->c));
    }
done:
    return st;
}
