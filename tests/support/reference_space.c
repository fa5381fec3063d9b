/* The distance space, and made-up data, for tests. */
#include <math.h>
#include <stdlib.h>

#include "balans/base/rng.h"
#include "reference.h"

static double *new_real(int64_t count)
{
    return ref_new(count, (int64_t)sizeof(double));
}

static double column_mean(const double *x, int64_t n, int64_t d, int64_t f)
{
    double sum = 0;

    for (int64_t j = 0; j < n; j++)
        sum += x[j * d + f];
    return sum / (double)n;
}

static double column_sd(const double *x, int64_t n, int64_t d, int64_t f,
                        double mean)
{
    double sum = 0;

    for (int64_t j = 0; j < n; j++)
        sum += (x[j * d + f] - mean) * (x[j * d + f] - mean);
    return sqrt(sum / (double)n);
}

static bool is_constant(const double *x, int64_t n, int64_t d, int64_t f)
{
    for (int64_t j = 1; j < n; j++)
        if (x[j * d + f] < x[f] || x[j * d + f] > x[f])
            return false;
    return true;
}

static void scale_column(ref_space *s, double *x, int64_t n, int64_t f,
                         bool standard, double clip)
{
    int64_t d = s->d;
    bool constant = is_constant(x, n, d, f);

    s->constant += constant;
    s->mean[f] = column_mean(x, n, d, f);
    s->sd[f] = 1;
    if (standard && !constant)
        s->sd[f] = column_sd(x, n, d, f, s->mean[f]);
    for (int64_t j = 0; j < n; j++) {
        double y = constant ? 0 : (x[j * d + f] - s->mean[f]) / s->sd[f];
        if (standard)
            y = fmax(-clip, fmin(clip, y));
        x[j * d + f] = y;
    }
    if (!standard)
        return;
    s->centre[f] = column_mean(x, n, d, f);
    for (int64_t j = 0; j < n; j++)
        x[j * d + f] -= s->centre[f];
}

/* The component whose largest loading would be negative turns round. */
static void fix_sign(double *v, int64_t d, int64_t e)
{
    int64_t most = 0;

    for (int64_t f = 1; f < d; f++)
        if (fabs(v[f * d + e]) > fabs(v[most * d + e]))
            most = f;
    for (int64_t f = 0, turn = v[most * d + e] < 0; f < d && turn; f++)
        v[f * d + e] = -v[f * d + e];
}

static void project(ref_space *s, const double *xs, int64_t n)
{
    int64_t d = s->d, p = s->p;
    double *c = new_real(d * d), *v = new_real(d * d), *l = new_real(d);

    for (int64_t j = 0; j < n; j++)
        for (int64_t f = 0; f < d; f++)
            for (int64_t g = 0; g < d; g++)
                c[f * d + g] += xs[j * d + f] * xs[j * d + g] / (double)(n - 1);
    ref_eigen(c, d, l, v);
    for (int64_t e = 0; e < d; e++) {
        fix_sign(v, d, e);
        s->total += l[e];
    }
    for (int64_t e = 0; e < p; e++) {
        s->variance[e] = l[e];
        for (int64_t f = 0; f < d; f++)
            s->components[f * p + e] = v[f * d + e];
    }
    for (int64_t j = 0; j < n; j++)
        for (int64_t e = 0; e < p; e++)
            for (int64_t f = 0; f < d; f++)
                s->z[j * p + e] += xs[j * d + f] * v[f * d + e];
    free(c);
    free(v);
    free(l);
}

