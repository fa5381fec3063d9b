/* A by tile and by block of the file, against the entries it is made of. */
#include "balans/data/affinity.h"

#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "entries.h"
#include "mpi_check.h"
#include "points.h"

static const int64_t usual[] = {40, 1, 290, 6};
static const int64_t large[] = {700, 1, 290, 600};
static const int64_t crumbs[] = {1, 1};

typedef struct batches {
    const int64_t *size;
    int64_t count;
} batches;
static const batches cases[] = {{usual, 4}, {large, 4}, {crumbs, 2}};
enum { CASES = 3, ROWS = ENTRIES_ROWS };

/* Work space: a landmark at a time, some, all. */
static const bal_size memories[] = {0, 64 * 150, 1 << 24};
enum { MEMORIES = 3 };

enum { THREADS = 3 };

static int threads = 1;
static bal_comm c;
static ref_data *data;
static bal_gidx *pos; /* [n] position of each input row */
static points *p;
static bal_csr *rows;
static bal_affinity *a;

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    bal_affinity_destroy(&a);
    bal_csr_destroy(&rows);
    points_destroy(&p);
    ref_data_destroy(&data);
    free(pos);
    pos = NULL;
    bal_comm_finish(&c);
}

static void prepare(const batches *b)
{
    data = ref_data_create(b->size, b->count, 2, 2, 0, 3);
    pos = calloc((size_t)data->n, sizeof *pos);
    for (bal_gidx j = 0; j < data->n; j++)
        pos[data->row[j]] = j;
    p = points_create(&c, data);
    rows = entries_create(p->layout);
}

static void arrange_by_block(bal_size memory)
{
    bal_verdict v = bal_affinity_by_block(&c, rows, p->order, p->x, memory,
                                          threads, &a);

    all_assert_msg(!bal_failed(v), "%s", bal_error_get()->text);
}

/* Compares the entries of one landmark in block b, rows of which have the
 * positions at[]; they come by batch, then by row. */
static int check_run(bal_size b, bal_size landmark, int from, int to,
                     const bal_gidx *at, int block)
{
    const uint16_t *row = a->row + a->entry_first[b];
    const float *value = a->value + a->entry_first[b];
    int wrong = 0, want = 0;

    for (int j = 0; j < block; j++)
        want += entries_value(landmark, at[j]) > 0;
    wrong += want != to - from;
    for (int e = from; e < to; e++) {
        if (row[e] >= block)
            return wrong + 1;
        float v = entries_value(landmark, at[row[e]]);
        wrong += memcmp(&value[e], &v, sizeof v) != 0 || !(v > 0);
        wrong += e > from && at[row[e]] <= at[row[e - 1]];
    }
    return wrong;
}

/* Compares a whole block; landmarks without entries have no run. */
static int check_block(bal_size b, const bal_gidx *at, int block)
{
    bal_size r = a->run_first[b];
    int from = 0, wrong = 0;

    for (bal_size l = 0; l < ROWS; l++) {
        bool there = r < a->run_first[b + 1] && a->run[r].landmark == l;
        int to = there ? a->run[r].end : from;
        wrong += there && to <= from;
        wrong += bal_affinity_run_from(a, b, l) != r;
        wrong += check_run(b, l, from, to, at, block);
        from = to;
        r += there;
    }
    wrong += r != a->run_first[b + 1];
    return wrong + (from != a->entry_first[b + 1] - a->entry_first[b]);
}

/* Everything by block where `by_block`, else by tile. */
static int check(bool by_block)
{
    bal_gidx first = by_block ? p->x->first : p->layout->rank_first[c.rank];
    bal_size longest = by_block ? p->x->longest : BAL_TILE;
    bal_gidx *at = calloc((size_t)longest, sizeof *at);
    bal_size most = 0;
    int wrong = 0;

    wrong += a->m != ROWS;
    wrong += a->count != (by_block ? p->x->count : p->layout->tiles);
    for (bal_size b = 0; b < a->count; b++) {
        int block = (int)(a->start[b + 1] - a->start[b]);
        bal_size here = a->entry_first[b + 1] - a->entry_first[b];
        most = here > most ? here : most;
        for (int j = 0; j < block; j++) {
            bal_gidx g = first + a->start[b] + j;
            at[j] = by_block ? pos[g] : g;
            wrong += a->batch[a->start[b] + j] != data->batch[at[j]];
        }
        wrong += check_block(b, at, block);
    }
    free(at);
    return wrong + (bal_affinity_most(a) != most);
}

