/* Loadings in the order in which bal_project() reads them. */
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
