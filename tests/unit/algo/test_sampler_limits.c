/* The sampler stopped and gone on with, with little memory, and with blocks in
 * flight as many as are needed. */
#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "mpi_check.h"
#include "samples.h"

/* A run that is stopped: a copy of its state is kept. */
typedef struct stop {
    bal_sample_hook hook;
    int64_t asked, last; /* times asked, and that at which it stops */
    bal_sample_state kept;
} stop;

static bal_wish stop_wish(void *arg)
{
    stop *s = arg;

    return ++s->asked >= s->last ? BAL_STOP : BAL_GO_ON;
}

static bal_status copy_rows(const bal_csr *from, bal_csr **out)
{
    bal_status st;

    BAL_TRY(bal_csr_create(from->layout, out));
    for (bal_size i = 0; i < from->m; i++) {
        bal_csr_row row = {0};
        BAL_TRY(bal_csr_row_create(&row, from->row[i].count));
        row.landmark = from->row[i].landmark;
        for (bal_size e = 0; e < row.count; e++) {
            row.index[e] = from->row[i].index[e];
            row.value[e] = from->row[i].value[e];
        }
        BAL_TRY(bal_csr_push(*out, &row));
    }
done:
    return st;
}

static bal_status copy_report(const bal_sample_report *from,
                              bal_sample_report *out)
{
    bal_size curve = from->curve_count, batches, scales;
    bal_status st;

    batches = sample_points->layout->batches;
    scales = from->landmarks * batches;
    *out = *from;
    out->curve_landmarks = out->curve_covered = NULL;
    out->scale = NULL;
    BAL_TRY(bal_alloc(&out->curve_landmarks, 2 * curve + 1, "a test"));
    BAL_TRY(bal_alloc(&out->curve_covered, 2 * curve + 1, "a test"));
    BAL_TRY(bal_alloc(&out->scale, scales, "a test"));
    for (bal_size i = 0; i < curve; i++) {
        out->curve_landmarks[i] = from->curve_landmarks[i];
        out->curve_covered[i] = from->curve_covered[i];
    }
    for (bal_size i = 0; i < scales; i++)
        out->scale[i] = from->scale[i];
done:
    return st;
}

static bal_verdict stop_save(void *arg, const bal_sample_state *state, bool now)
{
    stop *s = arg;
    bal_status mine;

    bal_sample_state_finish(&s->kept);
    s->kept = *state;
    s->kept.a = NULL;
    mine = copy_rows(state->a, &s->kept.a);
    if (!bal_failed(mine))
        mine = copy_report(&state->report, &s->kept.report);
    if (!bal_failed(mine) && now)
        mine = BAL_FAIL(BAL_ESTOPPED, "stopped");
    return bal_agree(&sample_comm, mine);
}

/* Runs until the `last`-th question, and on from the file to the end.  @return
 * what is wrong, -1 if it was not stopped */
static int run_in_two(const ref_params *par, int64_t last,
                      const ref_sample *want)
{
    bal_row_params rows = sample_row_params(par, 1);
    bal_sample_params sample = sample_library_params(par, 1, 4);
    bal_sample_report report = {0};
    bal_csr *a = NULL;
    stop s = {{&s, stop_wish, stop_save, NULL}, 0, last, {0}};

    sample.hook = &s.hook;
    sample.scales = true;
    bal_verdict v = sample_draw(&rows, &sample, &a, &report);
    bal_csr_destroy(&a);
    bal_sample_report_finish(&report);
    if (v.code != BAL_ESTOPPED) {
        bal_sample_state_finish(&s.kept);
        return bal_failed(v) ? 1000 : -1;
    }
    bal_error_clear();
    s.last = INT64_MAX;
    s.hook.from = &s.kept;
    v = sample_draw(&rows, &sample, &a, &report);
    all_assert_msg(!bal_failed(v), "%s", bal_error_get()->text);
    int wrong = a->m != want->m;
    for (bal_size l = 0; l < a->m && l < want->m; l++)
        wrong += sample_compare_row(&a->row[l], want, l) != 0;
    wrong += 1000 * sample_compare_report(&report, want, par, 4);
    wrong += 1000000 * sample_compare_scales(report.scale, want, par);
    bal_csr_destroy(&a);
    bal_sample_report_finish(&report);
    bal_sample_state_finish(&s.kept);
    return wrong;
}

