/* A binomial tree over the members of a batch: member v takes from v + 1, v +
 * 2, v + 4, ... what their subtrees found, then sends to v without its lowest
 * bit; the answer goes back the same way. The subtree of v + s are the members
 * v + s .. v + 2 s - 1, so both ends know how many points it holds and how long
 * its lists are.
 *
 * Counting: the 31 bits of a float >= 0 are found from the top, 11, 10 and 10
 * at a time: count the values by the next digit among those that share the
 * digits found so far, add up the counts, and see in which digit the k-th
 * falls. The cost does not depend on k. */
#include "balans/par/select.h"

#include <math.h>
#include <string.h>

#include "balans/base/mem.h"

enum { DIGIT_MOST = 11, BUCKETS = 1 << DIGIT_MOST, TAG = 4711 };

struct bal_select {
    bal_share share[2];
    int shares;
    float *list, *got;       /* [w, k] lists of this subtree, and of another */
    float *merged;           /* [k] */
    int64_t *bucket, *added; /* [w, BUCKETS] */
    int64_t *found; /* [w, 2] bits found, and the k-th's number among them */
};

/* ---- Who shares what ---- */

static bool is_shared(const bal_layout *l, bal_size b)
{
    return bal_layout_owner(l, l->batch_first[b]) !=
           bal_layout_owner(l, l->batch_first[b + 1] - 1);
}

int bal_select_batches(const bal_layout *l, bal_size batch[2])
{
    int count = 0;

    if (l->tiles == 0)
        return 0;
    bal_size first = l->tile[0].batch, last = l->tile[l->tiles - 1].batch;
    if (is_shared(l, first))
        batch[count++] = first;
    if (last != first && is_shared(l, last))
        batch[count++] = last;
    return count;
}

/* Points of batch b on rank r. */
static bal_size points_on(const bal_layout *l, bal_size b, int r)
{
    bal_gidx from = l->batch_first[b], to = l->batch_first[b + 1];

    from = from > l->rank_first[r] ? from : l->rank_first[r];
    to = to < l->rank_first[r + 1] ? to : l->rank_first[r + 1];
    return to > from ? to - from : 0;
}

static bal_status join(const bal_layout *l, bal_size b, bal_size k,
                       bal_share *s)
{
    bal_status st;
    int first = bal_layout_owner(l, l->batch_first[b]);
    int last = bal_layout_owner(l, l->batch_first[b + 1] - 1);
    bal_size most = last - first + 1, before = 0;

    s->batch = b;
    s->k = k;
    for (bal_size other = 0; other < b; other++)
        s->phase ^= is_shared(l, other);
    BAL_TRY(bal_alloc(&s->rank, most, "the ranks of a batch"));
    BAL_TRY(bal_alloc(&s->first, most + 1, "the ranks of a batch"));
    for (int r = first; r <= last; r++) {
        bal_size points = points_on(l, b, r);
        if (points == 0)
            continue;
        if (r == l->rank)
            s->me = s->members;
        s->rank[s->members++] = r;
        s->first[s->members] = before += points;
    }
done:
    return st;
}

/* ---- Room ---- */

typedef struct need {
    bal_size list; /* floats of a list */
    bool counts;
    bal_size ranks;
} need;

static need measure(const bal_layout *l, const bal_size k[2])
{
    bal_size batch[2];
    int shares = bal_select_batches(l, batch);
    need n = {0};

    for (int x = 0; x < shares; x++) {
        bal_gidx last = l->batch_first[batch[x] + 1] - 1;
        n.ranks += bal_layout_owner(l, last) + 1 -
                   bal_layout_owner(l, l->batch_first[batch[x]]);
        if (k[x] > BAL_SELECT_LISTS)
            n.counts = true;
        else if (k[x] > n.list)
            n.list = k[x];
    }
    return n;
}

bal_size bal_select_memory(const bal_layout *l, const bal_size k[2], int w)
{
    need n = measure(l, k);

    return 8 * w * n.list + 4 * n.list + 12 * n.ranks + 16 * w +
           (n.counts ? (bal_size)w * 16 * BUCKETS : 0);
}

