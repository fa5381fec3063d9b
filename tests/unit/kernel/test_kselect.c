/* Selection and candidates of every instruction set against sorting. */
#define _DEFAULT_SOURCE
#include "balans/kernel/kselect.h"

#include "balans/kernel/affinity.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "isas.h"
#include "mpi_check.h"

enum { STREAM = 5000, K_MOST = 6000 };

/* Kinds of stream. */
typedef enum kind {
    RANDOM,
    FEW_VALUES,
    ZEROS,
    FALLING,
    RISING,
    WIDE,
    KINDS
} kind;

static float *stream, *sorted, *buffer, *value;

static void allocate(void)
{
    stream = floats(STREAM + BAL_TILE);
    sorted = floats(STREAM + BAL_TILE);
    buffer = floats(bal_kselect_capacity(K_MOST));
    value = floats(BAL_TILE);
}

static void release(void)
{
    bal_free(&stream);
    bal_free(&sorted);
    bal_free(&buffer);
    bal_free(&value);
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static float one_of(kind what, int i, uint64_t *x)
{
    switch (what) {
    case RANDOM:
        return below(x, 20) == 0 ? INFINITY : unit(x);
    case FEW_VALUES:
        return (float)below(x, 5);
    case ZEROS:
        return below(x, 3) == 0 ? 1.0f : 0.0f;
    case FALLING:
        return (float)(STREAM - i);
    case RISING:
        return (float)i * 0.25f;
    case WIDE:
        return ldexpf(unit(x), (int)below(x, 250) - 125);
    case KINDS:
        break;
    }
    return 0.0f;
}

/* @return how many of the first n are finite; `sorted` then begins with them */
static bal_size make(kind what, int n, uint64_t seed)
{
    bal_size finite = 0;

    for (int i = 0; i < n; i++) {
        stream[i] = one_of(what, i, &seed);
        finite += isfinite(stream[i]) ? 1 : 0;
    }
    memcpy(sorted, stream, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    return finite;
}

/* Offers n elements, `step` at a time; what lies beyond a piece must not
 * matter, so smaller numbers are put there. */
static void offer_all(bal_kselect *s, int n, int step)
{
    float *piece = floats(BAL_TILE);

    for (int i = 0; i < n; i += step) {
        int count = n - i < step ? n - i : step;
        memset(piece, 0, BAL_TILE * sizeof *piece);
        memcpy(piece, stream + i, (size_t)count * sizeof *piece);
        bal_kselect_offer(s, piece, count);
        ck_assert(s->len >= 0 && s->len <= s->cap);
    }
    bal_free(&piece);
}

static void check_selection(int n, int step, bal_size k, bal_size finite)
{
    bal_kselect s;
    bal_size want = k < finite ? k : finite, got;

    bal_kselect_init(&s, k, buffer);
    ck_assert(isinf(s.bound));
    offer_all(&s, n, step);
    if (finite >= k)
        ck_assert_msg(s.bound >= sorted[k - 1], "bound too low");
    else
        ck_assert_msg(isinf(s.bound), "a bound from less than k elements");
    got = bal_kselect_finish(&s);
    ck_assert_int_eq(got, want);
    for (bal_size i = 0; i < want; i++)
        ck_assert_msg(s.at[i] == sorted[i], "k %lld of %d by %d: %lld is %a",
                      (long long)k, n, step, (long long)i, (double)s.at[i]);
}

START_TEST(selects_the_k_smallest)
{
    static const int ks[] = {1, 2, 10, 31, 32, 33, 48, 100, 1000, 6000};
    static const int steps[] = {256, 16, 100};

    FOR_EACH_ISA(isa)
    for (int what = 0; what < KINDS; what++)
        for (int a = 0; a < 10; a++)
            for (int b = 0; b < 3; b++) {
                int n = b == 0 ? STREAM : 777;
                bal_size finite = make((kind)what, n, (uint64_t)a + 1);
                check_selection(n, steps[b], ks[a], finite);
            }
}
END_TEST

/* A buffer of just the stated capacity, with memory behind it that nobody may
 * touch, and none of its elements ever at rest. */
START_TEST(stays_within_its_buffer)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    bal_size finite = make(FALLING, STREAM, 1);

    FOR_EACH_ISA(isa)
    for (bal_size k = 1; k <= 80; k++) {
        bal_kselect s;
        size_t bytes = (size_t)bal_kselect_capacity(k) * sizeof(float);
        size_t room = (bytes + page - 1) / page * page;
        char *map = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ck_assert(map != MAP_FAILED);
        ck_assert_int_eq(mprotect(map + room, page, PROT_NONE), 0);
        bal_kselect_init(&s, k, (float *)(void *)(map + room - bytes));
        offer_all(&s, STREAM, BAL_LANES);
        ck_assert_int_eq(bal_kselect_finish(&s), k < finite ? k : finite);
        ck_assert(s.at[k - 1] == sorted[k - 1]);
        ck_assert_int_eq(munmap(map, room + page), 0);
    }
}
END_TEST

START_TEST(small_streams)
{
    FOR_EACH_ISA(isa)
    for (int n = 0; n <= 70; n++)
        for (bal_size k = 1; k <= 70; k += 3)
            check_selection(n, 256, k, make(RANDOM, n, (uint64_t)n));
}
END_TEST

START_TEST(bound_falls_early)
{
    bal_kselect s;

    FOR_EACH_ISA(isa)
    {
        make(RISING, 512, 1);
        bal_kselect_init(&s, 100, buffer);
        offer_all(&s, 256, 256);
        ck_assert_msg(isfinite(s.bound), "no bound after k elements");
        ck_assert(s.bound >= sorted[99]);
    }
}
END_TEST

START_TEST(bound_is_the_same_everywhere)
{
    static const bal_size ks[] = {10, 33, 200};
    float want[3][STREAM / 256 + 1];
    bal_kselect s;
    float *piece = floats(BAL_TILE);

    make(RANDOM, STREAM, 4);
    FOR_EACH_ISA(isa)
    for (int a = 0; a < 3; a++) {
        bal_kselect_init(&s, ks[a], buffer);
        for (int t = 0; t < STREAM / 256; t++) {
            memcpy(piece, stream + t * 256, 256 * sizeof *piece);
            bal_kselect_offer(&s, piece, 256);
            if (isa == BAL_ISA_GENERIC)
                want[a][t] = s.bound;
            ck_assert(s.bound == want[a][t]);
        }
    }
    bal_free(&piece);
}
END_TEST

START_TEST(kth_smallest)
{
    static const int ns[] = {1, 2, 17, 129, 500, STREAM};

    FOR_EACH_ISA(isa)
    for (int what = 0; what < KINDS; what++)
        for (int a = 0; a < 6; a++) {
            make((kind)what, ns[a], 7);
            for (int k = 1; k <= ns[a]; k += 1 + ns[a] / 13) {
                float got = bal_kth_smallest(stream, ns[a], k);
                ck_assert_msg(got == sorted[k - 1], "%d of %d: %a, not %a", k,
                              ns[a], (double)got, (double)sorted[k - 1]);
            }
            qsort(stream, (size_t)ns[a], sizeof *stream, ascending);
            ck_assert(memcmp(stream, sorted, (size_t)ns[a] * sizeof *stream) ==
                      0);
        }
}
END_TEST

static bool has(const uint64_t *mask, int lane)
{
    return mask[lane / 64] >> lane % 64 & 1;
}

static void check_candidates(int count, float limit)
{
    uint64_t mask[BAL_MASK_WORDS];
    int n = 0, got = bal_candidates(stream, count, limit, value, mask);

    for (int i = 0; i < BAL_TILE; i++) {
        bool within = i < count && stream[i] <= limit && !isinf(stream[i]);
        ck_assert_int_eq(has(mask, i), within);
        if (!within)
            continue;
        ck_assert_int_lt(n, got);
        ck_assert(value[n] == stream[i]);
        n++;
    }
    ck_assert_int_eq(n, got);
    for (; n % BAL_LANES != 0; n++)
        ck_assert(isinf(value[n]));
}

START_TEST(candidates)
{
    static const float limits[] = {0.0f, 0.1f, 0.5f, 0.99f, 3.0f, INFINITY};

    FOR_EACH_ISA(isa)
    for (int what = 0; what < KINDS; what++)
        for (int count = 0; count <= BAL_TILE; count++) {
            make((kind)what, BAL_TILE, (uint64_t)count);
            check_candidates(count, limits[count % 6]);
        }
}
END_TEST

/* A scan keeps what is within reach of the bound before it, in its order - or
 * the whole tile where that is most of it. */
static void check_scan(bal_kselect *s, const float *d2, float reach)
{
    uint64_t mask[BAL_MASK_WORDS] = {0};
    float limit = reach * s->bound;
    int n = bal_kselect_scan(s, d2, BAL_TILE, reach, value, mask), at = 0;
    int within = 0;

    for (int j = 0; j < BAL_TILE; j++)
        within += isfinite(d2[j]) && d2[j] <= limit;
    for (int j = 0; j < BAL_TILE; j++) {
        bool near =
            (isfinite(d2[j]) && d2[j] <= limit) || within > BAL_TILE / 2;
        ck_assert_int_eq(has(mask, j), near);
        if (!near)
            continue;
        ck_assert(bits_of_float(value[at]) == bits_of_float(d2[j]));
        at++;
    }
    ck_assert_int_eq(at, n);
}

START_TEST(scans_select_and_keep_candidates)
{
    static const bal_size ks[] = {1, 10, 32, 33, 200};
    static const float reaches[] = {1.0f, BAL_AFFINITY_REACH};

    FOR_EACH_ISA(isa)
    for (int what = 0; what < KINDS; what++)
        for (int i = 0; i < 5; i++) {
            bal_kselect s;
            bal_size finite = make((kind)what, 8 * BAL_TILE, (uint64_t)i);
            bal_size want = ks[i] < finite ? ks[i] : finite;
            bal_kselect_init(&s, ks[i], buffer);
            for (int t = 0; t < 8; t++)
                check_scan(&s, stream + t * BAL_TILE, reaches[i % 2]);
            ck_assert_int_eq(bal_kselect_finish(&s), want);
            ck_assert(memcmp(s.at, sorted, (size_t)want * sizeof *sorted) == 0);
        }
}
END_TEST

/* The largest of the k smallest is there without the others in order. */
START_TEST(last_of_a_selection)
{
    static const bal_size ks[] = {1, 10, 32, 33, 200, 3000};

    FOR_EACH_ISA(isa)
    for (int what = 0; what < KINDS; what++)
        for (int i = 0; i < 6; i++)
            for (int n = 0; n <= 2000; n = 3 * n + 1) {
                bal_kselect s;
                float kth;
                bal_size finite = make((kind)what, n, (uint64_t)i);
                bal_size want = ks[i] < finite ? ks[i] : finite;
                bal_kselect_init(&s, ks[i], buffer);
                offer_all(&s, n, BAL_TILE);
                ck_assert_int_eq(bal_kselect_last(&s, &kth), want);
                if (want > 0)
                    ck_assert(kth == sorted[want - 1]);
                else
                    ck_assert(isinf(kth));
            }
}
END_TEST

/* A first bound that leaves k elements changes nothing; one that does not is
 * found out by their number. */
START_TEST(begins_with_a_guess)
{
    enum { K = 200 };

    FOR_EACH_ISA(isa)
    for (int rank = 100; rank < 1000; rank += 100) {
        bal_kselect s;
        make(WIDE, STREAM, (uint64_t)rank);
        bal_kselect_init(&s, K, buffer);
        s.bound = sorted[rank];
        offer_all(&s, STREAM, BAL_TILE);
        bal_size n = bal_kselect_finish(&s), want = rank < K ? rank : K;
        ck_assert_int_eq(n, want);
        ck_assert(memcmp(s.at, sorted, (size_t)n * sizeof *sorted) == 0);
    }
}
END_TEST

int main(int argc, char **argv)
{
    Suite *s = suite_create("kernel/kselect");
    TCase *c = tcase_create("kselect");

    tcase_add_checked_fixture(c, allocate, release);
    tcase_add_test(c, selects_the_k_smallest);
    tcase_add_test(c, stays_within_its_buffer);
    tcase_add_test(c, small_streams);
    tcase_add_test(c, bound_falls_early);
    tcase_add_test(c, bound_is_the_same_everywhere);
    tcase_add_test(c, kth_smallest);
    tcase_add_test(c, candidates);
    tcase_add_test(c, scans_select_and_keep_candidates);
    tcase_add_test(c, last_of_a_selection);
    tcase_add_test(c, begins_with_a_guess);
    suite_add_tcase(s, c);
    return mpi_check_run(s, argc, argv);
}
