#define _POSIX_C_SOURCE 200809L
#include "balans/algo/space.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "mpi_check.h"
#include "reference_pca.h"

/* A data set: batches, features, and a value for each point and feature. */
typedef struct data {
    bal_size batch[4];
    bal_size batches;
    bal_size d;
    float (*value)(bal_gidx pos, bal_size f);
} data;

/* One run of the module on one communicator. */
typedef struct run {
    bal_comm c;
    bal_layout *layout;
    bal_shard *x;
    bal_space *s;
    bal_verdict st;
} run;

static const bal_space_params standard = {
    .scale = BAL_SCALE_STANDARD,
    .clip = 10,
    .memory = (bal_size)1 << 30,
    .threads = 1,
};

static double draw(bal_gidx pos, bal_size f)
{
    uint64_t r = bal_rng_u64(5, (uint32_t)pos, (uint32_t)f, 0, 0);

    return (double)r * 0x1p-63 - 1;
}

/* Correlated features; 3 is constant, 6 repeats 5, point 500 repeats point 10,
 * and every 97th point is a broken well. */
static float usual(bal_gidx pos, bal_size f)
{
    if (pos == 500)
        pos = 10;
    if (f == 6)
        f = 5;
    if (f == 3)
        return 0.1f;
    if (pos % 97 == 1)
        return (float)(1e6 * draw(pos, f));
    double shared = draw(pos, 1000) * (double)(f % 7) + 2 * draw(pos, 1001);
    return (float)(shared + draw(pos, f) + (double)f);
}

static float even(bal_gidx pos, bal_size f)
{
    return (float)(draw(pos, f) + draw(pos, 1000) * (double)(1 + f % 5));
}

static float equal(bal_gidx pos, bal_size f)
{
    (void)pos;
    return (float)(0.1 + 0.3 * (double)f);
}

static float huge(bal_gidx pos, bal_size f)
{
    return f == 2 ? (pos % 2 != 0 ? 3e38f : -3e38f) : even(pos, f);
}

static float tiny(bal_gidx pos, bal_size f)
{
    return 1e-30f * even(pos, f);
}

static float broken(bal_gidx pos, bal_size f)
{
    return pos == 4 && f == 2 ? INFINITY : even(pos, f);
}

static const data wells = {{300, 1, 399}, 3, 20, usual};
static const data wide = {{300, 1, 299}, 3, 150, usual};

static bal_size points(const data *of)
{
    bal_size n = 0;

    for (bal_size b = 0; b < of->batches; b++)
        n += of->batch[b];
    return n;
}

static void start(run *r, MPI_Comm mpi, const data *of,
                  const bal_space_params *par)
{
    memset(r, 0, sizeof *r);
    bal_comm_init(&r->c, mpi);
    all_assert(!bal_failed(bal_layout_create(of->batch, of->batches, r->c.rank,
                                             r->c.size, &r->layout)));
    all_assert(!bal_failed(bal_shard_create(r->layout, of->d, &r->x)));
    bal_gidx first = r->layout->rank_first[r->c.rank];
    for (bal_size i = 0; i < r->x->m; i++)
        for (bal_size f = 0; f < of->d; f++)
            r->x->at[i * of->d + f] = of->value(first + i, f);
    r->st = bal_space_create(&r->c, r->x, par, &r->s);
}

static void end(run *r)
{
    bal_space_destroy(&r->s);
    bal_shard_destroy(&r->x);
    bal_layout_destroy(&r->layout);
    bal_comm_finish(&r->c);
    bal_error_clear();
}

static void *get(bal_size count, size_t size)
{
    void *p = NULL;

    all_assert(!bal_failed(bal_mem_alloc(&p, count, size, "a test")));
    return p;
}

