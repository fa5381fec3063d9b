/* Trust between a new batch and the landmarks of a fit: the sample of batch a
 * stands for batch a, and points of the new batch for its landmarks.
 *
 *     c(j)  = sum of A_lj over points l of the new batch   j in the sample of a
 *     v(i)  = sum_j A_ij c(j) / sum_j A_ij                 landmarks i of a
 *     omega = kappa min(1, 2 v(i) / mean of v over the landmarks of a)^2
 *
 * Strict lets what was seen cover the points again, c'(j) = the mean of v(i)
 * over landmarks i of a by R_ij, and sees that as v2; vw2 is the same from rows
 * of l weighted by the trust kappa(l, a) in a as the nearest batch:
 *
 *     x     = (vw2(i) / mean of v2) / (own v2(i) / mean of own v2)
 *     omega = kappa^2 min(1, x / 0.8)^8
 *
 * The batches a are shared out over the ranks; every value has one rank that
 * makes it, so the result does not depend on their number.
 * Reference: docs/algorithm.md, sections 6 and 10. */
#include <math.h>
#include <string.h>

#include "apply_internal.h"
#include "balans/base/mem.h"
#include "balans/par/agree.h"

static const char what[] = "the trust in new batches";

/* The sample of a batch with the rows of that batch's landmarks over it. */
typedef struct stage {
    bal_size batch;
    bal_stand_in sample;
    bal_size k;
    bal_rows *rows;
    bal_size landmarks;
    bal_size *number;  /* [landmarks] */
    bal_csr_row *row;  /* [landmarks] */
    double *cover;     /* [sample] */
    double *seen;      /* [landmarks] */
} stage;

typedef struct work {
    bal_application *a;
    const bal_fit_pass *f;
    const bal_new_batches *b;
    bal_comm alone; /* this rank by itself */
    stage *stage;
    bal_size stages;
    double *v;          /* [m, B'] what is seen: v, or v2 if strict ... */
    double *vw;         /* ... and vw2; strict only, as what follows */
    double *own;        /* [m] v2 of the landmark's own batch */
    double *kappa;      /* [BAL_MODEL_SAMPLE, B] of points of a new batch */
    float *s2;          /* [BAL_MODEL_SAMPLE, B] */
    bal_gidx *position; /* [BAL_MODEL_SAMPLE] */
    float *point;       /* [BAL_MODEL_SAMPLE, p] */
} work;

static void release_stage(stage *s)
{
    for (bal_size i = 0; s->row != NULL && i < s->landmarks; i++)
        bal_csr_row_finish(&s->row[i]);
    bal_rows_destroy(&s->rows);
    bal_stand_in_finish(&s->sample);
    bal_free(&s->number);
    bal_free(&s->row);
    bal_free(&s->cover);
    bal_free(&s->seen);
}

static bal_row_params row_params(const work *w, const bal_size *k)
{
    return (bal_row_params){
        .neighbors = w->a->model->neighbors,
        .sparsify = BAL_SCALE,
        .threads = 1,
        .k = k,
    };
}

/* Rows of points over the sample, as many as may be at a time. */
static bal_status each_row(work *w, stage *s, const float *point,
                           bal_size count, bool alike, bal_csr_row *out)
{
    bal_size p = s->sample.z->p;
    bal_status st = BAL_OK;

    for (bal_size i = 0; i < count; i += BAL_ROWS_MOST) {
        int now = (int)(count - i < BAL_ROWS_MOST ? count - i : BAL_ROWS_MOST);
        const bal_foreign f = {.point = point + i * p, .alike = alike};
        bal_rows_foreign(&w->alone, s->rows, now, &f, out + i, &st);
    }
    return st;
}

static bal_status make_stage(work *w, bal_size batch, stage *s)
{
    const bal_fit_pass *f = w->f;
    bal_size n = f->size[batch], count = bal_model_sampled(n);
    bal_size p = w->a->model->space->p;
    double k = round((double)f->k[batch] * (double)count / (double)n);
    bal_row_params par = row_params(w, &s->k);
    float *point = NULL;
    bal_status st;

    s->batch = batch;
    s->k = k > 1 ? (bal_size)k : 1;
    for (bal_size i = 0; i < f->head->m; i++)
        s->landmarks += f->own[i] == batch;
    BAL_TRY(bal_stand_in_read(w->a->model, f, batch, &s->sample));
    BAL_TRY(bal_rows_create(s->sample.z, &par, BAL_ROWS_MOST, &s->rows));
    BAL_TRY(bal_alloc(&s->number, s->landmarks, what));
    BAL_TRY(bal_alloc(&s->row, s->landmarks, what));
    BAL_TRY(bal_alloc(&s->cover, count, what));
    BAL_TRY(bal_alloc(&s->seen, s->landmarks, what));
    BAL_TRY(bal_alloc(&point, s->landmarks * p, what));
    for (bal_size i = 0, at = 0; i < f->head->m; i++) {
        if (f->own[i] != batch)
            continue;
        memcpy(point + at * p, f->landmark + i * p, (size_t)p * sizeof *point);
        s->number[at++] = i;
    }
    BAL_TRY(each_row(w, s, point, s->landmarks, true, s->row));
done:
    bal_free(&point);
    return st;
}

