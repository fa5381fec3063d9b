/*
 * Corrections, passes, the distance space and made-up data, straight from their
 * definitions, with dense matrices.
 */
#include <math.h>
#include <stdlib.h>

#include "reference.h"

static double *new_real(int64_t count)
{
    return ref_new(count, (int64_t)sizeof(double));
}

/* R: the rows of A divided by their sums. */
static double *row_shares(const ref_sample *s)
{
    double *r = new_real(s->m * s->n);

    for (int64_t l = 0; l < s->m; l++) {
        double sum = 0;
        for (int64_t j = 0; j < s->n; j++)
            sum += s->a[l * s->n + j];
        for (int64_t j = 0; j < s->n; j++)
            r[l * s->n + j] = s->a[l * s->n + j] / sum;
    }
    return r;
}

/* P [n, m]: the rows of R^T divided by their sums; 0 where nothing covers. */
static double *point_shares(const ref_sample *s, const double *r)
{
    double *p = new_real(s->n * s->m);

    for (int64_t j = 0; j < s->n; j++) {
        double sum = 0;
        for (int64_t l = 0; l < s->m; l++)
            sum += r[l * s->n + j];
        for (int64_t l = 0; l < s->m && sum > 0; l++)
            p[j * s->m + l] = r[l * s->n + j] / sum;
    }
    return p;
}

static bool is_covered(const ref_sample *s, int64_t j)
{
    for (int64_t l = 0; l < s->m; l++)
        if (s->a[l * s->n + j] > 0)
            return true;
    return false;
}

/* [rows, inner] times [inner, d]. */
static double *product(const double *a, const double *b, int64_t rows,
                       int64_t inner, int64_t d)
{
    double *c = new_real(rows * d);

    for (int64_t i = 0; i < rows; i++)
        for (int64_t e = 0; e < inner; e++)
            for (int64_t f = 0; f < d; f++)
                c[i * d + f] += a[i * inner + e] * b[e * d + f];
    return c;
}

void ref_smooth(const ref_sample *s, const double *value, int64_t d,
                double *out)
{
    double *r = row_shares(s), *p = point_shares(s, r);
    double *rx = product(r, value, s->m, s->n, d);
    double *prx = product(p, rx, s->n, s->m, d);

    for (int64_t j = 0; j < s->n; j++)
        for (int64_t f = 0; f < d; f++)
            out[j * d + f] = (is_covered(s, j) ? prx : value)[j * d + f];
    free(r);
    free(p);
    free(rx);
    free(prx);
}

/* The mean of feature f over the points of one batch (all for -1), weighted by
 * one row of R; NaN where the row keeps none of them. */
static double weighted_mean(const double *r, const int *batch, int64_t n,
                            int64_t which, const double *value, int64_t d,
                            int64_t f)
{
    double sum = 0, weight = 0;

    for (int64_t j = 0; j < n; j++) {
        if (which >= 0 && batch[j] != which)
            continue;
        sum += r[j] * value[j * d + f];
        weight += r[j];
    }
    return weight > 0 ? sum / weight : NAN;
}

void ref_residual(const ref_sample *s, const int *batch, int64_t batches,
                  const double *value, int64_t d, double *out)
{
    double *r = row_shares(s), *p = point_shares(s, r);
    double *delta = new_real(s->m * batches * d);

    for (int64_t l = 0; l < s->m; l++)
        for (int64_t b = 0; b < batches; b++)
            for (int64_t f = 0; f < d; f++) {
                const double *w = r + l * s->n;
                double all = weighted_mean(w, batch, s->n, -1, value, d, f);
                double part = weighted_mean(w, batch, s->n, b, value, d, f);
                delta[(l * batches + b) * d + f] = isnan(part) ? 0 : all - part;
            }
    for (int64_t j = 0; j < s->n; j++)
        for (int64_t f = 0; f < d; f++) {
            double sum = value[j * d + f];
            for (int64_t l = 0; l < s->m; l++)
                sum +=
                    p[j * s->m + l] * delta[(l * batches + batch[j]) * d + f];
            out[j * d + f] = sum;
        }
    free(r);
    free(p);
    free(delta);
}

/* W^+ of the symmetric part of A_SS. */
static double *pseudo_inverse(const ref_sample *s, double rcond)
{
    int64_t m = s->m;
    double *w = new_real(m * m), *q = new_real(m * m), *l = new_real(m);
    double *inverse = new_real(m * m);

    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++)
            w[i * m + j] = (s->a[i * s->n + s->landmark[j]] +
                            s->a[j * s->n + s->landmark[i]]) /
                           2;
    ref_eigen(w, m, l, q);
    for (int64_t e = 0; e < m && l[e] > rcond * l[0]; e++)
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < m; j++)
                inverse[i * m + j] += q[i * m + e] / l[e] * q[j * m + e];
    free(w);
    free(q);
    free(l);
    return inverse;
}

static bool leaves_range(const double *input, int64_t n, int64_t d, int64_t f,
                         double value)
{
    double low = input[f], high = input[f];

    for (int64_t j = 0; j < n; j++) {
        low = fmin(low, input[j * d + f]);
        high = fmax(high, input[j * d + f]);
    }
    return value < low - 1e-6 * (high - low) ||
           value > high + 1e-6 * (high - low);
}

