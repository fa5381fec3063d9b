/* The operations of simd.h with AVX-512.  Packing goes through a register:
 * compressing stores are many times slower on some processors. */
#include <immintrin.h>

enum { VL = 16, DIST_W = 6, DIST_V = 4, PROJECT = 8 };

typedef __m512 vf;
typedef __m512i vlane;

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
static inline vlane l_load(const uint8_t *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p));
}
static inline vlane l_from(int first)
{
    return _mm512_add_epi32(_mm512_set1_epi32(first),
                            _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                                              11, 12, 13, 14, 15));
}
static inline int v_pack(float *out, vf v, uint32_t mask)
{
    _mm512_storeu_ps(out, _mm512_maskz_compress_ps((__mmask16)mask, v));
    return __builtin_popcount(mask);
}
static inline void l_pack(uint8_t *out, vlane v, uint32_t mask)
{
    __m512i packed = _mm512_maskz_compress_epi32((__mmask16)mask, v);

    _mm_storeu_si128((void *)out, _mm512_cvtepi32_epi8(packed));
}
static inline int b_nth(uint64_t word, int n)
{
    return __builtin_ctzll(_pdep_u64(UINT64_C(1) << n, word));
}
