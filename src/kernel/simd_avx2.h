/* The operations of simd.h with AVX2 and FMA. */
#include <immintrin.h>

enum { VL = 8, DIST_W = 6, DIST_V = 2, PROJECT = 4 };

typedef __m256 vf;

static inline vf v_load(const float *p)
{
    return _mm256_load_ps(p);
}
static inline vf v_loadu(const float *p)
{
    return _mm256_loadu_ps(p);
}
static inline void v_store(float *p, vf v)
{
    _mm256_store_ps(p, v);
}
static inline void v_storeu(float *p, vf v)
{
    _mm256_storeu_ps(p, v);
}
static inline vf v_set(float x)
{
    return _mm256_set1_ps(x);
}
static inline vf v_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}
static inline vf v_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}
static inline vf v_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}
static inline vf v_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}
static inline vf v_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
static inline vf v_fast_fma(vf a, vf b, vf c)
{
    return v_fma(a, b, c);
}
static inline vf v_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}
static inline vf v_abs(vf a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
static inline uint32_t bits_of(vf mask)
{
    return (uint32_t)_mm256_movemask_ps(mask);
}
static inline uint32_t v_le(vf a, vf b)
{
    return bits_of(_mm256_cmp_ps(a, b, _CMP_LE_OQ));
}
static inline uint32_t v_lt(vf a, vf b)
{
    return bits_of(_mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
static inline uint32_t v_ge(vf a, vf b)
{
    return bits_of(_mm256_cmp_ps(a, b, _CMP_GE_OQ));
}
static inline vf v_shift_exp(vf m)
{
    __m256i n = _mm256_slli_epi32(_mm256_castps_si256(m), 23);

    return _mm256_castsi256_ps(
        _mm256_add_epi32(n, _mm256_set1_epi32(0x3f800000)));
}
static inline void v_store_bits(int32_t *out, vf v, const int32_t *less)
{
    __m256i by = _mm256_loadu_si256((const void *)less);

    _mm256_storeu_si256((void *)out,
                        _mm256_sub_epi32(_mm256_castps_si256(v), by));
}
static inline vf v_zero_above(vf t, vf limit, vf v)
{
    return _mm256_and_ps(_mm256_cmp_ps(t, limit, _CMP_LE_OQ), v);
}
static inline void v_fill(float *p, int from)
{
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i keep = _mm256_cmpgt_epi32(lane, _mm256_set1_epi32(from - 1));

    _mm256_maskstore_ps(p, keep, _mm256_set1_ps(HUGE_VALF));
}
/* order[m]: the numbers of the bits set in m, ascending, one a byte. */
#define BIT_(m, i) (((m) >> (i)) & 1u)
#define BELOW1_(m) BIT_(m, 0)
#define BELOW2_(m) (BELOW1_(m) + BIT_(m, 1))
#define BELOW3_(m) (BELOW2_(m) + BIT_(m, 2))
#define BELOW4_(m) (BELOW3_(m) + BIT_(m, 3))
#define BELOW5_(m) (BELOW4_(m) + BIT_(m, 4))
#define BELOW6_(m) (BELOW5_(m) + BIT_(m, 5))
#define BELOW7_(m) (BELOW6_(m) + BIT_(m, 6))
#define PUT_(m, i) ((UINT64_C(i) * BIT_(m, i)) << (8 * BELOW##i##_(m)))
#define ORDER_(m)                                                     \
    (PUT_(m, 1) | PUT_(m, 2) | PUT_(m, 3) | PUT_(m, 4) | PUT_(m, 5) | \
     PUT_(m, 6) | PUT_(m, 7))
#define ORDER4_(m) ORDER_(m), ORDER_(m + 1u), ORDER_(m + 2u), ORDER_(m + 3u)
#define ORDER16_(m) \
    ORDER4_(m), ORDER4_(m + 4u), ORDER4_(m + 8u), ORDER4_(m + 12u)
#define ORDER64_(m) \
    ORDER16_(m), ORDER16_(m + 16u), ORDER16_(m + 32u), ORDER16_(m + 48u)
static const uint64_t order[256] = {ORDER64_(0u), ORDER64_(64u), ORDER64_(128u),
                                    ORDER64_(192u)};

static inline int v_pack(float *out, vf v, uint32_t mask)
{
    __m128i at = _mm_loadl_epi64((const void *)&order[mask]);

    _mm256_storeu_ps(out,
                     _mm256_permutevar8x32_ps(v, _mm256_cvtepu8_epi32(at)));
    return __builtin_popcount(mask);
}
static inline uint64_t b_deposit(uint64_t bits, uint64_t places)
{
    return _pdep_u64(bits, places);
}