int64_t ref_nystrom(const ref_sample *s, double rcond, const double *input,
                    const double *value, int64_t d, double *out)
{
    int64_t n = s->n, m = s->m, fallbacks = 0;
    double *inverse = pseudo_inverse(s, rcond), *at = new_real(n * m);
    double *wa = product(inverse, s->a, m, m, n), *kernel;
    double *row = new_real(d);

    for (int64_t l = 0; l < m; l++)
        for (int64_t j = 0; j < n; j++)
            at[j * m + l] = s->a[l * n + j];
    kernel = product(at, wa, n, m, n);
    ref_smooth(s, value, d, out);
    for (int64_t j = 0; j < n; j++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += kernel[j * n + i];
        bool falls = !(sum > 1e-6);
        for (int64_t f = 0; f < d && !falls; f++) {
            row[f] = 0;
            for (int64_t i = 0; i < n; i++)
                row[f] += kernel[j * n + i] * value[i * d + f] / sum;
            falls = leaves_range(input, n, d, f, row[f]);
        }
        fallbacks += falls && is_covered(s, j);
        for (int64_t f = 0; f < d && !falls; f++)
            out[j * d + f] = row[f];
    }
    free(inverse);
    free(at);
    free(wa);
    free(kernel);
    free(row);
    return fallbacks;
}

static double *widen(const float *x, int64_t count)
{
    double *y = new_real(count);

    for (int64_t i = 0; i < count; i++)
        y[i] = (double)x[i];
    return y;
}

/* One correction of X and Z; what goes in is `now`. */
static void apply(const ref_data *now, const ref_params *par, bool last,
                  const double *input, ref_result *r)
{
    const ref_sample *s = r->sample;
    double *x = widen(now->x, now->n * now->d);
    double *z = widen(now->z, now->n * now->p);

    if (!last || par->residual) {
        ref_residual(s, now->batch, now->batches, x, now->d, r->x);
        ref_residual(s, now->batch, now->batches, z, now->p, r->z);
    } else if (par->nystrom) {
        r->fallbacks = ref_nystrom(s, par->rcond, input, x, now->d, r->x);
        ref_smooth(s, z, now->p, r->z);
    } else {
        ref_smooth(s, x, now->d, r->x);
        ref_smooth(s, z, now->p, r->z);
    }
    free(x);
    free(z);
}

ref_result *ref_correct(const ref_data *x, const ref_params *par)
{
    ref_result *r = ref_new(1, sizeof *r);
    ref_data now = *x;
    double *input = widen(x->x, x->n * x->d);

    r->x = new_real(x->n * x->d);
    r->z = new_real(x->n * x->p);
    now.x = ref_new(x->n * x->d, (int64_t)sizeof(float));
    now.z = ref_new(x->n * x->p, (int64_t)sizeof(float));
    for (int64_t i = 0; i < x->n * x->d; i++)
        now.x[i] = x->x[i];
    for (int64_t i = 0; i < x->n * x->p; i++)
        now.z[i] = x->z[i];
    for (int64_t t = 0; t < par->passes; t++) {
        ref_sample_destroy(&r->sample);
        r->sample = ref_sample_create(&now, par, par->first_pass + (uint32_t)t);
        apply(&now, par, t == par->passes - 1, input, r);
        for (int64_t i = 0; i < x->n * x->d; i++)
            now.x[i] = (float)r->x[i];
        for (int64_t i = 0; i < x->n * x->p; i++)
            now.z[i] = (float)r->z[i];
    }
    free(now.x);
    free(now.z);
    free(input);
    return r;
}

void ref_result_destroy(ref_result **r)
{
    if (*r == NULL)
        return;
    ref_sample_destroy(&(*r)->sample);
    free((*r)->x);
    free((*r)->z);
    free(*r);
    *r = NULL;
}

/* The rotation that makes a[p, q] zero, applied to a and collected in v. */
static void rotate(double *a, double *v, int64_t n, int64_t p, int64_t q)
{
    double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
    double t = (theta < 0 ? -1 : 1) / (fabs(theta) + hypot(theta, 1));
    double c = 1 / hypot(t, 1), s = t * c;

    for (int64_t i = 0; i < n; i++) {
        double x = a[i * n + p], y = a[i * n + q];
        a[i * n + p] = c * x - s * y;
        a[i * n + q] = s * x + c * y;
    }
    for (int64_t i = 0; i < n; i++) {
        double x = a[p * n + i], y = a[q * n + i];
        a[p * n + i] = c * x - s * y;
        a[q * n + i] = s * x + c * y;
    }
    for (int64_t i = 0; i < n; i++) {
        double x = v[i * n + p], y = v[i * n + q];
        v[i * n + p] = c * x - s * y;
        v[i * n + q] = s * x + c * y;
    }
}

static bool is_worth(const double *a, int64_t n, int64_t p, int64_t q)
{
    return fabs(a[p * n + q]) > 1e-17 * sqrt(fabs(a[p * n + p] * a[q * n + q]));
}

static void swap_columns(double *value, double *v, int64_t n, int64_t i,
                         int64_t j)
{
    double kept = value[i];

    value[i] = value[j];
    value[j] = kept;
    for (int64_t e = 0; e < n; e++) {
        kept = v[e * n + i];
        v[e * n + i] = v[e * n + j];
        v[e * n + j] = kept;
    }
}

void ref_eigen(double *a, int64_t n, double *value, double *v)
{
    for (int64_t i = 0; i < n * n; i++)
        v[i] = i % (n + 1) == 0;
    for (int sweep = 0, turned = 1; sweep < 60 && turned; sweep++) {
        turned = 0;
        for (int64_t p = 0; p < n; p++)
            for (int64_t q = p + 1; q < n; q++)
                if (is_worth(a, n, p, q)) {
                    rotate(a, v, n, p, q);
                    turned++;
                }
    }
    for (int64_t i = 0; i < n; i++)
        value[i] = a[i * n + i];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++)
            if (value[j] > value[i])
                swap_columns(value, v, n, i, j);
}
