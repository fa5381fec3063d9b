/*
 * Vectors of VL floats and masks of one bit per element (bit i for element i),
 * for whichever instruction set this file is compiled for.
 *
 * Blocks that stay in registers: DIST_W landmarks by DIST_V vectors of columns
 * (distance.c), PROJECT points by BAL_LOADINGS components (project.c).
 *
 * All are IEEE operations element by element, rounded once, so a result does
 * not depend on VL or on the instruction set.  v_fma() rounds once as well
 * where the processor cannot: see simd_basic.h.
 *
 * Floats:  v_load (aligned to the vector), v_loadu, v_store, v_storeu, v_set,
 *          v_add, v_sub, v_mul, v_div, v_max, v_abs, v_fma(a, b, c) = a b + c,
 *          v_fast_fma: the same, but rounded once or twice,
 *          v_shift_exp(m) = 2^n for m = 1.5 2^23 + n, n in -126 .. 127,
 *          v_store_bits(out, v, less): the bit patterns minus less[], integers,
 *          v_zero_above(t, limit, v): v where t <= limit, else 0,
 *          v_fill(p, from): +infinity from element `from` of the vector on
 * Masks:   v_le, v_lt, v_ge, v_head(count): the first `count` elements
 * Packing: v_pack(out, v, mask) puts the elements of the mask in front and
 *          writes a whole vector; b_deposit(bits, places): bit n of bits at the
 *          n-th bit set of places
 */
#ifndef BAL_KERNEL_SIMD_H
#define BAL_KERNEL_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "balans/base/types.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && \
    defined(__AVX512VL__)
#include "simd_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "simd_avx2.h"
#else
#include "simd_basic.h"
#endif

_Static_assert(VL <= 16, "a vector divides BAL_LANES");

static inline uint32_t v_head(int count)
{
    count = count < 0 ? 0 : count;
    return count >= VL ? (UINT32_C(1) << VL) - 1 : (UINT32_C(1) << count) - 1;
}

/* Fills up n elements with +infinity to a multiple of BAL_LANES. */
static inline void v_fill_up(float *value, int n)
{
    for (int i = n / BAL_LANES * BAL_LANES; i < n; i += BAL_LANES)
        for (int j = 0; j < BAL_LANES; j += VL)
            v_fill(value + i + j, n - i - j);
}

#endif
