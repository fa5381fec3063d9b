/* Coverage of a block of the sampler.
 *
 * As long as a point of the block is not covered anywhere, draws are uniform
 * over such points and one bit a point is enough. Once this rank's points are
 * all covered, weights may be needed: C_j = sum over the block's rows of
 * round(a 2^20), at most 2^20 a row and so below 2^32 for 4095 rows, and the
 * weight floor(2^40 / C_j). Integers make the totals independent of the order
 * of summation. Weights are summed by tile and kept up to date with each row,
 * so a draw costs a pass over tiles and one over a tile's points.
 *
 * Reference: docs/algorithm.md, "Drawing". */
#include "cover.h"

#include <math.h>
#include <string.h>

#include "balans/base/mem.h"

bal_status bal_bits_create(bal_bits *b, bal_lidx m)
{
    b->words = (m + (bal_size)63) / 64;
    return bal_alloc(&b->word, b->words, "coverage");
}

void bal_bits_finish(bal_bits *b)
{
    bal_free(&b->word);
}

/* Marks entries from .. to - 1. */
static bal_size mark(bal_bits *b, const bal_csr_row *row, bal_size from,
                     bal_size to)
{
    bal_size fresh = 0;

    for (bal_size e = from; e < to; e++) {
        bal_lidx j = row->index[e];
        uint64_t bit = (uint64_t)1 << (j & 63);
        fresh += (b->word[j >> 6] & bit) == 0;
        b->word[j >> 6] |= bit;
    }
    return fresh;
}

bal_size bal_bits_mark(bal_bits *b, const bal_csr_row *row)
{
    return mark(b, row, 0, row->count);
}

/* The first entry of a row whose point is not below `j`. */
static bal_size entry_from(const bal_csr_row *row, bal_size j)
{
    bal_size low = 0, high = row->count;

    while (low < high) {
        bal_size mid = low + (high - low) / 2;
        if (row->index[mid] < j)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bal_size bal_bits_mark_part(bal_bits *b, const bal_csr_row *row, int part,
                            int parts)
{
    bal_size from = 64 * (b->words * part / parts);
    bal_size to = 64 * (b->words * (part + 1) / parts);

    return mark(b, row, entry_from(row, from), entry_from(row, to));
}

bal_status bal_cover_create(bal_cover *c, const bal_layout *layout)
{
    c->layout = layout;
    c->left = layout->m;
    return bal_bits_create(&c->covered, layout->m);
}

void bal_cover_finish(bal_cover *c)
{
    bal_bits_finish(&c->covered);
    bal_free(&c->sum);
    bal_free(&c->tile);
}

void bal_cover_reset(bal_cover *c)
{
    memset(c->covered.word, 0,
           (size_t)c->covered.words * sizeof *c->covered.word);
    c->left = c->layout->m;
    c->weighted = false;
}

static int64_t weight_of(uint32_t sum)
{
    return (int64_t)(((uint64_t)1 << 40) / sum);
}

static uint32_t share_of(float a)
{
    return (uint32_t)lroundf(a * 1048576.0f); /* 2^20, exact but for lround */
}

/* Sums and weights from all rows of the block. */
static bal_status start_weights(bal_cover *c, const bal_csr_row *rows,
                                bal_size count)
{
    bal_status st = BAL_OK;
    const bal_layout *l = c->layout;

    if (c->sum == NULL)
        BAL_TRY(bal_alloc(&c->sum, l->m, "coverage"));
    if (c->tile == NULL)
        BAL_TRY(bal_alloc(&c->tile, l->tiles, "coverage"));
    memset(c->sum, 0, (size_t)l->m * sizeof *c->sum);
    for (bal_size i = 0; i < count; i++)
        for (bal_size e = 0; e < rows[i].count; e++)
            c->sum[rows[i].index[e]] += share_of(rows[i].value[e]);
    c->weight = 0;
    for (bal_size t = 0; t < l->tiles; t++) {
        const uint32_t *sum = c->sum + l->tile[t].first;
        c->tile[t] = 0;
        for (int j = 0; j < l->tile[t].m; j++)
            c->tile[t] += weight_of(sum[j]);
        c->weight += c->tile[t];
    }
    c->weighted = true;
done:
    return st;
}

static void add_weights(bal_cover *c, const bal_csr_row *row)
{
    const bal_layout *l = c->layout;
    bal_size t = 0;

    for (bal_size e = 0; e < row->count; e++) {
        bal_lidx j = row->index[e];
        while (j >= l->tile[t].first + l->tile[t].m)
            t++;
        int64_t old = weight_of(c->sum[j]);
        c->sum[j] += share_of(row->value[e]);
        int64_t change = weight_of(c->sum[j]) - old;
        c->tile[t] += change;
        c->weight += change;
    }
}

bal_status bal_cover_add(bal_cover *c, const bal_csr_row *rows, bal_size t)
{
    if (c->weighted) {
        add_weights(c, &rows[t]);
        return BAL_OK;
    }
    c->left -= bal_bits_mark(&c->covered, &rows[t]);
    return c->left == 0 ? start_weights(c, rows, t + 1) : BAL_OK;
}

bal_lidx bal_cover_find_left(const bal_cover *c, bal_size item)
{
    bal_size w = 0;
    uint64_t left;

    for (;; w++) {
        bal_size here = 64 - __builtin_popcountll(c->covered.word[w]);
        if (item < here)
            break;
        item -= here;
    }
    for (left = ~c->covered.word[w]; item > 0; item--)
        left &= left - 1; /* drops the lowest of the points left */
    return (bal_lidx)(64 * w + __builtin_ctzll(left));
}

bal_lidx bal_cover_find_weight(const bal_cover *c, int64_t item)
{
    bal_size t = 0;

    while (item >= c->tile[t])
        item -= c->tile[t++];
    bal_lidx j = c->layout->tile[t].first;
    while (item >= weight_of(c->sum[j]))
        item -= weight_of(c->sum[j++]);
    return j;
}
