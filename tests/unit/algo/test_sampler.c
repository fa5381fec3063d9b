/* The sampler against the dense serial one: the same landmarks in the same
 * order, the same entries bit for bit, whatever the number of ranks, threads
 * and blocks in flight. */
#include "balans/algo/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/checkpoint.h"
#include "balans/par/agree.h"
#include "mpi_check.h"
#include "points.h"

typedef struct shape {
    int64_t size[5], batches, p, repeat;
} shape;

static const shape shapes[] = {
    {{70, 40, 6, 1, 90}, 5, 4, 7}, /* duplicates; a batch below k; one point */
    {{300, 257, 30}, 3, 10, 0},    /* batches of several tiles */
    {{300}, 1, 3, 5},              /* one batch */
    {{1}, 1, 2, 0},                /* one point */
    {{1, 1, 1, 1}, 4, 2, 0},       /* batches of one point */
    {{50, 20, 3}, 3, 3, 1},        /* each batch all equal */
    {{60, 45, 12}, 3, 5, 2},       /* twins */
};
enum { SHAPES = (int)(sizeof shapes / sizeof shapes[0]) };

typedef struct setting {
    int64_t k;
    double share;
    bool scale;
    double gate;
    int64_t block, patience, max_landmarks;
    bool keep;
    int64_t landmarks;
} setting;

static const setting settings[] = {
    {10, 0, false, 0, 50, 20, 0, false, 0}, /* the defaults */
    {10, 0, true, 0, 50, 20, 0, false, 0},
    {20, 0, false, 0, 60, 5, 0, false, 0}, /* long blocks: weighted draws */
    {5, 0, true, 1.5, 3, 4, 0, false, 0},  /* short blocks: many of them */
    {3, 0, false, 0, 2, 1, 0, false, 0},   /* impatient: extension */
    {3, 0, true, 0, 1, 2, 0, true, 0},     /* and without it */
    {0, 0.1, false, 0, 7, 6, 0, false, 0},
    {0, 0.3, true, 0, 90, 3, 0, true, 0},
    {6, 0.1, true, 0, 20, 9, 0, false, 0}, /* the larger of both */
    {5, 0, true, 0, 4, 30, 17, false, 0}, /* a limit inside a block */
    {2, 0, true, 0, 3, 1, 6, false, 0},   /* a limit inside the extension */
    {10, 0, false, 2, 10, 15, 1, true, 0},
    {5, 0.1, true, 0, 7, 1, 0, false, 40}, /* a number of them */
    {3, 0, false, 0, 50, 1, 0, false, 140}, /* repeats; on some, all points */
    {2, 0, true, 0, 4, 1, 0, false, 1},     /* batches with few */
    {2, 0, true, 0, 4, 1, 9, true, 5},      /* not all of them filled up */
    {4, 0, true, 3, 4, 1, 20, true, 90},    /* the limit wins */
    {4, 0, true, 0, 4, 1, 110, true, 100},  /* all points are too many */
};
enum { SETTINGS = (int)(sizeof settings / sizeof settings[0]) };

static bal_comm c;
static ref_data *data;
static points *p;

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    points_destroy(&p);
    ref_data_destroy(&data);
    bal_comm_finish(&c);
}

static void prepare(const shape *s, uint64_t seed)
{
    points_destroy(&p);
    ref_data_destroy(&data);
    data = ref_data_create(s->size, s->batches, s->p, s->p, s->repeat, seed);
    p = points_create(&c, data);
}

static ref_params reference_params(const setting *s, uint64_t seed)
{
    ref_params par = ref_params_default();

    par.k = s->k;
    par.share = s->share;
    par.scale = s->scale;
    par.gate = s->gate;
    par.block = s->block;
    par.patience = s->patience;
    par.max_landmarks = s->max_landmarks;
    par.keep = s->keep;
    par.landmarks = s->landmarks;
    par.seed = seed;
    return par;
}

