/*
 * How far landmarks believe batches, and the residual form that follows it,
 * straight from their definitions, with dense matrices.
 */
#include <math.h>
#include <stdlib.h>

#include "reference.h"

static double *new_real(int64_t count)
{
    return ref_new(count, (int64_t)sizeof(double));
}

static double power(double x, int n)
{
    double y = 1;

    for (int i = 0; i < n; i++)
        y *= x;
    return y;
}

double *ref_scales(const ref_data *x, const ref_params *par,
                   const ref_sample *s)
{
    double *s2 = new_real(s->m * x->batches);

    for (int64_t i = 0; i < s->m; i++) {
        ref_row *row = ref_row_create(x, par, s->landmark[i]);
        for (int64_t b = 0; b < x->batches; b++)
            s2[i * x->batches + b] =
                isnan(row->s2[b]) ? -1 : (double)(float)row->s2[b];
        ref_row_destroy(&row);
    }
    return s2;
}

/* A trust in the making. */
typedef struct view {
    const ref_sample *s;
    const int *batch;   /* [n] */
    int64_t n, m, B;
    const double *s2;   /* [m, B] */
    double *r;          /* [m, n] R */
    double *w;          /* [m, B] weights of the parts */
    double *kappa;      /* [m, B] */
} view;

static int64_t own(const view *v, int64_t i)
{
    return v->batch[v->s->landmark[i]];
}

static void find_parts(view *v)
{
    for (int64_t i = 0; i < v->m; i++) {
        double sum = 0;
        for (int64_t j = 0; j < v->n; j++)
            sum += v->s->a[i * v->n + j];
        for (int64_t j = 0; j < v->n; j++) {
            v->r[i * v->n + j] = v->s->a[i * v->n + j] / sum;
            v->w[i * v->B + v->batch[j]] += v->r[i * v->n + j];
        }
    }
}

static double competition(const view *v, int64_t i, int64_t b, int n)
{
    double nearest = (double)INFINITY, scale = v->s2[i * v->B + b];

    for (int64_t g = 0; g < v->B; g++)
        if (g != own(v, i) && v->s2[i * v->B + g] > 0)
            nearest = fmin(nearest, v->s2[i * v->B + g]);
    if (b == own(v, i) || v->B <= 2 || !(scale > 0) || isinf(nearest))
        return 1;
    return power(fmin(1, 1.1 * nearest / scale), n);
}

/* c(j, b), or with kappa of the covering landmark for the point's batch. */
static double coverage(const view *v, int64_t j, int64_t b, bool weighted)
{
    double sum = 0;

    for (int64_t l = 0; l < v->m; l++)
        if (own(v, l) == b)
            sum += v->s->a[l * v->n + j] *
                   (weighted ? v->kappa[l * v->B + v->batch[j]] : 1);
    return sum;
}

/* What landmark i sees of a value of the points [n]: its mean over the
 * landmark's own batch. */
static double seen(const view *v, int64_t i, const double *value)
{
    double sum = 0;

    for (int64_t j = 0; j < v->n; j++)
        if (v->batch[j] == own(v, i))
            sum += v->r[i * v->n + j] * value[j];
    return sum / v->w[i * v->B + own(v, i)];
}

/* c'(j) from what the landmarks [m] of the point's batch have seen. */
static double spread(const view *v, int64_t j, const double *what)
{
    double sum = 0, weight = 0;

    for (int64_t i = 0; i < v->m; i++)
        if (own(v, i) == v->batch[j]) {
            sum += v->r[i * v->n + j] * what[i];
            weight += v->r[i * v->n + j];
        }
    return weight > 0 ? sum / weight : 0;
}

/* v(., b), and seen twice v2(., b): [m] both. */
static void see(const view *v, int64_t b, bool weighted, double *once,
                double *twice)
{
    double *c = new_real(v->n);

    for (int64_t j = 0; j < v->n; j++)
        c[j] = coverage(v, j, b, weighted);
    for (int64_t i = 0; i < v->m; i++)
        once[i] = seen(v, i, c);
    for (int64_t j = 0; j < v->n; j++)
        c[j] = spread(v, j, once);
    for (int64_t i = 0; i < v->m; i++)
        twice[i] = seen(v, i, c);
    free(c);
}

/* The mean of a value of the landmarks over those of batch a. */
static double mean_of(const view *v, int64_t a, const double *value)
{
    double sum = 0, count = 0;

    for (int64_t i = 0; i < v->m; i++)
        if (own(v, i) == a) {
            sum += value[i];
            count++;
        }
    return count > 0 ? sum / count : 0;
}

static double share_of(double x, double mean)
{
    return mean > 0 ? x / mean : 0;
}

/* The own part of each landmark, v2(i,a) / v2bar(a,a), at least 1e-12. */
static double *own_shares(const view *v)
{
    double *once = new_real(v->m), *twice = new_real(v->m);
    double *out = new_real(v->m);

    for (int64_t b = 0; b < v->B; b++) {
        see(v, b, false, once, twice);
        for (int64_t i = 0; i < v->m; i++)
            if (own(v, i) == b)
                out[i] = fmax(share_of(twice[i], mean_of(v, b, twice)), 1e-12);
    }
    free(once);
    free(twice);
    return out;
}

