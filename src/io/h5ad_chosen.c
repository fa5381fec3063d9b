/* Some rows of a file, or some features of a matrix, as all that count.  A rank
 * knows its own rows, and where those of the others begin. */
#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/layout.h"
#include "h5ad_internal.h"

void bal_chosen_finish(bal_chosen *chosen)
{
    bal_free(&chosen->row);
    bal_free(&chosen->cut);
    *chosen = (bal_chosen){0};
}

bal_gidx bal_h5ad_input_row(const bal_h5ad *f, bal_gidx i)
{
    return f->chosen.n > 0 ? f->chosen.row[i - f->chosen.first] : i;
}

/* Rows before `row`, of `count` in ascending order. */
static bal_size rows_before(const bal_gidx *ascending, bal_size count,
                            bal_gidx row)
{
    bal_size low = 0, high = count;

    while (low < high) {
        bal_size mid = low + (high - low) / 2;
        if (ascending[mid] < row)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int bal_h5ad_owner(const bal_h5ad *f, bal_gidx row)
{
    int size = f->comm->size, r;

    if (f->chosen.n > 0) {
        r = (int)rows_before(f->chosen.cut, size + 1, row + 1) - 1;
        return r < 0 ? 0 : r > size - 1 ? size - 1 : r;
    }
    r = (int)((double)row / (double)f->n * (double)size);
    r = r > size - 1 ? size - 1 : r;
    while (r > 0 && row < bal_slab_first(f->n, r, size))
        r--;
    while (r < size - 1 && row >= bal_slab_first(f->n, r + 1, size))
        r++;
    return r;
}

bal_size bal_h5ad_place(const bal_h5ad *f, bal_gidx row)
{
    const bal_chosen *k = &f->chosen;
    bal_size i;

    if (k->n == 0)
        return row - f->slab.first;
    i = rows_before(k->row, k->m, row);
    return i < k->m && k->row[i] == row ? i : -1;
}

/* A rank without rows begins where the next one with rows does. */
static void find_cuts(bal_chosen *k, const bal_h5ad *f)
{
    int64_t first = k->m > 0 ? k->row[0] : f->n;

    bal_comm_gather_i64(f->comm, &first, 1, k->cut);
    k->cut[f->comm->size] = f->n;
    for (int r = f->comm->size - 1; r >= 0; r--)
        if (k->cut[r] > k->cut[r + 1])
            k->cut[r] = k->cut[r + 1];
}

bal_verdict bal_h5ad_choose(bal_h5ad *f, bal_size n, bal_gidx *row)
{
    bal_chosen k = {.n = n, .row = row};
    bal_verdict st;

    BAL_REQUIRE(!f->is_loaded && f->chosen.n == 0);
    k.first = bal_slab_first(n, f->comm->rank, f->comm->size);
    k.m = bal_slab_first(n, f->comm->rank + 1, f->comm->size) - k.first;
    BAL_TRY(bal_agree(f->comm, bal_alloc(&k.cut, f->comm->size + 1,
                                         "the rows that were chosen")));
    find_cuts(&k, f);
    f->chosen = k;
    k = (bal_chosen){0};
done:
    bal_chosen_finish(&k);
    return st;
}

bal_status bal_h5ad_keep(bal_h5ad *f, bal_size d, const bal_size *item)
{
    bal_status st;

    BAL_REQUIRE(f->has_matrix && f->kept.d == 0);
    st = bal_alloc(&f->kept.item, d, "the features that are kept");
    if (bal_failed(st))
        return st;
    memcpy(f->kept.item, item, (size_t)d * sizeof *item);
    f->kept.d = d;
    return BAL_OK;
}
