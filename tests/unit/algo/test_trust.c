/* The parts of the batches and the trust in them, against their dense formulas
 * and by hand, and the same bits on any number of ranks. */
#include "balans/algo/trust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "affinities.h"
#include "balans/base/mem.h"
#include "mpi_check.h"

typedef struct shape {
    int64_t size[5], batches, d, repeat;
} shape;

static const shape shapes[] = {
    {{70, 40, 6, 1, 90}, 5, 4, 7}, /* duplicates; a batch of one point */
    {{300, 257, 30}, 3, 3, 0},     /* batches of several tiles */
    {{200, 90}, 2, 2, 3},          /* no other batch to compete with */
    {{300}, 1, 3, 5},              /* one batch */
    {{1}, 1, 2, 0},                /* one point */
    {{1, 1, 1, 1}, 4, 1, 0},       /* batches of one point, one feature */
    {{50, 20, 3}, 3, 3, 1},        /* each batch all equal */
};
enum { SHAPES = (int)(sizeof shapes / sizeof shapes[0]) };

static bal_comm c, self;
static ref_data *data;
static ref_sample *sample;
static double *s2;
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
    free(s2);
    s2 = NULL;
    bal_comm_finish(&self);
    bal_comm_finish(&c);
}

static void prepare(const shape *s, bool hollow)
{
    ref_params par = ref_params_default();

    points_destroy(&p);
    points_destroy(&alone);
    ref_sample_destroy(&sample);
    ref_data_destroy(&data);
    free(s2);
    data = ref_data_create(s->size, s->batches, s->d, s->d, s->repeat, 5);
    par.k = 6;
    par.scale = true;
    sample = ref_sample_create(data, &par, 1);
    affinities_round(sample, data, hollow);
    s2 = ref_scales(data, &par, sample);
    p = points_create(&c, data);
    alone = points_create(&self, data);
}

/* Leaves those landmarks out that stand in batch b. */
static void drop_landmarks(int b)
{
    int64_t m = 0, n = sample->n, B = data->batches;

    for (int64_t i = 0; i < sample->m; i++) {
        if (data->batch[sample->landmark[i]] == b)
            continue;
        sample->landmark[m] = sample->landmark[i];
        memmove(sample->a + m * n, sample->a + i * n,
                (size_t)n * sizeof *sample->a);
        memmove(s2 + m * B, s2 + i * B, (size_t)B * sizeof *s2);
        m++;
    }
    sample->m = m;
}

static void parts_and_trust(bal_comm *comm, const points *at,
                            bal_trusting form, bal_parts **parts,
                            bal_trust **trust)
{
    affinities a = affinities_create(comm, at, sample);
    float *scale = ref_new(sample->m * data->batches, (int64_t)sizeof *scale);

    for (int64_t i = 0; i < sample->m * data->batches; i++)
        scale[i] = (float)s2[i];
    bal_verdict st = bal_parts_create(comm, a.by_tile, at->layout,
                                      data->batches, parts);
    all_assert(!bal_failed(st));
    st = bal_trust_create(comm, form, a.by_tile, at->layout, *parts, scale,
                          sample->landmark, trust);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    free(scale);
    affinities_finish(&a);
}

static bool is_near(double got, double want)
{
    return fabs(got - want) <= 1e-9 * fabs(want) + 1e-15;
}

/* Against the formula; pairs by batch against a count of our own. */
static void check(bal_trusting form)
{
    ref_trust *want = ref_trust_create(sample, s2, data->batch, data->batches,
                                       form == BAL_TRUST_STRICT);
    bal_parts *parts = NULL;
    bal_trust *got = NULL;
    int wrong = 0;

    parts_and_trust(&c, p, form, &parts, &got);
    for (int64_t i = 0; i < sample->m * data->batches; i++) {
        wrong += !is_near(got->omega[i], want->omega[i]);
        wrong += !is_near(got->q[i], want->q[i]);
    }
    bool counts = got->pairs == want->pairs && got->unseen == want->unseen &&
                  got->m == sample->m && got->batches == data->batches;
    double share = bal_trust_unseen(got);
    double wanted = want->pairs > 0
                        ? (double)want->unseen / (double)want->pairs
                        : 0;
    ref_trust_destroy(&want);
    bal_trust_destroy(&got);
    bal_parts_destroy(&parts);
    all_assert_msg(wrong == 0, "form %d: %d wrong", (int)form, wrong);
    all_assert(counts && share == wanted);
}

START_TEST(equals_the_dense_formula)
{
    for (int hollow = 0; hollow < 2; hollow++) {
        prepare(&shapes[_i], hollow == 1);
        check(BAL_TRUST_ON);
        check(BAL_TRUST_STRICT);
    }
}
END_TEST

