/*
 * Affinities of candidates and the elbow's histogram.
 *
 * exp(-t):   n = round(-t log2 e), r = -t - n ln 2 (in two parts), and
 *            e^r = 1 + r (1 + r g(r)), |r| <= ln 2 / 2, with g of degree 4
 *            interpolated at Chebyshev nodes (error 0.2 2^-24 of e^r), then
 *            2^n through the exponent bits.  n comes out of adding 1.5 2^23,
 *            whose low bits it then is.  For t <= 87 nothing is subnormal.
 * bins:      where bins are counted, a few operations give an affinity to
 *            within some millionths, without a division.  Where no edge is as
 *            near as that, the bin is certain; the few vectors where one is
 *            are done in full.  See uncertain() and bin_of().
 * distances: an affinity is wanted at or above a threshold, which is a squared
 *            distance for each scale; entries are compared with that, widened
 *            by more than rounding can do, and only those within it get an
 *            exponential, which decides.
 *
 * Elements are handled a vector at a time.
 * Source: algorithm.md, sections 3 and 4.
 */
#include <stdbool.h>

#include "simd.h"
#include "table.h"

enum {
    WORD = 64, /* lanes in a word of a mask */
};

#define FLOOR   0.001
#define DENSITY (BAL_BINS / (1.0 - FLOOR)) /* bins in a unit of affinity */

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

float bal_affinity_at(float d2, float s2)
{
    if (s2 > 0.0f)
        return first_of(exp_neg(v_div(v_set(d2), v_set(s2))));
    return d2 > 0.0f ? 0.0f : 1.0f;
}

/* The affinities of a vector of squared distances. */
static inline vf affinities(vf d2, float s2)
{
    if (!(s2 > 0.0f)) /* the rule for a scale of 0 */
        return v_zero_above(d2, v_set(0.0f), v_set(1.0f));
    return exp_neg(v_div(d2, v_set(s2)));
}

/*
 * The bin of `a`; -1 for what does not reach the floor.
 *
 * float(e) <= a where e <= a + half a unit in the last place of a, for doubles
 * e that are not halfway between two floats, which no edge is; so the edges
 * need not be looked up.  Adding to the bits adds that half.
 */
static int bin_of(float a)
{
    double above = a;
    uint64_t bits;
    int h;

    if (!(a >= BAL_AFFINITY_FLOOR))
        return -1;
    memcpy(&bits, &above, sizeof bits);
    bits += UINT64_C(1) << 28;
    memcpy(&above, &bits, sizeof bits);
    h = (int)((above - FLOOR) * DENSITY);
    return h < BAL_BINS - 1 ? h : BAL_BINS - 1;
}

#define MAGIC      0x1.8p23f
#define MAGIC_BITS 0x4b400000
#define EVEN       (MAGIC_BITS - BAL_BINS_BEFORE)
#define ODD        (EVEN - BAL_BINS_TABLE)

/* What MAGIC + bin has to be lessened by to be a place in the tables. */
static const int32_t less[BAL_LANES] = {EVEN, ODD, EVEN, ODD, EVEN, ODD,
                                        EVEN, ODD, EVEN, ODD, EVEN, ODD,
                                        EVEN, ODD, EVEN, ODD};

/* Places in the tables for a vector, in full. */
static void place_exactly(vf d2, float s2, int32_t *place)
{
    float a[VL];

    v_storeu(a, affinities(d2, s2));
    for (int l = 0; l < VL; l++)
        place[l] = MAGIC_BITS + bin_of(a[l]) - less[l];
}

/*
 * (a - eps) H / (1 - eps) - 1/2 for each affinity a of a vector: rounded to an
 * integer, the bin.  `rate` is -log2 e / s2.
 *
 * 2^r, |r| <= 1/2, is of degree 5, interpolated at Chebyshev nodes (error
 * 1.6e-7); rounding adds at most 2e-6, nearly all of it from d2 times rate, and
 * exp_neg() is within 1e-6.  Far beyond the floor the exponent is held where it
 * does no harm.
 */
static inline vf near_bin(vf d2, vf rate)
{
    vf magic = v_set(MAGIC), x = v_max(v_mul(d2, rate), v_set(-10.5f));
    vf shifted = v_add(x, magic), r = v_sub(x, v_sub(shifted, magic));
    vf g = v_set((float)(0x1.5f089p-10 * DENSITY));

    g = v_fast_fma(g, r, v_set((float)(0x1.3d107p-7 * DENSITY)));
    g = v_fast_fma(g, r, v_set((float)(0x1.c6af6cp-5 * DENSITY)));
    g = v_fast_fma(g, r, v_set((float)(0x1.ebf906p-3 * DENSITY)));
    g = v_fast_fma(g, r, v_set((float)(0x1.62e43p-1 * DENSITY)));
    g = v_fast_fma(g, r, v_set((float)(0x1.000002p+0 * DENSITY)));
    return v_fast_fma(g, v_shift_exp(shifted),
                      v_set((float)(-FLOOR * DENSITY - 0.5)));
}

/* Whether some number of near_bin() lies so near the middle between integers
 * that its bin is not certain; `rounded` is what it is rounded to. */
static inline uint32_t uncertain(vf near, vf rounded)
{
    vf off = v_abs(v_sub(near, rounded));

    return v_ge(v_fast_fma(near, v_set(4e-6f), off), v_set(0.5f - 1e-5f));
}

