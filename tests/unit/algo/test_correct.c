/* The corrections against their dense formulas, and the same bytes on any
 * number of ranks and threads and in any amount of memory. */
#include "balans/algo/correct.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "mpi_check.h"
#include "points.h"

typedef struct shape {
    int64_t size[5], batches, d, repeat;
} shape;

static const shape shapes[] = {
    {{70, 40, 6, 1, 90}, 5, 7, 7}, /* duplicates; a batch of one point */
    {{300, 257, 30}, 3, 33, 0},    /* batches of several tiles */
    {{300}, 1, 3, 5},              /* one batch */
    {{1}, 1, 2, 0},                /* one point */
    {{1, 1, 1, 1}, 4, 1, 0},       /* batches of one point, one feature */
    {{50, 20, 3}, 3, 3, 1},        /* each batch all equal */
};
enum { SHAPES = (int)(sizeof shapes / sizeof shapes[0]) };

static const bal_size plenty = INT64_C(1) << 30, little = 1 << 16;

static bal_comm c, self;
static ref_data *data;
static ref_sample *sample;
static points *p, *alone; /* spread over all ranks; all on this one */

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
    bal_comm_init(&self, MPI_COMM_SELF);
}

static void tear_down(void)
{
    points_destroy(&p);
    points_destroy(&alone);
    ref_sample_destroy(&sample);
    ref_data_destroy(&data);
    bal_comm_finish(&self);
    bal_comm_finish(&c);
}

static void prepare(const shape *s, bool keep)
{
    ref_params par = ref_params_default();

    points_destroy(&p);
    points_destroy(&alone);
    ref_sample_destroy(&sample);
    ref_data_destroy(&data);
    data = ref_data_create(s->size, s->batches, s->d, s->d, s->repeat, 21);
    par.k = 6;
    par.keep = keep;
    par.block = keep ? 2 : 30;
    par.patience = keep ? 1 : 10;
    par.scale = keep;
    sample = ref_sample_create(data, &par, 1);
    p = points_create(&c, data);
    alone = points_create(&self, data);
}

/* This rank's columns of the reference's A. */
static bal_csr *affinities(const bal_layout *l)
{
    bal_csr *a = NULL;
    bal_gidx first = l->rank_first[l->rank];

    (void)bal_csr_create(l, &a);
    for (int64_t i = 0; i < sample->m; i++) {
        const double *dense = sample->a + i * sample->n + first;
        bal_csr_row row = {0};
        bal_size count = 0, e = 0;
        for (bal_lidx j = 0; j < l->m; j++)
            count += dense[j] > 0;
        (void)bal_csr_row_create(&row, count);
        row.landmark = sample->landmark[i];
        for (bal_lidx j = 0; j < l->m; j++)
            if (dense[j] > 0) {
                row.index[e] = j;
                row.value[e++] = (float)dense[j];
            }
        (void)bal_csr_push(a, &row);
    }
    return a;
}

/* Corrects a copy of the profiles; [m, d], to be freed with free(). */
static float *correct(bal_comm *comm, const points *at, bal_correction form,
                      bal_size memory, int threads)
{
    bal_csr *a = affinities(at->layout);
    bal_shard *x = NULL;
    size_t bytes = (size_t)at->x->m * (size_t)at->x->d * sizeof(float);
    float *out = malloc(bytes + 1);

    bal_status st = bal_shard_create(at->layout, at->x->d, &x);
    all_assert(!bal_failed(st));
    memcpy(x->at, at->x->at, bytes);
    bal_verdict v = bal_correct(comm, a, form, memory, threads, x);
    all_assert_msg(!bal_failed(v), "%s", bal_error_get()->text);
    memcpy(out, x->at, bytes);
    bal_shard_destroy(&x);
    bal_csr_destroy(&a);
    return out;
}

static double *expected(bal_correction form)
{
    int64_t count = data->n * data->d;
    double *x = ref_new(count, (int64_t)sizeof *x);
    double *out = ref_new(count, (int64_t)sizeof *out);

    for (int64_t i = 0; i < count; i++)
        x[i] = (double)data->x[i];
    if (form == BAL_SMOOTH)
        ref_smooth(sample, x, data->d, out);
    else
        ref_residual(sample, data->batch, data->batches, x, data->d, out);
    free(x);
    return out;
}