START_TEST(equals_it_where_batches_have_no_landmarks)
{
    for (int b = 0; b < 2; b++) {
        prepare(&shapes[0], false);
        drop_landmarks(b);
        drop_landmarks(3);
        check(BAL_TRUST_ON);
        check(BAL_TRUST_STRICT);
    }
}
END_TEST

START_TEST(equals_it_with_one_landmark)
{
    prepare(&shapes[_i], false);
    sample->m = 1;
    check(BAL_TRUST_ON);
    check(BAL_TRUST_STRICT);
}
END_TEST

/* Scales of 0 or of no point do not compete, in some rows or in all. */
START_TEST(equals_it_where_scales_are_none)
{
    for (int turn = 0; turn < 3; turn++) {
        prepare(&shapes[0], false);
        for (int64_t i = 0; i < sample->m * data->batches; i++)
            if (turn == 2 || i % 3 == turn)
                s2[i] = turn == 2 ? -1 : i % 2 == 0 ? 0 : -1;
        check(BAL_TRUST_ON);
        check(BAL_TRUST_STRICT);
    }
}
END_TEST

START_TEST(sums_up_the_parts)
{
    int wrong = 0;
    int64_t longest = 0;

    prepare(&shapes[_i], true);
    affinities a = affinities_create(&c, p, sample);
    bal_parts *parts = NULL, *all = NULL;
    bal_verdict st =
        bal_parts_create(&c, a.by_tile, p->layout, data->batches, &parts);
    all_assert(!bal_failed(st));
    st = bal_parts_create(&c, a.by_tile, p->layout, 1, &all);
    all_assert(!bal_failed(st));
    for (int64_t i = 0; i < sample->m; i++) {
        double part[5] = {0}, sum = 0;
        int64_t entries = 0;
        for (int64_t j = 0; j < sample->n; j++) {
            part[data->batch[j]] += sample->a[i * sample->n + j];
            sum += sample->a[i * sample->n + j];
            entries += sample->a[i * sample->n + j] > 0;
        }
        for (int64_t b = 0; b < data->batches; b++) {
            double w = parts->weight[i * data->batches + b];
            wrong += !is_near(w, part[b]) || (w > 0) != (part[b] > 0);
        }
        wrong += !is_near(parts->sum[i], sum) || !is_near(all->sum[i], sum) ||
                 !is_near(all->weight[i], sum);
        longest = entries > longest ? entries : longest;
    }
    bool lengths = parts->longest == longest && all->longest == longest;
    bal_parts_destroy(&parts);
    bal_parts_destroy(&all);
    affinities_finish(&a);
    all_assert_msg(wrong == 0 && lengths, "%d wrong", wrong);
}
END_TEST

START_TEST(gives_the_same_bits_on_any_number_of_ranks)
{
    for (int form = BAL_TRUST_ON; form <= BAL_TRUST_STRICT; form++) {
        bal_parts *parts[2] = {NULL, NULL};
        bal_trust *trust[2] = {NULL, NULL};
        prepare(&shapes[_i], false);
        parts_and_trust(&c, p, (bal_trusting)form, &parts[0], &trust[0]);
        parts_and_trust(&self, alone, (bal_trusting)form, &parts[1], &trust[1]);
        size_t all = (size_t)(sample->m * data->batches) * sizeof(double);
        bool same =
            memcmp(parts[0]->weight, parts[1]->weight, all) == 0 &&
            memcmp(trust[0]->omega, trust[1]->omega, all) == 0 &&
            memcmp(trust[0]->q, trust[1]->q, all) == 0 &&
            memcmp(trust[0]->least, trust[1]->least,
                   (size_t)trust[0]->told * sizeof *trust[0]->least) == 0;
        for (int i = 0; i < 2; i++) {
            bal_trust_destroy(&trust[i]);
            bal_parts_destroy(&parts[i]);
        }
        all_assert_msg(same, "form %d", form);
    }
}
END_TEST

/* Three batches of two points; a landmark in each, and one more in the first.
 * What counts is set by hand. */
static void prepare_by_hand(void)
{
    const shape s = {{2, 2, 2}, 3, 1, 0};
    const double a[] = {
        1, 1, 1, 0, 1, 0, /* landmark 0, batch 0 */
        1, 1, 0, 1, 0, 0, /* landmark 1, batch 0; no part in batch 2 */
        1, 0, 1, 1, 0, 0, /* landmark 2, batch 1; no part in batch 2 */
        0, 0, 0, 0, 1, 1, /* landmark 4, batch 2; of its own batch alone */
    };
    const double scale[] = {
        1, 1, 2.2, /* kappa of batch 2: 1/2 to the power */
        1, 1, 9, 4, 1, 5, /* 1.1 x 4 / 5 = .88 */
        1, 1, 1,
    };

    prepare(&s, false);
    sample->m = 4;
    free(sample->landmark);
    sample->landmark = ref_new(4, (int64_t)sizeof *sample->landmark);
    for (int i = 0; i < 4; i++)
        sample->landmark[i] = i < 3 ? i : 4;
    free(sample->a);
    sample->a = ref_new(24, (int64_t)sizeof *sample->a);
    memcpy(sample->a, a, sizeof a);
    free(s2);
    s2 = ref_new(12, (int64_t)sizeof *s2);
    for (int i = 0; i < 12; i++)
        s2[i] = (double)(float)scale[i];
}

