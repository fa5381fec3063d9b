/*
 * Affinities of candidates and the elbow's histogram.
 *
 * exp(-t):   n = round(-t log2 e), r = -t - n ln 2 (in two parts), and
 *            e^r = 1 + r (1 + r g(r)), |r| <= ln 2 / 2, with g of degree 4
 *            interpolated at Chebyshev nodes (error 0.2 2^-24 of e^r), then
 *            2^n through the exponent bits.  n comes out of adding 1.5 2^23,
 *            whose low bits it then is.  For t <= 87 nothing is subnormal.
 * bins:      the bin of `a` comes out of one multiplication in double, exactly;
 *            see bin_of().
 *
 * Elements are handled a vector at a time, without a branch for any of them.
 * Source: algorithm.md, sections 3 and 4.
 */
#include "simd.h"
#include "table.h"

enum {
    WORD = 64, /* lanes in a word of a mask */
    FEW = 12,  /* entries of a tile that are not worth packing */
};

#define VECTOR_MASK ((UINT32_C(1) << VL) - 1)
#define FLOOR       0.001

static inline vf exp_neg(vf t)
{
    vf magic = v_set(0x1.8p23f), one = v_set(1.0f), x = v_sub(v_set(0.0f), t);
    vf shifted = v_fma(x, v_set(0x1.715476p0f), magic);
    vf n = v_sub(shifted, magic);
    vf r = v_fma(n, v_set(-0x1.62e43p-1f), x);
    vf g = v_set(0x1.6d117cp-10f);

    r = v_fma(n, v_set(0x1.05c61p-29f), r);
    g = v_fma(g, r, v_set(0x1.120be2p-7f));
    g = v_fma(g, r, v_set(0x1.555518p-5f));
    g = v_fma(g, r, v_set(0x1.5554dcp-3f));
    g = v_fma(g, r, v_set(0.5f));
    g = v_fma(g, r, one);
    g = v_fma(g, r, one);
    return v_zero_above(t, v_set(87.0f), v_mul(g, v_shift_exp(shifted)));
}

static inline float first_of(vf v)
{
    float all[VL];

    v_storeu(all, v);
    return all[0];
}

float bal_exp_neg(float t)
{
    return first_of(exp_neg(v_set(t)));
}

float bal_affinity(float d2, float s2)
{
    if (s2 > 0.0f)
        return first_of(exp_neg(v_div(v_set(d2), v_set(s2))));
    return d2 > 0.0f ? 0.0f : 1.0f;
}

/*
 * The bin of `a`; for what does not reach the floor, `other`.
 *
 * float(e) <= a where e <= a + half a unit in the last place of a, for doubles
 * e that are not halfway between two floats, which no edge is; so the edges
 * need not be looked up.  Adding to the bits adds that half.  Sums, not a
 * choice, at the end: compilers do not turn a conversion that may be skipped
 * into vectors.
 */
static inline int32_t bin_of(float a, int32_t other)
{
    double above = a;
    uint64_t bits;
    int32_t h, reached;

    memcpy(&bits, &above, sizeof bits);
    bits += UINT64_C(1) << 28;
    memcpy(&above, &bits, sizeof bits);
    h = (int32_t)((above - FLOOR) * (BAL_BINS / (1.0 - FLOOR)));
    h = h < BAL_BINS - 1 ? h : BAL_BINS - 1;
    h = h > 0 ? h : 0;
    reached = a >= BAL_AFFINITY_FLOOR; /* 0 or 1: no branch */
    return other + reached * (h - other);
}

/* Counts value[0 .. whole), a multiple of BAL_LANES, by bin.  What does not
 * reach the floor is counted, too, in one of several places that nobody reads:
 * so how often the loops run does not depend on affinities that may still be
 * under way, and the processor goes on without waiting for them. */
static void count_bins(const float *value, int whole, uint32_t *bins)
{
    int32_t bin[BAL_TILE];

    for (int i = 0; i < whole; i += BAL_LANES)
        for (int l = 0; l < BAL_LANES; l++)
            bin[i + l] = bin_of(value[i + l], BAL_BINS + l);
    for (int i = 0; i < whole; i++)
        bins[bin[i]]++;
}