static double largest(int64_t f)
{
    double most = 0;

    for (int64_t j = 0; j < data->n; j++)
        most = fmax(most, fabs((double)data->x[j * data->d + f]));
    return most;
}

/* Values that are off by more than rounding to float32 explains. */
static int count_wrong(const float *got, const double *want)
{
    bal_gidx first = p->layout->rank_first[c.rank];
    int wrong = 0;

    for (int64_t f = 0; f < data->d; f++) {
        double slack = 1e-12 * largest(f);
        for (bal_lidx j = 0; j < p->layout->m; j++) {
            double w = want[(first + j) * data->d + f];
            double error = fabs((double)got[j * data->d + f] - w);
            wrong += !(error <= fabs(w) * FLT_EPSILON + slack);
        }
    }
    return wrong;
}

static bool is_part_of(const float *mine, const float *all)
{
    bal_gidx first = p->layout->rank_first[c.rank];
    size_t bytes = (size_t)p->layout->m * (size_t)data->d * sizeof(float);

    return memcmp(mine, all + first * data->d, bytes) == 0;
}

START_TEST(equals_the_dense_formula)
{
    for (int form = BAL_SMOOTH; form <= BAL_RESIDUAL; form++)
        for (int keep = 0; keep < 2; keep++) {
            prepare(&shapes[_i], keep == 1);
            double *want = expected((bal_correction)form);
            float *got = correct(&c, p, (bal_correction)form, plenty, 1);
            int wrong = count_wrong(got, want);
            free(got);
            free(want);
            all_assert_msg(wrong == 0, "form %d, keep %d: %d wrong", form, keep,
                           wrong);
        }
}
END_TEST

START_TEST(gives_the_same_bytes_everywhere)
{
    prepare(&shapes[_i], false);
    for (int form = BAL_SMOOTH; form <= BAL_RESIDUAL; form++) {
        bal_correction f = (bal_correction)form;
        float *whole = correct(&self, alone, f, plenty, 1);
        float *parts = correct(&c, p, f, plenty, 1);
        float *threads = correct(&c, p, f, plenty, 2);
        float *panels = correct(&c, p, f, little * (1 + c.rank), 3);
        float *least = correct(&c, p, f, 1, 1);
        bool same[] = {is_part_of(parts, whole), is_part_of(threads, whole),
                       is_part_of(panels, whole), is_part_of(least, whole)};
        free(whole);
        free(parts);
        free(threads);
        free(panels);
        free(least);
        all_assert_msg(same[0] && same[1] && same[2] && same[3],
                       "form %d: %d %d %d %d", form, same[0], same[1], same[2],
                       same[3]);
    }
}
END_TEST

/* Sets every profile to that of the first point, or to huge and tiny ones. */
static void fill(float (*value)(int64_t j, int64_t f))
{
    for (int64_t j = 0; j < data->n; j++)
        for (int64_t f = 0; f < data->d; f++)
            data->x[j * data->d + f] = value(j, f);
    points_destroy(&p);
    p = points_create(&c, data);
}

static float equal(int64_t j, int64_t f)
{
    (void)j;
    return f == 0 ? 0.1f : 1e6f / (float)(3 * f);
}

static float wild(int64_t j, int64_t f)
{
    return f == 0   ? (j % 3 == 0 ? 1e30f : -1e30f)
           : f == 1 ? 1e-38f * (float)(j % 5)
           : f == 2 ? (j == 0 ? 1e6f : 0.001f)
                    : -5;
}

START_TEST(returns_equal_profiles_unchanged)
{
    prepare(&shapes[_i], false);
    fill(equal);
    for (int form = BAL_SMOOTH; form <= BAL_RESIDUAL; form++) {
        float *got = correct(&c, p, (bal_correction)form, plenty, 1);
        bool same = is_part_of(got, data->x);
        free(got);
        all_assert_msg(same, "form %d", form);
    }
}
END_TEST

