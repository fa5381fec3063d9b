/* Each row is mixed with its number to 64 bits by multiplications and shifts,
 * in four chains that do not wait for each other; the halves are summed, which
 * does not depend on the order of rows. */
#include "balans/data/checksum.h"

#include <string.h>

#include "balans/base/watch.h"
#include "balans/par/agree.h"

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

bal_verdict bal_checksum_rows(bal_comm *c, bal_blocks *x, uint64_t *out)
{
    int64_t half[2] = {0, 0};
    bal_sweep s = bal_sweep_begin(x);

    while (bal_sweep_next(&s))
        for (bal_size i = x->start[s.from]; i < x->start[s.to]; i++) {
            if (i % BAL_TILE == 0)
                bal_alive();
            add(mix_row(mix((uint64_t)x->d, (uint64_t)(x->first + i)),
                        s.rows + (i - x->start[s.from]) * x->d, x->d),
                half);
        }
    *out = sum(c, half);
    return bal_agree(c, s.status);
}

uint64_t bal_checksum_batches(bal_comm *c, const bal_labels *labels)
{
    int64_t half[2] = {0, 0};

    for (bal_size i = 0; i < labels->m; i++)
        add(mix((uint64_t)(labels->first + i), (uint64_t)labels->code[i]),
            half);
    return sum(c, half);
}
