/* Rows of A against the dense reference: bit for bit in the arithmetic the
 * program promises, within rounding of the same in double. */
#include "balans/algo/row.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "mpi_check.h"
#include "points_fixture.h"

/* Points: batch sizes, dimensions, how often a point repeats the one before. */
typedef struct shape {
    int64_t size[5], batches, p, repeat;
} shape;

static const shape shapes[] = {
    {{70, 40, 6, 1, 90}, 5, 4, 7}, /* duplicates; a batch below k; one point */
    {{600, 257, 30}, 3, 10, 0},    /* batches of several tiles */
    {{300}, 1, 3, 5},              /* one batch */
    {{1}, 1, 2, 0},                /* one point */
    {{1, 1, 1, 1}, 4, 2, 0},       /* batches of one point */
    {{50, 20, 3}, 3, 3, 1},        /* each batch all equal: scales of 0 */
    {{60, 45, 12}, 3, 5, 2},       /* twins: k = 1 gives scales of 0 */
    {{1500, 40, 1300}, 3, 2, 0},   /* for k beyond what lists are made for */
};
enum { SHAPES = (int)(sizeof shapes / sizeof shapes[0]) };

/* k, share, scale sparsifier, gate */
typedef struct setting {
    int64_t k;
    double share;
    bool scale;
    double gate;
} setting;

static const setting settings[] = {
    {10, 0, false, 0},   {10, 0, true, 0},   {1, 0, false, 0},
    {1, 0, true, 0},     {0, 0.1, false, 0}, {0, 0.25, true, 0},
    {10, 0, false, 1.5}, {3, 0, true, 1},    {5000, 0, false, 0},
    {1100, 0, false, 0}, {1100, 0, true, 3}, {0, 1, true, 0},
    {1024, 0, false, 0},
};
enum { SETTINGS = (int)(sizeof settings / sizeof settings[0]), MOST = 24 };

static void prepare(const shape *s)
{
    make_points(s->size, s->batches, s->p, s->p, s->repeat, 11);
}

static ref_params reference_params(const setting *s)
{
    ref_params par = ref_params_default();

    par.k = s->k;
    par.share = s->share;
    par.scale = s->scale;
    par.gate = s->gate;
    return par;
}

static bal_row_params library_params(const setting *s, int threads)
{
    return (bal_row_params){
        .neighbors = {.k = s->k, .share = s->share},
        .sparsify = s->scale ? BAL_SCALE : BAL_ELBOW,
        .gate = s->gate,
        .threads = threads,
    };
}

/* Landmark number l: spread over all points, the first and last among them,
 * one of them twice. */
static bal_gidx landmark(int l)
{
    return l == MOST - 1 ? 0 : data->n - 1 - (data->n - 1) * l / (MOST - 1);
}

/* Differences between this rank's entries and its part of a dense row. */
static int compare(const bal_csr_row *row, bal_gidx pos, const ref_row *want)
{
    bal_gidx first = p->layout->rank_first[c.rank];
    bal_size e = 0;
    int wrong = row->landmark != pos;

    for (bal_lidx j = 0; j < p->layout->m; j++) {
        float value = (float)want->kept[first + j];
        if (!(value > 0))
            continue;
        wrong += e >= row->count || row->index[e] != j ||
                 memcmp(&row->value[e], &value, sizeof value) != 0;
        e++;
    }
    return wrong + (e != row->count);
}

/* Differences between this rank's scales of row i and the dense ones. */
static int compare_scales(const bal_rows *rows, int i, const ref_row *want)
{
    bal_size first, count;
    const float *s2 = bal_rows_scales(rows, i, &first, &count);
    bal_gidx from = p->layout->rank_first[c.rank];
    bool empty = p->layout->m == 0;
    int wrong = (count == 0) != empty;

    if (!empty) {
        bal_gidx last = from + p->layout->m - 1;
        wrong += first != bal_layout_batch(p->layout, from);
        wrong += first + count - 1 != bal_layout_batch(p->layout, last);
    }
    for (bal_size b = 0; b < count; b++) {
        double s = want->s2[first + b];
        float exact = isnan(s) ? -1.0f : (float)s;
        wrong += memcmp(&s2[b], &exact, sizeof exact) != 0;
    }
    return wrong;
}

