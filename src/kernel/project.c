#include "balans/kernel/project.h"

#include "balans/kernel/cpu.h"

/* Components side by side in a panel of packed loadings, and the most points
 * that are projected together: their sums stay in registers. */
enum { LANES = 8, POINTS = 8 };

bal_size bal_loadings_size(bal_size d, bal_size p)
{
    return (p + LANES - 1) / LANES * LANES * d;
}

void bal_loadings_pack(const double *components, bal_size d, bal_size p,
                       double *packed)
{
    bal_size wide = (p + LANES - 1) / LANES * LANES;

    for (bal_size f = 0; f < d; f++)
        for (bal_size c = 0; c < wide; c++) {
            double v = c < p ? components[f * p + c] : 0.0;
            packed[(c / LANES * d + f) * LANES + c % LANES] = (double)(float)v;
        }
}

typedef double quad __attribute__((vector_size(4 * sizeof(double))));

typedef void chains_fn(const double *xs, bal_size d, const double *panel,
                       quad *sum);

/* Sums of POINTS points with one panel, four by four of them. */
static void chains_generic(const double *xs, bal_size d, const double *panel,
                           quad *sum)
{
    for (int first = 0; first < POINTS; first += 4)
        for (int c = 0; c < LANES; c += 4) {
            double acc[4][4] = {{0}};
            for (bal_size f = 0; f < d; f++)
                for (int i = 0; i < 4; i++)
                    for (int l = 0; l < 4; l++)
                        acc[i][l] +=
                            xs[(first + i) * d + f] * panel[f * LANES + c + l];
            for (int i = 0; i < 4; i++)
                for (int l = 0; l < 4; l++)
                    sum[2 * (first + i) + c / 4][l] = acc[i][l];
        }
}

#ifdef __x86_64__
/* The same, `points` of them at a time: a constant at each call, chosen so that
 * the sums stay in registers. */
static inline __attribute__((always_inline)) void chains(const double *xs,
                                                         bal_size d,
                                                         const double *panel,
                                                         int points, quad *sum)
{
    for (int first = 0; first < POINTS; first += points) {
        const double *x = xs + first * d;
        const quad *v = (const quad *)(const void *)panel;
        quad left[POINTS] = {{0}}, right[POINTS] = {{0}};
        for (bal_size f = 0; f < d; f++)
            for (int i = 0; i < points; i++) {
                left[i] += x[i * d + f] * v[2 * f];
                right[i] += x[i * d + f] * v[2 * f + 1];
            }
        for (int i = 0; i < points; i++) {
            sum[2 * (first + i)] = left[i];
            sum[2 * (first + i) + 1] = right[i];
        }
    }
}

__attribute__((target("avx2,fma"))) static void chains_avx2(const double *xs,
                                                            bal_size d,
                                                            const double *panel,
                                                            quad *sum)
{
    chains(xs, d, panel, 4, sum);
}

__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))) static void
chains_avx512(const double *xs, bal_size d, const double *panel, quad *sum)
{
    chains(xs, d, panel, POINTS, sum);
}
#endif

static chains_fn *chains_now(void)
{
#ifdef __x86_64__
    if (bal_isa_now() == BAL_ISA_AVX512)
        return chains_avx512;
    if (bal_isa_now() == BAL_ISA_AVX2)
        return chains_avx2;
#endif
    return chains_generic;
}

/* The tile is padded with rows of zeros, so a group of points may end behind
 * the last one; its sums are then dropped. */
void bal_project_tile(const double *xs, int m, bal_size d, const double *packed,
                      int p, float *z, int ld)
{
    chains_fn *run = chains_now();
    quad sum[2 * POINTS];

    for (int c = 0; c < p; c += LANES) {
        const double *panel = packed + c * d;
        int components = p - c < LANES ? p - c : LANES;
        for (int j = 0; j < m; j += POINTS) {
            int points = m - j < POINTS ? m - j : POINTS;
            run(xs + j * d, d, panel, sum);
            for (int l = 0; l < components; l++)
                for (int i = 0; i < points; i++)
                    z[(bal_size)(c + l) * ld + j + i] =
                        (float)sum[2 * i + l / 4][l % 4];
        }
    }
}

void bal_transpose_tile(const double *xs, int m, bal_size d, float *z, int ld)
{
    for (bal_size f = 0; f < d; f++)
        for (int j = 0; j < m; j++)
            z[f * ld + j] = (float)xs[j * d + f];
}
