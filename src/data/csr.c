#include "balans/data/csr.h"

#include <string.h>

#include "balans/base/mem.h"

bal_status bal_csr_row_create(bal_csr_row *row, bal_size count)
{
    bal_status st;

    row->count = 0;
    /* Kernels write whole vectors. */
    BAL_TRY(bal_take(&row->index, count + BAL_LANES, "a row of affinities"));
    BAL_TRY(bal_take(&row->value, count + BAL_LANES, "a row of affinities"));
    row->count = count;
done:
    if (bal_failed(st))
        bal_csr_row_finish(row);
    return st;
}

void bal_csr_row_finish(bal_csr_row *row)
{
    bal_free(&row->index);
    bal_free(&row->value);
    row->count = 0;
}

bal_status bal_csr_create(const bal_layout *layout, bal_csr **out)
{
    bal_status st = bal_alloc(out, 1, "the affinities");

    if (!bal_failed(st))
        (*out)->layout = layout;
    return st;
}

void bal_csr_destroy(bal_csr **a)
{
    if (*a == NULL)
        return;
    for (bal_size i = 0; i < (*a)->chunks; i++)
        bal_free(&(*a)->chunk[i]);
    bal_free(&(*a)->chunk);
    bal_free(&(*a)->row);
    bal_free(a);
}

/* Bytes of an array of `count` entries, so that the next one is aligned. */
static bal_size array_bytes(bal_size count)
{
    return (4 * count + BAL_ALIGN - 1) / BAL_ALIGN * BAL_ALIGN;
}

/* Starts a chunk that holds `bytes`; chunks grow with the matrix, so that a
 * small one takes little. */
static bal_status add_chunk(bal_csr *a, bal_size bytes)
{
    enum { LEAST = 1 << 20, MOST = 64 << 20 };
    bal_status st;
    bal_size size = a->bytes;

    size = size < LEAST ? LEAST : size;
    size = size > MOST ? MOST : size;
    size = size < bytes ? bytes : size;
    BAL_TRY(bal_resize(&a->chunk, a->chunks + 1, "the affinities"));
    BAL_TRY(bal_alloc(&a->chunk[a->chunks], size, "the affinities"));
    a->chunks++;
    a->left = size;
    a->bytes += size;
    a->next = a->chunk[a->chunks - 1];
done:
    return st;
}

bal_status bal_csr_push(bal_csr *a, bal_csr_row *row)
{
    bal_status st = BAL_OK;
    bal_size each = array_bytes(row->count);

    if (a->m == a->room) {
        BAL_TRY(bal_resize(&a->row, 2 * a->room + 64, "the affinities"));
        a->room = 2 * a->room + 64;
    }
    if (a->left < 2 * each)
        BAL_TRY(add_chunk(a, 2 * each));
    bal_csr_row *to = &a->row[a->m++];
    *to = (bal_csr_row){
        .landmark = row->landmark,
        .count = row->count,
        .index = (bal_lidx *)(void *)a->next,
        .value = (float *)(void *)(a->next + each),
    };
    a->next += 2 * each;
    a->left -= 2 * each;
    if (row->count > 0) {
        memcpy(to->index, row->index, (size_t)row->count * sizeof *to->index);
        memcpy(to->value, row->value, (size_t)row->count * sizeof *to->value);
    }
    bal_csr_row_finish(row);
done:
    return st;
}

bal_size bal_csr_entries(const bal_csr *a)
{
    bal_size sum = 0;

    for (bal_size i = 0; i < a->m; i++)
        sum += a->row[i].count;
    return sum;
}
