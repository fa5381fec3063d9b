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
