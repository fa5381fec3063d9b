/* Exact sums, products and counts of every instruction set against the same
 * operations written down one by one. */
#include "balans/kernel/sums.h"

#include <math.h>

#include "isas.h"
#include "mpi_check.h"

enum { MOST = 70, LD = 80, P = 11 };

static double values[P * LD], u[P];

static void fill(void)
{
    uint64_t x = 5;

    for (int i = 0; i < P * LD; i++)
        values[i] = (double)unit(&x) - 0.5 + (double)unit(&x) * 0x1p-40;
    for (int f = 0; f < P; f++)
        u[f] = (double)unit(&x) * 3;
}

START_TEST(adds_two_limbs)
{
    fill();
    FOR_EACH_ISA(isa)
    for (int n = 0; n <= MOST; n++) {
        int64_t sum[2 * MOST + 2];
        for (int i = 0; i < 2 * MOST + 2; i++)
            sum[i] = i;
        bal_fixed_add_all(sum, values, n, 0x1p61, 0x1p40);
        for (int i = 0; i <= MOST; i++) {
            double scaled = values[i] * 0x1p61, whole = trunc(scaled);
            int64_t hi = i < n ? (int64_t)whole : 0;
            int64_t lo = i < n ? (int64_t)((scaled - whole) * 0x1p40) : 0;
            ck_assert(sum[2 * i] == 2 * i + hi);
            ck_assert(sum[2 * i + 1] == 2 * i + 1 + lo);
        }
    }
}
END_TEST

START_TEST(products_are_chains)
{
    fill();
    FOR_EACH_ISA(isa)
    for (int n = 0; n <= MOST; n++) {
        double dot[MOST + 1] = {[0] = 7};
        dot[n] = 7;
        bal_panel_products(u, values, P, LD, n, dot);
        for (int g = 0; g < n; g++) {
            double want = 0;
            for (int f = 0; f < P; f++)
                want += u[f] * values[f * LD + g];
            ck_assert(memcmp(&dot[g], &want, sizeof want) == 0);
        }
        ck_assert(dot[n] > 6);
    }
}
END_TEST

START_TEST(counts_what_is_at_most)
{
    uint64_t x = 9;

    FOR_EACH_ISA(isa)
    for (int n = 0; n <= MOST; n++) {
        float v[MOST];
        uint32_t want = 0;
        for (int i = 0; i < n; i++) {
            v[i] = (float)below(&x, 9);
            want += v[i] <= 4;
        }
        ck_assert_uint_eq(bal_count_up_to(v, n, 4), want);
    }
}
END_TEST

int main(int argc, char **argv)
{
    Suite *s = suite_create("kernel/sums");
    TCase *c = tcase_create("sums");

    tcase_add_test(c, adds_two_limbs);
    tcase_add_test(c, products_are_chains);
    tcase_add_test(c, counts_what_is_at_most);
    suite_add_tcase(s, c);
    return mpi_check_run(s, argc, argv);
}
