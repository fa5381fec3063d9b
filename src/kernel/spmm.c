/* Sparse rows times dense rows. The loops over features are plain C: the
 * compiler makes vectors of them, as wide as the instruction set has. */
#include "table.h"

void bal_spmm_sum(const float *x, bal_size ld, const bal_lidx *index,
                  const float *value, bal_size entries, bal_size count,
                  double *restrict partial)
{
    double weight = 0;

    for (bal_size e = 0; e < entries; e++) {
        const float *restrict row = x + (bal_size)index[e] * ld;
        double a = (double)value[e];
        for (bal_size f = 0; f < count; f++)
            partial[f] += a * (double)row[f];
        weight += a;
    }
    partial[count] += weight;
}

void bal_spmm_spread(const double *restrict what, double weight,
                     const bal_lidx *index, const float *value,
                     bal_size entries, bal_lidx first, bal_size count,
                     double *restrict point)
{
    for (bal_size e = 0; e < entries; e++) {
        double *restrict at =
            point + (bal_size)(index[e] - first) * (count + 1);
        double r = (double)value[e] / weight;
        for (bal_size f = 0; f < count; f++)
            at[f] += r * what[f];
        at[count] += r;
    }
}

void bal_fixed_flush(const double *restrict up_hi, double up_lo, bal_size width,
                     double *restrict partial, int64_t *restrict hi,
                     int64_t *restrict lo)
{
    for (bal_size f = 0; f < width; f++) {
        double scaled = partial[f] * up_hi[f];
        int64_t whole = (int64_t)scaled;
        hi[f] += whole;
        lo[f] += (int64_t)((scaled - (double)whole) * up_lo);
        partial[f] = 0;
    }
}
