#include "balans/data/csr.h"

#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/exchange.h"

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

void bal_csr_row_sizes(bal_comm *c, const bal_csr *a, int64_t *size)
{
    for (bal_size i = 0; i < a->m; i++)
        size[i] = a->row[i].count;
    bal_comm_sum_i64(c, size, a->m);
}

void bal_csr_column_sums(const bal_csr *a, double *sum)
{
    memset(sum, 0, (size_t)a->layout->m * sizeof *sum);
    for (bal_size i = 0; i < a->m; i++) {
        const bal_csr_row *row = &a->row[i];
        for (bal_size e = 0; e < row->count; e++)
            sum[row->index[e]] += (double)row->value[e];
    }
}

/* An entry on its way to the rank that writes its row. */
typedef struct item {
    bal_gidx column;
    int32_t row; /* from the first row collected */
    float value;
} item;

static int by_row_and_column(const void *a, const void *b)
{
    const item *x = a, *y = b;

    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return (x->column > y->column) - (x->column < y->column);
}

/* This rank's entries of the rows, ordered by row and so by destination. */
static bal_status pack(const bal_csr *a, const bal_route *route,
                       bal_size first, bal_size count, int size, item **out,
                       bal_size **to, bal_size **from)
{
    bal_status st;
    bal_size entries = 0, at = 0;

    BAL_TRY(bal_alloc(to, size, "collecting affinities"));
    BAL_TRY(bal_alloc(from, size, "collecting affinities"));
    for (bal_size i = first; i < first + count; i++)
        entries += a->row[i].count;
    BAL_TRY(bal_alloc(out, entries, "collecting affinities"));
    for (int r = 0; r < size; r++) {
        bal_size end = first + bal_share_first(count, r + 1, size);
        bal_size before = at;
        for (bal_size i = first + bal_share_first(count, r, size); i < end; i++)
            for (bal_size e = 0; e < a->row[i].count; e++)
                (*out)[at++] = (item){
                    .column = route->row[a->row[i].index[e]],
                    .row = (int32_t)(i - first),
                    .value = a->row[i].value[e],
                };
        (*to)[r] = at - before;
    }
done:
    return st;
}

static bal_status unpack(item *got, bal_size entries, bal_csr_run *run)
{
    bal_status st;

    BAL_TRY(bal_alloc(&run->column, entries, "collecting affinities"));
    BAL_TRY(bal_alloc(&run->value, entries, "collecting affinities"));
    if (entries > 0)
        qsort(got, (size_t)entries, sizeof *got, by_row_and_column);
    for (bal_size e = 0; e < entries; e++) {
        run->column[e] = got[e].column;
        run->value[e] = got[e].value;
    }
    run->entries = entries;
done:
    return st;
}

bal_verdict bal_csr_collect(bal_comm *c, const bal_csr *a,
                            const bal_route *route, bal_size first,
                            bal_size count, bal_csr_run *run)
{
    bal_verdict st;
    item *send = NULL;
    void *got = NULL;
    bal_size *to = NULL, *from = NULL, entries = 0;

    *run = (bal_csr_run){
        .rows = bal_share_first(count, c->rank + 1, c->size) -
                bal_share_first(count, c->rank, c->size),
    };
    BAL_TRY(bal_agree(
        c, pack(a, route, first, count, c->size, &send, &to, &from)));
    BAL_TRY(bal_exchange(c, send, to, sizeof *send, &got, from));
    for (int r = 0; r < c->size; r++)
        entries += from[r];
    BAL_TRY(bal_agree(c, unpack(got, entries, run)));
done:
    if (bal_failed(st))
        bal_csr_run_finish(run);
    bal_free(&send);
    bal_free(&to);
    bal_free(&from);
    bal_mem_free(&got);
    return st;
}

void bal_csr_run_finish(bal_csr_run *run)
{
    bal_free(&run->column);
    bal_free(&run->value);
    run->entries = 0;
}
