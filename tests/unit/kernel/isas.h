/**
 * @file
 * What the tests of the kernels share: a loop over the instruction sets this
 * machine has, aligned memory, and random numbers.
 */
#ifndef TEST_KERNEL_ISAS_H
#define TEST_KERNEL_ISAS_H

#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/kernel/cpu.h"

/** The next usable instruction set after `isa`, put into use; BAL_ISA_COUNT if
 *  there is none. */
static inline int next_isa(int isa)
{
    for (isa++; isa < BAL_ISA_COUNT; isa++)
        if (bal_isa_usable((bal_isa)isa)) {
            bal_isa_use((bal_isa)isa);
            return isa;
        }
    return BAL_ISA_COUNT;
}
#define FOR_EACH_ISA(isa) \
    for (int isa = next_isa(-1); isa < BAL_ISA_COUNT; isa = next_isa(isa))

/** Zeroed floats, aligned. */
static inline float *floats(bal_size n)
{
    float *p;

    if (bal_failed(bal_alloc(&p, n, "a test")))
        abort();
    return p;
}

/** A number in 0 .. n - 1, from a generator with its state in `*x`. */
static inline uint32_t below(uint64_t *x, uint32_t n)
{
    *x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*x >> 33) % n);
}

/** A number in [0, 1). */
static inline float unit(uint64_t *x)
{
    return (float)below(x, 1u << 24) * 0x1p-24f;
}

static inline uint32_t bits_of_float(float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof bits);
    return bits;
}

#endif
