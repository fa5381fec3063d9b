/* The identities of a pseudo-inverse, on any number of ranks, and what happens
 * where the matrix does not fit. */
#include "balans/linalg/pinv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "balans/kernel/moments.h"
#include "mpi_check.h"
#include "reference.h"

static const int sizes[] = {1, 2, 3, 7, 63, 64, 65, 130, 200};
enum { SIZES = (int)(sizeof sizes / sizeof sizes[0]), MOST = 200 };

static const bal_size plenty = INT64_C(1) << 30;

static bal_comm c;
static double w[MOST * MOST], plus[MOST * MOST];
static double once[MOST * MOST], twice[MOST * MOST];

static void set_up(void)
{
    bal_blas_one_thread();
    bal_comm_init(&c, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    bal_comm_finish(&c);
}

static double random_number(int i, int j)
{
    uint64_t r = bal_rng_u64(11, (uint32_t)i, (uint32_t)j, 0, 0);

    return (double)r * 0x1p-63 - 1;
}

/* G G^T with G [m, rank]: positive semidefinite. */
static void fill_gram(int m, int rank)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++) {
            w[i * m + j] = 0;
            for (int e = 0; e < rank; e++)
                w[i * m + j] += random_number(i, e) * random_number(j, e);
        }
}

static void fill_indefinite(int m)
{
    for (int i = 0; i < m; i++)
        for (int j = i; j < m; j++)
            w[i * m + j] = w[j * m + i] = random_number(i, j);
}

/* Every entry is added by its owner, one half from either side. */
static bal_pinv *inverse_of(int m, double rcond)
{
    bal_pinv *p = NULL;

    bal_verdict st = bal_pinv_create(&c, m, plenty, &p);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++)
            if (bal_pinv_owner(p, i, j) == c.rank)
                bal_pinv_add(p, i, j, (i == j ? 1 : 0.5) * w[i * m + j]);
    st = bal_pinv_solve(&c, p, rcond);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    return p;
}

/* W^+ times the unit matrix. */
static void make_plus(const bal_pinv *p)
{
    int m = (int)p->m;

    for (int i = 0; i < m * m; i++)
        plus[i] = i % (m + 1) == 0;
    bal_verdict st = bal_pinv_apply(&c, p, plus, m);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
}

static void multiply(const double *a, const double *b, int m, double *out)
{
    memset(out, 0, (size_t)(m * m) * sizeof *out);
    for (int i = 0; i < m; i++)
        for (int e = 0; e < m; e++)
            for (int j = 0; j < m; j++)
                out[i * m + j] += a[i * m + e] * b[e * m + j];
}

static double largest(const double *a, int m)
{
    double most = 0;

    for (int i = 0; i < m * m; i++)
        most = fmax(most, fabs(a[i]));
    return most;
}

/* |a b a - wanted|, in units of the largest entry of a and of wanted. */
static double gap(const double *a, const double *b, int m, const double *wanted)
{
    double scale = fmax(largest(a, m), largest(wanted, m));

    multiply(a, b, m, once);
    multiply(once, a, m, twice);
    for (int i = 0; i < m * m; i++)
        twice[i] -= wanted[i];
    return scale > 0 ? largest(twice, m) / scale : 0;
}

static double asymmetry(const double *a, int m)
{
    double most = 0;

    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++)
            most = fmax(most, fabs(a[i * m + j] - a[j * m + i]));
    return most / largest(a, m);
}

START_TEST(inverts_a_definite_matrix)
{
    int m = sizes[_i];

    fill_gram(m, 3 * m);
    bal_pinv *p = inverse_of(m, 0);
    make_plus(p);
    bal_size kept = p->kept, negative = p->negative;
    bal_pinv_destroy(&p);
    all_assert(kept == m && negative == 0);
    all_assert(gap(w, plus, m, w) < 1e-11);
    all_assert(gap(plus, w, m, plus) < 1e-11);
    all_assert(asymmetry(plus, m) < 1e-11);
}
END_TEST

START_TEST(inverts_a_deficient_matrix)
{
    int m = sizes[_i], rank = (m + 2) / 3;

    fill_gram(m, rank);
    bal_pinv *p = inverse_of(m, 1e-11);
    make_plus(p);
    bal_size kept = p->kept;
    bal_pinv_destroy(&p);
    all_assert_msg(kept == rank, "%lld of %d", (long long)kept, rank);
    all_assert(gap(w, plus, m, w) < 1e-9);
    all_assert(gap(plus, w, m, plus) < 1e-9);
    all_assert(asymmetry(plus, m) < 1e-9);
}
END_TEST

/* The part of w with eigenvalues above `least` times the largest; how many. */
static int64_t positive_part(int m, double least, double *out)
{
    double *l = ref_new(m, (int64_t)sizeof *l);
    double *q = ref_new(m * m, (int64_t)sizeof *q);
    int64_t count = 0;

    memcpy(out, w, (size_t)(m * m) * sizeof *out);
    ref_eigen(out, m, l, q);
    memset(out, 0, (size_t)(m * m) * sizeof *out);
    for (; count < m && l[count] > fmax(least * l[0], 0); count++)
        for (int i = 0; i < m; i++)
            for (int j = 0; j < m; j++)
                out[i * m + j] +=
                    l[count] * q[i * m + count] * q[j * m + count];
    free(l);
    free(q);
    return count;
}