static bal_status make_stages(work *w)
{
    bal_size B = w->f->head->batches, size = w->a->c->size;
    bal_size m = w->f->head->m, all = m * w->b->count;
    bool strict = w->f->head->strict;
    bal_status st;

    BAL_TRY(bal_alloc(&w->stage, B / size + 1, what));
    BAL_TRY(bal_alloc(&w->v, all, what));
    BAL_TRY(bal_alloc(&w->vw, strict ? all : 0, what));
    BAL_TRY(bal_alloc(&w->own, strict ? m : 0, what));
    BAL_TRY(bal_alloc(&w->kappa, strict ? BAL_MODEL_SAMPLE * B : 0, what));
    BAL_TRY(bal_alloc(&w->s2, strict ? BAL_MODEL_SAMPLE * B : 0, what));
    BAL_TRY(bal_alloc(&w->position, BAL_MODEL_SAMPLE, what));
    BAL_TRY(bal_alloc(&w->point, BAL_MODEL_SAMPLE * w->a->model->space->p,
                      what));
    for (bal_size a = w->a->c->rank; a < B; a += size)
        BAL_TRY(make_stage(w, a, &w->stage[w->stages++]));
done:
    return st;
}

/* ---- What is seen ---- */

static void clear_cover(const work *w, stage *s)
{
    memset(s->cover, 0,
           (size_t)bal_model_sampled(w->f->size[s->batch]) * sizeof *s->cover);
}

/* Adds a row to the coverage of the sample. */
static void cover_by(stage *s, const bal_csr_row *row, double weight)
{
    for (bal_size e = 0; e < row->count; e++)
        s->cover[row->index[e]] += weight * (double)row->value[e];
}

/* Means of the coverage over the rows of the stage's landmarks. */
static void look(stage *s)
{
    for (bal_size i = 0; i < s->landmarks; i++) {
        const bal_csr_row *row = &s->row[i];
        double sum = 0, seen = 0;
        for (bal_size e = 0; e < row->count; e++) {
            sum += (double)row->value[e];
            seen += (double)row->value[e] * s->cover[row->index[e]];
        }
        s->seen[i] = sum > 0 ? seen / sum : 0;
    }
}

/* The coverage becomes the mean of what a point's landmarks have seen. */
static bal_status spread(const work *w, stage *s)
{
    bal_size count = bal_model_sampled(w->f->size[s->batch]);
    double *rho = NULL;
    bal_status st = bal_alloc(&rho, count, what);

    if (bal_failed(st))
        return st;
    clear_cover(w, s);
    for (bal_size i = 0; i < s->landmarks; i++) {
        const bal_csr_row *row = &s->row[i];
        for (bal_size e = 0; e < row->count; e++) {
            double share = (double)row->value[e] / w->f->sum[s->number[i]];
            rho[row->index[e]] += share;
            s->cover[row->index[e]] += share * s->seen[i];
        }
    }
    for (bal_size j = 0; j < count; j++)
        s->cover[j] /= rho[j] > 0 ? rho[j] : 1;
    bal_free(&rho);
    return BAL_OK;
}

/* Sees the coverage, once more if `twice`: landmark i has out[step i]. */
static bal_status see(const work *w, stage *s, bool twice, double *out,
                      bal_size step)
{
    bal_status st = BAL_OK;

    look(s);
    if (twice) {
        st = spread(w, s);
        if (bal_failed(st))
            return st;
        look(s);
    }
    for (bal_size i = 0; i < s->landmarks; i++)
        out[s->number[i] * step] = s->seen[i];
    return st;
}

/* What the landmarks of a stage see of batch b, of which there are `count`
 * points. */
