/* The sampler against the dense serial one: the same landmarks in the same
 * order, the same entries bit for bit, whatever the number of ranks, threads
 * and blocks in flight. */
#include "balans/algo/sampler.h"

#include "balans/base/mem.h"
#include "mpi_check.h"
#include "samples.h"

/* Runs the sampler and counts what differs from the reference. */
static int run(const ref_params *par, uint32_t pass, int w, int threads,
               const ref_sample *want)
{
    bal_row_params rows = sample_row_params(par, threads);
    bal_sample_params sample = sample_library_params(par, pass, w);
    bal_sample_report report = {0};
    bal_csr *a = NULL;

    sample.scales = w == 3;
    sample.expected = w == 64 ? want->m : w; /* right, and too few */
    bal_verdict v = sample_draw(&rows, &sample, &a, &report);
    int wrong = bal_failed(v);

    all_assert_msg(!bal_failed(v), "%s", bal_error_get()->text);
    wrong += a->m != want->m;
    for (bal_size l = 0; l < a->m && l < want->m; l++)
        wrong += sample_compare_row(&a->row[l], want, l) != 0;
    wrong += 1000 * sample_compare_report(&report, want, par, w);
    if (sample.scales)
        wrong += 1000000 * sample_compare_scales(report.scale, want, par);
    bal_csr_destroy(&a);
    bal_sample_report_finish(&report);
    return wrong;
}

START_TEST(equals_the_reference)
{
    const int flights[] = {1, 3, 64}, threads[] = {1, 2, 1};

    sample_prepare(&sample_shapes[_i], 5);
    for (int s = 0; s < SAMPLE_SETTINGS; s++) {
        ref_params par =
            sample_reference_params(&sample_settings[s], 40 + (uint64_t)s);
        ref_sample *want = ref_sample_create(sample_data, &par, 1);
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

    sample_prepare(&sample_shapes[0], 5);
    for (int s = 0; s < SAMPLE_SETTINGS; s++) {
        ref_params par =
            sample_reference_params(&sample_settings[s], 40 + (uint64_t)s);
        ref_sample *got = ref_sample_create(sample_data, &par, 1);
        weighted += got->weighted;
        repeats += got->repeats;
        extended += got->extended;
        filled += got->filled;
        all += got->m == sample_data->n && got->rows == 0;
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
    ref_params par = sample_reference_params(&sample_settings[3], 0);
    const uint64_t seeds[] = {0, 1, UINT64_C(0xfedcba9876543210), UINT64_MAX};
    int64_t first[4] = {0};
    int wrong = 0;

    sample_prepare(&sample_shapes[1], 6);
    for (uint32_t e = 0; e < 4; e++) {
        par.seed = seeds[e];
        ref_sample *want = ref_sample_create(sample_data, &par, 1 + e);
        wrong += run(&par, 1 + e, 5, 1, want);
        first[e] = want->landmark[0];
        ref_sample_destroy(&want);
    }
    all_assert_msg(wrong == 0, "%d wrong", wrong);
    all_assert(first[0] != first[1] && first[1] != first[2] &&
               first[2] != first[3]);
}
END_TEST

START_TEST(counts_batches_below_k)
{
    ref_params par = sample_reference_params(&sample_settings[0], 7);
    bal_row_params rows = sample_row_params(&par, 1);
    bal_sample_params sample = sample_library_params(&par, 1, 1);
    bal_sample_report report = {0};
    bal_csr *a = NULL;

    sample_prepare(&sample_shapes[0], 8); /* 70 40 6 1 90 with k = 10 */
    bal_verdict v = sample_draw(&rows, &sample, &a, &report);
    bal_csr_destroy(&a);
    bal_size small = report.small_batches;
    bal_sample_report_finish(&report);
    all_assert(!bal_failed(v) && small == 2);
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    ref_params par = sample_reference_params(&sample_settings[3], 7);

    sample_prepare(&sample_shapes[1], 8);
    ref_sample *want = ref_sample_create(sample_data, &par, 1);
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

    tcase_add_checked_fixture(tcase, sample_set_up, sample_tear_down);
    tcase_add_test(tcase, is_tested_where_it_matters);
    tcase_add_loop_test(tcase, equals_the_reference, 0, SAMPLE_SHAPES);
    tcase_add_test(tcase, draws_afresh_with_every_seed_and_pass);
    tcase_add_test(tcase, counts_batches_below_k);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