static int check_sums(bool by_block)
{
    bal_gidx first = by_block ? p->x->first : p->layout->rank_first[c.rank];
    bal_size m = by_block ? p->x->m : p->layout->m;
    double *sum = calloc((size_t)m + 1, sizeof *sum);
    int64_t size[ROWS], entries = bal_affinity_entries(a), all = 0;
    int wrong = 0;

    bal_affinity_row_sizes(&c, a, size);
    bal_affinity_coverage(a, sum);
    for (bal_size l = 0; l < ROWS; l++) {
        int64_t want = 0;
        for (bal_gidx j = 0; j < data->n; j++)
            want += entries_value(l, j) > 0;
        wrong += size[l] != want;
        all += want;
    }
    for (bal_size i = 0; i < m; i++) {
        double want = 0;
        for (bal_size l = 0; l < ROWS; l++)
            want +=
                (double)entries_value(l, by_block ? pos[first + i] : first + i);
        wrong += memcmp(&sum[i], &want, sizeof want) != 0;
    }
    free(sum);
    bal_comm_sum_i64(&c, &entries, 1);
    return wrong + (entries != all);
}

START_TEST(stands_by_tile)
{
    prepare(&cases[_i]);
    for (threads = 1; threads <= THREADS; threads++) {
        bal_status st = bal_affinity_by_tile(rows, p->order, threads, &a);
        all_assert(!bal_failed(st));
        int wrong = check(false) + 1000 * check_sums(false);
        bal_affinity_destroy(&a);
        all_assert_msg(wrong == 0, "%d wrong, %d threads", wrong, threads);
    }
}
END_TEST

START_TEST(stands_by_block)
{
    prepare(&cases[_i]);
    for (int e = 0; e < MEMORIES; e++) {
        threads = 1 + e % THREADS;
        arrange_by_block(memories[e]);
        int wrong = check(true) + 1000 * check_sums(true);
        bal_affinity_destroy(&a);
        all_assert_msg(wrong == 0, "%d wrong, memory %d", wrong,
                       (int)memories[e]);
    }
}
END_TEST

START_TEST(may_have_no_landmarks)
{
    bal_affinity_rows got;
    double *sum;

    prepare(&cases[0]);
    bal_csr_destroy(&rows);
    (void)bal_csr_create(p->layout, &rows);
    arrange_by_block(1000);
    sum = calloc((size_t)p->x->m + 1, sizeof *sum);
    bal_affinity_coverage(a, sum);
    bool good =
        a->m == 0 && bal_affinity_entries(a) == 0 && bal_affinity_most(a) == 0;
    for (bal_size i = 0; i < p->x->m; i++)
        good = good && !(sum[i] > 0);
    free(sum);
    bal_verdict v = bal_affinity_collect(&c, a, p->x->first, 0, 0, &got);
    good = good && !bal_failed(v) && got.rows == 0 && got.entries == 0;
    bal_affinity_rows_finish(&got);
    all_assert(good);
}
END_TEST

/* Compares this rank's run of rows first .. first + count - 1. */
static int check_rows(const bal_affinity_rows *got, bal_size first,
                      bal_size count)
{
    bal_size begin = first + bal_share_first(count, c.rank, c.size);
    bal_size end = first + bal_share_first(count, c.rank + 1, c.size), e = 0;
    int wrong = got->rows != end - begin;

    for (bal_size l = begin; l < end; l++)
        for (bal_gidx row = 0; row < data->n; row++) {
            float want = entries_value(l, pos[row]);
            if (!(want > 0))
                continue;
            wrong += e >= got->entries || got->column[e] != row ||
                     memcmp(&got->value[e], &want, sizeof want) != 0;
            e++;
        }
    return wrong + (e != got->entries);
}

START_TEST(collects_whole_rows_in_the_order_of_the_input)
{
    const bal_size first[] = {0, 0, 4, 3, 22, 10};
    const bal_size count[] = {ROWS, 0, 1, 7, 1, 13};

    prepare(&cases[1]);
    arrange_by_block(1 << 20);
    for (int e = 0; e < 6; e++) {
        bal_affinity_rows got;
        bal_verdict v =
            bal_affinity_collect(&c, a, p->x->first, first[e], count[e], &got);
        all_assert(!bal_failed(v));
        int wrong = check_rows(&got, first[e], count[e]);
        bal_affinity_rows_finish(&got);
        all_assert_msg(wrong == 0, "%d wrong", wrong);
    }
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    bal_affinity_rows got;

    prepare(&cases[0]);
    bal_size held = bal_mem_held();
    (void)bal_affinity_by_tile(rows, p->order, threads, &a);
    bal_affinity_destroy(&a);
    arrange_by_block(0);
    (void)bal_affinity_collect(&c, a, p->x->first, 0, ROWS, &got);
    bal_affinity_rows_finish(&got);
    bal_affinity_destroy(&a);
    bal_affinity_destroy(&a);
    all_assert(a == NULL && bal_mem_held() == held);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("data/affinity");
    TCase *tcase = tcase_create("affinity");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, stands_by_tile, 0, CASES);
    tcase_add_loop_test(tcase, stands_by_block, 0, CASES);
    tcase_add_test(tcase, may_have_no_landmarks);
    tcase_add_test(tcase, collects_whole_rows_in_the_order_of_the_input);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
