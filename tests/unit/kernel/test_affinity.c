/* Affinities of every instruction set against exp() in double and each other,
 * bins against the edges, the elbow against cases made by hand. */
#include "balans/kernel/affinity.h"

#include <math.h>

#include "isas.h"
#include "mpi_check.h"

static float *value, *base_value;
static uint32_t bins[BAL_BINS_ROOM];
static int64_t histogram[BAL_BINS];

static void allocate(void)
{
    value = floats(BAL_TILE);
    base_value = floats(BAL_TILE);
    memset(bins, 0, sizeof bins);
    memset(histogram, 0, sizeof histogram);
}

static void release(void)
{
    bal_free(&value);
    bal_free(&base_value);
}

static double off_by(float t)
{
    double want = exp(-(double)t), got = (double)bal_exp_neg(t);
    int exponent;

    frexp(want, &exponent);
    return fabs(got - want) / ldexp(1.0, exponent - 24);
}

START_TEST(exponential_is_close)
{
    double worst = 0.0;

    FOR_EACH_ISA(isa)
    {
        for (int i = 0; i <= 870000; i++)
            worst = fmax(worst, off_by((float)i * 1e-4f));
        for (uint32_t u = 0; u < 0x42ae0000u; u += 4099) {
            float t;
            memcpy(&t, &u, sizeof t);
            worst = fmax(worst, off_by(t));
        }
    }
    ck_assert_msg(worst <= 2.0, "off by %g units in the last place", worst);
}
END_TEST

START_TEST(exponential_at_the_ends)
{
    FOR_EACH_ISA(isa)
    {
        ck_assert(bal_exp_neg(0.0f) == 1.0f);
        ck_assert(bal_exp_neg(0x1p-149f) == 1.0f);
        ck_assert(bal_exp_neg(87.0f) > 0.0f);
        ck_assert(bits_of_float(bal_exp_neg(nextafterf(87.0f, 100.0f))) == 0);
        ck_assert(bits_of_float(bal_exp_neg(3e38f)) == 0);
        ck_assert(bits_of_float(bal_exp_neg(INFINITY)) == 0);
    }
}
END_TEST

START_TEST(exponential_is_the_same_everywhere)
{
    for (uint32_t u = 0; u < 0x42b00000u; u += 30011) {
        float t, want = 0.0f;
        memcpy(&t, &u, sizeof t);
        FOR_EACH_ISA(isa)
        {
            float got = bal_exp_neg(t);
            want = isa == BAL_ISA_GENERIC ? got : want;
            ck_assert_msg(bits_of_float(got) == bits_of_float(want),
                          "exp(-%a) is %a with %s, %a with generic", (double)t,
                          (double)got, bal_isa_name((bal_isa)isa),
                          (double)want);
        }
    }
}
END_TEST

START_TEST(affinity_of_one_pair)
{
    FOR_EACH_ISA(isa)
    {
        ck_assert(bal_affinity_at(0.0f, 0.0f) == 1.0f);
        ck_assert(bal_affinity_at(1e-30f, 0.0f) == 0.0f);
        ck_assert(bal_affinity_at(0.0f, 2.0f) == 1.0f);
        ck_assert(bal_affinity_at(3.0f, 7.0f) == bal_exp_neg(3.0f / 7.0f));
        ck_assert(bal_affinity_at(1.0f, 1e-45f) == 0.0f);
    }
}
END_TEST

START_TEST(reach_covers_the_floor)
{
    FOR_EACH_ISA(isa)
    {
        ck_assert(bal_exp_neg(BAL_AFFINITY_REACH) < BAL_AFFINITY_FLOOR);
        ck_assert(bal_exp_neg(BAL_AFFINITY_REACH * 0.999f) >=
                  BAL_AFFINITY_FLOOR);
    }
}
END_TEST

START_TEST(edges_are_as_defined)
{
    const float *edge = bal_affinity_edges();

    ck_assert(edge[0] == BAL_AFFINITY_FLOOR);
    for (int h = 0; h < BAL_BINS; h++) {
        double e = 0.001 + h * (1.0 - 0.001) / BAL_BINS;
        ck_assert(edge[h] == (float)e);
        if (h > 0)
            ck_assert(edge[h] > edge[h - 1]);
    }
    ck_assert(edge[BAL_BINS - 1] < 1.0f);
}
END_TEST

/* The squared distance, for a scale of 1, whose affinity is nearest to `a`. */
static float inverse(float a)
{
    return (float)-log((double)a);
}

static int bin_by_edges(float a)
{
    const float *edge = bal_affinity_edges();
    int h = 0;

    while (h + 1 < BAL_BINS && a >= edge[h + 1])
        h++;
    return h;
}