static bal_sample_params library_params(const ref_params *par, uint32_t pass,
                                        int w)
{
    return (bal_sample_params){
        .block = par->block,
        .landmarks = par->landmarks,
        .patience = par->patience,
        .uncovered = par->keep ? BAL_KEEP : BAL_EXTEND,
        .max_landmarks = par->max_landmarks,
        .seed = par->seed,
        .pass = pass,
        .most_in_flight = w,
        .memory = INT64_C(1) << 30,
    };
}

static bal_row_params row_params(const ref_params *par, int threads)
{
    return (bal_row_params){
        .neighbors = {.k = par->k, .share = par->share},
        .sparsify = par->scale ? BAL_SCALE : BAL_ELBOW,
        .gate = par->gate,
        .threads = threads,
    };
}

/* Differences between one row of A and the part of the dense one. */
static int compare_row(const bal_csr_row *row, const ref_sample *want,
                       int64_t l)
{
    bal_gidx first = p->layout->rank_first[c.rank];
    bal_size e = 0;
    int wrong = row->landmark != want->landmark[l];

    for (bal_lidx j = 0; j < p->layout->m; j++) {
        float value = (float)want->a[l * want->n + first + j];
        if (!(value > 0))
            continue;
        wrong += e >= row->count || row->index[e] != j ||
                 memcmp(&row->value[e], &value, sizeof value) != 0;
        e++;
    }
    return wrong + (e != row->count);
}

static int64_t entries(const ref_sample *s)
{
    int64_t count = 0;

    for (int64_t e = 0; e < s->m * s->n; e++)
        count += s->a[e] > 0;
    return count;
}

static int compare_report(const bal_sample_report *r, const ref_sample *want,
                          int w)
{
    int wrong = r->landmarks != want->m;

    wrong += r->extended != want->extended;
    wrong += r->filled != want->filled;
    wrong += r->uncovered != want->uncovered;
    wrong += r->entries != entries(want);
    wrong += r->in_flight < 1 || r->in_flight > w;
    wrong += r->rows < r->landmarks || r->overshoot < 0;
    wrong += w == 1 && r->rows - r->overshoot < want->m;
    for (bal_size i = 0; i < r->curve_count; i++) {
        wrong += r->curve_landmarks[i] < 1 || r->curve_landmarks[i] > want->m;
        wrong += r->curve_covered[i] < 1 || r->curve_covered[i] > want->n;
        wrong += i > 0 && (r->curve_landmarks[i] < r->curve_landmarks[i - 1] ||
                           r->curve_covered[i] < r->curve_covered[i - 1]);
    }
    wrong += r->curve_count > 0 &&
             r->curve_covered[r->curve_count - 1] != want->n - want->uncovered;
    return wrong;
}

/* Differences between the landmarks' scales and those of dense rows. */
static int compare_scales(const float *scale, const ref_sample *want,
                          const ref_params *par)
{
    int wrong = scale == NULL;

    for (int64_t l = 0; !wrong && l < want->m; l++) {
        ref_row *row = ref_row_create(data, par, want->landmark[l]);
        for (int64_t b = 0; b < data->batches; b++) {
            float s2 = isnan(row->s2[b]) ? -1.0f : (float)row->s2[b];
            wrong += memcmp(&s2, &scale[l * data->batches + b], sizeof s2) != 0;
        }
        ref_row_destroy(&row);
    }
    return wrong;
}

/* Runs the sampler and counts what differs from the reference. */
static int run(const ref_params *par, uint32_t pass, int w, int threads,
               const ref_sample *want)
{
    bal_row_params rows = row_params(par, threads);
    bal_sample_params sample = library_params(par, pass, w);
    bal_sample_report report = {0};
    bal_csr *a = NULL;

    sample.scales = w == 3;
    bal_verdict v = bal_sample(&c, p->z, p->route, &rows, &sample, &a, &report);
    int wrong = bal_failed(v);

    all_assert_msg(!bal_failed(v), "%s", bal_error_get()->text);
    wrong += a->m != want->m;
    for (bal_size l = 0; l < a->m && l < want->m; l++)
        wrong += compare_row(&a->row[l], want, l) != 0;
    wrong += 1000 * compare_report(&report, want, w);
    if (sample.scales)
        wrong += 1000000 * compare_scales(report.scale, want, par);
    bal_csr_destroy(&a);
    bal_sample_report_finish(&report);
    return wrong;
}

