/* Exact sums, products with a panel, and counts.  The loops are plain C: the
 * compiler makes vectors of them, as wide as the instruction set has. */
#include <string.h>

#include "table.h"

void bal_fixed_add_all(int64_t *sum, const double *value, bal_size count,
                       double up_hi, double up_lo)
{
    for (bal_size i = 0; i < count; i++) {
        double scaled = value[i] * up_hi;
        int64_t whole = (int64_t)scaled;
        sum[2 * i] += whole;
        sum[2 * i + 1] += (int64_t)((scaled - (double)whole) * up_lo);
    }
}

/* Features four at a time, one after the other. */
void bal_panel_products(const double *restrict u, const double *panel,
                        bal_size p, bal_size ld, bal_size count,
                        double *restrict dot)
{
    bal_size f = 0;

    memset(dot, 0, (size_t)count * sizeof *dot);
    for (; f + 4 <= p; f += 4) {
        const double *row = panel + f * ld;
        for (bal_size g = 0; g < count; g++) {
            double sum = dot[g] + u[f] * row[g];
            sum += u[f + 1] * row[ld + g];
            sum += u[f + 2] * row[2 * ld + g];
            dot[g] = sum + u[f + 3] * row[3 * ld + g];
        }
    }
    for (; f < p; f++)
        for (bal_size g = 0; g < count; g++)
            dot[g] += u[f] * panel[f * ld + g];
}

uint32_t bal_count_up_to(const float *v, int n, float t)
{
    uint32_t count = 0;

    for (int j = 0; j < n; j++)
        count += v[j] <= t;
    return count;
}