static void fill(int count, uint64_t seed, float most)
{
    for (int i = 0; i < count; i++)
        base_value[i] = below(&seed, 9) == 0 ? 0.0f : most * unit(&seed);
    memcpy(value, base_value, BAL_TILE * sizeof *value);
}

/* Fills up to whole vectors, as candidates are. */
static bal_size pad(int count)
{
    bal_size whole = (count + BAL_LANES - 1) / BAL_LANES * BAL_LANES;

    for (bal_size i = count; i < whole; i++)
        value[i] = INFINITY;
    return whole;
}

static void check_bin(int count, float s2)
{
    uint32_t want[BAL_BINS] = {0};
    bal_size whole = pad(count);

    memset(bins, 0, sizeof bins);
    bal_affinity_bin(value, whole, s2, bins);
    for (bal_size i = 0; i < whole; i++) {
        float a = i < count ? bal_affinity_at(base_value[i], s2) : 0.0f;
        if (a >= BAL_AFFINITY_FLOOR)
            want[bin_by_edges(a)]++;
    }
    int wrong = 0;
    for (int h = 0; h < BAL_BINS; h++)
        wrong += bal_bins_at(bins, h) != want[h];
    ck_assert_msg(wrong == 0, "scale %a: %d bins are wrong", (double)s2, wrong);
}

START_TEST(bins_of_random_candidates)
{
    FOR_EACH_ISA(isa)
    for (int count = 0; count <= BAL_TILE; count++)
        for (int turn = 0; turn < 4; turn++) {
            fill(count, (uint64_t)(count * 4 + turn), turn < 3 ? 8.0f : 300.0f);
            check_bin(count, turn == 2 ? 0.0f : 1.0f + 0.1f * (float)turn);
        }
}
END_TEST

/* Around every edge the affinities of neighbouring distances fall on both
 * sides of it, and now and then on it. */
START_TEST(bins_around_the_edges)
{
    static const float scales[] = {1.0f, 0.3f, 12.7388f, 3e4f};
    const float *edge = bal_affinity_edges();

    FOR_EACH_ISA(isa)
    for (int h = 0; h < 4 * BAL_BINS; h++) {
        float s2 = scales[h % 4], d2 = s2 * inverse(edge[h / 4]);
        for (int i = 0; i < 16; i++)
            d2 = nextafterf(d2, 0.0f);
        for (int i = 0; i < 32; i++) {
            base_value[i] = d2;
            d2 = nextafterf(d2, 1e9f);
        }
        memcpy(value, base_value, BAL_TILE * sizeof *value);
        check_bin(32, s2);
    }
}
END_TEST

START_TEST(bins_of_extreme_scales)
{
    static const float scales[] = {1e-45f, 7e-45f, 1e-38f, 1e-31f,
                                   1e31f,  1e37f,  3e38f};

    FOR_EACH_ISA(isa)
    for (int k = 0; k < 7; k++) {
        uint64_t seed = 3;
        for (int i = 0; i < 64; i++)
            base_value[i] = fminf(8.0f * unit(&seed) * scales[k], 3e38f);
        memcpy(value, base_value, BAL_TILE * sizeof *value);
        check_bin(64, scales[k]);
    }
}
END_TEST

/* More than a tile at once, as a batch's candidates come. */
START_TEST(long_runs_equal_short_ones)
{
    enum { LONG = 5 * BAL_TILE + 3 * BAL_LANES };
    float *all = floats(LONG);
    uint32_t want[BAL_BINS_ROOM];
    uint64_t seed = 11;

    for (int i = 0; i < LONG; i++)
        all[i] = 8.0f * unit(&seed);
    FOR_EACH_ISA(isa)
    {
        memset(bins, 0, sizeof bins);
        memset(want, 0, sizeof want);
        bal_affinity_bin(all, LONG, 1.5f, bins);
        for (int i = 0; i < LONG; i += BAL_LANES)
            bal_affinity_bin(all + i, BAL_LANES, 1.5f, want);
        int wrong = 0;
        for (int h = 0; h < BAL_BINS; h++)
            wrong += bal_bins_at(bins, h) != bal_bins_at(want, h);
        ck_assert_int_eq(wrong, 0);
    }
    bal_free(&all);
}
END_TEST

/* `count` lanes of a tile, and the mask that says so. */
static void choose_lanes(int count, uint64_t seed, int *lane, uint64_t *mask)
{
    int n = 0;

    memset(mask, 0, BAL_MASK_WORDS * sizeof *mask);
    for (int j = 0; j < BAL_TILE; j++)
        if ((int)below(&seed, (uint32_t)(BAL_TILE - j)) < count - n) {
            mask[j / 64] |= UINT64_C(1) << j % 64;
            lane[n++] = j;
        }
}

