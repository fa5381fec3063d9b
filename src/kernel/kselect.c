/*
 * The k smallest of a stream.
 *
 * Up to BAL_KSELECT_SORTED, the buffer is a sorted list, filled up with
 * +infinity: its last element is the bound, and what is less is inserted.
 *
 * Beyond, the buffer has room for 2 k and a vector.  Elements less than the
 * bound are packed behind the others; when there is no room left (and once, as
 * soon as there are k, to have a bound at all) it is cut: the k-th smallest T
 * is found, the elements less than T are packed in front, and as many T as
 * are missing follow.  Dropping an element equal to the bound changes nothing,
 * as k elements not greater are there already.
 *
 * The k-th smallest comes from radix selection: floats >= 0 are ordered like
 * their bit patterns.  The interval of patterns that holds it is cut into
 * equal bins, counted, and replaced by the bin that holds it, until that is a
 * single pattern or holds few elements, among which halving finds it.  Patterns
 * are taken relative to the smallest, so distances of one magnitude spread over
 * all bins.
 * Cost: O(1) per element offered, whatever k; O(k) for the end's radix sort.
 * Source: algorithm.md, sections 3 and 9.
 */
#include <float.h>
#include <math.h>

#include "simd.h"
#include "table.h"

_Static_assert(BAL_MASK_WORDS * 64 == BAL_TILE, "words make up a tile");

enum {
    BINS_MOST = 2048, /* of one step of radix selection */
    FEW = 128,        /* elements with which a radix selection ends */
    WORD = 64,        /* elements looked at together, a bit each */
    FEW_IN_WORD = 4,  /* of them worth moving one by one */
};

static inline uint32_t pattern(float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof bits);
    return bits & 0x7fffffffu;
}

