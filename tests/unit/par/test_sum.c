/* Sums that do not depend on order or split, and how exact they are. */
#include "balans/par/sum.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "balans/base/rng.h"
#include "mpi_check.h"

enum { N = 1000 };

static bal_comm c;

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    bal_comm_finish(&c);
}

static double uniform(uint32_t a, uint32_t b)
{
    return (double)(bal_rng_u64(3, a, b, 0, 0) >> 11) / 9007199254740992.0;
}

/* Values of both signs and of very different size, around `unit`. */
static double fill(double *v, double unit)
{
    double bound = 0;

    for (uint32_t i = 0; i < N; i++) {
        double size = pow(10, -12 * uniform(i, 1));
        v[i] = unit * size * (uniform(i, 2) - 0.5);
        bound += fabs(v[i]);
    }
    return bound;
}

static void shuffle(int *order, uint32_t turn)
{
    for (uint32_t i = 0; i < N; i++)
        order[i] = (int)i;
    for (uint32_t i = N - 1; i > 0; i--) {
        uint64_t other = bal_rng_below(bal_rng_u64(9, turn, i, 0, 0), i + 1);
        int kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

static bool is_same(bal_fixed a, bal_fixed b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

START_TEST(does_not_depend_on_order_or_split)
{
    const double units[] = {1, 1e300, 1e-290, 5e-324};
    double v[N], bound = fill(v, units[_i]);
    bal_scale s = bal_scale_for(bound, N);
    bal_fixed straight = {0};
    int wrong = 0, order[N];

    for (int i = 0; i < N; i++)
        bal_fixed_add(&straight, &s, v[i]);
    for (uint32_t turn = 0; turn < 50; turn++) {
        bal_fixed part[7] = {0}, sum = {0};
        shuffle(order, turn);
        for (int i = 0; i < N; i++)
            bal_fixed_add(
                &part[uniform(turn, (uint32_t)i) * 7 < 3 ? 0 : order[i] % 7],
                &s, v[order[i]]);
        for (int p = 6; p >= 0; p--)
            bal_fixed_merge(&sum, part[p]);
        wrong += !is_same(sum, straight);
    }
    all_assert_msg(wrong == 0, "%d of 50 orders differ", wrong);
}
END_TEST

START_TEST(does_not_depend_on_ranks)
{
    double v[N], bound = fill(v, 1);
    bal_scale s = bal_scale_for(bound, N);
    bal_fixed serial[2] = {0}, mine[2] = {0};

    for (int i = 0; i < N; i++)
        for (int e = 0; e < 2; e++) {
            double term = e == 0 ? v[i] : -v[i] / 2;
            bal_fixed_add(&serial[e], &s, term);
            if (i * i % c.size == c.rank)
                bal_fixed_add(&mine[e], &s, term);
        }
    /* i * i % size leaves out some ranks and, on some sizes, no term */
    bal_fixed_reduce(&c, mine, 2);
    all_assert(is_same(mine[0], serial[0]) && is_same(mine[1], serial[1]));
}
END_TEST

START_TEST(is_exact_where_the_sum_is_known)
{
    int64_t sum = 0;
    double v[N], bound = 0;
    bal_fixed f = {0};

    for (uint32_t i = 0; i < N; i++) {
        int64_t whole =
            (int64_t)(bal_rng_u64(4, i, 0, 0, 0) >> 20) - (INT64_C(1) << 43);
        sum += whole;
        v[i] = ldexp((double)whole, -30);
        bound += fabs(v[i]);
    }
    bal_scale s = bal_scale_for(bound, N);
    for (int i = 0; i < N; i++)
        bal_fixed_add(&f, &s, v[i]);
    double want = ldexp((double)sum, -30), got = bal_fixed_value(f, &s);
    all_assert_msg(fabs(got - want) <= ldexp(fabs(want), -52), "%.17g %.17g",
                   got, want);
}
END_TEST

START_TEST(loses_nothing_to_cancellation)
{
    bal_scale s = bal_scale_for(2e10 + 1e-15, 3);
    bal_fixed f = {0};

    bal_fixed_add(&f, &s, 1e10);
    bal_fixed_add(&f, &s, 1e-15);
    bal_fixed_add(&f, &s, -1e10);
    double got = bal_fixed_value(f, &s);
    /* N bound 2^-(62 + L) with L = 59 */
    double error = 3 * 2e10 * ldexp(1, -121);
    all_assert_msg(fabs(got - 1e-15) <= error, "%.17g", got);
}
END_TEST

START_TEST(keeps_its_bound_with_many_terms)
{
    enum { MANY = 1000000 };
    bal_scale s = bal_scale_for(MANY * 0.1, MANY);
    bal_fixed f = {0};

    for (int i = 0; i < MANY; i++)
        bal_fixed_add(&f, &s, 0.1);
    double want = MANY * 0.1; /* 0.1 rounded, exactly times a million */
    double got = bal_fixed_value(f, &s);
    all_assert_msg(fabs(got - want) <= ldexp(want, -52), "%.17g", got);
}
END_TEST

START_TEST(does_not_overflow_at_the_bound)
{
    const double bounds[] = {1, 1.9999999999999998, 1e308, 3e-280, 0.75, 65535};
    double bound = bounds[_i];

    for (int sign = -1; sign <= 1; sign += 2) {
        bal_scale s = bal_scale_for(bound, 1);
        bal_fixed f = {0};
        bal_fixed_add(&f, &s, sign * bound);
        double got = bal_fixed_value(f, &s);
        all_assert_msg(got <= sign * bound && got >= sign * bound, "%.17g",
                       got);
    }
}
END_TEST

START_TEST(takes_a_zero_bound_for_zeros)
{
    bal_scale s = bal_scale_for(0, 100);
    bal_fixed f = {0};

    for (int i = 0; i < 100; i++)
        bal_fixed_add(&f, &s, i % 2 ? 0.0 : -0.0);
    double got = bal_fixed_value(f, &s);
    all_assert(f.hi == 0 && f.lo == 0 && got <= 0 && got >= 0);
}
END_TEST

START_TEST(accepts_any_number_of_terms)
{
    const bal_size terms[] = {0, 1, 2, 3, INT64_C(1) << 40, INT64_MAX};
    int wrong = 0;

    for (int i = 0; i < 6; i++) {
        bal_scale s = bal_scale_for(8, terms[i]);
        bal_fixed f = {0};
        bal_fixed_add(&f, &s, 5.25);
        double got = bal_fixed_value(f, &s);
        wrong += !(got <= 5.25 && got >= 5.25) || !(s.up_lo >= 1);
    }
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

/* A sum of floats, of any size a sum may have and either sign. */
static double wide_term(uint32_t i)
{
    int exponent = (int)(uniform(i, 11) * 275) - 148;
    double v = (double)(float)ldexp(uniform(i, 12) - 0.5, exponent);

    return i % 2 != 0 ? v : 256 * v;
}

START_TEST(a_wide_sum_does_not_depend_on_order_or_ranks)
{
    bal_wide straight = {0}, back = {0}, mine = {0}, rest = {0};

    for (uint32_t i = 0; i < N; i++) {
        bal_wide_add(&straight, wide_term(i));
        bal_wide_add(&back, wide_term(N - 1 - i));
        if (i % (uint32_t)c.size == (uint32_t)c.rank)
            bal_wide_add(i % 3 == 0 ? &mine : &rest, wide_term(i));
    }
    bal_wide_merge(&mine, &rest);
    bal_wide_reduce(&c, &mine, 1);
    all_assert(memcmp(&straight, &back, sizeof back) == 0);
    all_assert(memcmp(&straight, &mine, sizeof mine) == 0);
}
END_TEST

/* Terms of every size come and go, and leave what was there before. */
START_TEST(a_wide_sum_loses_nothing)
{
    const double left[] = {0,        FLT_TRUE_MIN,          -FLT_TRUE_MIN,
                           -1.0 / 3, 256 * (double)FLT_MAX, -1e-20};
    bal_wide sum = {0};
    /* A sum of floats is a multiple of the least one. */
    double want = ldexp(trunc(ldexp(left[_i], 149)), -149);

    for (uint32_t i = 0; i < N; i++)
        bal_wide_add(&sum, wide_term(i));
    bal_wide_add(&sum, want);
    for (uint32_t i = 0; i < N; i++)
        bal_wide_add(&sum, -wide_term(i));
    double got = bal_wide_value(&sum);
    all_assert_msg(got <= want && got >= want, "%.17g %.17g", got, want);
}
END_TEST

START_TEST(a_wide_sum_of_many_terms)
{
    bal_wide sum = {0};

    for (int i = 0; i < 1000000; i++)
        bal_wide_add(&sum, -256 * (double)FLT_MAX);
    double got = bal_wide_value(&sum), want = -256e6 * (double)FLT_MAX;
    all_assert_msg(fabs(got - want) <= ldexp(-want, -52), "%.17g", got);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("par/sum");
    TCase *tcase = tcase_create("sum");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, does_not_depend_on_order_or_split, 0, 4);
    tcase_add_test(tcase, does_not_depend_on_ranks);
    tcase_add_test(tcase, is_exact_where_the_sum_is_known);
    tcase_add_test(tcase, loses_nothing_to_cancellation);
    tcase_add_test(tcase, keeps_its_bound_with_many_terms);
    tcase_add_loop_test(tcase, does_not_overflow_at_the_bound, 0, 6);
    tcase_add_test(tcase, takes_a_zero_bound_for_zeros);
    tcase_add_test(tcase, accepts_any_number_of_terms);
    tcase_add_test(tcase, a_wide_sum_does_not_depend_on_order_or_ranks);
    tcase_add_loop_test(tcase, a_wide_sum_loses_nothing, 0, 6);
    tcase_add_test(tcase, a_wide_sum_of_many_terms);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