bal_status bal_select_create(const bal_layout *l, const bal_size k[2], int w,
                             bal_select **out)
{
    bal_status st;
    bal_select *s = NULL;
    need n = measure(l, k);
    bal_size batch[2], buckets = n.counts ? (bal_size)w * BUCKETS : 0;

    *out = NULL;
    BAL_TRY(bal_alloc(&s, 1, "merging neighbours"));
    s->shares = bal_select_batches(l, batch);
    for (int x = 0; x < s->shares; x++)
        BAL_TRY(join(l, batch[x], k[x], &s->share[x]));
    BAL_TRY(bal_alloc(&s->list, w * n.list, "merging neighbours"));
    BAL_TRY(bal_alloc(&s->got, w * n.list, "merging neighbours"));
    BAL_TRY(bal_alloc(&s->merged, n.list, "merging neighbours"));
    BAL_TRY(bal_alloc(&s->bucket, buckets, "counting neighbours"));
    BAL_TRY(bal_alloc(&s->added, buckets, "counting neighbours"));
    BAL_TRY(bal_alloc(&s->found, 2 * (bal_size)w, "counting neighbours"));
    *out = s;
    s = NULL;
done:
    bal_select_destroy(&s);
    return st;
}

void bal_select_destroy(bal_select **sp)
{
    bal_select *s = *sp;

    if (s == NULL)
        return;
    for (int x = 0; x < 2; x++) {
        bal_free(&s->share[x].rank);
        bal_free(&s->share[x].first);
    }
    bal_free(&s->list);
    bal_free(&s->got);
    bal_free(&s->merged);
    bal_free(&s->bucket);
    bal_free(&s->added);
    bal_free(&s->found);
    bal_free(sp);
}

/* ---- The tree ---- */

/* Length of the lists of members first .. end - 1. */
static bal_size length_of(const bal_share *s, int first, int end)
{
    bal_size points =
        s->first[end < s->members ? end : s->members] - s->first[first];

    return points < s->k ? points : s->k;
}

static void give(bal_comm *c, const bal_share *s, int to, const void *data,
                 bal_size bytes)
{
    bal_comm_send(c, s->rank[to], TAG + s->phase, data, bytes);
}

static void take(bal_comm *c, const bal_share *s, int from, void *data,
                 bal_size bytes)
{
    bal_comm_receive(c, s->rank[from], TAG + s->phase, data, bytes);
}

/* The answer, from member 0 to all. */
static void spread(bal_comm *c, const bal_share *s, void *data, bal_size bytes)
{
    int step = 1;

    for (; step < s->members && (s->me & step) == 0; step *= 2)
        ;
    if (s->me > 0)
        take(c, s, s->me - step, data, bytes);
    for (step /= 2; step > 0; step /= 2)
        if (s->me + step < s->members)
            give(c, s, s->me + step, data, bytes);
}

/* ---- Lists ---- */

/* Merges two ascending lists of a row into `out`, up to its length. */
static void merge(const float *a, bal_size a_len, const float *b,
                  bal_size b_len, float *out, bal_size len)
{
    bal_size i = 0, j = 0;

    for (bal_size at = 0; at < len; at++)
        out[at] = j >= b_len || (i < a_len && a[i] <= b[j]) ? a[i++] : b[j++];
}

/* Merges rows of lists of another subtree into this one's, which get longer. */
static void merge_rows(bal_select *s, int w, bal_size have, bal_size more,
                       bal_size len)
{
    for (bal_size i = w - 1; i >= 0; i--) { /* from the back: rows move up */
        merge(s->list + i * have, have, s->got + i * more, more, s->merged,
              len);
        memcpy(s->list + i * len, s->merged, (size_t)len * sizeof *s->merged);
    }
}

static void copy_lists(bal_select *s, int w, const bal_query *q, bal_size len)
{
    for (int i = 0; i < w; i++) {
        bal_size count = q->count[i * q->skip];
        float *to = s->list + i * len;
        count = count < len ? count : len;
        if (count > 0)
            memcpy(to, q->list + i * q->stride, (size_t)count * sizeof *to);
        for (bal_size e = count; e < len; e++) /* the landmark is left out */
            to[e] = INFINITY;
    }
}