ref_space *ref_space_create(const float *x, int64_t n, int64_t d, bool standard,
                            double clip, int64_t pca)
{
    ref_space *s = ref_new(1, sizeof *s);
    double *xs = new_real(n * d);

    s->d = d;
    s->pca = pca > 0 && d > pca;
    s->p = s->pca ? pca : d;
    s->mean = new_real(d);
    s->sd = new_real(d);
    s->centre = new_real(d);
    for (int64_t i = 0; i < n * d; i++)
        xs[i] = (double)x[i];
    for (int64_t f = 0; f < d; f++)
        scale_column(s, xs, n, f, standard, clip);
    if (!s->pca) {
        s->z = xs;
        return s;
    }
    s->z = new_real(n * s->p);
    s->components = new_real(d * s->p);
    s->variance = new_real(s->p);
    project(s, xs, n);
    free(xs);
    return s;
}

void ref_space_destroy(ref_space **s)
{
    if (*s == NULL)
        return;
    free((*s)->mean);
    free((*s)->sd);
    free((*s)->centre);
    free((*s)->components);
    free((*s)->variance);
    free((*s)->z);
    free(*s);
    *s = NULL;
}

/* A number in [0, 1) for any position. */
static double uniform(uint64_t seed, uint32_t purpose, int64_t a, int64_t b)
{
    uint64_t r = bal_rng_u64(seed, purpose, (uint32_t)a, (uint32_t)b, 77);

    return (double)(r >> 11) / 9007199254740992.0;
}

/* Roughly normal: the sum of six uniforms. */
static double bell(uint64_t seed, uint32_t purpose, int64_t a, int64_t b)
{
    double sum = -3;

    for (uint32_t e = 0; e < 6; e++)
        sum += uniform(seed, purpose + e, a, b);
    return sum * 1.41;
}

static void fill_point(ref_data *x, int64_t j, uint64_t seed)
{
    int64_t b = x->batch[j];
    int64_t cluster = (int64_t)(uniform(seed, 1, j, 0) * 4);

    for (int64_t f = 0; f < x->d; f++)
        x->x[j * x->d + f] =
            (float)(4 * bell(seed, 10, cluster, f) + bell(seed, 20, b, f) +
                    0.6 * bell(seed, 30, j, f));
}

/* Input rows: the batches dealt out in turn, each in its own order. */
static void deal_rows(ref_data *x, const int64_t *batch_size)
{
    int64_t row = 0;

    for (int64_t t = 0; row < x->n; t++)
        for (int64_t b = 0, first = 0; b < x->batches;
             first += batch_size[b], b++)
            if (t < batch_size[b])
                x->row[first + t] = row++;
}

ref_data *ref_data_create(const int64_t *batch_size, int64_t batches, int64_t d,
                          int64_t p, int64_t repeat, uint64_t seed)
{
    ref_data *x = ref_new(1, sizeof *x);

    x->batches = batches;
    x->d = d;
    x->p = p;
    for (int64_t b = 0; b < batches; b++)
        x->n += batch_size[b];
    x->x = ref_new(x->n * d, (int64_t)sizeof(float));
    x->z = ref_new(x->n * p, (int64_t)sizeof(float));
    x->batch = ref_new(x->n, (int64_t)sizeof(int));
    x->row = ref_new(x->n, (int64_t)sizeof(int64_t));
    for (int64_t b = 0, j = 0; b < batches; b++)
        for (int64_t e = 0; e < batch_size[b]; e++, j++) {
            x->batch[j] = (int)b;
            fill_point(x, j, seed);
            bool twin = repeat > 0 && e > 0 && e % repeat == 0;
            for (int64_t f = 0; f < d && twin; f++)
                x->x[j * d + f] = x->x[(j - 1) * d + f];
        }
    for (int64_t j = 0; j < x->n; j++)
        for (int64_t f = 0; f < p; f++)
            x->z[j * p + f] = f < d ? x->x[j * d + f] * 0.37f : 0;
    deal_rows(x, batch_size);
    return x;
}

void ref_data_destroy(ref_data **x)
{
    if (*x == NULL)
        return;
    free((*x)->x);
    free((*x)->z);
    free((*x)->batch);
    free((*x)->row);
    free(*x);
    *x = NULL;
}
