#include "balans/kernel/moments.h"

#include <cblas.h>
#include <string.h>

void bal_tile_extremes(const float *x, int m, bal_size d, float *lo, float *hi)
{
    for (int i = 0; i < m; i++) {
        const float *row = x + i * d;
        for (bal_size f = 0; f < d; f++) {
            lo[f] = row[f] < lo[f] ? row[f] : lo[f];
            hi[f] = row[f] > hi[f] ? row[f] : hi[f];
        }
    }
}

void bal_tile_sums(const float *x, int m, bal_size d, double *sum)
{
    memset(sum, 0, (size_t)d * sizeof *sum);
    for (int i = 0; i < m; i++) {
        const float *row = x + i * d;
        for (bal_size f = 0; f < d; f++)
            sum[f] += (double)row[f];
    }
}

void bal_tile_squares(const float *x, int m, bal_size d, const double *mean,
                      double *sum)
{
    memset(sum, 0, (size_t)d * sizeof *sum);
    for (int i = 0; i < m; i++) {
        const float *row = x + i * d;
        for (bal_size f = 0; f < d; f++) {
            double apart = (double)row[f] - mean[f];
            double square = apart * apart;
            sum[f] += square;
        }
    }
}

static inline double clipped(const bal_standard *s, bal_size f, float x)
{
    double v = ((double)x - s->mean[f]) / s->divisor[f];

    v = v > s->clip ? s->clip : v;
    return v < -s->clip ? -s->clip : v;
}

void bal_tile_clipped_sums(const float *x, int m, const bal_standard *s,
                           double *sum)
{
    memset(sum, 0, (size_t)s->d * sizeof *sum);
    for (int i = 0; i < m; i++) {
        const float *row = x + i * s->d;
        for (bal_size f = 0; f < s->d; f++)
            sum[f] += clipped(s, f, row[f]);
    }
}

static void pad(double *out, int m, bal_size d)
{
    memset(out + m * d, 0, (size_t)((BAL_TILE - m) * d) * sizeof *out);
}

void bal_tile_clip(const float *x, int m, const bal_standard *s,
                   const double *unit, double *out)
{
    bal_size d = s->d;

    for (int i = 0; i < m; i++)
        for (bal_size f = 0; f < d; f++)
            out[i * d + f] = clipped(s, f, x[i * d + f]) * unit[f];
    pad(out, m, d);
}

void bal_tile_standardise(const float *x, int m, const bal_standard *s,
                          double *out)
{
    bal_size d = s->d;

    for (int i = 0; i < m; i++)
        for (bal_size f = 0; f < d; f++)
            out[i * d + f] =
                (double)(float)(clipped(s, f, x[i * d + f]) - s->centre[f]);
    pad(out, m, d);
}

void bal_tile_gram(const double *v, bal_size d, bal_size i, int ni, bal_size j,
                   int nj, double *out)
{
    if (i == j)
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, ni, BAL_TILE, 1.0,
                    v + i, (int)d, 0.0, out, ni);
    else
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, ni, nj, BAL_TILE,
                    1.0, v + i, (int)d, v + j, (int)d, 0.0, out, nj);
}

void bal_blas_one_thread(void)
{
    openblas_set_num_threads(1);
}
