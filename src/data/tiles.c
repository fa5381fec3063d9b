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

void bal_tiles_to_rows(const bal_tiles *z, bal_shard *s)
{
    for (bal_size t = 0; t < z->layout->tiles; t++) {
        const bal_tile *tile = &z->layout->tile[t];
        const float *block = bal_tiles_block(z, t);
        float *row = s->at + (bal_size)tile->first * z->p;
        for (int j = 0; j < tile->m; j++)
            for (int f = 0; f < z->p; f++)
                row[(bal_size)j * z->p + f] = block[(bal_size)f * tile->ld + j];
    }
}

void bal_tiles_from_rows(bal_tiles *z, const bal_shard *s)
{
    for (bal_size t = 0; t < z->layout->tiles; t++) {
        const bal_tile *tile = &z->layout->tile[t];
        float *block = bal_tiles_block(z, t);
        const float *row = s->at + (bal_size)tile->first * z->p;
        for (int j = 0; j < tile->m; j++)
            for (int f = 0; f < z->p; f++)
                block[(bal_size)f * tile->ld + j] = row[(bal_size)j * z->p + f];
    }
}
