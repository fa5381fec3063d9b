#include "ranks.h"

#include <string.h>

#include "balans/kernel/sums.h"

/* Above it a search for each value beats a comparison with each threshold. */
enum { MANY = 128 };

static bal_size first_not_less(const float *t, bal_size n, float v)
{
    const float *low = t;

    while (n > 1) {
        bal_size half = n / 2;
        low = low[half - 1] < v ? low + half : low;
        n -= half;
    }
    return low - t;
}

void bal_ranks_add(const float *v, int n, const float *t, bal_size thresholds,
                   uint32_t *count)
{
    if (thresholds <= MANY) {
        for (bal_size r = 0; r < thresholds; r++)
            count[r] += bal_count_up_to(v, n, t[r]);
        return;
    }
    for (int j = 0; j < n; j++)
        if (v[j] <= t[thresholds - 1])
            count[first_not_less(t, thresholds, v[j])]++;
}

void bal_ranks_finish(bal_size thresholds, uint32_t *count)
{
    for (bal_size r = 1; r < thresholds && thresholds > MANY; r++)
        count[r] += count[r - 1];
}

static void sort_few(uint32_t *key, bal_size n)
{
    for (bal_size i = 1; i < n; i++) {
        uint32_t v = key[i];
        bal_size j = i;
        for (; j > 0 && key[j - 1] > v; j--)
            key[j] = key[j - 1];
        key[j] = v;
    }
}

void bal_sort_u32(uint32_t *key, bal_size n, uint32_t *work)
{
    enum { BYTE = 256, FEW = 64 };

    if (n <= FEW) {
        sort_few(key, n);
        return;
    }
    for (int shift = 0; shift < 32; shift += 8) {
        bal_size at[BYTE + 1] = {0};
        for (bal_size i = 0; i < n; i++)
            at[((key[i] >> shift) & (BYTE - 1)) + 1]++;
        for (int b = 0; b < BYTE; b++)
            at[b + 1] += at[b];
        for (bal_size i = 0; i < n; i++)
            work[at[(key[i] >> shift) & (BYTE - 1)]++] = key[i];
        memcpy(key, work, (size_t)n * sizeof *key);
    }
}
