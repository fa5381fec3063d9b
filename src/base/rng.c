#include "balans/base/rng.h"

static void philox_round(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    uint64_t a = (uint64_t)0xD2511F53u * c[0];
    uint64_t b = (uint64_t)0xCD9E8D57u * c[2];
    uint32_t c1 = c[1], c3 = c[3];

    c[0] = (uint32_t)(b >> 32) ^ c1 ^ k0;
    c[1] = (uint32_t)b;
    c[2] = (uint32_t)(a >> 32) ^ c3 ^ k1;
    c[3] = (uint32_t)a;
}

void bal_philox(const uint32_t key[2], const uint32_t counter[4],
                uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];

    for (int i = 0; i < 4; i++)
        out[i] = counter[i];
    for (int round = 0; round < 10; round++) {
        philox_round(out, k0, k1);
        k0 += 0x9E3779B9u; /* Weyl constants: golden ratio, sqrt(3) - 1 */
        k1 += 0xBB67AE85u;
    }
}

uint64_t bal_rng_u64(uint64_t seed, uint32_t c0, uint32_t c1, uint32_t c2,
                     uint32_t c3)
{
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t counter[4] = {c0, c1, c2, c3}, out[4];

    bal_philox(key, counter, out);
    return out[0] | (uint64_t)out[1] << 32;
}

/* The high half of a 64 x 64-bit product from four 32 x 32-bit ones: C11 has no
 * 128-bit integers. */
uint64_t bal_rng_below(uint64_t r, uint64_t total)
{
    uint64_t rl = (uint32_t)r, rh = r >> 32;
    uint64_t tl = (uint32_t)total, th = total >> 32;
    uint64_t ll = rl * tl, lh = rl * th, hl = rh * tl, hh = rh * th;
    uint64_t middle = (ll >> 32) + (uint32_t)lh + (uint32_t)hl;

    return hh + (lh >> 32) + (hl >> 32) + (middle >> 32);
}

uint64_t bal_rng_order(uint64_t seed, uint32_t c0, uint32_t c1, uint64_t n,
                       uint64_t i)
{
    enum { ROUNDS = 8 };
    int half = 1;
    uint64_t mask;

    while (half < 31 && UINT64_C(1) << 2 * half < n)
        half++;
    mask = (UINT64_C(1) << half) - 1;
    do {
        uint64_t left = i >> half, right = i & mask;
        for (uint32_t r = 0; r < ROUNDS; r++) {
            uint64_t next =
                left ^ (bal_rng_u64(seed, c0, c1, r, (uint32_t)right) & mask);
            left = right;
            right = next;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}
