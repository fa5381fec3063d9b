/* Projection of points: a few points by BAL_LOADINGS components
 * at a time, whose sums stay in registers. */
#include "simd.h"
#include "table.h"

typedef double quad __attribute__((vector_size(4 * sizeof(double))));

_Static_assert(BAL_TILE % (int)PROJECT == 0, "groups of points fill a tile");

/* There are rows of zeros behind the last point, so a group of points may end
 * behind it; its sums are then dropped. */
void bal_project(const double *xs, int m, bal_size d, const double *packed,
                 int p, float *z)
{
    for (int c = 0; c < p; c += BAL_LOADINGS) {
        const quad *v = (const quad *)(const void *)(packed + c * d);
        int components = p - c < BAL_LOADINGS ? p - c : BAL_LOADINGS;
        for (int j = 0; j < m; j += PROJECT) {
            const double *x = xs + j * d;
            int points = m - j < PROJECT ? m - j : PROJECT;
            quad sum[PROJECT][2] = {{{0}}};
            for (bal_size f = 0; f < d; f++)
                for (int i = 0; i < PROJECT; i++) {
                    sum[i][0] += x[i * d + f] * v[2 * f];
                    sum[i][1] += x[i * d + f] * v[2 * f + 1];
                }
            for (int i = 0; i < points; i++)
                for (int l = 0; l < components; l++)
                    z[(bal_size)(j + i) * p + c + l] =
                        (float)sum[i][l / 4][l % 4];
        }
    }
}
