/* The distances of every instruction set against the definition, bit by bit. */
#include "balans/kernel/distance.h"

#include <math.h>

#include "isas.h"
#include "mpi_check.h"

enum { W_MOST = 70, P_MOST = 300 };

static float *tile, *landmark, *d2;

static void allocate(void)
{
    tile = floats((bal_size)BAL_TILE * P_MOST);
    landmark = floats((bal_size)W_MOST * P_MOST);
    d2 = floats((bal_size)(W_MOST + 1) * BAL_TILE);
}

static void release(void)
{
    bal_free(&tile);
    bal_free(&landmark);
    bal_free(&d2);
}

/* Points of mixed magnitude; every third column repeats a landmark, and the
 * last `pad` columns are padding. */
static void fill(int ld, int p, int w, int pad, uint64_t seed)
{
    for (int i = 0; i < w * p; i++)
        landmark[i] = ldexpf(unit(&seed) - 0.5f, (int)below(&seed, 40) - 20);
    for (int j = 0; j < ld; j++)
        for (int f = 0; f < p; f++) {
            float v = ldexpf(unit(&seed) - 0.5f, (int)below(&seed, 40) - 20);
            if (j % 3 == 0)
                v = landmark[j % w * p + f];
            tile[f * ld + j] = j < ld - pad ? v : INFINITY;
        }
}

static float defined(int ld, int p, int w, int j)
{
    float sum = 0.0f;

    for (int f = 0; f < p; f++) {
        float d = tile[f * ld + j] - landmark[w * p + f];
        sum = fmaf(d, d, sum);
    }
    return sum;
}

static void compare(int isa, int ld, int p, int w)
{
    const float mark = -7.0f;

    for (int i = 0; i < (w + 1) * ld; i++)
        d2[i] = mark;
    bal_distance_tile(tile, ld, p, landmark, w, d2);
    for (int k = 0; k < w; k++)
        for (int j = 0; j < ld; j++) {
            float want = defined(ld, p, k, j), got = d2[k * ld + j];
            ck_assert_msg(bits_of_float(want) == bits_of_float(got),
                          "%s, ld %d, p %d, %d of %d, column %d: %a, not %a",
                          bal_isa_name((bal_isa)isa), ld, p, k, w, j,
                          (double)got, (double)want);
        }
    for (int j = 0; j < ld; j++)
        ck_assert_msg(d2[w * ld + j] == mark, "wrote past the last row");
}

START_TEST(any_number_of_landmarks)
{
    FOR_EACH_ISA(isa)
    for (int w = 1; w <= W_MOST; w++) {
        fill(48, 5, w, 3, (uint64_t)w);
        compare(isa, 48, 5, w);
    }
}
END_TEST

START_TEST(any_number_of_columns)
{
    FOR_EACH_ISA(isa)
    for (int ld = BAL_LANES; ld <= BAL_TILE; ld += BAL_LANES) {
        fill(ld, 7, 8, ld % 5, (uint64_t)ld);
        compare(isa, ld, 7, 8);
    }
}
END_TEST

START_TEST(any_number_of_features)
{
    FOR_EACH_ISA(isa)
    for (int p = 1; p <= P_MOST; p = p < 20 ? p + 1 : p * 3 / 2) {
        fill(80, p, 7, 0, (uint64_t)p);
        compare(isa, 80, p, 7);
    }
}
END_TEST

/* Some columns of a tile alone: the same, and no others are written. */
START_TEST(some_columns_of_a_tile)
{
    enum { LD = 96, W = 7 };
    static float whole[W * LD];
    int wrong = 0;

    FOR_EACH_ISA(isa)
    for (int p = 1; p <= P_MOST; p += 23)
        for (int from = 0; from < LD; from += BAL_LANES) {
            fill(LD, p, W, 0, (uint64_t)(p + from));
            bal_distance_tile(tile, LD, p, landmark, W, d2);
            memcpy(whole, d2, sizeof whole);
            for (int i = 0; i < W * LD; i++)
                d2[i] = -7.0f;
            bal_distance_lanes(tile + from, LD, p, landmark, W, d2 + from);
            for (int i = 0; i < W * LD; i++) {
                bool in = i % LD >= from && i % LD < from + BAL_LANES;
                wrong += bits_of_float(d2[i]) !=
                         bits_of_float(in ? whole[i] : -7.0f);
            }
        }
    ck_assert_int_eq(wrong, 0);
}
END_TEST

