/* The arithmetic of the forecast, on cases worked by hand: 2,048 profiles of 10
 * features and 4 components in two batches of 1,024, which are 8 blocks of the
 * file and 8 tiles of 256 points. */
#include "balans/forecast/model.h"

#include <math.h>

#include "mpi_check.h"

enum { MIB = 1 << 20, HELD = 64 * MIB + 81920 + 32 * 2048, Z = 32768 };

static const bal_size two[] = {1024, 1024};

static bal_workload workload(void)
{
    return (bal_workload){
        .n = 2048,
        .d = 10,
        .p = 4,
        .batches = 2,
        .batch_size = two,
        .ranks = 1,
        .space = {.clip = 10, .pca = 4, .memory = 64 * MIB, .threads = 1},
        .rows = {.neighbors = {.k = 20}, .threads = 1},
        .sample = {.block = 50, .patience = 20, .scales = true,
                   .memory = 64 * MIB},
        .form = BAL_RESIDUAL,
        .trusts = true,
        .passes = 4,
        .matrix = {.n = 2048, .d = 10, .file_bytes = 80000},
        .file_bytes = 100000,
    };
}

/* One trial, of half of each batch: a row keeps a sixteenth of the points. */
static bal_measured measured(void)
{
    return (bal_measured){
        .by_batch = true,
        .stretch = 1,
        .trial = {{1024, 2, 500, 3, 500, 32000}},
        .trials = 1,
    };
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fabs(b);
}

static bool is_range(bal_range r, double low, double mid, double high)
{
    return near(r.low, low) && near(r.mid, mid) && near(r.high, high);
}

static bal_rank_part largest(const bal_workload *w)
{
    bal_rank_part part;

    all_assert(!bal_failed(bal_model_largest(w, &part)));
    return part;
}

START_TEST(parts_shrink_with_ranks_and_not_with_threads)
{
    bal_workload w = workload();
    bal_rank_part one = largest(&w), part;

    all_assert(one.rows == 2048 && one.points == 2048 && one.lanes == 2048);
    all_assert(one.blocks == 8 && one.tiles == 8);
    all_assert(one.width == BAL_ROWS_MOST);
    w.ranks = 2;
    part = largest(&w);
    all_assert(part.rows == 1024 && part.points == 1024);
    all_assert(part.blocks == 4 && part.tiles == 4);
    w.ranks = 64; /* of which 56 have nothing */
    w.space.threads = w.rows.threads = 4;
    part = largest(&w);
    all_assert(part.rows == 256 && part.points == 256);
    all_assert(part.blocks == 1 && part.tiles == 1);
    w.ranks = 1000;
    all_assert(largest(&w).points == 256);
    w.sample.memory = 1000;
    all_assert(largest(&w).width == 0);
}
END_TEST

START_TEST(affinities_take_what_their_three_forms_take)
{
    bal_workload w = workload();
    bal_rank_part part = largest(&w);

    /* 100 landmarks in 8 tiles and 8 blocks each: 1,600 runs of 8 bytes */
    all_assert(bal_model_affinities(&part, 100, 1000) == 20000 + 12800);
    /* fewer entries than that: a run for each, in both orders */
    all_assert(bal_model_affinities(&part, 100, 500) == 500 * BAL_ENTRY_BYTES);
    all_assert(bal_model_affinities(&part, 100, 0) == 0);
}
END_TEST