/* Sifts `count` entries from `gap` floats further on. */
static void check_sift(int count, float s2, float ratio, int gap)
{
    uint64_t mask[BAL_MASK_WORDS];
    int lane[BAL_TILE], n = 0, left;
    bal_reach to = bal_reach_for(s2, ratio);
    bal_size reaching = 100, want = 100;
    float *room = floats(2 * BAL_TILE);

    choose_lanes(count, (uint64_t)count, lane, mask);
    pad(count);
    memcpy(room + gap, value, BAL_TILE * sizeof *value);
    left = bal_affinity_sift(room + gap, count, mask, &to, room, &reaching);
    for (int i = 0; i < count; i++) {
        want +=
            s2 >= 0 && bal_affinity_at(base_value[i], s2) >= BAL_AFFINITY_FLOOR;
        if (!(base_value[i] <= to.keep))
            continue;
        ck_assert(room[n] == base_value[i]);
        ck_assert(mask[lane[i] / 64] >> lane[i] % 64 & 1);
        mask[lane[i] / 64] &= ~(UINT64_C(1) << lane[i] % 64);
        n++;
    }
    ck_assert_int_eq(left, n);
    ck_assert_int_eq(reaching, want);
    ck_assert((mask[0] | mask[1] | mask[2] | mask[3]) == 0);
    for (; n % BAL_LANES != 0; n++)
        ck_assert(isinf(room[n]));
    bal_free(&room);
}

START_TEST(sifting_drops_the_far_and_counts)
{
    static const float scales[] = {1.0f, 0.3f, 0.0f, -1.0f, 1e-45f, 1.2f};
    static const float ratios[] = {1.0f, BAL_AFFINITY_REACH, 2.5f};

    FOR_EACH_ISA(isa)
    for (int count = 0; count <= BAL_TILE; count++) {
        float s2 = scales[count % 6];
        fill(count, (uint64_t)count, 9.0f);
        for (int i = 0; i < count && i < 40; i++) /* about the floor */
            base_value[i] = fabsf(s2) * (6.90775f + 1e-6f * (float)(i - 20));
        if (count > 40)
            base_value[40] = fabsf(s2);
        memcpy(value, base_value, BAL_TILE * sizeof *value);
        check_sift(count, s2, ratios[count % 3], 16 * (count % 5));
    }
}
END_TEST

static void check_keep(int count, float s2, float threshold)
{
    float out[BAL_TILE + 1];
    bal_lidx at[BAL_TILE + 1];
    uint64_t mask[BAL_MASK_WORDS];
    int lane[BAL_TILE], n = 0, got;
    bal_reach to = bal_reach_for(s2, bal_affinity_ratio(threshold));

    choose_lanes(count, (uint64_t)count, lane, mask);
    pad(count);
    got =
        bal_affinity_keep(value, mask, count, &to, threshold, 1000000, out, at);
    for (int i = 0; i < count; i++) {
        float a = bal_affinity_at(base_value[i], s2);
        if (!(a >= threshold))
            continue;
        ck_assert(bits_of_float(out[n]) == bits_of_float(a));
        ck_assert_int_eq(at[n], 1000000 + lane[i]);
        n++;
    }
    ck_assert_int_eq(n, got);
}

START_TEST(keeps_what_reaches_the_threshold)
{
    /* Nearly nothing, a few, many, nearly all. */
    static const float thresholds[] = {0.999f, 0.95f, 0.5f, 0.001f};
    static const float scales[] = {1.0f, 0.3f, 0.0f, 1e-44f, 2e3f};

    FOR_EACH_ISA(isa)
    for (int count = 1; count <= BAL_TILE; count++)
        for (int i = 0; i < 20; i++) {
            float s2 = scales[i / 4];
            fill(count, (uint64_t)count, 2.0f * s2);
            base_value[count / 2] = s2 * inverse(thresholds[i % 4]);
            memcpy(value, base_value, BAL_TILE * sizeof *value);
            check_keep(count, s2, thresholds[i % 4]);
        }
}
END_TEST

/* A tile of entries at a threshold, on both sides of it. */
START_TEST(keeps_none_below_the_threshold)
{
    FOR_EACH_ISA(isa)
    for (int h = 0; h < BAL_BINS; h += 31) {
        float threshold = bal_affinity_edges()[h], d2 = inverse(threshold);
        for (int i = 0; i < 4; i++)
            d2 = nextafterf(d2, 0.0f);
        for (int i = 0; i < BAL_TILE; i++) {
            base_value[i] = d2;
            d2 = i % 32 == 31 ? nextafterf(d2, 100.0f) : d2;
        }
        memcpy(value, base_value, BAL_TILE * sizeof *value);
        check_keep(BAL_TILE, 1.0f, threshold);
    }
}
END_TEST