/* The reference's xs of all points, [n, d]. */
static double *reference(const data *of, const bal_space_params *par)
{
    bal_size n = points(of), d = of->d;
    float *x = get(n * d, sizeof *x);
    double *xs = get(n * d, sizeof *xs);

    for (bal_size i = 0; i < n * d; i++)
        x[i] = of->value(i / d, i % d);
    ref_standardise(x, (int)n, (int)d, par->scale == BAL_SCALE_STANDARD,
                    par->clip, xs);
    bal_free(&x);
    return xs;
}

/* The largest difference between this rank's Z and rows [n, p]. */
static double worst(const run *r, const double *rows)
{
    bal_gidx first = r->layout->rank_first[r->c.rank];
    bal_size p = r->s->p;
    float *z = get(p, sizeof *z);
    double most = 0;

    for (bal_lidx j = 0; j < r->layout->m; j++) {
        bal_tiles_point(r->s->z, j, z);
        for (bal_size c = 0; c < p; c++)
            most = fmax(most, fabs((double)z[c] - rows[(first + j) * p + c]));
    }
    bal_free(&z);
    return most;
}

static void check_scaled(const data *of, const bal_space_params *par)
{
    run r;
    double *xs = reference(of, par);

    start(&r, MPI_COMM_WORLD, of, par);
    all_assert(!bal_failed(r.st));
    all_assert(!r.s->pca && r.s->p == of->d && r.s->components == NULL);
    double most = worst(&r, xs);
    all_assert_msg(most < (par->scale == BAL_SCALE_NONE ? 0.1 : 1e-5),
                   "difference %g", most);
    bal_free(&xs);
    end(&r);
}

START_TEST(standardised_features_are_the_reference)
{
    check_scaled(&wells, &standard);
}
END_TEST

START_TEST(centred_features_are_the_reference)
{
    bal_space_params par = standard;

    par.scale = BAL_SCALE_NONE; /* values reach 1e6: float has 0.06 there */
    check_scaled(&wells, &par);
}
END_TEST

START_TEST(constant_features_are_exactly_zero)
{
    run r;
    float z[20];

    start(&r, MPI_COMM_WORLD, &wells, &standard);
    all_assert(!bal_failed(r.st));
    bool zero = true;
    for (bal_lidx j = 0; j < r.layout->m; j++) {
        bal_tiles_point(r.s->z, j, z);
        zero = zero && z[3] == 0;
    }
    all_assert(zero);
    all_assert(r.s->constant == 1);
    all_assert(r.s->mean[3] == (double)0.1f && r.s->sd[3] == 0);
    end(&r);
}
END_TEST

