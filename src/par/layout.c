/* Tiles are numbered through all batches, batch b having ceil(size_b / T) of
 * them, and a rank's run of tiles is found from the position its part should
 * start at: everything follows from the batch sizes by arithmetic, so no rank
 * stores more than its own tiles and two arrays, of B + 1 and size + 1. */
#include "balans/par/layout.h"

#include "balans/base/mem.h"

/* Last index i of first[0 .. count] with first[i] <= x; first is ascending and
 * first[0] <= x. */
static bal_size last_at_most(const bal_gidx *first, bal_size count, bal_gidx x)
{
    bal_size low = 0, high = count;

    while (high - low > 0) {
        bal_size middle = low + (high - low + 1) / 2;
        if (first[middle] <= x)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* The first position at or after x at which a tile starts (n if none). */
static bal_gidx next_tile_start(const bal_layout *l, bal_gidx x)
{
    if (x >= l->n)
        return l->n;
    bal_size b = bal_layout_batch(l, x);
    bal_gidx start = l->batch_first[b];
    bal_gidx next = start + (x - start + BAL_TILE - 1) / BAL_TILE * BAL_TILE;

    return next < l->batch_first[b + 1] ? next : l->batch_first[b + 1];
}

static bal_size tiles_of(bal_size points)
{
    return (points + BAL_TILE - 1) / BAL_TILE;
}

/* floor(n r / size) without the product, which may not fit. */
bal_size bal_share_first(bal_size n, int rank, int size)
{
    return n / size * rank + n % size * rank / size;
}

bal_size bal_rows_of_block(bal_size n)
{
    bal_size rows = BAL_TILE;

    while (rows < BAL_BLOCK && rows * BAL_BLOCKS_ENOUGH < n)
        rows *= 2;
    return rows;
}

bal_gidx bal_slab_first(bal_size n, int rank, int size)
{
    bal_size rows = bal_rows_of_block(n);
    bal_gidx first = rows * bal_share_first((n + rows - 1) / rows, rank, size);

    return first < n ? first : n;
}

static bal_status cut(bal_layout *l, const bal_size *batch_size)
{
    for (bal_size b = 0; b < l->batches; b++) {
        l->batch_first[b + 1] = l->batch_first[b] + batch_size[b];
        l->all_tiles += tiles_of(batch_size[b]);
    }
    l->n = l->batch_first[l->batches];
    for (int r = 0; r <= l->size; r++)
        l->rank_first[r] =
            next_tile_start(l, bal_share_first(l->n, r, l->size));

    bal_gidx m = l->rank_first[l->rank + 1] - l->rank_first[l->rank];
    if (m > INT32_MAX)
        return BAL_FAIL(BAL_ERANGE,
                        "cannot give %lld points to one rank; use more ranks, "
                        "at most 2147483647 points each",
                        (long long)m);
    l->m = (bal_lidx)m;
    return BAL_OK;
}

/* Visits this rank's tiles; with `out` NULL it only counts them. */
static bal_size list_tiles(const bal_layout *l, bal_tile *out, bal_size *lanes)
{
    bal_gidx at = l->rank_first[l->rank], end = l->rank_first[l->rank + 1];
    bal_size count = 0, offset = 0;

    while (at < end) {
        bal_size b = bal_layout_batch(l, at);
        bal_size left = l->batch_first[b + 1] - at;
        int32_t m = left < BAL_TILE ? (int32_t)left : BAL_TILE;
        int32_t ld = (m + BAL_LANES - 1) / BAL_LANES * BAL_LANES;
        if (out != NULL)
            out[count] = (bal_tile){
                .first = (bal_lidx)(at - l->rank_first[l->rank]),
                .m = m,
                .ld = ld,
                .batch = (int32_t)b,
                .offset = offset,
            };
        count++;
        offset += ld;
        at += m;
    }
    *lanes = offset;
    return count;
}

bal_status bal_layout_create(const bal_size *batch_size, bal_size batches,
                             int rank, int size, bal_layout **out)
{
    bal_status st;
    bal_layout *l = NULL;

    *out = NULL;
    BAL_TRY(bal_alloc(&l, 1, "the layout"));
    l->batches = batches;
    l->rank = rank;
    l->size = size;
    BAL_TRY(bal_alloc(&l->batch_first, batches + 1, "the layout"));
    BAL_TRY(bal_alloc(&l->rank_first, size + 1, "the layout"));
    BAL_TRY(cut(l, batch_size));
    l->tiles = list_tiles(l, NULL, &l->lanes);
    BAL_TRY(bal_alloc(&l->tile, l->tiles, "the layout"));
    (void)list_tiles(l, l->tile, &l->lanes);
    *out = l;
    l = NULL;
done:
    bal_layout_destroy(&l);
    return st;
}

void bal_layout_destroy(bal_layout **l)
{
    if (*l == NULL)
        return;
    bal_free(&(*l)->batch_first);
    bal_free(&(*l)->rank_first);
    bal_free(&(*l)->tile);
    bal_free(l);
}

/* Ranks without points share their first position with the next rank, so the
 * last rank that starts at or before `pos` is the one that holds it. */
int bal_layout_owner(const bal_layout *l, bal_gidx pos)
{
    return (int)last_at_most(l->rank_first, l->size - 1, pos);
}

bal_size bal_layout_batch(const bal_layout *l, bal_gidx pos)
{
    return last_at_most(l->batch_first, l->batches - 1, pos);
}

bal_size bal_layout_tile(const bal_layout *l, bal_lidx j)
{
    bal_size low = 0, high = l->tiles - 1;

    while (low < high) {
        bal_size middle = low + (high - low + 1) / 2;
        if (l->tile[middle].first <= j)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}