START_TEST(elbow_of_nothing)
{
    ck_assert_int_eq(bal_elbow(histogram, 0), 0);
}
END_TEST

/* With all N entries in bin b: (N - R(h)) H - h N is -h N up to b and
 * (H - h) N above, so the best is b + 1; in the last bin, 0 at h = 0. */
START_TEST(elbow_of_one_bin)
{
    for (int b = 0; b < BAL_BINS; b++) {
        memset(histogram, 0, sizeof histogram);
        histogram[b] = 3;
        ck_assert_int_eq(bal_elbow(histogram, 0), b + 1 < BAL_BINS ? b + 1 : 0);
    }
}
END_TEST

/* Equal bins: every point of the curve lies on the chord. */
START_TEST(elbow_takes_the_last_of_equals)
{
    for (int h = 0; h < BAL_BINS; h++)
        histogram[h] = 5;
    ck_assert_int_eq(bal_elbow(histogram, 0), BAL_BINS - 1);
}
END_TEST

/* Half of the entries in bin 0 and half in bin 512: 1 and 513 tie, as
 * (N/2) H - N = N H - 513 N for H = 1024. */
START_TEST(elbow_of_two_equal_bends)
{
    histogram[0] = 500;
    histogram[512] = 500;
    ck_assert_int_eq(bal_elbow(histogram, 0), 513);
    histogram[0]++;
    ck_assert_int_eq(bal_elbow(histogram, 0), 1);
}
END_TEST

START_TEST(elbow_of_very_many)
{
    histogram[3] = INT64_C(1) << 40;
    histogram[1023] = INT64_C(1) << 33;
    ck_assert_int_eq(bal_elbow(histogram, 0), 4);
}
END_TEST

/* A histogram whose lower bins stand together is enough where the bend is
 * certain to lie above them. */
START_TEST(elbow_without_the_lowest_bins)
{
    uint64_t seed = 21;
    int certain = 0, not_certain = 0;

    for (int turn = 0; turn < 3000; turn++) {
        int64_t low = 0;
        int steep = 1 + (int)below(&seed, 60), first, want, got;
        for (int h = 0; h < BAL_BINS; h++)
            histogram[h] =
                below(&seed, 1 + (uint32_t)(40 * steep / (steep + h)));
        want = bal_elbow(histogram, 0);
        first = 1 + (int)below(&seed, 400);
        for (int h = 0; h < first; h++) {
            low += histogram[h];
            histogram[h] = 0;
        }
        histogram[0] = low;
        got = bal_elbow(histogram, first);
        ck_assert(got == want || got == -1);
        ck_assert(got == -1 || got >= first);
        certain += got >= 0;
        not_certain += got < 0;
    }
    ck_assert_int_gt(certain, 300);
    ck_assert_int_gt(not_certain, 300);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *s = suite_create("kernel/affinity");
    TCase *c = tcase_create("affinity"), *e = tcase_create("elbow");

    tcase_add_checked_fixture(c, allocate, release);
    tcase_add_test(c, exponential_is_close);
    tcase_add_test(c, exponential_at_the_ends);
    tcase_add_test(c, exponential_is_the_same_everywhere);
    tcase_add_test(c, affinity_of_one_pair);
    tcase_add_test(c, reach_covers_the_floor);
    tcase_add_test(c, edges_are_as_defined);
    tcase_add_test(c, bins_of_random_candidates);
    tcase_add_test(c, bins_around_the_edges);
    tcase_add_test(c, bins_of_extreme_scales);
    tcase_add_test(c, long_runs_equal_short_ones);
    tcase_add_test(c, sifting_drops_the_far_and_counts);
    tcase_add_test(c, keeps_what_reaches_the_threshold);
    tcase_add_test(c, keeps_none_below_the_threshold);
    tcase_add_checked_fixture(e, allocate, release);
    tcase_add_test(e, elbow_of_nothing);
    tcase_add_test(e, elbow_of_one_bin);
    tcase_add_test(e, elbow_takes_the_last_of_equals);
    tcase_add_test(e, elbow_of_two_equal_bends);
    tcase_add_test(e, elbow_of_very_many);
    tcase_add_test(e, elbow_without_the_lowest_bins);
    suite_add_tcase(s, c);
    suite_add_tcase(s, e);
    return mpi_check_run(s, argc, argv);
}