/* V [d, p] to rows [p, d]. */
static double *turned(const bal_space *s)
{
    double *v = get(s->d * s->p, sizeof *v);

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

static void check_projection(const run *r, const double *xs, const double *v)
{
    bal_size n = r->layout->n, d = r->s->d, p = r->s->p;
    double *z = get(n * p, sizeof *z);

    for (bal_size i = 0; i < n; i++)
        for (bal_size c = 0; c < p; c++)
            for (bal_size f = 0; f < d; f++)
                z[i * p + c] += xs[i * d + f] * v[c * d + f];
    all_assert_msg(worst(r, z) < 1e-4, "difference %g", worst(r, z));
    bal_free(&z);
}

/* `apart`: components whose variances differ enough to be compared. */
static void check_components(const data *of, bal_size p, bal_size apart)
{
    bal_space_params par = standard;
    bal_size n = points(of), d = of->d;
    double *xs = reference(of, &par), *c = get(d * d, sizeof *c);
    double *value = get(d, sizeof *value), *vector = get(d * d, sizeof *c);
    double trace = 0;
    run r;

    par.pca = p;
    ref_covariance(xs, (int)n, (int)d, c);
    for (bal_size f = 0; f < d; f++)
        trace += c[f * d + f];
    ref_eigh(c, (int)d, value, vector);
    start(&r, MPI_COMM_WORLD, of, &par);
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
    end(&r);
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
    check_components(&(data){{5, 4}, 2, 30, even}, 12, 8);
}
END_TEST

static bool same(const void *a, const void *b, bal_size count, size_t size)
{
    return (a == NULL) == (b == NULL) &&
           (a == NULL || memcmp(a, b, (size_t)count * size) == 0);
}

static bool same_points(const run *a, const run *b)
{
    bal_gidx shift =
        a->layout->rank_first[a->c.rank] - b->layout->rank_first[b->c.rank];
    bal_size p = a->s->p;
    float *one = get(p, sizeof *one), *two = get(p, sizeof *two);
    bool equal_so_far = true;

    for (bal_lidx j = 0; j < a->layout->m; j++) {
        bal_tiles_point(a->s->z, j, one);
        bal_tiles_point(b->s->z, (bal_lidx)(j + shift), two);
        equal_so_far = equal_so_far && same(one, two, p, sizeof *one);
    }
    bal_free(&one);
    bal_free(&two);
    return equal_so_far;
}

/* Whether this rank's part of a is what b, which holds all points, has there. */
static void all_same(const run *a, const run *b)
{
    bal_size d = a->s->d, p = a->s->p;

    all_assert(same(a->s->mean, b->s->mean, d, sizeof(double)));
    all_assert(same(a->s->sd, b->s->sd, d, sizeof(double)));
    all_assert(same(a->s->centre, b->s->centre, d, sizeof(double)));
    all_assert(same(a->s->components, b->s->components, d * p, sizeof(double)));
    all_assert(same(a->s->variance, b->s->variance, p, sizeof(double)));
    all_assert(same(&a->s->total, &b->s->total, 1, sizeof(double)));
    all_assert(same_points(a, b));
}

static void check_bits(const data *of, const bal_space_params *par)
{
    static const bal_size memory[2] = {(bal_size)1 << 30, 1};
    run alone;

    start(&alone, MPI_COMM_SELF, of, par);
    all_assert(!bal_failed(alone.st));
    for (int threads = 1; threads <= 3; threads++)
        for (int m = 0; m < 2; m++) {
            bal_space_params now = *par;
            run r;
            now.threads = threads;
            now.memory = memory[m];
            start(&r, MPI_COMM_WORLD, of, &now);
            all_assert(!bal_failed(r.st));
            all_same(&r, &alone);
            end(&r);
        }
    end(&alone);
}

START_TEST(bits_do_not_depend_on_ranks_threads_or_memory)
{
    static const data few = {{1, 1, 1}, 3, 30, even};
    static const data *const set[] = {&wells, &wide, &few};
    bal_space_params par = standard;

    for (int i = 0; i < 3; i++)
        for (int scale = 0; scale < 2; scale++)
            for (bal_size p = 0; p <= 7; p += 7) {
                par.scale = (bal_scaling)scale;
                par.pca = p;
                check_bits(set[i], &par);
            }
}
END_TEST

START_TEST(equal_profiles_have_equal_coordinates)
{
    bal_space_params par = standard;
    float one[8], two[8];
    run r;

    par.pca = 8;
    start(&r, MPI_COMM_SELF, &wide, &par);
    all_assert(!bal_failed(r.st));
    bal_tiles_point(r.s->z, 10, one);
    bal_tiles_point(r.s->z, 500, two);
    all_assert(memcmp(one, two, sizeof one) == 0);
    bal_tiles_point(r.s->z, 501, two);
    all_assert(memcmp(one, two, sizeof one) != 0);
    end(&r);
}
END_TEST

static void check_all_zero(const data *of)
{
    bal_space_params par = standard;

    for (bal_size p = 0; p <= 4; p += 4) {
        run r;
        par.pca = p;
        double *zero = get(points(of) * of->d, sizeof *zero);
        start(&r, MPI_COMM_WORLD, of, &par);
        all_assert(!bal_failed(r.st));
        all_assert(worst(&r, zero) == 0);
        all_assert(r.s->constant == of->d);
        if (p > 0)
            all_assert(r.s->total == 0 && r.s->variance[0] == 0);
        bal_free(&zero);
        end(&r);
    }
}

START_TEST(one_point_is_at_the_origin)
{
    check_all_zero(&(data){{1}, 1, 9, usual});
}
END_TEST

START_TEST(equal_points_are_at_the_origin)
{
    check_all_zero(&(data){{40, 300}, 2, 9, equal});
}
END_TEST

START_TEST(pca_is_off_where_it_would_not_reduce)
{
    bal_space_params par = standard;
    run r;

    par.pca = 20;
    start(&r, MPI_COMM_WORLD, &wells, &par);
    all_assert(!bal_failed(r.st) && !r.s->pca && r.s->p == 20);
    end(&r);
}
END_TEST

static void check_status(const data *of, const bal_space_params *par,
                         bal_status wanted, const char *words)
{
    bal_size held = bal_mem_held();
    run r;

    start(&r, MPI_COMM_WORLD, of, par);
    all_assert_msg(r.st.code == wanted, "%s", bal_error_get()->text);
    all_assert(bal_failed(r.st) == (r.s == NULL));
    all_assert_msg(strstr(bal_error_get()->text, words) != NULL, "%s",
                   bal_error_get()->text);
    end(&r);
    all_assert(bal_mem_held() == held);
}

START_TEST(the_range_of_float_is_minded)
{
    static const data far = {{60, 30}, 2, 9, huge};
    static const data near = {{60, 30}, 2, 9, tiny};
    bal_space_params none = standard;

    none.scale = BAL_SCALE_NONE;
    for (bal_size p = 0; p <= 4; p += 4) {
        bal_space_params par = standard;
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
    check_status(&(data){{30, 30}, 2, 9, broken}, &standard, BAL_ENUMERIC,
                 "feature 2");
}
END_TEST

START_TEST(a_failure_on_one_rank_is_everyones)
{
    static const char *const point[] = {"space", "eigen"};
    bal_space_params par = standard;
    int rank, size;
    char text[32];

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    bal_fault_set_rank(rank);
    par.pca = 4;
    for (int i = 0; i < 2; i++)
        for (int at = 0; at < size; at++) {
            snprintf(text, sizeof text, "%s:%d", point[i], at);
            setenv("BAL_FAULT", text, 1);
            check_status(&wells, &par, BAL_EIO, point[i]);
        }
    unsetenv("BAL_FAULT");
}
END_TEST

START_TEST(memory_stays_within_the_formula)
{
    static const data large = {{200}, 1, 700, even};
    bal_space_params par = standard;
    int rank;
    run r;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    par.pca = 10;
    par.threads = 2;
    bal_size held = bal_mem_held();
    start(&r, MPI_COMM_WORLD, &large, &par);
    all_assert(!bal_failed(r.st));
    bal_size rest = (bal_size)r.layout->m * 4 * 700 + r.layout->lanes * 4 * 10;
    all_assert_msg(bal_mem_peak() - held - rest <=
                       bal_space_memory(700, &par, rank) + 16384,
                   "%lld bytes, formula %lld",
                   (long long)(bal_mem_peak() - held - rest),
                   (long long)bal_space_memory(700, &par, rank));
    end(&r);
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
    tcase_add_test(tc, bits_do_not_depend_on_ranks_threads_or_memory);
    tcase_add_test(tc, equal_profiles_have_equal_coordinates);
    tcase_add_test(tc, one_point_is_at_the_origin);
    tcase_add_test(tc, equal_points_are_at_the_origin);
    tcase_add_test(tc, pca_is_off_where_it_would_not_reduce);
    tcase_add_test(tc, the_range_of_float_is_minded);
    tcase_add_test(tc, a_value_that_is_not_finite_is_named);
    tcase_add_test(tc, a_failure_on_one_rank_is_everyones);
    tcase_add_test(tc, memory_stays_within_the_formula);
    suite_add_tcase(suite, tc);
    return mpi_check_run(suite, argc, argv);
}
