#include "balans/data/tiles.h"

#include <math.h>

#include "balans/base/mem.h"

bal_status bal_tiles_create(const bal_layout *layout, int p, bal_tiles **out)
{
    bal_status st;
    bal_tiles *z = NULL;

    *out = NULL;
    BAL_TRY(bal_alloc(&z, 1, "the distance space"));
    z->layout = layout;
    z->p = p;
    BAL_TRY(bal_alloc(&z->at, layout->lanes * p, "the distance space"));
    for (bal_size t = 0; t < layout->tiles; t++) {
        const bal_tile *tile = &layout->tile[t];
        float *block = bal_tiles_block(z, t);
        for (int f = 0; f < p; f++)
            for (int j = tile->m; j < tile->ld; j++)
                block[(bal_size)f * tile->ld + j] = INFINITY;
    }
    *out = z;
    z = NULL;
done:
    bal_tiles_destroy(&z);
    return st;
}

void bal_tiles_destroy(bal_tiles **z)
{
    if (*z == NULL)
        return;
    bal_free(&(*z)->at);
    bal_free(z);
}

void bal_tiles_point(const bal_tiles *z, bal_lidx j, float *out)
{
    bal_size t = bal_layout_tile(z->layout, j);
    const bal_tile *tile = &z->layout->tile[t];
    const float *from = bal_tiles_block(z, t) + (j - tile->first);

    for (int f = 0; f < z->p; f++)
        out[f] = from[(bal_size)f * tile->ld];
}

void bal_tiles_set(bal_tiles *z, bal_lidx j, const float *point)
{
    bal_size t = bal_layout_tile(z->layout, j);
    const bal_tile *tile = &z->layout->tile[t];
    float *to = bal_tiles_block(z, t) + (j - tile->first);

    for (int f = 0; f < z->p; f++)
        to[(bal_size)f * tile->ld] = point[f];
}

/* Whole tiles from local point `first` on, as rows. */
static bal_status read_rows(void *arg, bal_size first, bal_size count,
                            float *rows)
{
    const bal_tiles *z = arg;
    bal_size t = bal_layout_tile(z->layout, (bal_lidx)first);

    for (bal_size end = first + count; first < end; t++) {
        const bal_tile *tile = &z->layout->tile[t];
        const float *block = bal_tiles_block(z, t);
        for (int j = 0; j < tile->m; j++)
            for (int f = 0; f < z->p; f++)
                *rows++ = block[(bal_size)f * tile->ld + j];
        first += tile->m;
    }
    return BAL_OK;
}

static bal_status write_rows(void *arg, bal_size first, bal_size count,
                             const float *rows)
{
    bal_tiles *z = arg;
    bal_size t = bal_layout_tile(z->layout, (bal_lidx)first);

    for (bal_size end = first + count; first < end; t++) {
        const bal_tile *tile = &z->layout->tile[t];
        float *block = bal_tiles_block(z, t);
        for (int j = 0; j < tile->m; j++)
            for (int f = 0; f < z->p; f++)
                block[(bal_size)f * tile->ld + j] = *rows++;
        first += tile->m;
    }
    return BAL_OK;
}

bal_status bal_tiles_blocks(bal_tiles *z, bal_size memory, bal_blocks **out)
{
    const bal_layout *l = z->layout;
    const bal_source source = {z, read_rows, write_rows};
    bal_blocks *x = NULL;
    bal_status st;

    *out = NULL;
    BAL_TRY(bal_alloc(&x, 1, "the distance space"));
    *x = (bal_blocks){
        .n = l->n,
        .d = z->p,
        .first = l->rank_first[l->rank],
        .m = l->m,
        .count = l->tiles,
        .all = l->all_tiles,
        .longest = BAL_TILE,
    };
    BAL_TRY(bal_alloc(&x->start, l->tiles + 1, "the tiles"));
    for (bal_size t = 0; t < l->tiles; t++)
        x->start[t] = l->tile[t].first;
    x->start[l->tiles] = l->m;
    BAL_TRY(bal_blocks_stream(x, &source, memory));
    *out = x;
    x = NULL;
done:
    bal_blocks_destroy(&x);
    return st;
}
