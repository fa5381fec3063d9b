/* Trust between a new batch and the landmarks of a fit: the sample of batch a
 * stands for batch a, and points of the new batch for its landmarks.
 *
 *     c(j)  = sum of A_lj over points l of the new batch   j in the sample of a
 *     v(i)  = sum_j A_ij c(j) / sum_j A_ij                 landmarks i of a
 *     omega = kappa min(1, 2 v(i) / mean of v over the landmarks of a)^2
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
} stage;

typedef struct work {
    bal_application *a;
    const bal_fit_pass *f;
    const bal_new_batches *b;
    bal_comm alone; /* this rank by itself */
    stage *stage;
    bal_size stages;
    double *v;          /* [m, B'] */
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
    bal_status st;

    BAL_TRY(bal_alloc(&w->stage, B / size + 1, what));
    BAL_TRY(bal_alloc(&w->v, w->f->head->m * w->b->count, what));
    BAL_TRY(bal_alloc(&w->position, BAL_MODEL_SAMPLE, what));
    BAL_TRY(bal_alloc(&w->point, BAL_MODEL_SAMPLE * w->a->model->space->p,
                      what));
    for (bal_size a = w->a->c->rank; a < B; a += size)
        BAL_TRY(make_stage(w, a, &w->stage[w->stages++]));
done:
    return st;
}

/* v(i, b) of the landmarks of a stage, from points that stand for batch b. */
static bal_status see(work *w, stage *s, bal_size b, bal_size count)
{
    bal_csr_row row[BAL_MODEL_SAMPLE] = {{0}};
    bal_status st = each_row(w, s, w->point, count, false, row);

    memset(s->cover, 0,
           (size_t)bal_model_sampled(w->f->size[s->batch]) * sizeof *s->cover);
    for (bal_size l = 0; l < count; l++) {
        for (bal_size e = 0; e < row[l].count && !bal_failed(st); e++)
            s->cover[row[l].index[e]] += (double)row[l].value[e];
        bal_csr_row_finish(&row[l]);
    }
    for (bal_size i = 0; i < s->landmarks && !bal_failed(st); i++) {
        const bal_csr_row *own = &s->row[i];
        double sum = 0, seen = 0;
        for (bal_size e = 0; e < own->count; e++) {
            sum += (double)own->value[e];
            seen += (double)own->value[e] * s->cover[own->index[e]];
        }
        w->v[s->number[i] * w->b->count + b] = sum > 0 ? seen / sum : 0;
    }
    return st;
}

static bal_verdict see_all(work *w)
{
    const bal_layout *l = w->a->points->order->layout;
    bal_status mine = BAL_OK;

    for (bal_size b = 0; b < w->b->count; b++) {
        bal_size count = bal_model_sampled(w->b->size[b]);
        bal_model_draw(w->a->model->seed, w->f->number, w->b->size[b],
                       w->position);
        for (bal_size i = 0; i < count; i++)
            w->position[i] += l->batch_first[b];
        bal_model_points(w->a->c, w->a->points->z, w->position, count,
                         w->point);
        for (bal_size i = 0; i < w->stages && !bal_failed(mine); i++)
            mine = see(w, &w->stage[i], b, count);
    }
    bal_comm_max_f64(w->a->c, w->v, w->f->head->m * w->b->count);
    return bal_agree(w->a->c, mine);
}

/* min(1, x)^4 and min(1, x)^2 as elsewhere: by multiplication. */
static double square(double x)
{
    double y = x < 1 ? x : 1;

    return y * y;
}

/* How near the new batch is beside the model's nearest other one. */
static double compete(const bal_fit_pass *f, bal_size i, bal_size known,
                      float s2)
{
    double near = (double)INFINITY;

    for (bal_size g = 0; g < f->head->batches; g++) {
        double other = (double)f->s2[i * f->head->batches + g];
        if (g != f->own[i] && g != known && other > 0 && other < near)
            near = other;
    }
    if (!(s2 > 0) || isinf(near))
        return 1;
    return square(square(1.1 * near / (double)s2));
}

/* Means of v(., b) over the landmarks of each batch, in canonical order. */
static void average(const work *w, bal_size b, double *mean, double *number)
{
    const bal_fit_pass *f = w->f;

    for (bal_size a = 0; a < f->head->batches; a++)
        mean[a] = number[a] = 0;
    for (bal_size i = 0; i < f->head->m; i++) {
        mean[f->own[i]] += w->v[i * w->b->count + b];
        number[f->own[i]]++;
    }
    for (bal_size a = 0; a < f->head->batches; a++)
        mean[a] /= number[a] > 0 ? number[a] : 1;
}

static void believe(const work *w, bal_size b, const double *mean,
                    const float *s2, const bal_parts *parts, bal_trust *t)
{
    const bal_fit_pass *f = w->f;
    bal_size known = w->b->known[b], B = f->head->batches;

    for (bal_size i = 0; i < f->head->m; i++) {
        bal_size at = i * w->b->count + b;
        double vbar = mean[f->own[i]], others = 0, omega;
        omega = compete(f, i, known, s2[at]);
        if (vbar > 0)
            omega *= square(2 * w->v[at] / vbar);
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
    double *mean = NULL, *number = NULL;
    bal_status mine;
    bal_verdict st;

    bal_comm_init(&w.alone, MPI_COMM_SELF);
    mine = make_stages(&w);
    if (!bal_failed(mine))
        mine = bal_alloc(&mean, f->head->batches, what);
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
    for (bal_size i = 0; i < b->count; i++) {
        average(&w, i, mean, number);
        believe(&w, i, mean, s2, parts, *out);
    }
done:
    for (bal_size i = 0; w.stage != NULL && i < w.stages; i++)
        release_stage(&w.stage[i]);
    bal_free(&w.stage);
    bal_free(&w.v);
    bal_free(&w.position);
    bal_free(&w.point);
    bal_free(&mean);
    bal_free(&number);
    bal_comm_finish(&w.alone);
    return st;
}
