#include <math.h>
#include <stdlib.h>

#include "balans/base/mem.h"
#include "balans/metric/cluster.h"

typedef struct cell {
    int32_t a, b;
} cell;

static int compare_a(const void *x, const void *y)
{
    const cell *p = x, *q = y;

    return p->a < q->a ? -1 : p->a > q->a;
}

static int compare_b(const void *x, const void *y)
{
    const cell *p = x, *q = y;

    return p->b < q->b ? -1 : p->b > q->b;
}

static int compare_both(const void *x, const void *y)
{
    int a = compare_a(x, y);

    return a != 0 ? a : compare_b(x, y);
}

/* Over the groups of equal cells: entropy, and pairs of points in one group. */
typedef struct tally {
    double entropy, pairs;
} tally;

static tally count(cell *at, bal_size n,
                   int (*compare)(const void *, const void *))
{
    tally t = {0, 0};

    qsort(at, (size_t)n, sizeof *at, compare);
    for (bal_size i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && compare(&at[i], &at[end]) == 0;)
            end++;
        double size = (double)(end - i);
        t.entropy -= size / (double)n * log(size / (double)n);
        t.pairs += size * (size - 1) / 2;
    }
    return t;
}

static double adjusted_rand(tally a, tally b, tally both, bal_size n)
{
    double all = (double)n * (double)(n - 1) / 2;

    /* Pairs: together in both, in a only, in b only, in neither. */
    double yes = both.pairs, only_a = a.pairs - yes, only_b = b.pairs - yes;
    double no = all - yes - only_a - only_b;

    if (!(only_a > 0) && !(only_b > 0))
        return 1;
    return 2 * (yes * no - only_a * only_b) /
           ((yes + only_b) * (only_b + no) + (yes + only_a) * (only_a + no));
}

bal_status bal_partition_scores(const int32_t *a, const int32_t *b, bal_size n,
                                double *ari, double *nmi)
{
    bal_status st;
    cell *at = NULL;

    BAL_TRY(bal_alloc(&at, n, "a table of clusters"));
    for (bal_size i = 0; i < n; i++)
        at[i] = (cell){a[i], b[i]};
    tally of_a = count(at, n, compare_a);
    tally of_b = count(at, n, compare_b);
    tally both = count(at, n, compare_both);
    double shared = of_a.entropy + of_b.entropy - both.entropy;
    double mean = (of_a.entropy + of_b.entropy) / 2;
    *ari = adjusted_rand(of_a, of_b, both, n);
    *nmi = mean > 0 ? fmax(0, shared) / mean : 1;
done:
    bal_free(&at);
    return st;
}
