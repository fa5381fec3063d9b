/**
 * @file
 * Random numbers as a function of (seed, position), never a stream:
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy
 * as 1, 2, 3", SC 2011).  algorithm.md, section 5.
 */
#ifndef BAL_BASE_RNG_H
#define BAL_BASE_RNG_H

#include <stdint.h>

/** Ten rounds of Philox4x32.  Local.  Key and counter words low first. */
void bal_philox(const uint32_t key[2], const uint32_t counter[4],
                uint32_t out[4]);

/** word0 + 2^32 word1 of Philox under key `seed` at the given counter.
 *  Local. */
uint64_t bal_rng_u64(uint64_t seed, uint32_t c0, uint32_t c1, uint32_t c2,
                     uint32_t c3);

/** floor(r * total / 2^64), exactly: the item of [0, total) that r draws.
 *  Local.  0 for total 0. */
uint64_t bal_rng_below(uint64_t r, uint64_t total);

/** Item i of a random order of 0 .. n - 1, n <= 2^62: an order for each seed
 *  and counter (c0, c1), of which any item can be had by itself.  A Feistel
 *  network over the next power of four, walked until the value is below n
 *  (J. Black, P. Rogaway, "Ciphers with arbitrary finite domains", CT-RSA
 *  2002).  Local.  Cost: 8 numbers of Philox, four times at most on average. */
uint64_t bal_rng_order(uint64_t seed, uint32_t c0, uint32_t c1, uint64_t n,
                       uint64_t i);

#endif