START_TEST(memory_is_that_of_the_phases)
{
    bal_workload w = workload();
    bal_rank_part part = largest(&w);
    bal_size phase[BAL_RUN_PHASES];
    bal_size most = bal_model_memory(&w, &part, 100, 1000, phase);

    all_assert(phase[BAL_PHASE_READ] == HELD);
    all_assert(phase[BAL_PHASE_SPACE] ==
               HELD + Z + bal_space_memory(10, &w.space, 0, 1));
    all_assert(phase[BAL_PHASE_SAMPLE] == HELD + Z + 1000 + 64 * MIB);
    /* 8 bytes of weight, 16 of trust, 4 of scale for each of 100 x 2 */
    all_assert(phase[BAL_PHASE_CORRECT] ==
               HELD + Z + 1000 + 64 * MIB + 28 * 200);
    all_assert(phase[BAL_PHASE_WRITE] == phase[BAL_PHASE_SAMPLE]);
    all_assert(most == phase[BAL_PHASE_CORRECT]);

    /* one pass of smoothing does not tell batches apart */
    w.form = BAL_SMOOTH;
    w.passes = 1;
    w.trusts = w.sample.scales = false;
    (void)bal_model_memory(&w, &part, 100, 1000, phase);
    all_assert(phase[BAL_PHASE_CORRECT] ==
               HELD + Z + 1000 + 64 * MIB + 8 * 100);
}
END_TEST

START_TEST(streaming_holds_a_buffer_instead_of_x)
{
    bal_workload w = workload();
    bal_rank_part part = largest(&w);
    bal_size phase[BAL_RUN_PHASES];

    w.streamed = true;
    w.space.memory = 100000;
    (void)bal_model_memory(&w, &part, 0, 0, phase);
    all_assert(phase[BAL_PHASE_READ] == HELD - 81920 + 25000);
    w.space.memory = MIB; /* a quarter of it has room for all */
    (void)bal_model_memory(&w, &part, 0, 0, phase);
    all_assert(phase[BAL_PHASE_READ] == HELD);
}
END_TEST

START_TEST(sweeps_follow_panels_and_passes)
{
    bal_workload w = workload();
    double phase[BAL_RUN_PHASES];

    all_assert(near(bal_model_sweeps(&w, 100, phase), 1 + 4 + 8 + 2));
    w.space.scale = BAL_SCALE_NONE;
    all_assert(near(bal_model_sweeps(&w, 100, phase), 1 + 3 + 8 + 2));
    /* 100 landmarks x 2 batches: 8 features of the table take
     * 8 (16 x 200 + 64) bytes beside 8 x 200; 10 features take two panels */
    w.space.memory = 8 * 3264 + 1600;
    (void)bal_model_sweeps(&w, 100, phase);
    all_assert(near(phase[BAL_PHASE_CORRECT], 2 * 2 * 4));
    w.space.memory *= 2;
    (void)bal_model_sweeps(&w, 100, phase);
    all_assert(near(phase[BAL_PHASE_CORRECT], 2 * 4));
}
END_TEST

START_TEST(files_are_read_and_written)
{
    bal_workload w = workload();
    double read, write, plain = 20000 + 81920 + 32768 + 8192;

    bal_model_files(&w, 100, 1000, &read, &write);
    all_assert(near(read, 100000) && near(write, plain));
    w.save_affinity = w.keep_original = true;
    bal_model_files(&w, 100, 1000, &read, &write);
    all_assert(near(write, plain + 12000 + 80000));
    w.save_affinity = w.keep_original = false;
    w.matrix.storage = BAL_CSC;
    bal_model_files(&w, 100, 1000, &read, &write);
    all_assert(near(read, 180000) && near(write, plain));
    w.matrix.storage = BAL_DENSE;
    w.streamed = true; /* 15 sweeps, of which the first is counted */
    bal_model_files(&w, 100, 1000, &read, &write);
    all_assert(near(read, 100000 + 14 * 81920));
    all_assert(near(write, plain + 4 * 81920));
    w.p = 10; /* coordinates that are the features are not stored */
    w.streamed = false;
    bal_model_files(&w, 100, 1000, &read, &write);
    all_assert(near(write, plain - 32768));
}
END_TEST