static bal_status see_batch(work *w, stage *s, bal_size b, bal_size count)
{
    bal_csr_row row[BAL_MODEL_SAMPLE] = {{0}};
    bool strict = w->f->head->strict;
    bal_status st = each_row(w, s, w->point, count, false, row);

    if (bal_failed(st))
        goto done;
    clear_cover(w, s);
    for (bal_size l = 0; l < count; l++)
        cover_by(s, &row[l], 1);
    BAL_TRY(see(w, s, strict, w->v + b, w->b->count));
    if (!strict)
        goto done;
    clear_cover(w, s);
    for (bal_size l = 0; l < count; l++)
        cover_by(s, &row[l], w->kappa[l * w->f->head->batches + s->batch]);
    BAL_TRY(see(w, s, true, w->vw + b, w->b->count));
done:
    for (bal_size l = 0; l < count; l++)
        bal_csr_row_finish(&row[l]);
    return st;
}

/* v2 of the landmarks' own batches. */
static bal_verdict see_own(work *w)
{
    bal_status mine = BAL_OK;

    for (bal_size k = 0; k < w->stages && !bal_failed(mine); k++) {
        stage *s = &w->stage[k];
        clear_cover(w, s);
        for (bal_size i = 0; i < s->landmarks; i++)
            cover_by(s, &s->row[i], 1);
        mine = see(w, s, true, w->own, 1);
    }
    bal_comm_max_f64(w->a->c, w->own, w->f->head->m);
    return bal_agree(w->a->c, mine);
}

/* Scales of the points over the sample of a stage. */
static bal_status find_scales(work *w, stage *s, bal_size count)
{
    bal_size p = s->sample.z->p, batch, batches;
    bal_csr_row row[BAL_ROWS_MOST] = {{0}};
    bal_status st = BAL_OK;

    for (bal_size l = 0; l < count; l += BAL_ROWS_MOST) {
        int now = (int)(count - l < BAL_ROWS_MOST ? count - l : BAL_ROWS_MOST);
        const bal_foreign f = {.point = w->point + l * p};
        bal_rows_foreign(&w->alone, s->rows, now, &f, row, &st);
        for (int i = 0; i < now; i++) {
            w->s2[(l + i) * w->f->head->batches + s->batch] =
                *bal_rows_scales(s->rows, i, &batch, &batches);
            bal_csr_row_finish(&row[i]);
        }
    }
    return st;
}

/* min(1, x)^2 as elsewhere: by multiplication. */
static double square(double x)
{
    double y = x < 1 ? x : 1;

    return y * y;
}

/* min(1, 1.1 near / s2)^4, or ^8; 1 where either is not known. */
static double compete(const work *w, double near, float s2)
{
    double kappa;

    if (!(s2 > 0) || isinf(near))
        return 1;
    kappa = square(square(1.1 * near / (double)s2));
    return w->f->head->strict ? square(kappa) : kappa;
}

/* The least scale in a batch of the model but those two; infinite if none. */
static double nearest(const float *s2, bal_size batches, bal_size but,
                      bal_size nor)
{
    double near = (double)INFINITY;

    for (bal_size g = 0; g < batches; g++)
        if (g != but && g != nor && s2[g] > 0 && (double)s2[g] < near)
            near = (double)s2[g];
    return near;
}

/* kappa of the points of batch b, as if they were landmarks. */
static bal_verdict weigh_points(work *w, bal_size b, bal_size count)
{
    bal_size B = w->f->head->batches, known = w->b->known[b];
    bool alone = B - (known >= 0) < 2;
    bal_status mine = BAL_OK;

    for (bal_size i = 0; i < BAL_MODEL_SAMPLE * B; i++)
        w->s2[i] = -1;
    for (bal_size k = 0; k < w->stages && !bal_failed(mine); k++)
        mine = find_scales(w, &w->stage[k], count);
    bal_comm_max_f32(w->a->c, w->s2, count * B);
    for (bal_size l = 0; l < count; l++) {
        const float *s2 = w->s2 + l * B;
        double near = nearest(s2, B, known, -1);
        for (bal_size a = 0; a < B; a++)
            w->kappa[l * B + a] =
                a == known || alone ? 1 : compete(w, near, s2[a]);
    }
    return bal_agree(w->a->c, mine);
}

static bal_verdict see_all(work *w)
{
    const bal_layout *l = w->a->points->order->layout;
    bal_size all = w->f->head->m * w->b->count;
    bool strict = w->f->head->strict;
    bal_status mine = BAL_OK;
    bal_verdict st;

    if (strict)
        BAL_TRY(see_own(w));
    for (bal_size b = 0; b < w->b->count; b++) {
        bal_size count = bal_model_sampled(w->b->size[b]);
        bal_model_draw(w->a->model->seed, w->f->number, w->b->size[b],
                       w->position);
        for (bal_size i = 0; i < count; i++)
            w->position[i] += l->batch_first[b];
        bal_model_points(w->a->c, w->a->points->z, w->position, count,
                         w->point);
        if (strict)
            BAL_TRY(weigh_points(w, b, count));
        for (bal_size i = 0; i < w->stages && !bal_failed(mine); i++)
            mine = see_batch(w, &w->stage[i], b, count);
    }
    bal_comm_max_f64(w->a->c, w->v, all);
    if (strict)
        bal_comm_max_f64(w->a->c, w->vw, all);
    st = bal_agree(w->a->c, mine);
done:
    return st;
}