/* Computes `w` rows from landmark `at` on and compares them. */
static int compute(bal_rows *rows, int at, int w, ref_row *const *want)
{
    bal_csr_row out[BAL_ROWS_MOST] = {{0}};
    bal_gidx pos[BAL_ROWS_MOST];
    bal_status st = BAL_OK;
    int wrong = 0;

    for (int i = 0; i < w; i++) {
        bal_gidx where = landmark(at + i);
        bool mine = bal_layout_owner(p->layout, where) == c.rank;
        pos[i] = mine ? where : -1;
    }
    bal_rows_compute(&c, rows, w, pos, out, &st);
    wrong += bal_failed(st);
    for (int i = 0; i < w; i++) {
        wrong += pos[i] != landmark(at + i);
        wrong += compare(&out[i], landmark(at + i), want[at + i]);
        wrong += compare_scales(rows, i, want[at + i]);
        bal_csr_row_finish(&out[i]);
    }
    return wrong;
}

static int compute_all(const bal_row_params *par, int room, int w,
                       ref_row *const *want)
{
    bal_rows *rows = NULL;
    bal_status st = bal_rows_create(p->z, par, room, &rows);
    int wrong = bal_failed(st);

    all_assert(!bal_failed(st));
    for (int at = 0; at < MOST; at += w)
        wrong += compute(rows, at, MOST - at < w ? MOST - at : w, want);
    bal_rows_destroy(&rows);
    return wrong;
}

START_TEST(equals_the_reference)
{
    prepare(&shapes[_i]);
    for (int s = 0; s < SETTINGS; s++) {
        ref_params par = reference_params(&settings[s]);
        ref_row *want[MOST];
        for (int l = 0; l < MOST; l++)
            want[l] = ref_row_create(data, &par, landmark(l));
        bal_row_params one = library_params(&settings[s], 1);
        bal_row_params two = library_params(&settings[s], 2);
        int alone = compute_all(&one, 1, 1, want);
        int three = compute_all(&two, 3, 3, want);
        int many = compute_all(&one, BAL_ROWS_MOST, MOST, want);
        int both = compute_all(&two, BAL_ROWS_MOST, 7, want);
        for (int l = 0; l < MOST; l++)
            ref_row_destroy(&want[l]);
        all_assert_msg(alone + three + many + both == 0,
                       "setting %d: %d %d %d %d wrong", s, alone, three, many,
                       both);
    }
}
END_TEST

/* Entries whose bins differ between the two arithmetics. */
static int64_t moved(const ref_row *a, const ref_row *b)
{
    int64_t count = 0;

    for (int64_t j = 0; j < data->n; j++)
        count += floor((a->a[j] - 0.001) / 0.999 * 1024) <
                     floor((b->a[j] - 0.001) / 0.999 * 1024) ||
                 floor((a->a[j] - 0.001) / 0.999 * 1024) >
                     floor((b->a[j] - 0.001) / 0.999 * 1024);
    return count;
}

/* What does not agree between rows in the program's arithmetic and double. */
static int compare_double(const ref_row *narrow, const ref_row *wide)
{
    int wrong = 0;

    for (int64_t j = 0; j < data->n; j++) {
        double b = wide->a[j], limit = narrow->threshold;
        wrong += fabs(narrow->a[j] - b) > 1e-5 * b + 1e-9;
        if (narrow->bin >= 0) {
            bool near = fabs(b - limit) <= 1e-5 * limit;
            wrong += !near && (b >= limit) != (narrow->kept[j] > 0);
        } else {
            double d2 = wide->d2[j], s2 = wide->s2[data->batch[j]];
            bool near = fabs(d2 - s2) <= 1e-5 * s2;
            wrong += !near && (wide->kept[j] > 0) != (narrow->kept[j] > 0);
        }
    }
    if (narrow->bin >= 0) {
        int64_t got = ref_elbow_score(wide->a, data->n, narrow->bin, false);
        int64_t best = ref_elbow_score(wide->a, data->n, wide->bin, false);
        wrong += best - got > 4 * 1024 * moved(narrow, wide);
    }
    return wrong;
}