START_TEST(as_many_landmarks_as_asked_for_and_what_batches_lack)
{
    bal_workload w = workload();
    bal_measured m = measured();
    bal_expected e;
    double off = 1.25 * exp2(0.02); /* batches are twice the trial's */

    w.sample.landmarks = 1000;
    bal_model_expect(&w, &m, &e);
    all_assert(!e.exact && is_range(e.landmarks, 1000, 1003, 1010));
    all_assert(is_range(e.entries, 1000 * 128 / off, 1003 * 128,
                        1010 * 128 * off));
    all_assert(near(e.rows, 1003));
    w.sample.max_landmarks = 40;
    bal_model_expect(&w, &m, &e);
    all_assert(is_range(e.landmarks, 40, 40, 40) && near(e.rows, 40));
    all_assert(near(e.entries.mid, 40 * 128));
}
END_TEST

START_TEST(all_points_are_landmarks_up_to_one_and_a_half_times_as_many)
{
    bal_workload w = workload();
    bal_measured m = measured();
    bal_expected e;

    w.sample.landmarks = 1366; /* 2,049 / 1.5 */
    bal_model_expect(&w, &m, &e);
    all_assert(is_range(e.landmarks, 2048, 2048, 2048));
    all_assert(near(e.entries.mid, 2048 * 128) && near(e.rows, 2048));
    w.sample.landmarks = 1365; /* 2,047.5 / 1.5 */
    bal_model_expect(&w, &m, &e);
    all_assert(is_range(e.landmarks, 1365, 1368, 1375));
}
END_TEST

START_TEST(many_batches_are_not_filled_up)
{
    static bal_size size[801];
    bal_workload w = workload();
    bal_measured m = measured();
    bal_expected e;

    for (int b = 0; b < 801; b++)
        size[b] = 20;
    w.n = 801 * 20;
    w.batch_size = size;
    w.batches = 800;
    w.sample.landmarks = 1000;
    bal_model_expect(&w, &m, &e);
    all_assert(is_range(e.landmarks, 1000, 1000 + 3 * 400, 1000 + 5 * 800));
    w.batches = 801;
    bal_model_expect(&w, &m, &e);
    all_assert(is_range(e.landmarks, 1000, 1000, 1000));
}
END_TEST

/* A point is covered 4 times of 256, 9 of 1,024: the root grows by 0.5 with
 * each doubling, so it is 4 at 4,096 points. */
START_TEST(coverage_grows_as_the_logarithm_of_the_points)
{
    static const bal_size four[] = {1024, 1024, 1024, 1024};
    bal_workload w = workload();
    bal_measured m = measured();
    bal_expected e;

    w.n = 4096;
    w.batches = 4;
    w.batch_size = four;
    m.trial[0] = (bal_trial){256, 1, 64, 0, 80, 4 * 256};
    m.trial[1] = (bal_trial){1024, 1, 144, 0, 180, 9 * 1024};
    m.trials = 2;
    bal_model_expect(&w, &m, &e);
    all_assert(is_range(e.entries, 4096 * 3.75 * 3.75 / 1.6, 16 * 4096,
                        4096 * 4.4 * 4.4 * 1.6));
    all_assert(is_range(e.landmarks, 16 * 3.75 * 3.75 / 1.6, 256,
                        16 * 4.4 * 4.4 * 1.6));
    all_assert(near(e.rows, 256 * 1.25));
    /* trials with the half of k that is left of it have rows half as long */
    m.stretch = 2;
    bal_model_expect(&w, &m, &e);
    all_assert(near(e.landmarks.mid, 128) && near(e.entries.mid, 16 * 4096));
}
END_TEST

/* Rows keep 1/8 of 128 points a batch, 1/16 of 512: 1/32 of 2,048, as the share
 * goes with their root. */
START_TEST(rows_keep_less_of_larger_batches)
{
    static const bal_size large[] = {2048, 2048};
    bal_workload w = workload();
    bal_measured m = measured();
    bal_expected e;

    w.n = 4096;
    w.batch_size = large;
    w.sample.landmarks = 1000;
    m.by_batch = false;
    m.trial[0] = (bal_trial){256, 2, 100, 0, 100, 100 * 256 / 8};
    m.trial[1] = (bal_trial){1024, 2, 100, 0, 100, 100 * 1024 / 16};
    m.trials = 2;
    bal_model_expect(&w, &m, &e);
    all_assert(near(e.entries.mid, 1000 * 4096 / 32.0));
    m.trials = 1; /* nothing shows how it goes */
    bal_model_expect(&w, &m, &e);
    all_assert(near(e.entries.mid, 1000 * 4096 / 8.0));
}
END_TEST

