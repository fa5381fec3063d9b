/* The parts that batches have in the landmarks, by one pass over A by tile: a
 * tile belongs to one batch, so a run of entries is a summand of one part.
 * Sums are exact reductions.
 * Cost: an addition an entry, 16 m groups bytes reduced.
 * Reference: docs/algorithm.md, section 6. */
#include "balans/algo/trust.h"

#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/par/agree.h"
#include "balans/par/sum.h"

static const char what[] = "the parts of the batches";

typedef struct tally {
    bal_fixed *sum;
    int64_t *entries; /* [m] of each row */
    bal_scale scale;
} tally;

static void add_tile(const bal_affinity *a, bal_size t, bal_size groups,
                     const bal_layout *l, tally *y)
{
    bal_size g = groups > 1 ? l->tile[t].batch : 0;

    for (bal_size r = a->run_first[t]; r < a->run_first[t + 1]; r++) {
        bal_size i = a->run[r].landmark;
        bal_size e = bal_run_first(a, t, r), end = bal_run_end(a, t, r);
        double part = 0;
        y->entries[i] += end - e;
        for (; e < end; e++)
            part += (double)a->value[e];
        bal_fixed_add(&y->sum[i * groups + g], &y->scale, part);
    }
}

static bal_status parts_allot(bal_size m, bal_size groups, bal_parts **out,
                              tally *y)
{
    bal_parts *p = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&p, 1, what));
    *out = p;
    p->m = m;
    p->groups = groups;
    BAL_TRY(bal_alloc(&p->sum, m, what));
    BAL_TRY(bal_alloc(&p->weight, m * groups, what));
    BAL_TRY(bal_alloc(&y->sum, m * groups, what));
    BAL_TRY(bal_alloc(&y->entries, m, what));
done:
    return st;
}

bal_verdict bal_parts_create(bal_comm *c, const bal_affinity *a,
                             const bal_layout *l, bal_size groups,
                             bal_parts **out)
{
    bal_parts *p = NULL;
    tally y = {.scale = bal_scale_for((double)l->n, l->all_tiles)};
    bal_verdict st;

    *out = NULL;
    BAL_TRY(bal_agree(c, parts_allot(a->m, groups, &p, &y)));
    for (bal_size t = 0; t < a->count; t++) {
        add_tile(a, t, groups, l, &y);
        bal_alive();
    }
    bal_fixed_reduce(c, y.sum, a->m * groups);
    bal_comm_sum_i64(c, y.entries, a->m);
    for (bal_size i = 0; i < a->m; i++) {
        p->longest = y.entries[i] > p->longest ? y.entries[i] : p->longest;
        for (bal_size g = 0; g < groups; g++) {
            double w = bal_fixed_value(y.sum[i * groups + g], &y.scale);
            p->weight[i * groups + g] = w;
            p->sum[i] += w;
        }
    }
    *out = p;
    p = NULL;
done:
    bal_parts_destroy(&p);
    bal_free(&y.sum);
    bal_free(&y.entries);
    return st;
}

void bal_parts_destroy(bal_parts **p)
{
    if (*p == NULL)
        return;
    bal_free(&(*p)->sum);
    bal_free(&(*p)->weight);
    bal_free(p);
}