START_TEST(equals_the_reference)
{
    const int flights[] = {1, 3, 64}, threads[] = {1, 2, 1};

    prepare(&shapes[_i], 5);
    for (int s = 0; s < SETTINGS; s++) {
        ref_params par = reference_params(&settings[s], 40 + (uint64_t)s);
        ref_sample *want = ref_sample_create(data, &par, 1);
        int wrong[3];
        for (int f = 0; f < 3; f++)
            wrong[f] = run(&par, 1, flights[f], threads[f], want);
        int64_t m = want->m;
        ref_sample_destroy(&want);
        all_assert_msg(wrong[0] + wrong[1] + wrong[2] == 0,
                       "setting %d, %d landmarks: %d %d %d wrong", s, (int)m,
                       wrong[0], wrong[1], wrong[2]);
    }
}
END_TEST

/* That the cases above reach what they are meant to reach. */
START_TEST(is_tested_where_it_matters)
{
    int64_t weighted = 0, repeats = 0, blocks = 0, extended = 0, uncovered = 0;
    int64_t filled = 0, all = 0;

    prepare(&shapes[0], 5);
    for (int s = 0; s < SETTINGS; s++) {
        ref_params par = reference_params(&settings[s], 40 + (uint64_t)s);
        ref_sample *got = ref_sample_create(data, &par, 1);
        weighted += got->weighted;
        repeats += got->repeats;
        extended += got->extended;
        filled += got->filled;
        all += got->m == data->n && got->rows == 0;
        uncovered += got->uncovered;
        blocks = got->blocks > blocks ? got->blocks : blocks;
        ref_sample_destroy(&got);
    }
    all_assert_msg(weighted > 20 && repeats > 5 && blocks > 10 &&
                       extended > 20 && uncovered > 20 && filled > 20 &&
                       all > 0,
                   "%d weighted, %d repeats, %d blocks, %d extended, %d left, "
                   "%d filled, %d all",
                   (int)weighted, (int)repeats, (int)blocks, (int)extended,
                   (int)uncovered, (int)filled, (int)all);
}
END_TEST

START_TEST(draws_afresh_with_every_seed_and_pass)
{
    ref_params par = reference_params(&settings[3], 0);
    const uint64_t seeds[] = {0, 1, UINT64_C(0xfedcba9876543210), UINT64_MAX};
    int64_t first[4] = {0};
    int wrong = 0;

    prepare(&shapes[1], 6);
    for (uint32_t e = 0; e < 4; e++) {
        par.seed = seeds[e];
        ref_sample *want = ref_sample_create(data, &par, 1 + e);
        wrong += run(&par, 1 + e, 5, 1, want);
        first[e] = want->landmark[0];
        ref_sample_destroy(&want);
    }
    all_assert_msg(wrong == 0, "%d wrong", wrong);
    all_assert(first[0] != first[1] && first[1] != first[2] &&
               first[2] != first[3]);
}
END_TEST

/* A run that is stopped: its state goes through a file. */
typedef struct stop {
    bal_sample_hook hook;
    int64_t asked, last; /* times asked, and that at which it stops */
} stop;

static const char stop_file[] = "test_sampler_stop.h5";

static bal_wish stop_wish(void *arg)
{
    stop *s = arg;

    return ++s->asked >= s->last ? BAL_STOP : BAL_GO_ON;
}