START_TEST(goes_on_where_it_was_stopped)
{
    const int few[] = {1, 3, 9, 12, 13, 14};
    ref_params par =
        sample_reference_params(&sample_settings[few[_i]], 40 + (uint64_t)_i);
    int wrong = 0, stops = 0;

    sample_prepare(&sample_shapes[0], 5);
    ref_sample *want = ref_sample_create(sample_data, &par, 1);
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
    ref_params par = sample_reference_params(&sample_settings[3], 7);
    bal_row_params rows = sample_row_params(&par, 1);
    bal_sample_params sample = sample_library_params(&par, 1, 64);
    bal_sample_report report = {0};
    bal_csr *a = NULL;

    sample_prepare(&sample_shapes[1], 8);
    ref_sample *want = ref_sample_create(sample_data, &par, 1);
    sample.memory = bal_sample_memory(sample_points->layout,
                                      sample_points->z->p, &rows, &sample, 2);
    if (sample_points->layout->m == 0)
        sample.memory = INT64_C(1) << 30;
    bal_verdict v = sample_draw(&rows, &sample, &a, &report);
    int wrong = bal_failed(v) || a->m != want->m || report.in_flight > 2;
    for (bal_size l = 0; !wrong && l < a->m; l++)
        wrong += sample_compare_row(&a->row[l], want, l) != 0;
    ref_sample_destroy(&want);
    bal_csr_destroy(&a);
    bal_sample_report_finish(&report);
    all_assert(wrong == 0);

    sample.memory = 1;
    v = sample_draw(&rows, &sample, &a, &report);
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
    ref_params par = sample_reference_params(&sample_settings[5], 7);

    for (int b = 0; b < 42; b++)
        size[b] = b < 40 ? 12 : 3000;
    ref_data *uneven = ref_data_create(size, 42, 4, 4, 0, 8);
    points *q = points_create(&sample_comm, uneven);
    par.k = 10;
    par.block = 10;
    bal_row_params rows = sample_row_params(&par, 1);
    bal_sample_params sample = sample_library_params(&par, 1, 64);
    bal_sample_report report = {0};
    bal_csr *a = NULL;

    sample.scales = true;
    sample.memory =
        bal_sample_memory(q->layout, q->z->p, &rows, &sample, 64) / 3 * 4 + 4;
    bal_comm_max_i64(&sample_comm, &sample.memory, 1);
    bal_verdict v =
        bal_sample(&sample_comm, q->z, q->order, &rows, &sample, &a, &report);
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

/* Blocks in flight from the start, where it is known how many there will be. */
START_TEST(takes_as_many_blocks_as_will_be_needed)
{
    ref_params par = sample_reference_params(&sample_settings[3], 7);
    bal_row_params rows = sample_row_params(&par, 1);
    bal_sample_report report = {0};
    bal_csr *a = NULL;
    int wide[3];

    sample_prepare(&sample_shapes[1], 8); /* 587 points */
    for (int i = 0; i < 3; i++) {
        bal_sample_params sample = sample_library_params(&par, 1, 64);
        sample.block = 10;
        sample.landmarks = i == 0 ? 300 : 0;
        sample.max_landmarks = i == 1 ? 25 : i == 2 ? 90 : 0;
        sample.expected = i > 0 ? 100 : 0;
        bal_verdict v = sample_draw(&rows, &sample, &a, &report);
        wide[i] = bal_failed(v) || report.overshoot > 0 ? 0 : report.in_flight;
        bal_csr_destroy(&a);
        bal_sample_report_finish(&report);
    }
    all_assert_msg(wide[0] == 30 && wide[1] == 3 && wide[2] == 9, "%d, %d, %d",
                   wide[0], wide[1], wide[2]);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("algo/sampler_limits");
    TCase *tcase = tcase_create("sampler");

    tcase_add_checked_fixture(tcase, sample_set_up, sample_tear_down);
    tcase_add_loop_test(tcase, goes_on_where_it_was_stopped, 0, 6);
    tcase_add_test(tcase, works_with_what_memory_there_is);
    tcase_add_test(tcase, holds_no_more_rows_than_fit_on_every_rank);
    tcase_add_test(tcase, takes_as_many_blocks_as_will_be_needed);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