static int count_outside(const float *got, int64_t f)
{
    float low = INFINITY, high = -INFINITY;
    int outside = 0;

    for (int64_t j = 0; j < data->n; j++) {
        low = fminf(low, data->x[j * data->d + f]);
        high = fmaxf(high, data->x[j * data->d + f]);
    }
    for (bal_lidx j = 0; j < p->layout->m; j++) {
        float x = got[j * data->d + f];
        outside += !(x >= low && x <= high);
    }
    return outside;
}

START_TEST(stays_in_the_range_of_every_feature)
{
    prepare(&shapes[_i], false);
    for (int turn = 0; turn < 2; turn++) {
        float *got = correct(&c, p, BAL_SMOOTH, plenty, 1);
        int outside = 0;
        for (int64_t f = 0; f < data->d; f++)
            outside += count_outside(got, f);
        free(got);
        all_assert_msg(outside == 0, "%d outside", outside);
        fill(wild);
    }
}
END_TEST

START_TEST(keeps_what_no_landmark_covers)
{
    int64_t kept = 0;
    int wrong = 0;

    prepare(&shapes[1], true);
    all_assert(sample->uncovered > 10);
    for (int form = BAL_SMOOTH; form <= BAL_RESIDUAL; form++) {
        float *got = correct(&c, p, (bal_correction)form, plenty, 2);
        for (bal_lidx j = 0; j < p->layout->m; j++) {
            bal_gidx pos = p->layout->rank_first[c.rank] + j;
            if (sample->coverage[pos] > 0)
                continue;
            kept++;
            wrong += memcmp(got + j * data->d, data->x + pos * data->d,
                            (size_t)data->d * sizeof(float)) != 0;
        }
        free(got);
    }
    bal_comm_sum_i64(&c, &kept, 1);
    all_assert(wrong == 0 && kept == 2 * sample->uncovered);
}
END_TEST

/* Two batches, one landmark that keeps three points: 2 and 4 of the first, 9 of
 * the second, with weights 1, 1/2, 1/2; a fourth point is not covered. */
START_TEST(corrects_a_case_done_by_hand)
{
    const shape s = {{3, 1}, 2, 1, 0};
    const float x[] = {2, 4, 100, 9};
    const double a[] = {1, 0.5, 0, 0.5};
    /* mu = (2 + 2 + 4.5) / 2; of the first batch (2 + 2) / 1.5 */
    const double mu = 8.5 / 2, first = 4 / 1.5;
    const double smooth[] = {mu, mu, 100, mu};
    const double residual[] = {2 + mu - first, 4 + mu - first, 100, mu};

    prepare(&s, false);
    memcpy(data->x, x, sizeof x);
    memcpy(sample->a, a, sizeof a);
    sample->m = 1;
    sample->landmark[0] = 0;
    points_destroy(&p);
    p = points_create(&c, data);
    float *got = correct(&c, p, BAL_SMOOTH, plenty, 1);
    int wrong = count_wrong(got, smooth);
    free(got);
    got = correct(&c, p, BAL_RESIDUAL, plenty, 1);
    wrong += count_wrong(got, residual);
    free(got);
    all_assert(wrong == 0);
    double *dense = expected(BAL_RESIDUAL);
    for (int j = 0; j < 4; j++)
        wrong += !(fabs(dense[j] - residual[j]) < 1e-12);
    free(dense);
    all_assert(wrong == 0);
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    prepare(&shapes[1], false);
    bal_size held = bal_mem_held();
    free(correct(&c, p, BAL_RESIDUAL, plenty, 2));
    all_assert(bal_mem_held() == held);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("algo/correct");
    TCase *tcase = tcase_create("correct");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, corrects_a_case_done_by_hand);
    tcase_add_loop_test(tcase, equals_the_dense_formula, 0, SHAPES);
    tcase_add_loop_test(tcase, gives_the_same_bytes_everywhere, 0, SHAPES);
    tcase_add_loop_test(tcase, returns_equal_profiles_unchanged, 0, SHAPES);
    tcase_add_loop_test(tcase, stays_in_the_range_of_every_feature, 0, SHAPES);
    tcase_add_test(tcase, keeps_what_no_landmark_covers);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