static bal_verdict stop_save(void *arg, const bal_sample_state *state, bool now)
{
    bal_checkpoint k = {.identity = "a test\n", .pass = 1, .sampler = *state};
    bal_verdict st = bal_checkpoint_write(&c, stop_file, &k);

    (void)arg;
    if (bal_failed(st))
        return st;
    return bal_agree(&c, now ? BAL_FAIL(BAL_ESTOPPED, "stopped") : BAL_OK);
}

/* Runs until the `last`-th question, and on from the file to the end.  @return
 * what is wrong, -1 if it was not stopped */
static int run_in_two(const ref_params *par, int64_t last,
                      const ref_sample *want)
{
    bal_row_params rows = row_params(par, 1);
    bal_sample_params sample = library_params(par, 1, 4);
    bal_sample_report report = {0};
    bal_csr *a = NULL;
    stop s = {{&s, stop_wish, stop_save, NULL}, 0, last};
    bal_checkpoint k = {.identity = "a test\n"};

    sample.hook = &s.hook;
    sample.scales = true;
    bal_verdict v = bal_sample(&c, p->z, p->route, &rows, &sample, &a, &report);
    bal_csr_destroy(&a);
    bal_sample_report_finish(&report);
    if (v.code != BAL_ESTOPPED) {
        bal_checkpoint_remove(&c, stop_file);
        return bal_failed(v) ? 1000 : -1;
    }
    bal_error_clear();
    s.last = INT64_MAX;
    s.hook.from = &k.sampler;
    v = bal_checkpoint_read(&c, stop_file, p->layout, &k);
    all_assert_msg(!bal_failed(v), "%s", bal_error_get()->text);
    v = bal_sample(&c, p->z, p->route, &rows, &sample, &a, &report);
    all_assert_msg(!bal_failed(v), "%s", bal_error_get()->text);
    int wrong = a->m != want->m;
    for (bal_size l = 0; l < a->m && l < want->m; l++)
        wrong += compare_row(&a->row[l], want, l) != 0;
    wrong += 1000 * compare_report(&report, want, 4);
    wrong += 1000000 * compare_scales(report.scale, want, par);
    bal_csr_destroy(&a);
    bal_sample_report_finish(&report);
    bal_sample_state_finish(&k.sampler);
    bal_checkpoint_remove(&c, stop_file);
    return wrong;
}

START_TEST(goes_on_where_it_was_stopped)
{
    ref_params par = reference_params(&settings[_i], 40 + (uint64_t)_i);
    int wrong = 0, stops = 0;

    prepare(&shapes[0], 5);
    ref_sample *want = ref_sample_create(data, &par, 1);
    for (int64_t last = 1, got = 0; got >= 0 && last < 2000; last += last) {
        got = run_in_two(&par, last, want);
        wrong += got > 0;
        stops += got >= 0;
    }
    ref_sample_destroy(&want);
    all_assert_msg(wrong == 0 && stops > 0, "%d wrong of %d", wrong, stops);
}
END_TEST

/* A W that the memory allows need not be the one asked for. */
START_TEST(works_with_what_memory_there_is)
{
    ref_params par = reference_params(&settings[3], 7);
    bal_row_params rows = row_params(&par, 1);
    bal_sample_params sample = library_params(&par, 1, 64);
    bal_sample_report report = {0};
    bal_csr *a = NULL;

    prepare(&shapes[1], 8);
    ref_sample *want = ref_sample_create(data, &par, 1);
    sample.memory = bal_sample_memory(p->layout, p->z->p, &rows, &sample, 2);
    if (p->layout->m == 0)
        sample.memory = INT64_C(1) << 30;
    bal_verdict v = bal_sample(&c, p->z, p->route, &rows, &sample, &a, &report);
    int wrong = bal_failed(v) || a->m != want->m || report.in_flight > 2;
    for (bal_size l = 0; !wrong && l < a->m; l++)
        wrong += compare_row(&a->row[l], want, l) != 0;
    ref_sample_destroy(&want);
    bal_csr_destroy(&a);
    bal_sample_report_finish(&report);
    all_assert(wrong == 0);

    sample.memory = 1;
    v = bal_sample(&c, p->z, p->route, &rows, &sample, &a, &report);
    bal_csr_destroy(&a);
    bal_sample_report_finish(&report);
    all_assert(v.code == BAL_EUSAGE);
    bal_error_clear();
}
END_TEST