START_TEST(a_whole_sample_is_the_truth)
{
    bal_workload w = workload();
    bal_measured m = measured();
    bal_expected e;

    m.whole = true;
    m.trial[0] = (bal_trial){2048, 2, 321, 4, 400, 54321};
    bal_model_expect(&w, &m, &e);
    all_assert(e.exact && is_range(e.landmarks, 321, 321, 321));
    all_assert(is_range(e.entries, 54321, 54321, 54321) && near(e.rows, 400));
}
END_TEST

START_TEST(time_is_in_proportion)
{
    bal_workload w = workload();
    bal_measured m = measured();
    bal_expected e = {{500, 1000, 2000}, {5e4, 1e5, 3e5}, 1003, false};
    double phase[BAL_RUN_PHASES];

    w.ranks = 2;
    m.opening = 1;
    m.read_row = m.space_row = 1e-3;
    m.space_fixed = 2;
    m.point = m.correct = 1e-6;
    m.arrange = 1e-5;
    bal_rank_part part = largest(&w);
    bal_range all = bal_model_time(&w, &part, &m, &e, phase);
    all_assert(near(phase[BAL_PHASE_READ], 1 + 1.024));
    all_assert(near(phase[BAL_PHASE_SPACE], 2 + 1.024));
    all_assert(near(phase[BAL_PHASE_SAMPLE], 4 * 1003 * 1.024e-3));
    /* half of the entries; in each of 4 passes 10 features and 4 components */
    all_assert(near(phase[BAL_PHASE_CORRECT], 5e4 * (56e-6 + 4e-5)));
    double fixed = all.mid - phase[BAL_PHASE_SAMPLE] - 4.8;
    all_assert(near(fixed, 2.024 + 3.024 + phase[BAL_PHASE_WRITE]));
    all_assert(is_range(all, fixed + phase[BAL_PHASE_SAMPLE] / 2 + 2.4,
                        all.mid, fixed + phase[BAL_PHASE_SAMPLE] * 2 + 14.4));

    w.streamed = true; /* sweeps: 1, 4, 0, 8, 2 */
    (void)bal_model_time(&w, &part, &m, &e, phase);
    all_assert(near(phase[BAL_PHASE_READ], 1 + 1.024));
    all_assert(near(phase[BAL_PHASE_SPACE], 2 + 5 * 1.024));
    all_assert(phase[BAL_PHASE_CORRECT] > 4.8 + 8 * 1.024);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("forecast/model");
    TCase *tcase = tcase_create("model");

    tcase_add_test(tcase, parts_shrink_with_ranks_and_not_with_threads);
    tcase_add_test(tcase, affinities_take_what_their_three_forms_take);
    tcase_add_test(tcase, memory_is_that_of_the_phases);
    tcase_add_test(tcase, streaming_holds_a_buffer_instead_of_x);
    tcase_add_test(tcase, sweeps_follow_panels_and_passes);
    tcase_add_test(tcase, files_are_read_and_written);
    tcase_add_test(tcase, as_many_landmarks_as_asked_for_and_what_batches_lack);
    tcase_add_test(tcase,
                   all_points_are_landmarks_up_to_one_and_a_half_times_as_many);
    tcase_add_test(tcase, many_batches_are_not_filled_up);
    tcase_add_test(tcase, coverage_grows_as_the_logarithm_of_the_points);
    tcase_add_test(tcase, rows_keep_less_of_larger_batches);
    tcase_add_test(tcase, a_whole_sample_is_the_truth);
    tcase_add_test(tcase, time_is_in_proportion);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
