#define _POSIX_C_SOURCE 200809L
#include "balans/algo/space.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "mpi_check.h"
#include "reference_pca.h"
#include "spaces.h"

static const space_data wells = {700, 20, space_usual};
static const space_data wide = {600, 150, space_usual};

static void check_scaled(const space_data *of, const bal_space_params *par)
{
    space_run r;
    double *xs = space_reference(of, par);

    space_start(&r, MPI_COMM_WORLD, of, par, &space_resident);
    all_assert(!bal_failed(r.st));
    all_assert(!r.s->pca && r.s->p == of->d && r.s->components == NULL);
    double most = space_worst(&r, xs);
    all_assert_msg(most < (par->scale == BAL_SCALE_NONE ? 0.1 : 1e-5),
                   "difference %g", most);
    bal_free(&xs);
    space_end(&r);
}

START_TEST(standardised_features_are_the_reference)
{
    check_scaled(&wells, &space_standard);
}
END_TEST

START_TEST(centred_features_are_the_reference)
{
    bal_space_params par = space_standard;

    par.scale = BAL_SCALE_NONE; /* values reach 1e6: float has 0.06 there */
    check_scaled(&wells, &par);
}
END_TEST

START_TEST(constant_features_are_exactly_zero)
{
    space_run r;

    space_start(&r, MPI_COMM_WORLD, &wells, &space_standard, &space_resident);
    all_assert(!bal_failed(r.st));
    bool zero = true;
    for (bal_size j = 0; j < r.x->m; j++)
        zero = zero && r.z[j * 20 + 3] == 0;
    all_assert(zero);
    all_assert(r.s->constant == 1);
    all_assert(r.s->mean[3] == (double)0.1f && r.s->sd[3] == 0);
    space_end(&r);
}
END_TEST

/* V [d, p] to rows [p, d]. */
static double *turned(const bal_space *s)
{
    double *v = space_get(s->d * s->p, sizeof *v);

    for (bal_size f = 0; f < s->d; f++)
        for (bal_size c = 0; c < s->p; c++)
            v[c * s->d + f] = s->components[f * s->p + c];
    return v;
}

static bool signs_are_right(const double *v, bal_size p, bal_size d)
{
    for (bal_size c = 0; c < p; c++) {
        double top = 0;
        for (bal_size f = 0; f < d; f++)
            if (fabs(v[c * d + f]) > fabs(top))
                top = v[c * d + f];
        if (top <= 0)
            return false;
    }
    return true;
}

static void check_projection(const space_run *r, const double *xs,
                             const double *v)
{
    bal_size n = r->x->n, d = r->s->d, p = r->s->p;
    double *z = space_get(n * p, sizeof *z);

    for (bal_size i = 0; i < n; i++)
        for (bal_size c = 0; c < p; c++)
            for (bal_size f = 0; f < d; f++)
                z[i * p + c] += xs[i * d + f] * v[c * d + f];
    all_assert_msg(space_worst(r, z) < 1e-4, "difference %g",
                   space_worst(r, z));
    bal_free(&z);
}

/* `apart`: components whose variances differ enough to be compared. */
static void check_components(const space_data *of, bal_size p, bal_size apart)
{
    bal_space_params par = space_standard;
    bal_size n = of->n, d = of->d;
    double *xs = space_reference(of, &par), *c = space_get(d * d, sizeof *c);
    double *value = space_get(d, sizeof *value),
           *vector = space_get(d * d, sizeof *c);
    double trace = 0;
    space_run r;

    par.pca = p;
    ref_covariance(xs, (int)n, (int)d, c);
    for (bal_size f = 0; f < d; f++)
        trace += c[f * d + f];
    ref_eigh(c, (int)d, value, vector);
    space_start(&r, MPI_COMM_WORLD, of, &par, &space_resident);
    all_assert(!bal_failed(r.st));
    all_assert(r.s->pca && r.s->p == p);
    all_assert(fabs(r.s->total - trace) < 1e-6 * trace);

    double *v = turned(r.s);
    for (bal_size k = 0; k < p; k++)
        all_assert(fabs(r.s->variance[k] - value[k]) < 1e-6 * (1 + trace));
    all_assert(ref_orthogonality(v, (int)p, (int)d) < 1e-12);
    all_assert(ref_subspace_gap(v, vector, (int)apart, (int)d) < 1e-4);
    all_assert(signs_are_right(v, p, d));
    check_projection(&r, xs, v);
    bal_free(&v);
    bal_free(&xs);
    bal_free(&c);
    bal_free(&value);
    bal_free(&vector);
    space_end(&r);
}

