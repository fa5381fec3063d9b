/* Loadings in the order in which bal_project_tile() reads them, and tiles that
 * are not projected. */
#include "balans/kernel/project.h"

bal_size bal_loadings_size(bal_size d, bal_size p)
{
    return (p + BAL_LOADINGS - 1) / BAL_LOADINGS * BAL_LOADINGS * d;
}

void bal_loadings_pack(const double *components, bal_size d, bal_size p,
                       double *packed)
{
    bal_size wide = (p + BAL_LOADINGS - 1) / BAL_LOADINGS * BAL_LOADINGS;

    for (bal_size f = 0; f < d; f++)
        for (bal_size c = 0; c < wide; c++) {
            double v = c < p ? components[f * p + c] : 0.0;
            packed[(c / BAL_LOADINGS * d + f) * BAL_LOADINGS +
                   c % BAL_LOADINGS] = (double)(float)v;
        }
}

void bal_transpose_tile(const double *xs, int m, bal_size d, float *z, int ld)
{
    for (bal_size f = 0; f < d; f++)
        for (int j = 0; j < m; j++)
            z[f * ld + j] = (float)xs[j * d + f];
}