/* Counts d2[0 .. n), a multiple of BAL_LANES, at most BAL_TILE. */
static void count_bins(const float *d2, int n, float s2, uint32_t *bins)
{
    int32_t place[BAL_TILE];
    /* With extreme scales the rate is no number, and with a rate of 0 nothing
     * is certain. */
    bool usual = s2 > 1e-30f && s2 < 1e30f;
    vf magic = v_set(MAGIC), rate = v_set(usual ? -0x1.715476p0f / s2 : 0.0f);

    for (int i = 0; i < n; i += VL) {
        vf v = v_load(d2 + i), near = near_bin(v, rate);
        vf shifted = v_add(near, magic);
        v_store_bits(place + i, shifted, less);
        if (uncertain(near, v_sub(shifted, magic)))
            place_exactly(v, s2, place + i);
    }
    for (int i = 0; i < n; i++)
        bins[place[i]]++;
}

void bal_affinity_bin(const float *d2, bal_size count, float s2, uint32_t *bins)
{
    for (bal_size at = 0; at < count; at += BAL_TILE) {
        bal_size n = count - at < BAL_TILE ? count - at : BAL_TILE;
        count_bins(d2 + at, (int)n, s2, bins);
    }
}

/* How many entries of a vector, of those in `open`, do not reach the floor. */
static int short_of_floor(vf d2, uint32_t open, float s2)
{
    float a[VL];
    int n = 0;

    v_storeu(a, affinities(d2, s2));
    for (int l = 0; l < VL; l++)
        n += (open >> l & 1) && a[l] < BAL_AFFINITY_FLOOR;
    return n;
}

/* The lanes of the entries of which a bit is set in kept[], which has a word
 * of zeros at its end. */
static void find_lanes(const uint64_t *kept, const uint64_t *mask,
                       uint64_t *lanes)
{
    int at = 0;

    for (int g = 0; g < BAL_MASK_WORDS; g++) {
        const uint64_t *word = kept + at / WORD;
        uint64_t bits = word[0] >> at % WORD;
        if (at % WORD > 0)
            bits |= word[1] << (WORD - at % WORD);
        at += __builtin_popcountll(mask[g]);
        lanes[g] = b_deposit(bits, mask[g]);
    }
}

int bal_affinity_sift(const float *d2, int count, uint64_t *mask,
                      const bal_reach *to, float *out, bal_size *floor)
{
    uint64_t kept[BAL_MASK_WORDS + 1] = {0};
    vf keep = v_set(to->keep), sure = v_set(to->sure), most = v_set(to->most);
    int n = 0, reaching = 0;

    for (int i = 0; i < count; i += VL) {
        vf v = v_load(d2 + i);
        uint32_t in = v_le(v, most), open = in & ~v_le(v, sure);
        uint32_t bits = v_le(v, keep);
        kept[i / WORD] |= (uint64_t)bits << i % WORD;
        n += v_pack(out + n, v, bits);
        reaching += __builtin_popcount(in);
        if (open != 0)
            reaching -= short_of_floor(v, open, to->s2);
    }
    v_fill_up(out, n);
    find_lanes(kept, mask, mask);
    *floor += reaching;
    return n;
}

/* Writes the numbers of the lanes, four at a time: how many there are in a word
 * is hard to foresee. */
static void list_lanes(const uint64_t *lanes, bal_lidx base, bal_lidx *index)
{
    const uint64_t top = UINT64_C(1) << 63; /* never looks at none */

    for (int g = 0; g < BAL_MASK_WORDS; g++, base += WORD) {
        int n = __builtin_popcountll(lanes[g]);
        uint64_t left = lanes[g];
        int e = 0;
        do
            for (int q = 0; q < 4; q++, left &= left - 1)
                index[e++] = base + __builtin_ctzll(left | top);
        while (e < n);
        index += n;
    }
}

int bal_affinity_keep(const float *d2, const uint64_t *mask, int count,
                      const bal_reach *to, float threshold, bal_lidx base,
                      float *out_value, bal_lidx *out_index)
{
    __attribute__((aligned(BAL_ALIGN))) float near[BAL_TILE + BAL_LANES];
    bal_lidx index[BAL_TILE + BAL_LANES];
    uint64_t kept[BAL_MASK_WORDS + 1] = {0}, lanes[BAL_MASK_WORDS];
    vf keep = v_set(to->keep);
    uint32_t low = 0;
    int n = 0, left = 0;

    for (int i = 0; i < count; i += VL) {
        vf v = v_load(d2 + i);
        uint32_t bits = v_le(v, keep);
        kept[i / WORD] |= (uint64_t)bits << i % WORD;
        n += v_pack(near + n, v, bits);
    }
    if (n == 0)
        return 0;
    find_lanes(kept, mask, lanes);
    for (int i = 0; i < n; i += VL) {
        vf a = affinities(v_load(near + i), to->s2);
        v_store(near + i, a);
        low |= v_lt(a, v_set(threshold)) & v_head(n - i);
    }
    if (low == 0) { /* nearly always, and nobody waits for the affinities */
        for (int i = 0; i < n; i += VL)
            v_storeu(out_value + i, v_load(near + i));
        list_lanes(lanes, base, out_index);
        return n;
    }
    list_lanes(lanes, base, index);
    for (int i = 0; i < n; i++)
        if (near[i] >= threshold) {
            out_value[left] = near[i];
            out_index[left++] = index[i];
        }
    return left;
}