START_TEST(components_are_the_reference)
{
    check_components(&wells, 6, 6);
}
END_TEST

START_TEST(components_of_several_blocks_are_the_reference)
{
    check_components(&wide, 5, 2);
}
END_TEST

START_TEST(more_features_than_points)
{
    check_components(&(space_data){9, 30, space_even}, 12, 8);
}
END_TEST

START_TEST(the_range_of_the_input_is_kept)
{
    space_run r;

    space_start(&r, MPI_COMM_WORLD, &wells, &space_standard, &space_streamed);
    all_assert(!bal_failed(r.st));
    for (bal_size f = 0; f < 20; f++) {
        float low = INFINITY, high = -INFINITY;
        for (bal_gidx j = 0; j < wells.n; j++) {
            low = fminf(low, space_usual(j, f));
            high = fmaxf(high, space_usual(j, f));
        }
        all_assert(r.s->low[f] == low && r.s->high[f] == high);
    }
    space_end(&r);
}
END_TEST

START_TEST(wild_values_stay_finite)
{
    static const space_data wild = {500, 9, space_wild};

    check_scaled(&wild, &space_standard);
    check_components(&wild, 3, 1);
}
END_TEST

/* Components that ScaLAPACK found on all ranks against LAPACK's. */
static void check_solvers(const space_data *of, bal_size p)
{
    bal_space_params par = space_standard;
    space_run a, b;

    par.pca = p;
    par.solver = BAL_PCA_LAPACK;
    space_start(&a, MPI_COMM_SELF, of, &par, &space_resident);
    par.solver = BAL_PCA_SCALAPACK;
    space_start(&b, MPI_COMM_WORLD, of, &par, &space_resident);
    all_assert_msg(!bal_failed(a.st) && !bal_failed(b.st), "%s",
                   bal_error_get()->text);
    double *v = turned(a.s), *w = turned(b.s), apart = 0;
    for (bal_size k = 0; k < p; k++)
        apart = fmax(apart, fabs(a.s->variance[k] - b.s->variance[k]));
    all_assert(apart <= 1e-12 * a.s->total);
    all_assert(a.s->total == b.s->total);
    all_assert(ref_orthogonality(w, (int)p, (int)of->d) < 1e-12);
    double gap = ref_subspace_gap(v, w, (int)p, (int)of->d);
    all_assert_msg(gap < 1e-10, "gap %g", gap);
    all_assert(signs_are_right(w, p, of->d));
    bal_free(&v);
    bal_free(&w);
    space_end(&a);
    space_end(&b);
}

START_TEST(scalapack_agrees_with_lapack)
{
    check_solvers(&wells, 6);
    check_solvers(&wide, 5);
    check_solvers(&(space_data){9, 200, space_even}, 7);
}
END_TEST

static void check_all_zero(const space_data *of)
{
    bal_space_params par = space_standard;

    for (int i = 0; i < 3; i++) {
        space_run r;
        par.pca = i > 0 ? 4 : 0;
        par.solver = i == 2 ? BAL_PCA_SCALAPACK : BAL_PCA_LAPACK;
        double *zero = space_get(of->n * of->d, sizeof *zero);
        space_start(&r, MPI_COMM_WORLD, of, &par, &space_resident);
        all_assert(!bal_failed(r.st));
        all_assert(space_worst(&r, zero) == 0);
        all_assert(r.s->constant == of->d);
        if (i > 0)
            all_assert(r.s->total == 0 && r.s->variance[0] == 0);
        bal_free(&zero);
        space_end(&r);
    }
}

START_TEST(one_point_is_at_the_origin)
{
    check_all_zero(&(space_data){1, 9, space_usual});
}
END_TEST

START_TEST(equal_points_are_at_the_origin)
{
    check_all_zero(&(space_data){340, 9, space_equal});
}
END_TEST

START_TEST(pca_is_off_where_it_would_not_reduce)
{
    bal_space_params par = space_standard;
    space_run r;

    par.pca = 20;
    space_start(&r, MPI_COMM_WORLD, &wells, &par, &space_resident);
    all_assert(!bal_failed(r.st) && !r.s->pca && r.s->p == 20);
    space_end(&r);
}
END_TEST

