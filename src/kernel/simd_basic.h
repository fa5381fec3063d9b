/*
 * The operations of simd.h on vectors of four, with what every processor of a
 * family has: SSE2 on x86-64, NEON on AArch64, and the compiler's own vectors
 * elsewhere.
 *
 * SSE2 has no fused multiply-add.  Its correctly rounded result comes from
 * doubles: the product of two floats is exact there; the sum with the third is
 * rounded to odd (an inexact sum with an even last bit is moved to the
 * neighbour on the side of the error, which the two-sum of Knuth gives
 * exactly), and rounding that to float is the same as rounding the exact value
 * once, since a double has more than two bits to spare (Boldo and Melquiond,
 * 2008).
 */
#if defined(__aarch64__)
#include <arm_neon.h>
typedef float32x4_t vf;
typedef uint32x4_t vu;
enum { VL = 4, DIST_W = 6, DIST_V = 4, PROJECT = 4 };
#elif defined(__SSE2__)
#include <emmintrin.h>
typedef __m128 vf;
typedef uint32_t vu __attribute__((vector_size(16)));
enum { VL = 4, DIST_W = 2, DIST_V = 2, PROJECT = 2 };
#else
typedef float vf __attribute__((vector_size(16)));
typedef uint32_t vu __attribute__((vector_size(16)));
enum { VL = 4, DIST_W = 4, DIST_V = 2, PROJECT = 2 };
#endif

static inline vf v_loadu(const float *p)
{
    vf v;

    memcpy(&v, p, sizeof v);
    return v;
}
static inline vf v_load(const float *p)
{
    return v_loadu(p);
}
static inline void v_storeu(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}
static inline void v_store(float *p, vf v)
{
    v_storeu(p, v);
}
static inline vf v_set(float x)
{
    return (vf){x, x, x, x};
}
static inline vf v_add(vf a, vf b)
{
    return a + b;
}
static inline vf v_sub(vf a, vf b)
{
    return a - b;
}
static inline vf v_mul(vf a, vf b)
{
    return a * b;
}
static inline vf v_div(vf a, vf b)
{
    return a / b;
}

#if defined(__aarch64__)
static inline vf v_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}
static inline uint32_t bits_of(vu mask)
{
    return vaddvq_u32(mask & (vu){1, 2, 4, 8});
}
#elif defined(__SSE2__)
static inline __m128d fma_odd(__m128d a, __m128d b, __m128d c)
{
    __m128d p = _mm_mul_pd(a, b), s = _mm_add_pd(p, c), t = _mm_sub_pd(s, p);
    __m128d err = _mm_add_pd(_mm_sub_pd(p, _mm_sub_pd(s, t)), _mm_sub_pd(c, t));
    __m128d zero = _mm_setzero_pd();
    __m128i one = _mm_set1_epi64x(1), bits = _mm_castpd_si128(s), even, step;
    /* Comparing, not testing for zero: an infinite sum has no number here. */
    __m128d inexact =
        _mm_or_pd(_mm_cmplt_pd(err, zero), _mm_cmplt_pd(zero, err));

    even = _mm_sub_epi64(_mm_and_si128(bits, one), one);
    /* +1 away from zero where error and sum have one sign, -1 otherwise. */
    step = _mm_srli_epi64(_mm_castpd_si128(_mm_xor_pd(err, s)), 63);
    step = _mm_sub_epi64(one, _mm_add_epi64(step, step));
    step = _mm_and_si128(step, _mm_and_si128(even, _mm_castpd_si128(inexact)));
    return _mm_castsi128_pd(_mm_add_epi64(bits, step));
}
static inline vf v_fma(vf a, vf b, vf c)
{
    __m128d low = fma_odd(_mm_cvtps_pd(a), _mm_cvtps_pd(b), _mm_cvtps_pd(c));
    __m128d high = fma_odd(_mm_cvtps_pd(_mm_movehl_ps(a, a)),
                           _mm_cvtps_pd(_mm_movehl_ps(b, b)),
                           _mm_cvtps_pd(_mm_movehl_ps(c, c)));

    return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
}
static inline uint32_t bits_of(vu mask)
{
    return (uint32_t)_mm_movemask_ps((vf)mask);
}
#else
static inline vf v_fma(vf a, vf b, vf c)
{
    for (int i = 0; i < VL; i++)
        c[i] = fmaf(a[i], b[i], c[i]);
    return c;
}
static inline uint32_t bits_of(vu mask)
{
    return (mask[0] & 1) | (mask[1] & 2) | (mask[2] & 4) | (mask[3] & 8);
}
#endif

static inline vf v_fast_fma(vf a, vf b, vf c)
{
#if defined(__aarch64__)
    return v_fma(a, b, c);
#else
    return a * b + c;
#endif
}
static inline vf v_max(vf a, vf b)
{
    vu above = (vu)(a > b);

    return (vf)((above & (vu)a) | (~above & (vu)b));
}
static inline vf v_abs(vf a)
{
    return (vf)((vu)a & 0x7fffffffu);
}
static inline uint32_t v_le(vf a, vf b)
{
    return bits_of((vu)(a <= b));
}
static inline uint32_t v_lt(vf a, vf b)
{
    return bits_of((vu)(a < b));
}
static inline uint32_t v_ge(vf a, vf b)
{
    return bits_of((vu)(a >= b));
}
static inline vf v_shift_exp(vf m)
{
    return (vf)(((vu)m << 23) + 0x3f800000u);
}
static inline void v_store_bits(int32_t *out, vf v, const int32_t *less)
{
    for (int i = 0; i < VL; i++)
        out[i] = (int32_t)((vu)v)[i] - less[i];
}
static inline vf v_zero_above(vf t, vf limit, vf v)
{
    return (vf)((vu)(t <= limit) & (vu)v);
}
static inline void v_fill(float *p, int from)
{
    for (int i = from < 0 ? 0 : from; i < VL; i++)
        p[i] = HUGE_VALF;
}
static inline int v_pack(float *out, vf v, uint32_t mask)
{
    int n = 0;

    for (int i = 0; i < VL; i++) {
        out[n] = v[i];
        n += (int)(mask >> i & 1);
    }
    return n;
}
static inline uint64_t b_deposit(uint64_t bits, uint64_t places)
{
    uint64_t out = 0;

    for (; places != 0; places &= places - 1, bits >>= 1)
        out |= (places & -places) & -(bits & 1);
    return out;
}
