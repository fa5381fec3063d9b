#include "balans/metric/set.h"

#include <limits.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "balans/metric/stat.h"
#include "balans/par/agree.h"
#include "balans/par/layout.h"

static bal_status grouping_create(bal_size n, bal_size count, bal_grouping *g)
{
    bal_status st;

    g->count = count;
    BAL_TRY(bal_alloc(&g->code, n, "the groups of the points"));
    BAL_TRY(bal_alloc(&g->size, count, "the sizes of groups"));
done:
    return st;
}

static void grouping_finish(bal_grouping *g)
{
    bal_free(&g->code);
    bal_free(&g->size);
}

static void grouping_count(bal_grouping *g, bal_size n)
{
    for (bal_size i = 0; i < n; i++)
        g->size[g->code[i]]++;
    for (bal_size a = 0; a < g->count; a++)
        g->filled += g->size[a] > 0;
}

void bal_set_destroy(bal_set **set)
{
    if (*set == NULL)
        return;
    bal_free(&(*set)->first);
    bal_free(&(*set)->x);
    bal_free(&(*set)->row);
    grouping_finish(&(*set)->batch);
    grouping_finish(&(*set)->label);
    bal_free(set);
}

/* Everything but the number of points of the ranks. */
static bal_status set_create(int ranks, bal_size n, bal_size m, bal_size d,
                             bal_size batches, bal_size labels, bal_set **out)
{
    bal_status st;
    bal_set *s = NULL;

    *out = NULL;
    BAL_TRY(bal_alloc(&s, 1, "the points"));
    s->n = n;
    s->m = m;
    s->d = d;
    BAL_TRY(bal_alloc(&s->first, ranks + 1, "the points"));
    BAL_TRY(bal_alloc(&s->x, m * d, "the points"));
    BAL_TRY(bal_alloc(&s->row, m, "the points"));
    BAL_TRY(grouping_create(n, batches, &s->batch));
    BAL_TRY(grouping_create(n, labels, &s->label));
    *out = s;
    s = NULL;
done:
    bal_set_destroy(&s);
    return st;
}

/* Collective.  Every rank's codes to every rank; counts fit an int because n
 * does. */
static void share_codes(bal_comm *c, const bal_set *s, const int32_t *mine,
                        int *count, int *at, int32_t *all)
{
    for (int r = 0; r < c->size; r++) {
        at[r] = (int)s->first[r];
        count[r] = (int)(s->first[r + 1] - s->first[r]);
    }
    MPI_Allgatherv(mine, (int)s->m, MPI_INT32_T, all, count, at, MPI_INT32_T,
                   c->mpi);
    bal_comm_count(c, s->m * (bal_size)sizeof *mine);
}

static bal_verdict share(bal_comm *c, bal_set *s, const int32_t *batch,
                         const int32_t *label)
{
    bal_verdict st;
    bal_status mine;
    int *count = NULL, *at = NULL;

    mine = bal_alloc(&count, c->size, "an exchange");
    if (!bal_failed(mine))
        mine = bal_alloc(&at, c->size, "an exchange");
    BAL_TRY(bal_agree(c, mine));
    share_codes(c, s, batch, count, at, s->batch.code);
    share_codes(c, s, label, count, at, s->label.code);
    grouping_count(&s->batch, s->n);
    grouping_count(&s->label, s->n);
done:
    bal_free(&count);
    bal_free(&at);
    return st;
}

static bal_status check_size(bal_size n)
{
    if (n < INT_MAX)
        return BAL_OK;
    return BAL_FAIL(BAL_ERANGE,
                    "cannot evaluate %lld points at once; at most %d",
                    (long long)n, INT_MAX - 1);
}

