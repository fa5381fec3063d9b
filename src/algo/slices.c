#include "slices.h"

#include <omp.h>

#include "balans/base/watch.h"

static bal_size in_block(const bal_blocks *x)
{
    return (x->longest + BAL_TILE - 1) / BAL_TILE;
}

bal_size bal_slices_all(const bal_blocks *x)
{
    return x->all * in_block(x);
}

/* Slice number i of block b; m is not above 0 where the block is shorter. */
static bal_slice slice_at(const bal_sweep *s, bal_size b, bal_size i)
{
    bal_size left = bal_block_size(s->x, b) - i * BAL_TILE;

    return (bal_slice){
        .rows = bal_sweep_block(s, b) + i * BAL_TILE * s->x->d,
        .first = s->x->start[b] + i * BAL_TILE,
        .m = (int)(left < BAL_TILE ? left : BAL_TILE),
        .thread = omp_get_thread_num(),
    };
}

void bal_slices_do(const bal_sweep *s, bal_size from, bal_size to, int threads,
                   bal_slice_fn *work, void *self)
{
    bal_size each = in_block(s->x);

#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (bal_size q = from * each; q < to * each; q++) {
        bal_slice slice = slice_at(s, q / each, q % each);
        bal_alive();
        if (slice.m > 0)
            work(self, &slice);
    }
}

bal_status bal_slices_sweep(bal_blocks *x, int threads, bal_slice_fn *work,
                            void *self)
{
    bal_sweep s = bal_sweep_begin(x);

    while (bal_sweep_next(&s))
        bal_slices_do(&s, s.from, s.to, threads, work, self);
    return s.status;
}