START_TEST(equal_points_have_distance_zero)
{
    FOR_EACH_ISA(isa)
    {
        fill(64, 50, 6, 0, 99);
        bal_distance_tile(tile, 64, 50, landmark, 6, d2);
        for (int j = 0; j < 64; j += 3)
            ck_assert(bits_of_float(d2[j % 6 * 64 + j]) == 0);
    }
}
END_TEST

START_TEST(padding_is_infinitely_far)
{
    FOR_EACH_ISA(isa)
    {
        fill(32, 4, 3, 9, 5);
        bal_distance_tile(tile, 32, 4, landmark, 3, d2);
        for (int w = 0; w < 3; w++)
            for (int j = 0; j < 32; j++)
                ck_assert(!isfinite(d2[w * 32 + j]) == (j >= 32 - 9));
    }
}
END_TEST

START_TEST(extreme_values)
{
    static const float hard[] = {0.0f,
                                 0x1p-149f,
                                 0x1p-126f,
                                 0x1p-75f,
                                 0x1.fffffep-64f,
                                 1.0f,
                                 0x1.000002p0f,
                                 0x1.fffffep0f,
                                 0x1p12f,
                                 0x1.555556p24f,
                                 0x1.fffffep62f,
                                 0x1p64f,
                                 0x1.fffffep126f,
                                 -0x1.8p-63f,
                                 -0x1.000002p-12f,
                                 -3.0f};
    const int n = (int)(sizeof hard / sizeof hard[0]);
    uint64_t x = 17;

    FOR_EACH_ISA(isa)
    for (int turn = 0; turn < 50; turn++) {
        for (int i = 0; i < 9 * 12; i++)
            landmark[i] = hard[below(&x, (uint32_t)n)];
        for (int i = 0; i < 9 * 64; i++)
            tile[i] = hard[below(&x, (uint32_t)n)];
        compare(isa, 64, 9, 12);
    }
}
END_TEST

/* The square of an odd number of 13 bits is halfway between two floats; what is
 * there already, far too little for a double, decides which one it is.  There a
 * product rounded before it is added, or a sum rounded twice, shows. */
START_TEST(rounds_once)
{
    uint64_t x = 23;

    FOR_EACH_ISA(isa)
    for (int turn = 0; turn < 100; turn++) {
        memset(landmark, 0, 18 * sizeof *landmark);
        for (int j = 0; j < 64; j++) {
            tile[j] = ldexpf(unit(&x), -(int)below(&x, 60));
            tile[64 + j] = (float)(4097 + 2 * below(&x, 2047));
            tile[128 + j] = unit(&x);
        }
        compare(isa, 64, 3, 6);
    }
}
END_TEST

int main(int argc, char **argv)
{
    Suite *s = suite_create("kernel/distance");
    TCase *c = tcase_create("distance");

    tcase_add_checked_fixture(c, allocate, release);
    tcase_add_test(c, any_number_of_landmarks);
    tcase_add_test(c, any_number_of_columns);
    tcase_add_test(c, any_number_of_features);
    tcase_add_test(c, some_columns_of_a_tile);
    tcase_add_test(c, equal_points_have_distance_zero);
    tcase_add_test(c, padding_is_infinitely_far);
    tcase_add_test(c, extreme_values);
    tcase_add_test(c, rounds_once);
    suite_add_tcase(s, c);
    return mpi_check_run(s, argc, argv);
}