START_TEST(is_near_the_same_in_double)
{
    prepare(&shapes[_i]);
    for (int s = 0; s < SETTINGS; s++) {
        ref_params par = reference_params(&settings[s]);
        int wrong = 0;
        for (int l = 0; l < MOST; l++) {
            par.exact32 = true;
            ref_row *narrow = ref_row_create(data, &par, landmark(l));
            par.exact32 = false;
            ref_row *wide = ref_row_create(data, &par, landmark(l));
            wrong += compare_double(narrow, wide);
            ref_row_destroy(&narrow);
            ref_row_destroy(&wide);
        }
        all_assert_msg(wrong == 0, "setting %d: %d wrong", s, wrong);
    }
}
END_TEST

/* Points on a line: 0 1 3 2.5 2.5 2.5 in one batch, 0 10 in the other. */
enum { LINE = 8 };

static void prepare_line(void)
{
    const shape line = {{6, 2}, 2, 1, 0};
    const float at[LINE] = {0, 1, 3, 2.5f, 2.5f, 2.5f, 0, 10};

    prepare(&line);
    memcpy(data->z, at, sizeof at);
    points_destroy(&p);
    p = points_create(&c, data);
}

/* Compares the row of landmark 0 with entries written down. */
static int check_line(const setting *s, const double *want)
{
    bal_row_params par = library_params(s, 1);
    bal_rows *rows = NULL;
    bal_csr_row out = {0};
    bal_gidx pos = bal_layout_owner(p->layout, 0) == c.rank ? 0 : -1;
    bal_status st = bal_rows_create(p->z, &par, 1, &rows);
    int wrong = bal_failed(st);
    double got[LINE] = {0};

    bal_rows_compute(&c, rows, 1, &pos, &out, &st);
    wrong += bal_failed(st);
    for (bal_size e = 0; e < out.count; e++)
        got[p->layout->rank_first[c.rank] + out.index[e]] =
            (double)out.value[e];
    for (bal_lidx j = 0; j < p->layout->m; j++) {
        bal_gidx at = p->layout->rank_first[c.rank] + j;
        wrong += !(fabs(got[at] - want[at]) < 1e-7);
    }
    bal_csr_row_finish(&out);
    bal_rows_destroy(&rows);
    return wrong;
}

START_TEST(gives_rows_worked_out_by_hand)
{
    const double e1 = exp(-1), e4 = exp(-1 / 6.25), e9 = exp(-1 / 9.0);
    const double f9 = exp(-6.25 / 9);
    /* k = 1: scales 1 and 0 */
    const double nearest[LINE] = {1, e1, 0, 0, 0, 0, 1, 0};
    /* k = 2: scales 6.25 and 100 */
    const double two[LINE] = {1, e4, 0, e1, e1, e1, 1, e1};
    /* k = 5: scales 9 and, the farthest, 100 */
    const double five[LINE] = {1, e9, e1, f9, f9, f9, 1, e1};
    /* and gated: 100 > 2 * 9 */
    const double gated[LINE] = {1, e9, e1, f9, f9, f9, 0, 0};
    /* k = 1: six entries reach the floor, 1 1 0.37 and three of 0.0019; the
     * curve of their numbers is 3 entries below its end at the second edge,
     * 3 * 1024 - 6, and never more: 4 * 1024 - 377 * 6 behind 0.37 */
    const double elbow[LINE] = {1, e1, 0, 0, 0, 0, 1, 0};

    prepare_line();
    all_assert(check_line(&(setting){1, 0, true, 0}, nearest) == 0);
    all_assert(check_line(&(setting){2, 0, true, 0}, two) == 0);
    all_assert(check_line(&(setting){5, 0, true, 0}, five) == 0);
    all_assert(check_line(&(setting){5, 0, true, 2}, gated) == 0);
    all_assert(check_line(&(setting){5, 0, true, 12}, five) == 0);
    all_assert(check_line(&(setting){1, 0, false, 0}, elbow) == 0);
}
END_TEST

/* A batch of many tiles, with k a good part of it: selections then begin with a
 * bound guessed from 16 points a tile.  The second time these are all that
 * is near, and the guess is far too small. */