bal_verdict bal_set_create(bal_comm *c, const bal_labels *batch,
                           const bal_labels *label, bal_size d, bal_set **out)
{
    bal_verdict st;
    bal_set *s = NULL;

    *out = NULL;
    BAL_TRY(bal_agree(c, check_size(batch->n)));
    BAL_TRY(bal_agree(c, set_create(c->size, batch->n, batch->m, d,
                                    batch->count, label->count, &s)));
    for (int r = 0; r <= c->size; r++)
        s->first[r] = bal_slab_first(s->n, r, c->size);
    for (bal_size i = 0; i < s->m; i++)
        s->row[i] = batch->first + i;
    BAL_TRY(share(c, s, batch->code, label->code));
    *out = s;
    s = NULL;
done:
    bal_set_destroy(&s);
    return st;
}

static void copy_points(const bal_set *from, bal_gidx first, const bool *keep,
                        bal_set *to, int32_t *batch, int32_t *label)
{
    bal_size k = 0;

    for (bal_size i = 0; i < from->m; i++) {
        if (!keep[i])
            continue;
        memcpy(to->x + k * to->d, from->x + i * to->d,
               (size_t)to->d * sizeof *to->x);
        to->row[k] = from->row[i];
        batch[k] = from->batch.code[first + i];
        label[k] = from->label.code[first + i];
        k++;
    }
}

bal_verdict bal_set_subset(bal_comm *c, const bal_set *set, const bool *keep,
                           bal_set **out)
{
    bal_verdict st;
    bal_set *s = NULL;
    int64_t m = 0, *count = NULL;
    int32_t *batch = NULL, *label = NULL;
    bal_size n = 0;

    *out = NULL;
    for (bal_size i = 0; i < set->m; i++)
        m += keep[i];
    BAL_TRY(bal_agree(c, bal_alloc(&count, c->size, "the points")));
    bal_comm_gather_i64(c, &m, 1, count);
    for (int r = 0; r < c->size; r++)
        n += count[r];
    bal_status mine = set_create(c->size, n, m, set->d, set->batch.count,
                                 set->label.count, &s);
    if (!bal_failed(mine))
        mine = bal_alloc(&batch, m, "the groups of the points");
    if (!bal_failed(mine))
        mine = bal_alloc(&label, m, "the groups of the points");
    BAL_TRY(bal_agree(c, mine));
    for (int r = 0; r < c->size; r++)
        s->first[r + 1] = s->first[r] + count[r];
    copy_points(set, set->first[c->rank], keep, s, batch, label);
    BAL_TRY(share(c, s, batch, label));
    *out = s;
    s = NULL;
done:
    bal_set_destroy(&s);
    bal_free(&count);
    bal_free(&batch);
    bal_free(&label);
    return st;
}

enum { PURPOSE = 0x73616d70 }; /* apart from other uses of the seed */

/* Keys of different rows may be equal, if ever so rarely; the row's low bits
 * keep them apart. */
static uint64_t luck(uint64_t seed, bal_gidx row)
{
    uint64_t r = bal_rng_u64(seed, PURPOSE, 0, (uint32_t)row,
                             (uint32_t)((uint64_t)row >> 32));

    return (r & ~(uint64_t)0x7fffffff) | ((uint64_t)row & 0x7fffffff);
}

bal_verdict bal_set_sample(bal_comm *c, const bal_set *set, bal_size count,
                           uint64_t seed, bal_set **out)
{
    bal_verdict st;
    uint64_t *key = NULL, last = UINT64_MAX;
    bool *keep = NULL;

    *out = NULL;
    bal_status mine = bal_alloc(&key, set->m, "a sample");
    if (!bal_failed(mine))
        mine = bal_alloc(&keep, set->m, "a sample");
    BAL_TRY(bal_agree(c, mine));
    for (bal_size i = 0; i < set->m; i++)
        key[i] = luck(seed, set->row[i]);
    if (count < set->n)
        BAL_TRY(bal_select_u64(c, key, set->m, count, &last));
    for (bal_size i = 0; i < set->m; i++)
        keep[i] = key[i] <= last;
    BAL_TRY(bal_set_subset(c, set, keep, out));
done:
    bal_free(&key);
    bal_free(&keep);
    return st;
}