static inline float value_of(uint32_t bits)
{
    float v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

static void insertion_sort(float *v, bal_size n)
{
    for (bal_size i = 1; i < n; i++) {
        float x = v[i];
        bal_size j = i;
        for (; j > 0 && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

/* Elements whose patterns lie in lo .. lo + width. */
typedef struct range {
    uint32_t lo, width;
} range;

static range range_of(const float *v, bal_size n)
{
    uint32_t lo = UINT32_MAX, hi = 0;

    for (bal_size i = 0; i < n; i++) {
        uint32_t u = pattern(v[i]);
        lo = u < lo ? u : lo;
        hi = u > hi ? u : hi;
    }
    return (range){lo, hi - lo};
}

/* Few bins for few elements: clearing and scanning them has a cost as well. */
static int shift_for(uint32_t width, bal_size n)
{
    int bits = n < 4096 ? 8 : 11, used = 32 - __builtin_clz(width | 1);

    return used > bits ? used - bits : 0;
}

/* What lies outside the range is counted in a bin of its own, past the last. */
static void count_patterns(const float *v, bal_size n, range r, int shift,
                           bal_size *bin)
{
    uint32_t last = r.width >> shift;

    memset(bin, 0, (last + 2) * sizeof *bin);
    for (bal_size i = 0; i < n; i++) {
        uint32_t at = (pattern(v[i]) - r.lo) >> shift;
        bin[at > last ? last + 1 : at]++;
    }
}

/* How many of the first elements, filled up with +infinity, are at most v. */
static bal_size count_up_to(const float *few, bal_size n, float v)
{
    vf most = v_set(v);
    bal_size count = 0;

    for (bal_size i = 0; i < n; i += VL)
        count += __builtin_popcount((unsigned)v_le(v_load(few + i), most));
    return count;
}

/* The (k+1)-th smallest of the few elements in the range: halves the range
 * until one pattern is left, as counting a handful of vectors costs next to
 * nothing, and sorting them a good deal. */
static float pick(const float *v, bal_size n, range r, bal_size k)
{
    _Alignas(BAL_ALIGN) float few[FEW + VL];
    bal_size held = 0;

    for (bal_size i = 0; i < n && held < FEW; i++)
        if (pattern(v[i]) - r.lo <= r.width)
            few[held++] = v[i];
    for (int e = 0; e < VL; e++)
        few[held + e] = INFINITY;
    while (r.width > 0) {
        uint32_t half = r.width / 2;
        if (count_up_to(few, held, value_of(r.lo + half)) > k) {
            r.width = half;
        } else {
            r.lo += half + 1;
            r.width -= half + 1;
        }
    }
    return value_of(r.lo);
}

float bal_kth_smallest(float *v, bal_size n, bal_size k)
{
    bal_size bin[BINS_MOST + 1], inside = n;
    range r = range_of(v, n);

    k--;
    while (r.width > 0 && inside > FEW) {
        int shift = shift_for(r.width, n);
        uint32_t at = 0, top = r.lo + r.width;
        count_patterns(v, n, r, shift, bin);
        for (; k >= bin[at]; at++)
            k -= bin[at];
        inside = bin[at];
        r.lo += at << shift;
        r.width = (UINT32_C(1) << shift) - 1;
        r.width = r.width > top - r.lo ? top - r.lo : r.width;
    }
    return r.width == 0 ? value_of(r.lo) : pick(v, n, r, k);
}

/* Keeps the k smallest of the len >= k held. */
static void cut(bal_kselect *s)
{
    float most = bal_kth_smallest(s->at, s->len, s->k);
    vf bound = v_set(most);
    bal_size n = 0;

    for (bal_size i = 0; i < s->len; i += VL) {
        vf v = v_loadu(s->at + i);
        int left = s->len - i < VL ? (int)(s->len - i) : VL;
        n += v_pack(s->at + n, v, v_lt(v, bound) & v_head(left));
    }
    for (; n < s->k; n++)
        s->at[n] = most;
    s->len = s->k;
    s->bound = most;
}

static void insert(bal_kselect *s, float x)
{
    bal_size i = s->k - 1;

    for (; i > 0 && s->at[i - 1] > x; i--)
        s->at[i] = s->at[i - 1];
    s->at[i] = x;
    s->len += s->len < s->k;
}

/* Which of the next WORD elements, of `left`, are below the limit: one bit
 * each.  The loop of known length is the one that matters. */
static inline uint64_t compare(const float *d2, int left, vf limit)
{
    uint64_t word = 0;
    int room = left < WORD ? left : WORD;

    if (room == WORD) {
        for (int j = 0; j < WORD; j += VL)
            word |= (uint64_t)v_lt(v_load(d2 + j), limit) << j;
        return word;
    }
    for (int j = 0; j < room; j += VL)
        word |= (uint64_t)v_lt(v_load(d2 + j), limit) << j;
    return word & ((UINT64_C(1) << room) - 1);
}

/* The bound of the beginning may let through what the list has outgrown. */
static void offer_sorted(bal_kselect *s, const float *d2, int count)
{
    const float *last = s->at + s->k - 1;

    for (int j = 0; j < count; j += WORD) {
        uint64_t less = compare(d2 + j, count - j, v_set(*last));
        for (; less != 0; less &= less - 1) {
            float x = d2[j + __builtin_ctzll(less)];
            if (x < *last)
                insert(s, x);
        }
    }
    s->bound = *last;
}

/* Whether `n` more elements leave the bound as it is. */
static inline int fits(const bal_kselect *s, int n)
{
    bal_size len = s->len + n;

    return len + BAL_LANES <= s->cap && !(isinf(s->bound) && len >= s->k);
}

static inline void append(bal_kselect *s, const float *d2, uint64_t less)
{
    for (; less != 0; less &= less - 1)
        s->at[s->len++] = d2[__builtin_ctzll(less)];
}

/* The bound may fall only where vectors of all sizes end, so that it is the
 * same after every element whatever the instruction set. */
static void offer_vectors(bal_kselect *s, const float *d2, int count)
{
    for (int j = 0; j < count; j += BAL_LANES) {
        int left = count - j < BAL_LANES ? count - j : BAL_LANES;
        append(s, d2 + j, compare(d2 + j, left, v_set(s->bound)));
        if (!fits(s, 0))
            cut(s);
    }
}

static void offer_buffered(bal_kselect *s, const float *d2, int count)
{
    for (int j = 0; j < count; j += WORD) {
        uint64_t less = compare(d2 + j, count - j, v_set(s->bound));
        if (fits(s, __builtin_popcountll(less)))
            append(s, d2 + j, less);
        else
            offer_vectors(s, d2 + j, count - j < WORD ? count - j : WORD);
    }
}

void bal_kselect_offer(bal_kselect *s, const float *d2, int count)
{
    if (s->k <= BAL_KSELECT_SORTED)
        offer_sorted(s, d2, count);
    else
        offer_buffered(s, d2, count);
}

/* Four passes by one byte each, so that the result is where the input was. */
static void radix_sort(float *v, float *other, bal_size n)
{
    for (int shift = 0; shift < 32; shift += 8) {
        bal_size start[257] = {0};
        float *from = v;
        for (bal_size i = 0; i < n; i++)
            start[(pattern(v[i]) >> shift & 255) + 1]++;
        for (int b = 0; b < 256; b++)
            start[b + 1] += start[b];
        for (bal_size i = 0; i < n; i++)
            other[start[pattern(v[i]) >> shift & 255]++] = v[i];
        v = other;
        other = from;
    }
}

bal_size bal_kselect_last(bal_kselect *s, float *kth)
{
    if (s->k <= BAL_KSELECT_SORTED || s->len == 0)
        *kth = s->len > 0 ? s->at[s->len - 1] : s->bound;
    else if (s->len >= s->k)
        *kth = bal_kth_smallest(s->at, s->len, s->k);
    else
        *kth = bal_kth_smallest(s->at, s->len, s->len);
    return s->len < s->k ? s->len : s->k;
}

bal_size bal_kselect_finish(bal_kselect *s)
{
    if (s->k <= BAL_KSELECT_SORTED)
        return s->len;
    if (s->len >= s->k)
        cut(s);
    if (s->len <= FEW)
        insertion_sort(s->at, s->len);
    else
        radix_sort(s->at, s->at + s->k, s->len);
    return s->len;
}

/* Which of the next WORD elements, of `left`, are within the limit. */
static inline uint64_t near_word(const float *d2, int left, vf limit)
{
    uint64_t word = 0;

    if (left >= WORD) {
        for (int j = 0; j < WORD; j += VL)
            word |= (uint64_t)v_le(v_load(d2 + j), limit) << j;
        return word;
    }
    for (int j = 0; j < left; j += VL)
        word |= (uint64_t)(v_le(v_load(d2 + j), limit) & v_head(left - j)) << j;
    return word;
}

/* Packs elements of WORD, `n` of them there already.  A few go one by one, and
 * always as many: how many there are is hard to foresee. */
static inline int pack_word(const float *d2, uint64_t word, float *value, int n)
{
    const uint64_t top = UINT64_C(1) << (WORD - 1);
    int more = __builtin_popcountll(word);

    if (more <= FEW_IN_WORD) {
        for (int q = 0; q < FEW_IN_WORD; q++, word &= word - 1) {
            int any = word != 0; /* no choice: a choice becomes a branch */
            value[n + q] = d2[__builtin_ctzll(word | top) & -any];
        }
        return n + more;
    }
    for (int j = 0; j < WORD; j += VL) {
        uint32_t keep = (uint32_t)(word >> j) & v_head(VL);
        if (keep != 0)
            n += v_pack(value + n, v_load(d2 + j), keep);
    }
    return n;
}

static int find_near(const float *d2, int count, float limit, uint64_t *mask)
{
    vf most = v_set(limit < FLT_MAX ? limit : FLT_MAX);
    int n = 0;

    for (int g = 0; g < BAL_MASK_WORDS; g++) {
        mask[g] = near_word(d2 + g * WORD, count - g * WORD, most);
        n += __builtin_popcountll(mask[g]);
    }
    return n;
}

static int pack(const float *d2, int count, const uint64_t *mask, float *value)
{
    int n = 0;

    for (int g = 0; g * WORD < count; g++)
        n = pack_word(d2 + g * WORD, mask[g], value, n);
    return n;
}

int bal_candidates(const float *d2, int count, float limit, float *value,
                   uint64_t *mask)
{
    int n = find_near(d2, count, limit, mask);

    if (n > 0)
        pack(d2, count, mask, value);
    v_fill_up(value, n);
    return n;
}

/* The lowest `count` bits of a word. */
static uint64_t ones(int count)
{
    return count >= WORD ? UINT64_MAX
           : count > 0   ? (UINT64_C(1) << count) - 1
                         : 0;
}

/* Candidates are those under the bound of before: it falls little in one tile,
 * and only they need be offered.  Where most are candidates, packing them is
 * not worth its time. */
int bal_kselect_scan(bal_kselect *s, const float *d2, int count, float reach,
                     float *value, uint64_t *mask)
{
    int n = find_near(d2, count, s->bound * reach, mask);

    if (n == 0)
        return 0;
    if (n <= count / 2) {
        pack(d2, count, mask, value);
        v_fill_up(value, n);
        if (reach <= 1 && s->k > BAL_KSELECT_SORTED && fits(s, n))
            s->len += pack(d2, count, mask, s->at + s->len); /* in bounds */
        else
            bal_kselect_offer(s, value, n);
        return n;
    }
    for (int j = 0; j < count; j += VL)
        v_store(value + j, v_load(d2 + j));
    v_fill_up(value, count);
    for (int g = 0; g < BAL_MASK_WORDS; g++)
        mask[g] = ones(count - g * WORD);
    bal_kselect_offer(s, value, count);
    return count;
}