/* The affinities of a vector of squared distances. */
static inline vf affinities(vf d2, vf scale, int duplicates)
{
    if (duplicates) /* the rule for a scale of 0 */
        return v_zero_above(d2, v_set(0.0f), v_set(1.0f));
    return exp_neg(v_div(d2, scale));
}

void bal_affinity_bin(float *value, bal_size count, float s2, uint32_t *bins)
{
    vf scale = v_set(s2);
    int duplicates = !(s2 > 0.0f);

    for (bal_size from = 0; from < count; from += BAL_TILE) {
        float *part = value + from;
        int n = count - from < BAL_TILE ? (int)(count - from) : BAL_TILE;
        for (int i = 0; i < n; i += VL)
            v_store(part + i, affinities(v_load(part + i), scale, duplicates));
        count_bins(part, n, bins);
    }
}

bal_size bal_affinity_within(float *value, bal_size count, float s2)
{
    vf scale = v_set(s2);
    int duplicates = !(s2 > 0.0f);
    bal_size n = 0;

    for (bal_size i = 0; i < count; i += VL) {
        vf d2 = v_load(value + i);
        vf a = v_zero_above(d2, scale, affinities(d2, scale, duplicates));
        v_store(value + i, a);
        n += __builtin_popcount(v_le(d2, scale));
    }
    return n;
}

/* Entries e of a tile of which a bit of kept[] is set, one by one: their lanes
 * are those of the e-th bits of the mask. */
static void keep_few(const float *value, const uint64_t *mask,
                     const uint64_t *kept, int words, bal_lidx base,
                     float *out_value, bal_lidx *out_index)
{
    int before[BAL_MASK_WORDS] = {0}, n = 0;

    for (int g = 1; g < BAL_MASK_WORDS; g++)
        before[g] = before[g - 1] + __builtin_popcountll(mask[g - 1]);
    for (int q = 0; q < words; q++)
        for (uint64_t left = kept[q]; left != 0; left &= left - 1) {
            int e = q * WORD + __builtin_ctzll(left), g = 0;
            for (int i = 1; i < BAL_MASK_WORDS; i++)
                g += e >= before[i];
            out_value[n] = value[e];
            out_index[n++] = base + g * WORD + b_nth(mask[g], e - before[g]);
        }
}

/* The same by packing vectors, which takes its time however few they are. */
static void keep_many(const float *value, const uint64_t *mask,
                      const uint64_t *kept, int count, bal_lidx base,
                      float *out_value, bal_lidx *out_index)
{
    uint8_t lane[BAL_TILE + BAL_LANES], at[BAL_TILE + BAL_LANES];
    int n = 0;

    for (int j = 0; j < BAL_TILE; j += VL) {
        uint32_t bits = (uint32_t)(mask[j / WORD] >> j % WORD) & VECTOR_MASK;
        l_pack(lane + n, l_from(j), bits);
        n += __builtin_popcount(bits);
    }
    n = 0;
    for (int i = 0; i < count; i += VL) {
        uint32_t bits = (uint32_t)(kept[i / WORD] >> i % WORD) & VECTOR_MASK;
        l_pack(at + n, l_load(lane + i), bits);
        n += v_pack(out_value + n, v_load(value + i), bits);
    }
    for (int i = 0; i < n; i++)
        out_index[i] = base + at[i];
}

int bal_affinity_keep(const float *value, const uint64_t *mask, int count,
                      float threshold, bal_lidx base, float *out_value,
                      bal_lidx *out_index)
{
    uint64_t kept[BAL_MASK_WORDS] = {0};
    vf limit = v_set(threshold);
    int n = 0;

    for (int i = 0; i < count; i += VL) {
        uint32_t bits = v_ge(v_load(value + i), limit) & v_head(count - i);
        kept[i / WORD] |= (uint64_t)bits << i % WORD;
        n += __builtin_popcount(bits);
    }
    if (n > FEW)
        keep_many(value, mask, kept, count, base, out_value, out_index);
    else if (n > 0)
        keep_few(value, mask, kept, (count + WORD - 1) / WORD, base, out_value,
                 out_index);
    return n;
}
