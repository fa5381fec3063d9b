/**
 * @file
 * Sums of doubles that do not depend on the order of their terms.
 *
 * Each term (a tile's partial sum) is scaled by a power of two, cut to an
 * integer, and the rest once more; the two integers, *limbs*, are added as
 * integers, which is associative.  With a bound on the sum of the terms'
 * absolute values and the number of terms N,
 *
 *     hi = trunc(v 2^e),  2^61 <= bound 2^e < 2^62
 *     lo = trunc((v 2^e - hi) 2^L),   L = 61 - ceil(log2 N), at most 60
 *
 * so neither limb can overflow, and the error of a sum is at most
 * N bound 2^-(61 + L): about N^2 bound 2^-122, far below the rounding of the
 * partial sums themselves.  (e is at most 1000, so below a bound of 1e-283 the
 * error is a fixed number, 1e-320.)  A bound of 0 means that every term is 0.
 * Source: algorithm.md, section 8.
 */
#ifndef BAL_PAR_SUM_H
#define BAL_PAR_SUM_H

#include <math.h>
#include <stdint.h>

#include "balans/base/types.h"
#include "balans/par/comm.h"

/** An exact sum in the making; plain integers, reduced as two int64. */
typedef struct bal_fixed {
    int64_t hi, lo;
} bal_fixed;

/** Powers of two for one bound; the same on every rank. */
typedef struct bal_scale {
    double up_hi, up_lo;     ///< 2^e, 2^L
    double down_hi, down_lo; ///< 2^-e, 2^-L
} bal_scale;

/** The scale for sums whose terms' absolute values add up to at most `bound`
 *  (finite, >= 0) and number at most `terms`.  Local. */
bal_scale bal_scale_for(double bound, bal_size terms);

/** Adds one term.  Local. */
static inline void bal_fixed_add(bal_fixed *sum, const bal_scale *s, double v)
{
    double scaled = v * s->up_hi;
    int64_t whole = (int64_t)scaled;

    /* Conversion cuts; rint() would be a call where SSE4.1 may not be used. */
    sum->hi += whole;
    sum->lo += (int64_t)((scaled - (double)whole) * s->up_lo);
}

/** Adds another sum made with the same scale.  Local. */
static inline void bal_fixed_merge(bal_fixed *sum, bal_fixed other)
{
    sum->hi += other.hi;
    sum->lo += other.lo;
}

/** The sum as a double.  Local. */
static inline double bal_fixed_value(bal_fixed sum, const bal_scale *s)
{
    return ((double)sum.hi + (double)sum.lo * s->down_lo) * s->down_hi;
}

/** Adds the sums of all ranks, in place.  Collective.  Cost: one allreduce of
 *  16 n bytes. */
void bal_fixed_reduce(bal_comm *c, bal_fixed *sum, bal_size n);

/** A sum of float32 numbers for which no bound is known yet: as many limbs of
 *  32 bits as their whole range takes, the lowest in units of 2^-149. */
enum { BAL_WIDE = 9 };
typedef struct bal_wide {
    int64_t limb[BAL_WIDE];
} bal_wide;

/** Adds one term, exactly: itself a sum, in double, of float32 numbers, below
 *  2^139.  Fewer than 2^30 of them.  Local. */
void bal_wide_add(bal_wide *sum, double v);

/** Adds another sum.  Local. */
void bal_wide_merge(bal_wide *sum, const bal_wide *other);

/** The sum as a double, rounded to about 2^-53 of itself.  Local. */
double bal_wide_value(const bal_wide *sum);

/** As bal_fixed_reduce().  Collective.  Cost: one allreduce of 72 n bytes. */
void bal_wide_reduce(bal_comm *c, bal_wide *sum, bal_size n);

#endif
