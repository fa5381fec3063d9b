#include "balans/par/sum.h"

enum { LIMB = 61, LIMB_LOW_MOST = 60, EXPONENT_MOST = 1000 };

bal_scale bal_scale_for(double bound, bal_size terms)
{
    int exponent, count_bits = 0;

    /* Every term is 0, whatever it is scaled by. */
    if (!(bound > 0))
        return (bal_scale){1, 1, 1, 1};

    (void)frexp(bound, &exponent); /* bound < 2^exponent */
    int e = LIMB + 1 - exponent;
    if (e > EXPONENT_MOST) /* 2^e must be finite */
        e = EXPONENT_MOST;
    while (count_bits < LIMB && (int64_t)1 << count_bits < terms)
        count_bits++;
    int low = LIMB - count_bits;
    if (low > LIMB_LOW_MOST)
        low = LIMB_LOW_MOST;
    return (bal_scale){
        .up_hi = ldexp(1, e),
        .up_lo = ldexp(1, low),
        .down_hi = ldexp(1, -e),
        .down_lo = ldexp(1, -low),
    };
}

void bal_fixed_reduce(bal_comm *c, bal_fixed *sum, bal_size n)
{
    _Static_assert(sizeof(bal_fixed) == 2 * sizeof(int64_t), "two limbs");
    bal_comm_sum_i64(c, &sum->hi, 2 * n);
}

enum { WIDE_BITS = 32, WIDE_UNIT = -149 };

void bal_wide_add(bal_wide *sum, double v)
{
    int exponent;

    (void)frexp(v, &exponent); /* |v| < 2^exponent */
    int top = exponent - 1 - WIDE_UNIT;
    int k = top > 0 ? top / WIDE_BITS : 0;
    double scaled = ldexp(v, -WIDE_UNIT - k * WIDE_BITS);
    for (; k >= 0; k--) {
        int64_t whole = (int64_t)scaled;
        sum->limb[k] += whole;
        scaled = (scaled - (double)whole) * 0x1p32;
    }
}

void bal_wide_merge(bal_wide *sum, const bal_wide *other)
{
    for (int k = 0; k < BAL_WIDE; k++)
        sum->limb[k] += other->limb[k];
}

double bal_wide_value(const bal_wide *sum)
{
    const int64_t base = (int64_t)1 << WIDE_BITS;
    int64_t digit[BAL_WIDE], carry = 0;

    /* Digits of one sign, so that what is above does not cancel below. */
    for (int k = 0; k < BAL_WIDE; k++) {
        int64_t all = sum->limb[k] + carry;
        digit[k] = all & (base - 1);
        carry = (all - digit[k]) / base;
    }
    double value = (double)carry;
    for (int k = BAL_WIDE - 1; k >= 0; k--)
        value = value * (double)base + (double)digit[k];
    return ldexp(value, WIDE_UNIT);
}

void bal_wide_reduce(bal_comm *c, bal_wide *sum, bal_size n)
{
    _Static_assert(sizeof(bal_wide) == BAL_WIDE * sizeof(int64_t), "limbs");
    bal_comm_sum_i64(c, sum->limb, BAL_WIDE * n);
}