/* omega(., b) and the pairs that are not seen. */
static void believe(const view *v, int64_t b, bool strict, const double *null,
                    ref_trust *t)
{
    double *v1 = new_real(v->m), *v2 = new_real(v->m);
    double *vw1 = new_real(v->m), *vw2 = new_real(v->m);

    see(v, b, false, v1, v2);
    see(v, b, true, vw1, vw2);
    for (int64_t i = 0; i < v->m; i++) {
        int64_t a = own(v, i), pair = i * v->B + b;
        double m1 = mean_of(v, a, v1), m2 = mean_of(v, a, v2), x = 1;
        if (a != b) {
            t->pairs++;
            t->unseen += share_of(v2[i], m2) / null[i] < 0.5;
            if (strict && m2 > 0)
                x = power(fmin(1, vw2[i] / m2 / null[i] / 0.8), 8);
            else if (!strict && m1 > 0)
                x = power(fmin(1, 2 * v1[i] / m1), 2);
        }
        t->omega[pair] = v->w[pair] > 0 ? v->kappa[pair] * x : 0;
    }
    free(v1);
    free(v2);
    free(vw1);
    free(vw2);
}

ref_trust *ref_trust_create(const ref_sample *s, const double *s2,
                            const int *batch, int64_t batches, bool strict)
{
    ref_trust *t = ref_new(1, sizeof *t);
    view v = {.s = s, .batch = batch, .n = s->n, .m = s->m, .B = batches,
              .s2 = s2, .r = new_real(s->m * s->n),
              .w = new_real(s->m * batches),
              .kappa = new_real(s->m * batches)};

    t->omega = new_real(s->m * batches);
    t->q = new_real(s->m * batches);
    find_parts(&v);
    for (int64_t i = 0; i < s->m; i++)
        for (int64_t b = 0; b < batches; b++)
            v.kappa[i * batches + b] = competition(&v, i, b, strict ? 8 : 4);
    double *null = own_shares(&v);
    for (int64_t b = 0; b < batches; b++)
        believe(&v, b, strict, null, t);
    for (int64_t i = 0; i < s->m; i++)
        for (int64_t b = 0; b < batches; b++) {
            double others = 0;
            for (int64_t g = 0; g < batches; g++)
                others += g != b ? t->omega[i * batches + g] : 0;
            t->q[i * batches + b] =
                t->omega[i * batches + b] * fmin(1, others);
        }
    free(null);
    free(v.r);
    free(v.w);
    free(v.kappa);
    return t;
}

void ref_trust_destroy(ref_trust **t)
{
    if (*t == NULL)
        return;
    free((*t)->omega);
    free((*t)->q);
    free(*t);
    *t = NULL;
}

/* The mean of feature f over one part; 0 where it is empty. */
static double part_mean(const view *v, int64_t i, int64_t b,
                        const double *value, int64_t d, int64_t f)
{
    double sum = 0;

    for (int64_t j = 0; j < v->n; j++)
        if (v->batch[j] == b)
            sum += v->r[i * v->n + j] * value[j * d + f];
    return v->w[i * v->B + b] > 0 ? sum / v->w[i * v->B + b] : 0;
}

/* Delta(., .) of a feature, [m, B]; 0 where the part is empty. */
static void find_steps(const view *v, const ref_trust *t, const double *value,
                       int64_t d, int64_t f, double *delta)
{
    for (int64_t i = 0; i < v->m; i++) {
        double sum = 0, weight = 0;
        for (int64_t b = 0; b < v->B; b++) {
            double part = v->w[i * v->B + b] * t->omega[i * v->B + b];
            sum += part * part_mean(v, i, b, value, d, f);
            weight += part;
        }
        for (int64_t b = 0; b < v->B; b++)
            delta[i * v->B + b] =
                v->w[i * v->B + b] > 0
                    ? sum / weight - part_mean(v, i, b, value, d, f)
                    : 0;
    }
}

static double batch_shift(const view *v, const ref_trust *t, int64_t b,
                          const double *delta)
{
    double sum = 0, weight = 0;

    for (int64_t i = 0; i < v->m; i++) {
        double part = t->q[i * v->B + b] * v->w[i * v->B + b];
        sum += part * delta[i * v->B + b];
        weight += part;
    }
    return weight > 0 ? sum / weight : 0;
}

/* How far point j moves. */
static double step_of(const view *v, const ref_trust *t, int64_t j, bool keep,
                      const double *delta, const double *shift)
{
    int64_t b = v->batch[j];
    double sum = 0, weight = 0, rho = 0;

    for (int64_t i = 0; i < v->m; i++) {
        double part = v->r[i * v->n + j] * t->q[i * v->B + b];
        sum += part * delta[i * v->B + b];
        weight += part;
        rho += v->r[i * v->n + j];
    }
    if (!(rho > 0) && keep)
        return 0;
    weight += 0.3 * rho;
    return weight > 1e-12 ? (sum + 0.3 * rho * shift[b]) / weight : shift[b];
}

void ref_trusted(const ref_sample *s, const ref_trust *t, const int *batch,
                 int64_t batches, bool keep, const double *value, int64_t d,
                 double *out)
{
    double *delta = new_real(s->m * batches), *shift = new_real(batches);
    view v = {.s = s, .batch = batch, .n = s->n, .m = s->m, .B = batches,
              .r = new_real(s->m * s->n), .w = new_real(s->m * batches)};

    find_parts(&v);
    for (int64_t f = 0; f < d; f++) {
        find_steps(&v, t, value, d, f, delta);
        for (int64_t b = 0; b < batches; b++)
            shift[b] = batch_shift(&v, t, b, delta);
        for (int64_t j = 0; j < s->n; j++)
            out[j * d + f] =
                value[j * d + f] + step_of(&v, t, j, keep, delta, shift);
    }
    free(delta);
    free(shift);
    free(v.r);
    free(v.w);
}

void ref_blend(const ref_sample *s, double share, const double *value,
               int64_t d, double *out)
{
    ref_smooth(s, value, d, out);
    for (int64_t i = 0; i < s->n * d; i++)
        out[i] = (1 - share) * value[i] + share * out[i];
}
