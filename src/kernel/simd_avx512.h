/* The operations of simd.h with AVX-512.  Packing goes through a register:
 * compressing stores are many times slower on some processors. */
#include <immintrin.h>

enum { VL = 16, DIST_W = 6, DIST_V = 4, PROJECT = 8 };

typedef __m512 vf;

static inline vf v_load(const float *p)
{
    return _mm512_load_ps(p);
}
static inline vf v_loadu(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline void v_store(float *p, vf v)
{
    _mm512_store_ps(p, v);
}
static inline void v_storeu(float *p, vf v)
{
    _mm512_storeu_ps(p, v);
}
static inline vf v_set(float x)
{
    return _mm512_set1_ps(x);
}
static inline vf v_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
static inline vf v_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}
static inline vf v_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
static inline vf v_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}
static inline vf v_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
static inline vf v_fast_fma(vf a, vf b, vf c)
{
    return v_fma(a, b, c);
}
static inline vf v_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}
static inline vf v_abs(vf a)
{
    return _mm512_abs_ps(a);
}
static inline uint32_t v_le(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
}
static inline uint32_t v_lt(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
static inline uint32_t v_ge(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ);
}
static inline vf v_shift_exp(vf m)
{
    __m512i n = _mm512_slli_epi32(_mm512_castps_si512(m), 23);

    return _mm512_castsi512_ps(
        _mm512_add_epi32(n, _mm512_set1_epi32(0x3f800000)));
}
static inline void v_store_bits(int32_t *out, vf v, const int32_t *less)
{
    __m512i by = _mm512_loadu_si512((const void *)less);

    _mm512_storeu_si512((void *)out,
                        _mm512_sub_epi32(_mm512_castps_si512(v), by));
}
static inline vf v_zero_above(vf t, vf limit, vf v)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(t, limit, _CMP_LE_OQ), v);
}
static inline void v_fill(float *p, int from)
{
    from = from < 0 ? 0 : from > VL ? VL : from;
    _mm512_mask_storeu_ps(p, (__mmask16)(UINT32_C(0xffff) << from),
                          _mm512_set1_ps(HUGE_VALF));
}
static inline int v_pack(float *out, vf v, uint32_t mask)
{
    _mm512_storeu_ps(out, _mm512_maskz_compress_ps((__mmask16)mask, v));
    return __builtin_popcount(mask);
}
static inline uint64_t b_deposit(uint64_t bits, uint64_t places)
{
    return _pdep_u64(bits, places);
}