/* Coverage by batch: points 0, 1 get (2, 1, 0), (2, 0, 0); points 2, 3 get
 * (1, 1, 0), (1, 1, 0); points 4, 5 get (1, 0, 1), (0, 0, 1).  So landmarks 0
 * and 1 both see (2, 1/2, 0), landmark 2 sees (1, 1, 0), landmark 4 sees
 * (1/2, 0, 1): each what its batch sees on average.  Coverage by batch 2 in
 * batches 0 and 1 is 0 on average, and that of batch 1 in batch 2: no factor.
 * All is seen but those. */
START_TEST(believes_a_case_done_by_hand)
{
    const double k = 0.5 * 0.5 * 0.5 * 0.5;
    const double omega[] = {1, 1, k, 1, 1, 0, 1, 1, 0, 0, 0, 1};
    const double q[] = {1, 1, k, 1, 1, 0, 1, 1, 0, 0, 0, 0};
    double mean[9];
    bal_parts *parts = NULL;
    bal_trust *t = NULL;
    int wrong = 0;

    prepare_by_hand();
    parts_and_trust(&c, p, BAL_TRUST_ON, &parts, &t);
    bal_trust_between(t, p->layout, sample->landmark, mean);
    for (int i = 0; i < 12; i++)
        wrong += !(fabs(t->omega[i] - omega[i]) < 1e-6) +
                 !(fabs(t->q[i] - q[i]) < 1e-6);
    /* Landmarks 0 and 1 do not see batch 2, 2 not batch 2, 4 not batch 1. */
    bool counts = t->pairs == 8 && t->unseen == 4 && t->told == 3 &&
                  t->least[0].from == 0 && t->least[0].to == 2 &&
                  t->least[0].share == 1 && t->least[1].from == 1 &&
                  t->least[1].to == 2 && t->least[2].from == 2 &&
                  t->least[2].to == 1;
    bool means = fabs(mean[2] - k / 2) < 1e-6 && mean[0] == 1 && mean[1] == 1 &&
                 mean[5] == 0 && mean[6] == 0 && mean[8] == 1;
    bal_trust_destroy(&t);
    bal_parts_destroy(&parts);
    all_assert_msg(wrong == 0, "%d wrong", wrong);
    all_assert(counts && means);
    check(BAL_TRUST_ON);
    check(BAL_TRUST_STRICT);
}
END_TEST

/* At most five pairs, those with the largest shares first. */
START_TEST(tells_the_pairs_that_share_least)
{
    bal_parts *parts = NULL;
    bal_trust *t = NULL;
    int wrong = 0;

    prepare(&shapes[0], true);
    parts_and_trust(&c, p, BAL_TRUST_ON, &parts, &t);
    for (int i = 1; i < t->told; i++)
        wrong += t->least[i - 1].share < t->least[i].share;
    for (int i = 0; i < t->told; i++)
        wrong += t->least[i].from == t->least[i].to ||
                 !(t->least[i].share > 0 && t->least[i].share <= 1);
    int told = t->told;
    bal_trust_destroy(&t);
    bal_parts_destroy(&parts);
    all_assert_msg(wrong == 0 && told == BAL_PAIRS_TOLD, "%d wrong, %d told",
                   wrong, told);
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    bal_parts *parts = NULL;
    bal_trust *t = NULL;

    prepare(&shapes[1], false);
    bal_size held = bal_mem_held();
    parts_and_trust(&c, p, BAL_TRUST_STRICT, &parts, &t);
    bal_trust_destroy(&t);
    bal_parts_destroy(&parts);
    all_assert(bal_mem_held() == held);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("algo/trust");
    TCase *tcase = tcase_create("trust");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, believes_a_case_done_by_hand);
    tcase_add_loop_test(tcase, equals_the_dense_formula, 0, SHAPES);
    tcase_add_test(tcase, equals_it_where_batches_have_no_landmarks);
    tcase_add_loop_test(tcase, equals_it_with_one_landmark, 0, SHAPES);
    tcase_add_test(tcase, equals_it_where_scales_are_none);
    tcase_add_loop_test(tcase, sums_up_the_parts, 0, SHAPES);
    tcase_add_loop_test(tcase, gives_the_same_bits_on_any_number_of_ranks, 0,
                        SHAPES);
    tcase_add_test(tcase, tells_the_pairs_that_share_least);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