static void check_status(const space_data *of, const bal_space_params *par,
                         bal_status wanted, const char *words)
{
    bal_size held = bal_mem_held();
    space_run r;

    space_start(&r, MPI_COMM_WORLD, of, par, &space_resident);
    all_assert_msg(r.st.code == wanted, "%s", bal_error_get()->text);
    all_assert(bal_failed(r.st) || r.s != NULL);
    all_assert_msg(strstr(bal_error_get()->text, words) != NULL, "%s",
                   bal_error_get()->text);
    space_end(&r);
    all_assert(bal_mem_held() == held);
}

START_TEST(the_range_of_float_is_minded)
{
    static const space_data far = {90, 9, space_huge};
    static const space_data near = {90, 9, space_tiny};
    bal_space_params none = space_standard;

    none.scale = BAL_SCALE_NONE;
    for (bal_size p = 0; p <= 4; p += 4) {
        bal_space_params par = space_standard;
        par.pca = none.pca = p;
        check_status(&far, &par, BAL_OK, "");
        check_status(&near, &par, BAL_OK, "");
        check_status(&far, &none, BAL_ENUMERIC, "feature 2");
        check_status(&far, &none, BAL_ENUMERIC, "--scale standard");
        check_status(&near, &none, BAL_ENUMERIC, "--scale standard");
        par.clip = 1e25;
        check_status(&near, &par, BAL_OK, "");
    }
}
END_TEST

START_TEST(a_value_that_is_not_finite_is_named)
{
    static const space_data broken = {60, 9, space_broken};

    check_status(&broken, &space_standard, BAL_ENUMERIC, "feature 2");
}
END_TEST

START_TEST(a_failure_on_one_rank_is_everyones)
{
    static const char *const point[] = {"space", "eigen"};
    bal_space_params par = space_standard;
    int rank, size;
    char text[32];

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    bal_fault_set_rank(rank);
    par.pca = 4;
    for (int i = 0; i < 4; i++)
        for (int at = 0; at < size; at++) {
            par.solver = i < 2 ? BAL_PCA_LAPACK : BAL_PCA_SCALAPACK;
            snprintf(text, sizeof text, "%s:%d", point[i % 2], at);
            setenv("BAL_FAULT", text, 1);
            check_status(&wells, &par, BAL_EIO, point[i % 2]);
        }
    unsetenv("BAL_FAULT");
}
END_TEST

START_TEST(memory_stays_within_the_formula)
{
    static const space_data large = {200, 700, space_even};
    bal_space_params par = space_standard;
    int rank;
    space_run r;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    par.pca = 10;
    par.threads = 2;
    par.solver = (bal_pca_solver)(BAL_PCA_LAPACK + _i);
    bal_size held = bal_mem_held();
    space_start(&r, MPI_COMM_WORLD, &large, &par, &space_resident);
    all_assert(!bal_failed(r.st));
    bal_size rest = r.x->m * 4 * (2 * 700 + 10); /* rows, twice, and z */
    all_assert_msg(bal_mem_peak() - held - rest <=
                       bal_space_memory(700, &par, rank, r.c.size) + 16384,
                   "%lld bytes, formula %lld",
                   (long long)(bal_mem_peak() - held - rest),
                   (long long)bal_space_memory(700, &par, rank, r.c.size));
    space_end(&r);
    all_assert(bal_mem_held() == held);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("space");
    TCase *tc = tcase_create("all");

    tcase_add_test(tc, standardised_features_are_the_reference);
    tcase_add_test(tc, centred_features_are_the_reference);
    tcase_add_test(tc, constant_features_are_exactly_zero);
    tcase_add_test(tc, components_are_the_reference);
    tcase_add_test(tc, components_of_several_blocks_are_the_reference);
    tcase_add_test(tc, more_features_than_points);
    tcase_add_test(tc, the_range_of_the_input_is_kept);
    tcase_add_test(tc, wild_values_stay_finite);
    tcase_add_test(tc, scalapack_agrees_with_lapack);
    tcase_add_test(tc, one_point_is_at_the_origin);
    tcase_add_test(tc, equal_points_are_at_the_origin);
    tcase_add_test(tc, pca_is_off_where_it_would_not_reduce);
    tcase_add_test(tc, the_range_of_float_is_minded);
    tcase_add_test(tc, a_value_that_is_not_finite_is_named);
    tcase_add_test(tc, a_failure_on_one_rank_is_everyones);
    tcase_add_loop_test(tc, memory_stays_within_the_formula, 0, 2);
    suite_add_tcase(suite, tc);
    return mpi_check_run(suite, argc, argv);
}
