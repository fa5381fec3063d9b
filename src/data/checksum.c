/* Each row is mixed with its number to 64 bits by multiplications and shifts,
 * in four chains that do not wait for each other; the halves are summed, which
 * does not depend on the order of rows. */
#include "balans/data/checksum.h"

#include <string.h>

#include "balans/base/watch.h"

enum { CHAINS = 4 }; /* of 64 bits: two numbers each */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

static uint64_t mix_row(uint64_t h, const float *x, bal_size d)
{
    uint64_t chain[CHAINS] = {h, h + 1, h + 2, h + 3}, pair[CHAINS];
    uint32_t one;
    bal_size f = 0;

    for (; f + 2 * CHAINS <= d; f += 2 * CHAINS) {
        memcpy(pair, x + f, sizeof pair);
        for (int i = 0; i < CHAINS; i++)
            chain[i] = mix(chain[i], pair[i]);
    }
    for (int i = 0; i < CHAINS; i++)
        h = mix(h, chain[i]);
    for (; f < d; f++) {
        memcpy(&one, x + f, sizeof one);
        h = mix(h, one);
    }
    return h;
}

/* Halves as int64: no overflow below 2^31 rows a half of 2^32. */
static void add(uint64_t h, int64_t half[2])
{
    half[0] += (int64_t)(h & UINT32_MAX);
    half[1] += (int64_t)(h >> 32);
}

static uint64_t sum(bal_comm *c, int64_t half[2])
{
    bal_comm_sum_i64(c, half, 2);
    return ((uint64_t)half[1] << 32) + (uint64_t)half[0];
}

uint64_t bal_checksum_rows(bal_comm *c, const bal_route *route,
                           const bal_shard *s)
{
    int64_t half[2] = {0, 0};

    for (bal_lidx i = 0; i < s->m; i++) {
        if (i % BAL_TILE == 0)
            bal_alive();
        add(mix_row(mix((uint64_t)s->d, (uint64_t)route->row[i]),
                    s->at + i * s->d, s->d),
            half);
    }
    return sum(c, half);
}

uint64_t bal_checksum_batches(bal_comm *c, const bal_route *route)
{
    const bal_layout *l = route->layout;
    int64_t half[2] = {0, 0};

    for (bal_size t = 0; t < l->tiles; t++)
        for (int i = 0; i < l->tile[t].m; i++)
            add(mix((uint64_t)route->row[l->tile[t].first + i],
                    (uint64_t)l->tile[t].batch),
                half);
    return sum(c, half);
}
