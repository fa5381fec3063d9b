/* The Nystrom form against its dense formula, and the points that fall back. */
#include "balans/algo/nystrom.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "affinities.h"
#include "balans/algo/correct.h"
#include "balans/base/mem.h"
#include "balans/kernel/moments.h"
#include "balans/linalg/pinv.h"
#include "mpi_check.h"

typedef struct shape {
    int64_t size[5], batches, d, repeat;
} shape;

static const shape shapes[] = {
    {{70, 40, 6, 1, 90}, 5, 7, 7}, /* duplicates; a batch of one point */
    {{300, 257, 30}, 3, 33, 0},    /* batches of several tiles */
    {{300}, 1, 3, 5},              /* one batch */
    {{1}, 1, 2, 0},                /* one point */
    {{1, 1, 1, 1}, 4, 1, 0},       /* batches of one point, one feature */
};
enum { SHAPES = (int)(sizeof shapes / sizeof shapes[0]) };

static const bal_size plenty = INT64_C(1) << 28;

static bal_comm c;
static ref_data *data;
static ref_sample *sample;
static points *p;

static void set_up(void)
{
    bal_blas_one_thread();
    bal_comm_init(&c, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    points_destroy(&p);
    ref_sample_destroy(&sample);
    ref_data_destroy(&data);
    bal_comm_finish(&c);
}

static void prepare(const shape *s, bool keep)
{
    ref_params par = ref_params_default();

    points_destroy(&p);
    ref_sample_destroy(&sample);
    ref_data_destroy(&data);
    data = ref_data_create(s->size, s->batches, s->d, s->d, s->repeat, 21);
    par.k = 6;
    par.keep = keep;
    par.block = keep ? 2 : 30;
    par.patience = keep ? 1 : 10;
    par.scale = keep;
    sample = ref_sample_create(data, &par, 1);
    affinities_round(sample, data, false);
    p = points_create(&c, data);
}

/* What is in float32 for the program is so for the reference. */
static double *widened(const float *x)
{
    double *out = ref_new(data->n * data->d, (int64_t)sizeof *out);

    for (int64_t i = 0; i < data->n * data->d; i++)
        out[i] = (double)x[i];
    return out;
}

typedef struct outcome {
    float *x, *again; /* [m, d], the second with the first one's fallbacks */
    bal_nystrom_report report;
} outcome;

static void outcome_finish(outcome *o)
{
    free(o->x);
    free(o->again);
}

/* What all calls of one estimator share. */
typedef struct estimate {
    affinities a;
    bal_parts *parts;
    bal_nystrom *s;
    float *low, *high; /* [d] */
} estimate;

static void must(bal_verdict st)
{
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
}

static estimate estimate_create(double rcond)
{
    estimate e = {.a = affinities_create(&c, p, sample)};

    e.low = ref_new(data->d, (int64_t)sizeof *e.low);
    e.high = ref_new(data->d, (int64_t)sizeof *e.high);
    for (int64_t f = 0; f < data->d; f++) {
        e.low[f] = e.high[f] = data->x[f];
        for (int64_t j = 0; j < data->n; j++) {
            e.low[f] = fminf(e.low[f], data->x[j * data->d + f]);
            e.high[f] = fmaxf(e.high[f], data->x[j * data->d + f]);
        }
    }
    must(bal_parts_create(&c, e.a.by_tile, p->layout, 1, &e.parts));
    must(bal_nystrom_create(&c, e.a.by_tile, p->layout, sample->landmark,
                            p->x->m, rcond, plenty, &e.s));
    return e;
}

static void estimate_finish(estimate *e)
{
    bal_nystrom_destroy(&e->s);
    bal_parts_destroy(&e->parts);
    affinities_finish(&e->a);
    free(e->low);
    free(e->high);
}

/* Corrects the values `from`, [n, d] in the order of the points. */
static float *run(estimate *e, bool again, bal_size memory, int threads,
                  const float *from)
{
    bal_blocks *x = p->x;
    size_t bytes = (size_t)(x->m * x->d) * sizeof(float);
    float *most = ref_new(x->d, (int64_t)sizeof *most);
    float *kept = malloc(bytes + 1), *out = malloc(bytes + 1);

    memcpy(kept, x->at, bytes);
    for (int64_t j = 0; j < data->n; j++) {
        int64_t at = data->row[j] - x->first;
        if (at >= 0 && at < x->m)
            memcpy(x->at + at * x->d, from + j * x->d,
                   (size_t)x->d * sizeof(float));
    }
    must(bal_correct_bounds(&c, x, most));
    must(bal_nystrom_correct(&c, e->s, e->a.by_block, e->parts,
                             again ? NULL : e->low, again ? NULL : e->high,
                             memory, threads, most, x));
    memcpy(out, x->at, bytes);
    memcpy(x->at, kept, bytes);
    free(kept);
    free(most);
    return out;
}

/* Corrects the profiles, and then `other` with the same fallbacks. */
static outcome correct(double rcond, bal_size memory, int threads,
                       const float *other)
{
    estimate e = estimate_create(rcond);
    outcome o;

    o.x = run(&e, false, memory, threads, data->x);
    o.again = run(&e, true, memory, threads, other);
    o.report = bal_nystrom_told(e.s);
    estimate_finish(&e);
    return o;
}

/* The row of this rank where point j stands; -1: none. */
static int64_t place_of(int64_t j)
{
    int64_t at = data->row[j] - p->x->first;

    return at >= 0 && at < p->x->m ? at : -1;
}

static double largest(int64_t f)
{
    double most = 0;

    for (int64_t j = 0; j < data->n; j++)
        most = fmax(most, fabs((double)data->x[j * data->d + f]));
    return most;
}

/* Values off by more than rounding to float32, or twice in double, explains. */
static int count_wrong(const float *got, const double *want)
{
    int wrong = 0;

    for (int64_t f = 0; f < data->d; f++) {
        double slack = 1e-8 * largest(f);
        for (int64_t j = 0; j < data->n; j++) {
            int64_t at = place_of(j);
            double w = want[j * data->d + f];
            if (at >= 0)
                wrong += !(fabs((double)got[at * data->d + f] - w) <=
                           fabs(w) * (double)FLT_EPSILON + slack);
        }
    }
    return wrong;
}

/* Wide enough for anything but the sums of the rows. */
static double *endless(void)
{
    double *x = ref_new(data->n * data->d, (int64_t)sizeof *x);

    for (int64_t i = 0; i < data->n * data->d; i++)
        x[i] = i < data->d ? -1e200 : 1e200;
    return x;
}

static bool equal_rows(const double *a, const double *b, int64_t j)
{
    return memcmp(a + j * data->d, b + j * data->d,
                  (size_t)data->d * sizeof *a) == 0;
}

/* `other` smoothed where the profile fell back, which shows by its value. */
static double *expected_again(double rcond, const double *x, const double *want)
{
    int64_t count = data->n * data->d;
    double *smooth = ref_new(count, (int64_t)sizeof *smooth);
    double *out = ref_new(count, (int64_t)sizeof *out), *wide = endless();

    ref_smooth(sample, x, data->d, smooth);
    ref_nystrom(sample, rcond, wide, x, data->d, out);
    for (int64_t j = 0; j < data->n; j++)
        if (equal_rows(want, smooth, j))
            memcpy(out + j * data->d, smooth + j * data->d,
                   (size_t)data->d * sizeof *out);
    free(smooth);
    free(wide);
    return out;
}

static void check(double rcond, bal_size memory, int threads)
{
    double *x = widened(data->x);
    double *want = ref_new(data->n * data->d, (int64_t)sizeof *want);
    int64_t falls = ref_nystrom(sample, rcond, x, x, data->d, want);
    double *again = expected_again(rcond, x, want);

    outcome o = correct(rcond, memory, threads, data->x);
    int wrong = count_wrong(o.x, want), others = count_wrong(o.again, again);
    bal_nystrom_report r = o.report;
    outcome_finish(&o);
    free(x);
    free(want);
    free(again);
    all_assert_msg(r.fallbacks == falls, "%lld fallbacks, not %lld",
                   (long long)r.fallbacks, (long long)falls);
    all_assert_msg(wrong == 0 && others == 0, "rcond %g: %d and %d wrong",
                   rcond, wrong, others);
    all_assert(r.landmarks == sample->m && r.kept >= 1 && r.kept <= sample->m);
    all_assert(r.largest >= r.smallest && r.negative >= 0 && r.negative < 1);
    all_assert((r.negative > 0) == (r.smallest < 0));
}

START_TEST(equals_the_dense_formula)
{
    for (int keep = 0; keep < 2; keep++) {
        prepare(&shapes[_i], keep == 1);
        check(0.1, plenty, 1);
        check(0.5, plenty, 1);
    }
}
END_TEST

/* Memory for one panel of eight features, not for two. */
static bal_size one_panel(int threads)
{
    bal_size m = sample->m;
    bal_size panel = 8 * (16 * m + 4 * threads + 64) * 3 / 2 +
                     threads * 16 * (m * BAL_BLOCK + 2 * BAL_BLOCK);

    return 2 * panel + bal_pinv_memory_after(m, c.size) +
           bal_pinv_apply_memory(m, BAL_NB, c.size) + 24 * m;
}

START_TEST(equals_it_in_panels_and_threads)
{
    prepare(&shapes[_i], false);
    check(0.1, plenty, 3);
    check(0.1, one_panel(2), 2);
    check(0.1, one_panel(1) + (c.rank << 14), 1);
}
END_TEST

/* Without this the comparison could be of smoothing with smoothing. */
START_TEST(some_points_fall_back_and_some_do_not)
{
    prepare(&shapes[1], false);
    outcome o = correct(0.1, plenty, 1, data->x);
    bal_size falls = o.report.fallbacks;
    outcome_finish(&o);
    all_assert_msg(falls > 0 && falls < data->n / 2, "%lld of %lld",
                   (long long)falls, (long long)data->n);
}
END_TEST

static float constant(int64_t f)
{
    return f == 0 ? 0.1f : 1e6f / (float)(3 * f);
}

START_TEST(maps_a_constant_to_itself)
{
    int wrong = 0;

    prepare(&shapes[_i], false);
    for (int64_t j = 0; j < data->n; j++)
        for (int64_t f = 0; f < data->d; f++)
            data->x[j * data->d + f] = constant(f);
    points_destroy(&p);
    p = points_create(&c, data);
    outcome o = correct(0.1, plenty, 1, data->x);
    for (bal_size j = 0; j < p->x->m; j++)
        for (int64_t f = 0; f < data->d; f++)
            wrong += o.x[j * data->d + f] != constant(f);
    bal_size falls = o.report.fallbacks;
    outcome_finish(&o);
    all_assert(wrong == 0);
    all_assert_msg(falls < data->n / 2 + 1, "%lld fell back", (long long)falls);
}
END_TEST

/* A feature that does not vary, beside others: nobody falls back for
 * rounding. */
START_TEST(a_constant_among_others_does_no_harm)
{
    int wrong = 0;

    prepare(&shapes[1], false);
    int64_t d = data->d;
    /* The last feature is one of the others once more. */
    for (int64_t j = 0; j < data->n; j++)
        data->x[j * d + d - 1] = data->x[j * d];
    points_destroy(&p);
    p = points_create(&c, data);
    outcome copied = correct(0.1, plenty, 1, data->x);
    for (int64_t j = 0; j < data->n; j++)
        data->x[j * d + d - 1] = 12345.678f;
    points_destroy(&p);
    p = points_create(&c, data);
    outcome flat = correct(0.1, plenty, 1, data->x);
    for (bal_size j = 0; j < p->x->m; j++)
        wrong += flat.x[j * d + d - 1] != 12345.678f;
    bal_size a = copied.report.fallbacks, b = flat.report.fallbacks;
    outcome_finish(&copied);
    outcome_finish(&flat);
    all_assert(wrong == 0);
    all_assert_msg(a == b, "%lld fell back, and %lld", (long long)a,
                   (long long)b);
}
END_TEST

START_TEST(keeps_what_no_landmark_covers)
{
    int64_t kept = 0;
    int wrong = 0;

    prepare(&shapes[1], true);
    all_assert(sample->uncovered > 10);
    outcome o = correct(0.1, plenty, 2, data->x);
    for (int64_t j = 0; j < data->n; j++) {
        int64_t at = place_of(j);
        if (at < 0 || sample->coverage[j] > 0)
            continue;
        kept++;
        wrong += memcmp(o.x + at * data->d, data->x + j * data->d,
                        (size_t)data->d * sizeof(float)) != 0;
    }
    outcome_finish(&o);
    bal_comm_sum_i64(&c, &kept, 1);
    all_assert(wrong == 0 && kept == sample->uncovered);
}
END_TEST

/* Three points of which two are landmarks; one feature. */
static void by_hand(const double *a, double rcond, const double *want,
                    int64_t falls)
{
    const shape s = {{2, 1}, 2, 1, 0};
    const float x[] = {0, 3, 9};

    prepare(&s, false);
    memcpy(data->x, x, sizeof x);
    memcpy(sample->a, a, 6 * sizeof *a);
    sample->m = 2;
    sample->landmark[0] = 0;
    sample->landmark[1] = 2;
    points_destroy(&p);
    p = points_create(&c, data);
    outcome o = correct(rcond, plenty, 1, data->x);
    int wrong = count_wrong(o.x, want);
    bal_size fell = o.report.fallbacks;
    outcome_finish(&o);
    all_assert_msg(wrong == 0, "%d wrong", wrong);
    all_assert(fell == falls);
}

START_TEST(corrects_cases_done_by_hand)
{
    /* W = 1, K = A^T A, its rows sum to 3/2. */
    const double apart[] = {1, 0.5, 0, 0, 0.5, 1};
    const double mixed[] = {1, 4, 7};
    /* W has eigenvalues 1.8 and 0.2; (1, 1) alone remains, and gives all
     * points the mean weighted by the column sums 1.8, 1, 1.8. */
    const double near[] = {1, 0.5, 0.8, 0.8, 0.5, 1};
    const double mean = (3 + 1.8 * 9) / 4.6, means[] = {mean, mean, mean};
    /* The same W out of unequal halves; column sums 1.9, 1, 1.7. */
    const double uneven[] = {1, 0.5, 0.7, 0.9, 0.5, 1};
    const double other = (3 + 1.7 * 9) / 4.6, others[] = {other, other, other};

    by_hand(apart, 0.1, mixed, 0);
    by_hand(near, 0.2, means, 0);
    by_hand(uneven, 0.2, others, 0);
}
END_TEST

/* K = [[1, 0, 0], [0, 0, 0], [0, 0, 1]] but for a middle point whose two
 * affinities hardly count: its row sums to less than 1e-6. */
START_TEST(falls_back_where_the_sum_is_small)
{
    const double faint[] = {1, 1e-7, 0, 0, 1e-7, 1};
    const double want[] = {3e-7 / (1 + 1e-7), 4.5, (9 + 3e-7) / (1 + 1e-7)};

    by_hand(faint, 0.1, want, 1);
}
END_TEST

START_TEST(says_what_does_not_fit)
{
    bal_nystrom *s = NULL;

    prepare(&shapes[1], false);
    bal_size held = bal_mem_held();
    affinities a = affinities_create(&c, p, sample);
    bal_verdict st =
        bal_nystrom_create(&c, a.by_tile, p->layout, sample->landmark, p->x->m,
                           0.1, 1000, &s);
    affinities_finish(&a);
    all_assert(st.code == BAL_ENOMEM && s == NULL);
    all_assert_msg(strstr(bal_error_get()->text, "1000 B") != NULL, "%s",
                   bal_error_get()->text);
    bal_error_clear();
    all_assert(bal_mem_held() == held);
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    prepare(&shapes[1], false);
    bal_size held = bal_mem_held();
    outcome o = correct(0.1, one_panel(2), 2, data->x);
    outcome_finish(&o);
    all_assert(bal_mem_held() == held);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("algo/nystrom");
    TCase *tcase = tcase_create("nystrom");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, corrects_cases_done_by_hand);
    tcase_add_test(tcase, falls_back_where_the_sum_is_small);
    tcase_add_loop_test(tcase, equals_the_dense_formula, 0, SHAPES);
    tcase_add_loop_test(tcase, equals_it_in_panels_and_threads, 0, SHAPES);
    tcase_add_test(tcase, some_points_fall_back_and_some_do_not);
    tcase_add_loop_test(tcase, maps_a_constant_to_itself, 0, SHAPES);
    tcase_add_test(tcase, a_constant_among_others_does_no_harm);
    tcase_add_test(tcase, keeps_what_no_landmark_covers);
    tcase_add_test(tcase, says_what_does_not_fit);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
