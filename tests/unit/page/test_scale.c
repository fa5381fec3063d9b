/* Axes: round numbers, places, numbers as text. */
#include "balans/page/scale.h"

#include <math.h>

#include "mpi_check.h"

#define THIN "\xe2\x80\xaf"

typedef struct axis {
    double low, high;
    int most;
    double first, step;
    int count;
} axis;

static const axis axes[] = {
    {0, 1, 5, 0, 0.2, 6},   {0, 100, 5, 0, 20, 6},      {0, 999, 6, 0, 200, 5},
    {3, 17, 5, 5, 5, 3},    {-1, 1, 4, -1, 0.5, 5},     {0, 1.04, 5, 0, 0.5, 3},
    {0, 3e9, 5, 0, 1e9, 4}, {0, 0.003, 5, 0, 0.001, 4}, {41, 42, 2, 41, 0.5, 3},
};

START_TEST(finds_round_numbers)
{
    const axis *a = &axes[_i];
    double tick[BAL_TICKS_MOST];
    int count = bal_ticks(a->low, a->high, a->most, tick);

    ck_assert_int_eq(count, a->count);
    for (int i = 0; i < count; i++) {
        ck_assert_double_eq_tol(tick[i], a->first + i * a->step,
                                1e-9 * a->step);
        ck_assert(!signbit(tick[i]) || tick[i] < 0);
    }
}
END_TEST

/* Whatever the range: some ticks, inside, not too many. */
START_TEST(finds_some_anywhere)
{
    double tick[BAL_TICKS_MOST];

    for (int e = -30; e < 30; e++)
        for (double m = 1; m < 10; m += 0.37) {
            double high = m * pow(10, e), low = e % 3 == 0 ? -high / 3 : 0;
            int count = bal_ticks(low, high, 5, tick);
            ck_assert(count >= 1 && count <= 7);
            ck_assert(tick[0] >= low - 1e-6 * high);
            ck_assert(tick[count - 1] <= high * (1 + 1e-6));
        }
}
END_TEST

START_TEST(places_values)
{
    const bal_axis up = {0, 10, 200, 0};

    ck_assert_double_eq(bal_axis_at(&up, 0), 200);
    ck_assert_double_eq(bal_axis_at(&up, 10), 0);
    ck_assert_double_eq(bal_axis_at(&up, 2.5), 150);
}
END_TEST

typedef struct number {
    double value;
    const char *want;
} number;

static const number numbers[] = {
    {0, "0"},
    {0.25, "0.25"},
    {3000, "3000"},
    {1.0 / 3, "0.3333"},
    {20000, "20" THIN "000"},
    {-858123, "-858" THIN "123"},
    {5e9, "5" THIN "000" THIN "000" THIN "000"},
    {12345.5, "1.235e+04"},
    {1e20, "1.000e+20"},
};

START_TEST(writes_numbers)
{
    char text[48];

    ck_assert_str_eq(bal_number(text, sizeof text, numbers[_i].value),
                     numbers[_i].want);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("page/scale");
    TCase *tcase = tcase_create("scale");

    tcase_add_loop_test(tcase, finds_round_numbers, 0,
                        (int)(sizeof axes / sizeof *axes));
    tcase_add_test(tcase, finds_some_anywhere);
    tcase_add_test(tcase, places_values);
    tcase_add_loop_test(tcase, writes_numbers, 0,
                        (int)(sizeof numbers / sizeof *numbers));
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