static void find_in_lists(bal_comm *c, bal_select *s, const bal_share *h, int w,
                          const bal_query *q)
{
    bal_size len = length_of(h, h->me, h->me + 1), row = 4 * (bal_size)w;

    copy_lists(s, w, q, len);
    for (int step = 1; step < h->members; step *= 2) {
        if ((h->me & step) != 0) {
            give(c, h, h->me - step, s->list, row * len);
            break;
        }
        if (h->me + step >= h->members)
            continue;
        bal_size more = length_of(h, h->me + step, h->me + 2 * step);
        bal_size all = length_of(h, h->me, h->me + 2 * step);
        take(c, h, h->me + step, s->got, row * more);
        merge_rows(s, w, len, more, all);
        len = all;
    }
    for (int i = 0; i < w && h->me == 0; i++)
        q->kth[i] = s->list[i * len + q->k[i] - 1];
    spread(c, h, q->kth, row);
}

/* ---- Counting ---- */

static uint32_t bits_of(float v)
{
    uint32_t u;

    memcpy(&u, &v, sizeof u);
    return u;
}

/* Counts the values whose bits above `shift + digit` equal those of `prefix` by
 * their next `digit` bits. */
static void count_digits(const float *value, bal_size count, uint32_t prefix,
                         int shift, int digit, int64_t *bucket)
{
    uint32_t above = (uint32_t)(shift + digit), mask = (1u << digit) - 1;

    for (bal_size i = 0; i < count; i++) {
        uint32_t u = bits_of(value[i]);
        if (u >> above == prefix >> above)
            bucket[(u >> shift) & mask]++;
    }
}

/* The bucket in which the k-th falls; k becomes its number inside it. */
static uint32_t find_bucket(const int64_t *bucket, int digit, int64_t *k)
{
    uint32_t b = 0, last = (1u << digit) - 1;

    while (b<last && * k> bucket[b])
        *k -= bucket[b++];
    return b;
}

/* Adds up the counts of all members, on member 0. */
static void add_counts(bal_comm *c, bal_select *s, const bal_share *h, int w)
{
    bal_size all = (bal_size)w * BUCKETS;

    for (int step = 1; step < h->members; step *= 2) {
        if ((h->me & step) != 0) {
            give(c, h, h->me - step, s->bucket, 8 * all);
            break;
        }
        if (h->me + step >= h->members)
            continue;
        take(c, h, h->me + step, s->added, 8 * all);
        for (bal_size e = 0; e < all; e++)
            s->bucket[e] += s->added[e];
    }
}

static void find_by_counting(bal_comm *c, bal_select *s, const bal_share *h,
                             int w, const bal_query *q)
{
    static const int digits[] = {11, 10, 10};
    int shift = 31;

    for (int i = 0; i < w; i++) {
        s->found[2 * i] = 0;
        s->found[2 * i + 1] = q->k[i];
    }
    for (int turn = 0; turn < 3; turn++) {
        int digit = digits[turn];
        shift -= digit;
        memset(s->bucket, 0, (size_t)w * BUCKETS * sizeof *s->bucket);
        for (bal_size i = 0; i < w; i++)
            count_digits(q->list + i * q->stride, q->count[i * q->skip],
                         (uint32_t)s->found[2 * i], shift, digit,
                         s->bucket + i * BUCKETS);
        add_counts(c, s, h, w);
        for (bal_size i = 0; i < w && h->me == 0; i++)
            s->found[2 * i] |= (int64_t)find_bucket(s->bucket + i * BUCKETS,
                                                    digit, &s->found[2 * i + 1])
                               << shift;
        spread(c, h, s->found, 16 * (bal_size)w);
    }
    for (int i = 0; i < w; i++) {
        uint32_t bits = (uint32_t)s->found[2 * i];
        memcpy(&q->kth[i], &bits, sizeof bits);
    }
}

void bal_select_find(bal_comm *c, bal_select *s, int w,
                     const bal_query query[2])
{
    for (int phase = 0; phase < 2; phase++)
        for (int x = 0; x < s->shares; x++) {
            const bal_share *h = &s->share[x];
            if (h->phase != phase)
                continue;
            if (h->k <= BAL_SELECT_LISTS)
                find_in_lists(c, s, h, w, &query[x]);
            else
                find_by_counting(c, s, h, w, &query[x]);
        }
}
