/* Each row is mixed with its number to 64 bits by multiplications and shifts,
 * in four chains that do not wait for each other; the halves are summed, which
 * does not depend on the order of rows.  Each step of a chain can be undone, so
 * that what differs in one of its terms differs in the end. */
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

uint64_t bal_checksum_bytes(uint64_t h, const void *bytes, bal_size count)
{
    uint64_t chain[CHAINS] = {h, h + 1, h + 2, h + 3}, pair[CHAINS];
    const char *x = bytes;
    uint32_t one;
    bal_size i = 0;

    for (; i + (bal_size)sizeof pair <= count; i += (bal_size)sizeof pair) {
        memcpy(pair, x + i, sizeof pair);
        for (int k = 0; k < CHAINS; k++)
            chain[k] = mix(chain[k], pair[k]);
    }
    for (int k = 0; k < CHAINS; k++)
        h = mix(h, chain[k]);
    for (; i < count; i += (bal_size)sizeof one) {
        bal_size left = count - i;
        one = 0;
        memcpy(&one, x + i, left < 4 ? (size_t)left : sizeof one);
        h = mix(h, one);
    }
    return h;
}

static uint64_t mix_row(uint64_t h, const float *x, bal_size d)
{
    return bal_checksum_bytes(h, x, d * (bal_size)sizeof *x);
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