/* ---- Trust ---- */

/* Means of v, of which landmark i has v[step i], over the landmarks of each
 * batch, in canonical order. */
static void average(const work *w, const double *v, bal_size step,
                    double *mean, double *number)
{
    const bal_fit_pass *f = w->f;

    for (bal_size a = 0; a < f->head->batches; a++)
        mean[a] = number[a] = 0;
    for (bal_size i = 0; i < f->head->m; i++) {
        mean[f->own[i]] += v[i * step];
        number[f->own[i]]++;
    }
    for (bal_size a = 0; a < f->head->batches; a++)
        mean[a] /= number[a] > 0 ? number[a] : 1;
}

static double ratio(double v, double mean)
{
    return v / fmax(mean, 1e-300);
}

/* The coverage's part of omega. */
static double coverage(const work *w, bal_size i, bal_size at, double vbar,
                       const double *own)
{
    double null, x;

    if (!(vbar > 0))
        return 1;
    if (!w->f->head->strict)
        return square(2 * w->v[at] / vbar);
    null = fmax(ratio(w->own[i], own[w->f->own[i]]), 1e-12);
    x = ratio(w->vw[at], vbar) / null;
    return square(square(square(x / 0.8)));
}

/* Omega and q of batch b; `mean` is that of v, `own` that of w->own. */
static void believe(const work *w, bal_size b, const double *mean,
                    const double *own, const float *s2, const bal_parts *parts,
                    bal_trust *t)
{
    const bal_fit_pass *f = w->f;
    bal_size known = w->b->known[b], B = f->head->batches;

    for (bal_size i = 0; i < f->head->m; i++) {
        bal_size at = i * w->b->count + b;
        double others = 0, omega;
        omega = compete(w, nearest(f->s2 + i * B, B, f->own[i], known),
                        s2[at]) *
                coverage(w, i, at, mean[f->own[i]], own);
        if (known == f->own[i])
            omega = 1;
        if (!(parts->weight[at] > 0))
            omega = 0;
        for (bal_size g = 0; g < B; g++)
            others += g != known ? (double)f->omega[i * B + g] : 0;
        t->omega[at] = omega;
        t->q[at] = omega * (others < 1 ? others : 1);
    }
}

bal_verdict bal_apply_trust(bal_application *a, const bal_fit_pass *f,
                            const bal_new_batches *b, const float *s2,
                            const bal_parts *parts, bal_trust **out)
{
    work w = {.a = a, .f = f, .b = b};
    double *mean = NULL, *own = NULL, *number = NULL;
    bal_status mine;
    bal_verdict st;

    bal_comm_init(&w.alone, MPI_COMM_SELF);
    mine = make_stages(&w);
    if (!bal_failed(mine))
        mine = bal_alloc(&mean, f->head->batches, what);
    if (!bal_failed(mine))
        mine = bal_alloc(&own, f->head->batches, what);
    if (!bal_failed(mine))
        mine = bal_alloc(&number, f->head->batches, what);
    if (!bal_failed(mine))
        mine = bal_alloc(out, 1, what);
    if (!bal_failed(mine))
        mine = bal_alloc(&(*out)->omega, f->head->m * b->count, what);
    if (!bal_failed(mine))
        mine = bal_alloc(&(*out)->q, f->head->m * b->count, what);
    BAL_TRY(bal_agree(a->c, mine));
    (*out)->m = f->head->m;
    (*out)->batches = b->count;
    BAL_TRY(see_all(&w));
    if (f->head->strict)
        average(&w, w.own, 1, own, number);
    for (bal_size i = 0; i < b->count; i++) {
        average(&w, w.v + i, b->count, mean, number);
        believe(&w, i, mean, own, s2, parts, *out);
    }
done:
    for (bal_size i = 0; w.stage != NULL && i < w.stages; i++)
        release_stage(&w.stage[i]);
    bal_free(&w.stage);
    bal_free(&w.v);
    bal_free(&w.vw);
    bal_free(&w.own);
    bal_free(&w.kappa);
    bal_free(&w.s2);
    bal_free(&w.position);
    bal_free(&w.point);
    bal_free(&mean);
    bal_free(&own);
    bal_free(&number);
    bal_comm_finish(&w.alone);
    return st;
}