/* Many small batches make the rows of the ranks that hold them long; what the
 * others could hold does not help. */
START_TEST(holds_no_more_rows_than_fit_on_every_rank)
{
    int64_t size[42];
    bal_size here = 0;
    ref_params par = reference_params(&settings[5], 7);

    for (int b = 0; b < 42; b++)
        size[b] = b < 40 ? 12 : 3000;
    ref_data *uneven = ref_data_create(size, 42, 4, 4, 0, 8);
    points *q = points_create(&c, uneven);
    par.k = 10;
    par.block = 10;
    bal_row_params rows = row_params(&par, 1);
    bal_sample_params sample = library_params(&par, 1, 64);
    bal_sample_report report = {0};
    bal_csr *a = NULL;

    sample.scales = true;
    sample.memory =
        bal_sample_memory(q->layout, q->z->p, &rows, &sample, 64) / 3 * 4 + 4;
    bal_comm_max_i64(&c, &sample.memory, 1);
    bal_verdict v = bal_sample(&c, q->z, q->route, &rows, &sample, &a, &report);
    for (bal_size i = 0; !bal_failed(v) && i < a->m; i++)
        here += 8 * (a->row[i].count + BAL_LANES);
    bal_size each = here / (report.landmarks > 0 ? report.landmarks : 1);
    bal_size held = report.in_flight * par.block * each;
    bal_size m = report.landmarks;
    int w = report.in_flight;
    bal_csr_destroy(&a);
    bal_sample_report_finish(&report);
    points_destroy(&q);
    ref_data_destroy(&uneven);
    all_assert_msg(!bal_failed(v) && m > 400 && w > 1 &&
                       (double)held < 1.1 * (double)sample.memory / 4,
                   "%d landmarks, %d blocks in flight, %lld bytes of %lld",
                   (int)m, w, (long long)held, (long long)sample.memory / 4);
}
END_TEST

START_TEST(counts_batches_below_k)
{
    ref_params par = reference_params(&settings[0], 7);
    bal_row_params rows = row_params(&par, 1);
    bal_sample_params sample = library_params(&par, 1, 1);
    bal_sample_report report = {0};
    bal_csr *a = NULL;

    prepare(&shapes[0], 8); /* 70 40 6 1 90 with k = 10 */
    bal_verdict v = bal_sample(&c, p->z, p->route, &rows, &sample, &a, &report);
    bal_csr_destroy(&a);
    bal_size small = report.small_batches;
    bal_sample_report_finish(&report);
    all_assert(!bal_failed(v) && small == 2);
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    ref_params par = reference_params(&settings[3], 7);

    prepare(&shapes[1], 8);
    ref_sample *want = ref_sample_create(data, &par, 1);
    bal_size held = bal_mem_held();
    int wrong = run(&par, 1, 8, 2, want);
    bal_size after = bal_mem_held();
    ref_sample_destroy(&want);
    all_assert(wrong == 0 && held == after);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("algo/sampler");
    TCase *tcase = tcase_create("sampler");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, is_tested_where_it_matters);
    tcase_add_loop_test(tcase, equals_the_reference, 0, SHAPES);
    tcase_add_test(tcase, draws_afresh_with_every_seed_and_pass);
    tcase_add_loop_test(tcase, goes_on_where_it_was_stopped, 0, SETTINGS);
    tcase_add_test(tcase, works_with_what_memory_there_is);
    tcase_add_test(tcase, holds_no_more_rows_than_fit_on_every_rank);
    tcase_add_test(tcase, counts_batches_below_k);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