START_TEST(drops_what_is_negative_or_small)
{
    static double part[MOST * MOST];
    const double rconds[] = {0, 0.1, 0.5};
    int m = sizes[_i];

    fill_indefinite(m);
    for (int r = 0; r < 3; r++) {
        int64_t count = positive_part(m, rconds[r], part);
        bal_pinv *p = inverse_of(m, rconds[r]);
        make_plus(p);
        bal_size kept = p->kept;
        bool ordered = p->value[0] <= p->value[m - 1];
        bal_pinv_destroy(&p);
        all_assert_msg(kept == count && ordered, "%lld of %lld",
                       (long long)kept, (long long)count);
        all_assert(gap(plus, w, m, plus) < 1e-8);
        all_assert(gap(w, plus, m, part) < 1e-8);
        all_assert(gap(part, plus, m, part) < 1e-8);
    }
}
END_TEST

START_TEST(keeps_nothing_of_a_negative_matrix)
{
    w[0] = -2;
    bal_pinv *p = inverse_of(1, 0);
    double b[] = {3, 4};
    bal_verdict st = bal_pinv_apply(&c, p, b, 2);
    bal_size kept = p->kept, negative = p->negative;
    bal_pinv_destroy(&p);
    all_assert(!bal_failed(st));
    all_assert(kept == 0 && negative == 1 && b[0] == 0 && b[1] == 0);
}
END_TEST

/* Panels of any width, from one column to more than there are rows. */
START_TEST(applies_to_any_number_of_columns)
{
    const int widths[] = {1, 2, 64, 65, 129, 300};
    int m = 70;

    fill_gram(m, 2 * m);
    bal_pinv *p = inverse_of(m, 0.01);
    make_plus(p);
    for (int t = 0; t < 6; t++) {
        int width = widths[t];
        double *b = ref_new(m * width, (int64_t)sizeof *b);
        double worst = 0;
        for (int i = 0; i < m * width; i++)
            b[i] = random_number(i, 1000);
        bal_verdict st = bal_pinv_apply(&c, p, b, width);
        for (int i = 0; i < m; i++)
            for (int k = 0; k < width; k++) {
                double sum = 0;
                for (int j = 0; j < m; j++)
                    sum += plus[i * m + j] * random_number(j * width + k, 1000);
                worst = fmax(worst, fabs(sum - b[i * width + k]));
            }
        free(b);
        all_assert(!bal_failed(st));
        all_assert_msg(worst < 1e-11 * fmax(1, largest(plus, m) * m),
                       "width %d: %g", width, worst);
    }
    bal_pinv_destroy(&p);
}
END_TEST

START_TEST(gives_every_rank_the_same_bits)
{
    static double first[MOST * MOST];
    int m = 130;

    fill_indefinite(m);
    bal_pinv *p = inverse_of(m, 0.1);
    make_plus(p);
    bal_pinv_destroy(&p);
    memcpy(first, plus, sizeof first);
    bal_comm_bcast(&c, first, (bal_size)sizeof first, 0);
    all_assert(memcmp(first, plus, sizeof first) == 0);
}
END_TEST

START_TEST(names_the_sizes_where_memory_does_not_do)
{
    bal_pinv *p = NULL;
    bal_size need = bal_pinv_memory(20000, c.size);

    all_assert(need > 4 * (INT64_C(8) * 20000 * 20000) / c.size);
    bal_verdict st = bal_pinv_create(&c, 20000, INT64_C(1) << 28, &p);
    all_assert(st.code == BAL_ENOMEM && p == NULL);
    all_assert_msg(strstr(bal_error_get()->text, "20000 x 20000") != NULL &&
                       strstr(bal_error_get()->text, "256.0 MiB") != NULL &&
                       strstr(bal_error_get()->text, "GiB on each") != NULL,
                   "%s", bal_error_get()->text);
    bal_error_clear();
    st = bal_pinv_create(&c, 200000, INT64_MAX, &p);
    all_assert(st.code == BAL_ERANGE && p == NULL);
    bal_error_clear();
    all_assert(bal_mem_held() == 0);
}
END_TEST

/* One rank's limit is everybody's. */
START_TEST(agrees_on_the_smallest_memory)
{
    bal_pinv *p = NULL;
    bal_size mine = c.rank == c.size - 1 ? 1000 : plenty;

    bal_verdict st = bal_pinv_create(&c, 50, mine, &p);
    all_assert(st.code == BAL_ENOMEM && p == NULL);
    bal_error_clear();
}
END_TEST

START_TEST(holds_what_it_says)
{
    int m = 200;

    fill_gram(m, m);
    bal_size before = bal_mem_held();
    bal_pinv *p = inverse_of(m, 0.1);
    bal_size after = bal_mem_held() - before;
    bal_size peak = bal_mem_peak() - before;
    bal_pinv_destroy(&p);
    /* Each block has a header of its own. */
    all_assert(after <= bal_pinv_memory_after(m, c.size) + 2000);
    all_assert(peak <= bal_pinv_memory(m, c.size) + 2000);
    all_assert(bal_mem_held() == before);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("linalg/pinv");
    TCase *tcase = tcase_create("pinv");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, holds_what_it_says);
    tcase_add_loop_test(tcase, inverts_a_definite_matrix, 0, SIZES);
    tcase_add_loop_test(tcase, inverts_a_deficient_matrix, 0, SIZES);
    tcase_add_loop_test(tcase, drops_what_is_negative_or_small, 0, SIZES);
    tcase_add_test(tcase, keeps_nothing_of_a_negative_matrix);
    tcase_add_test(tcase, applies_to_any_number_of_columns);
    tcase_add_test(tcase, gives_every_rank_the_same_bits);
    tcase_add_test(tcase, names_the_sizes_where_memory_does_not_do);
    tcase_add_test(tcase, agrees_on_the_smallest_memory);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
