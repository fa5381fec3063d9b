#include "balans/data/blocks.h"

#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/par/layout.h"

bal_status bal_blocks_create(bal_size n, bal_size d, int rank, int size,
                             bal_blocks **out)
{
    bal_status st;
    bal_blocks *x = NULL;
    bal_size rows = bal_rows_of_block(n);
    bal_gidx end = bal_slab_first(n, rank + 1, size);

    *out = NULL;
    BAL_TRY(bal_alloc(&x, 1, "a matrix"));
    x->n = n;
    x->d = d;
    x->first = bal_slab_first(n, rank, size);
    x->m = end - x->first;
    x->count = (x->m + rows - 1) / rows;
    x->all = (n + rows - 1) / rows;
    x->longest = rows;
    BAL_TRY(bal_alloc(&x->start, x->count + 1, "the blocks of a matrix"));
    for (bal_size b = 0; b <= x->count; b++)
        x->start[b] = b * rows < x->m ? b * rows : x->m;
    *out = x;
    x = NULL;
done:
    bal_blocks_destroy(&x);
    return st;
}

bal_status bal_blocks_reside(bal_blocks *x)
{
    bal_size all = x->m * x->d;
    bal_status st =
        bal_take(&x->at, all + BAL_LANES, "a rank's rows of a matrix");

    for (bal_size i = all; !bal_failed(st) && i < all + BAL_LANES; i++)
        x->at[i] = 0;
    return st;
}

bal_status bal_blocks_stream(bal_blocks *x, const bal_source *source,
                             bal_size memory)
{
    bal_size room = memory / (4 * x->d);

    room = room < x->m ? room : x->m;
    x->room = room > x->longest ? room : x->longest;
    x->source = *source;
    return bal_alloc(&x->buffer, x->room * x->d + BAL_LANES,
                     "a buffer of rows");
}

void bal_blocks_destroy(bal_blocks **x)
{
    if (*x == NULL)
        return;
    bal_free(&(*x)->start);
    bal_free(&(*x)->at);
    bal_free(&(*x)->buffer);
    bal_free(x);
}

bal_sweep bal_sweep_begin(bal_blocks *x)
{
    return (bal_sweep){.x = x};
}

bool bal_sweep_next(bal_sweep *s)
{
    const bal_blocks *x = s->x;

    bal_alive();
    s->from = s->to;
    if (bal_failed(s->status) || s->from == x->count)
        return false;
    if (x->at != NULL) {
        s->to = x->count;
        s->rows = x->at;
        return true;
    }
    while (s->to < x->count &&
           x->start[s->to + 1] - x->start[s->from] <= x->room)
        s->to++;
    s->rows = x->buffer;
    s->status = x->source.read(x->source.arg, x->start[s->from],
                               x->start[s->to] - x->start[s->from], s->rows);
    return !bal_failed(s->status);
}

void bal_sweep_keep(bal_sweep *s)
{
    const bal_blocks *x = s->x;

    if (x->at == NULL && !bal_failed(s->status))
        s->status =
            x->source.write(x->source.arg, x->start[s->from],
                            x->start[s->to] - x->start[s->from], s->rows);
}