START_TEST(survives_wrong_guesses)
{
    const shape many = {{17000, 100}, 2, 2, 0};
    const setting large[] = {{1100, 0, true, 0}, {0, 0.05, false, 0}};
    ref_row *want[MOST];

    prepare(&many);
    for (int64_t j = 0; j < 17000 && _i == 1; j++)
        for (int f = 0; f < 2; f++)
            data->z[2 * j + f] *=
                j / 256 * 7 % 16 == j % 256 / 16 ? 1e-3f : 1e3f;
    points_destroy(&p);
    p = points_create(&c, data);
    for (int s = 0; s < 2; s++) {
        ref_params par = reference_params(&large[s]);
        bal_row_params one = library_params(&large[s], 1);
        for (int l = 0; l < MOST; l++)
            want[l] = ref_row_create(data, &par, landmark(l));
        int wrong = compute_all(&one, 5, 5, want);
        for (int l = 0; l < MOST; l++)
            ref_row_destroy(&want[l]);
        all_assert_msg(wrong == 0, "setting %d: %d wrong", s, wrong);
    }
}
END_TEST

START_TEST(takes_k_as_a_share_of_the_batch)
{
    bal_neighbors tenth = {.share = 0.001}, seven = {.share = 0.07};

    all_assert(bal_neighbors_in((bal_neighbors){.k = 10}, 3) == 10);
    all_assert(bal_neighbors_in(tenth, 1) == 1);
    all_assert(bal_neighbors_in(tenth, 1000) == 1);
    all_assert(bal_neighbors_in(tenth, 1001) == 2);
    all_assert(bal_neighbors_in(tenth, 3000) == 3);
    all_assert(bal_neighbors_in((bal_neighbors){.share = 1}, 77) == 77);
    /* 0.07 * 100 is a little more than 7 in floating point */
    all_assert(bal_neighbors_in(seven, 100) == 7);
    all_assert(bal_neighbors_in(seven, 101) == 8);

    /* Neither 29, as products of doubles give, nor off for large batches. */
    bal_neighbors exact = {.share = 0.28};
    all_assert(bal_neighbors_in(exact, 100) == 28);
    exact.share = 0.01;
    all_assert(bal_neighbors_in(exact, INT64_C(10000000000)) == 100000000);
    all_assert(bal_neighbors_in(exact, INT64_C(10000000001)) == 100000001);
    exact.share = 1e-300;
    all_assert(bal_neighbors_in(exact, INT64_C(10000000000)) == 1);

    bal_neighbors both = {.k = 20, .share = 0.01};
    all_assert(bal_neighbors_in(both, 1) == 20);
    all_assert(bal_neighbors_in(both, 2000) == 20);
    all_assert(bal_neighbors_in(both, 2001) == 21);
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    setting s = {10, 0, false, 0};
    bal_row_params par = library_params(&s, 2);
    ref_params same = reference_params(&s);
    ref_row *want[MOST];

    prepare(&shapes[1]);
    for (int l = 0; l < MOST; l++)
        want[l] = ref_row_create(data, &same, landmark(l));
    bal_size before = bal_mem_held();
    int wrong = compute_all(&par, 5, 5, want);
    bal_size after = bal_mem_held();
    for (int l = 0; l < MOST; l++)
        ref_row_destroy(&want[l]);
    all_assert(wrong == 0 && before == after);
}
END_TEST

START_TEST(stays_within_its_stated_work_space)
{
    setting s = {_i == 0 ? 10 : 1100, 0, false, 0};
    bal_row_params par = library_params(&s, 2);
    bal_rows *rows = NULL;

    prepare(&shapes[7]);
    for (int w = 1; w <= BAL_ROWS_MOST; w *= 4) {
        bal_size before = bal_mem_held();
        bal_size stated = bal_rows_memory(p->layout, p->z->p, &par, w);
        bal_status st = bal_rows_create(p->z, &par, w, &rows);
        all_assert(!bal_failed(st));
        bal_size used = bal_mem_held() - before;
        bal_rows_destroy(&rows);
        all_assert_msg(used <= stated + stated / 10 + 65536,
                       "%lld used, %lld stated", (long long)used,
                       (long long)stated);
    }
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("algo/row");
    TCase *tcase = tcase_create("row");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, gives_rows_worked_out_by_hand);
    tcase_add_test(tcase, takes_k_as_a_share_of_the_batch);
    tcase_add_loop_test(tcase, equals_the_reference, 0, SHAPES);
    tcase_add_loop_test(tcase, is_near_the_same_in_double, 0, SHAPES);
    tcase_add_loop_test(tcase, survives_wrong_guesses, 0, 2);
    tcase_add_test(tcase, leaves_no_memory_behind);
    tcase_add_loop_test(tcase, stays_within_its_stated_work_space, 0, 2);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
