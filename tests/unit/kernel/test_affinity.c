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
        ck_assert(bal_affinity(0.0f, 0.0f) == 1.0f);
        ck_assert(bal_affinity(1e-30f, 0.0f) == 0.0f);
        ck_assert(bal_affinity(0.0f, 2.0f) == 1.0f);
        ck_assert(bal_affinity(3.0f, 7.0f) == bal_exp_neg(3.0f / 7.0f));
        ck_assert(bal_affinity(1.0f, 1e-45f) == 0.0f);
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
    uint32_t want[BAL_BINS];
    bal_size whole = pad(count);

    memcpy(want, bins, sizeof want);
    bal_affinity_bin(value, whole, s2, bins);
    for (bal_size i = 0; i < whole; i++) {
        float a = i < count ? bal_affinity(base_value[i], s2) : 0.0f;
        ck_assert(bits_of_float(value[i]) == bits_of_float(a));
        if (a >= BAL_AFFINITY_FLOOR)
            want[bin_by_edges(a)]++;
    }
    ck_assert(memcmp(want, bins, BAL_BINS * sizeof *want) == 0);
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
    const float *edge = bal_affinity_edges();

    FOR_EACH_ISA(isa)
    for (int h = 0; h < BAL_BINS; h++) {
        float d2 = inverse(edge[h]);
        for (int i = 0; i < 16; i++)
            d2 = nextafterf(d2, 0.0f);
        for (int i = 0; i < 32; i++) {
            base_value[i] = d2;
            d2 = nextafterf(d2, 100.0f);
        }
        memcpy(value, base_value, BAL_TILE * sizeof *value);
        check_bin(32, 1.0f);
    }
}
END_TEST

START_TEST(within_the_scale)
{
    static const float scales[] = {1.0f, 0.3f, 0.0f};

    FOR_EACH_ISA(isa)
    for (int count = 0; count <= BAL_TILE; count++) {
        float s2 = scales[count % 3];
        bal_size n = 0, got, whole;
        fill(count, (uint64_t)count, 2.0f);
        if (count > 0)
            value[count - 1] = base_value[count - 1] = s2;
        whole = pad(count);
        got = bal_affinity_within(value, whole, s2);
        for (bal_size i = 0; i < whole; i++) {
            bool in = i < count && base_value[i] <= s2;
            float a = in ? bal_affinity(base_value[i], s2) : 0.0f;
            ck_assert(bits_of_float(value[i]) == bits_of_float(a));
            n += in;
        }
        ck_assert_int_eq(n, got);
    }
}
END_TEST

/* More than a tile at once, as a batch's candidates come. */
START_TEST(long_runs_equal_short_ones)
{
    enum { LONG = 5 * BAL_TILE + 3 * BAL_LANES };
    float *all = floats(LONG), *parts = floats(LONG);
    uint32_t want[BAL_BINS_ROOM] = {0};
    uint64_t seed = 11;

    for (int i = 0; i < LONG; i++)
        all[i] = 8.0f * unit(&seed);
    FOR_EACH_ISA(isa)
    {
        float *run = floats(LONG);
        memcpy(run, all, LONG * sizeof *all);
        memcpy(parts, all, LONG * sizeof *all);
        memset(bins, 0, sizeof bins);
        memset(want, 0, sizeof want);
        bal_affinity_bin(run, LONG, 1.5f, bins);
        for (int i = 0; i < LONG; i += BAL_LANES)
            bal_affinity_bin(parts + i, BAL_LANES, 1.5f, want);
        ck_assert(memcmp(run, parts, LONG * sizeof *all) == 0);
        ck_assert(memcmp(bins, want, BAL_BINS * sizeof *want) == 0);
        bal_free(&run);
    }
    bal_free(&all);
    bal_free(&parts);
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

static void check_keep(int count, float threshold)
{
    float out[BAL_TILE + BAL_LANES];
    bal_lidx at[BAL_TILE + BAL_LANES];
    uint64_t mask[BAL_MASK_WORDS];
    int lane[BAL_TILE], n = 0, got;

    fill(count, (uint64_t)count, 1.0f);
    if (count > 0)
        value[count / 2] = threshold;
    choose_lanes(count, (uint64_t)count, lane, mask);
    got = bal_affinity_keep(value, mask, count, threshold, 1000000, out, at);
    for (int i = 0; i < count; i++) {
        if (!(value[i] >= threshold))
            continue;
        ck_assert(out[n] == value[i]);
        ck_assert_int_eq(at[n], 1000000 + lane[i]);
        n++;
    }
    ck_assert_int_eq(n, got);
}

START_TEST(keeps_what_reaches_the_threshold)
{
    /* Nearly nothing, a few, many, nearly all. */
    static const float thresholds[] = {0.999f, 0.95f, 0.5f, 0.001f};

    FOR_EACH_ISA(isa)
    for (int count = 0; count <= BAL_TILE; count++)
        for (int i = 0; i < 4; i++)
            check_keep(count, thresholds[i]);
}
END_TEST

START_TEST(elbow_of_nothing)
{
    ck_assert_int_eq(bal_elbow(histogram), 0);
}
END_TEST

/* With all N entries in bin b: (N - R(h)) H - h N is -h N up to b and
 * (H - h) N above, so the best is b + 1; in the last bin, 0 at h = 0. */
START_TEST(elbow_of_one_bin)
{
    for (int b = 0; b < BAL_BINS; b++) {
        memset(histogram, 0, sizeof histogram);
        histogram[b] = 3;
        ck_assert_int_eq(bal_elbow(histogram), b + 1 < BAL_BINS ? b + 1 : 0);
    }
}
END_TEST

/* Equal bins: every point of the curve lies on the chord. */
START_TEST(elbow_takes_the_last_of_equals)
{
    for (int h = 0; h < BAL_BINS; h++)
        histogram[h] = 5;
    ck_assert_int_eq(bal_elbow(histogram), BAL_BINS - 1);
}
END_TEST

/* Half of the entries in bin 0 and half in bin 512: 1 and 513 tie, as
 * (N/2) H - N = N H - 513 N for H = 1024. */
START_TEST(elbow_of_two_equal_bends)
{
    histogram[0] = 500;
    histogram[512] = 500;
    ck_assert_int_eq(bal_elbow(histogram), 513);
    histogram[0]++;
    ck_assert_int_eq(bal_elbow(histogram), 1);
}
END_TEST

START_TEST(elbow_of_very_many)
{
    histogram[3] = INT64_C(1) << 40;
    histogram[1023] = INT64_C(1) << 33;
    ck_assert_int_eq(bal_elbow(histogram), 4);
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
    tcase_add_test(c, within_the_scale);
    tcase_add_test(c, long_runs_equal_short_ones);
    tcase_add_test(c, keeps_what_reaches_the_threshold);
    tcase_add_checked_fixture(e, allocate, release);
    tcase_add_test(e, elbow_of_nothing);
    tcase_add_test(e, elbow_of_one_bin);
    tcase_add_test(e, elbow_takes_the_last_of_equals);
    tcase_add_test(e, elbow_of_two_equal_bends);
    tcase_add_test(e, elbow_of_very_many);
    suite_add_tcase(s, c);
    suite_add_tcase(s, e);
    return mpi_check_run(s, argc, argv);
}
