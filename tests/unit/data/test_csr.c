/* Sparse rows over the ranks, against the dense matrix they stand for. */
#include "balans/data/csr.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "mpi_check.h"
#include "points.h"

enum { ROWS = 23 };

static bal_comm c;
static ref_data *data;
static points *p;
static bal_csr *a;

/* The entry of row i at a position; row 4 is empty, row 5 full. */
static float entry(bal_size i, bal_gidx pos)
{
    uint64_t r = bal_rng_u64(2, (uint32_t)i, (uint32_t)pos, 0, 0);

    if (i == 4 || (i != 5 && r % 5 != 0))
        return 0;
    return (float)(1 + r % 1000) / 1000.0f;
}

static bal_size entries_here(bal_size i)
{
    bal_gidx first = p->layout->rank_first[c.rank];
    bal_size count = 0;

    for (bal_lidx j = 0; j < p->layout->m; j++)
        count += entry(i, first + j) > 0;
    return count;
}

static void push_row(bal_size i)
{
    bal_gidx first = p->layout->rank_first[c.rank];
    bal_csr_row row = {0};
    bal_size at = 0;

    (void)bal_csr_row_create(&row, entries_here(i));
    row.landmark = i * 3;
    for (bal_lidx j = 0; j < p->layout->m; j++)
        if (entry(i, first + j) > 0) {
            row.index[at] = j;
            row.value[at++] = entry(i, first + j);
        }
    (void)bal_csr_push(a, &row);
    bal_csr_row_finish(&row);
}

static void set_up(void)
{
    const int64_t size[] = {40, 1, 290, 6};

    bal_comm_init(&c, MPI_COMM_WORLD);
    data = ref_data_create(size, 4, 2, 2, 0, 3);
    p = points_create(&c, data);
    (void)bal_csr_create(p->layout, &a);
    for (bal_size i = 0; i < ROWS; i++)
        push_row(i);
}

static void tear_down(void)
{
    bal_csr_destroy(&a);
    points_destroy(&p);
    ref_data_destroy(&data);
    bal_comm_finish(&c);
}

START_TEST(keeps_its_rows)
{
    bal_size entries = 0;
    int wrong = 0;

    all_assert(a->m == ROWS);
    for (bal_size i = 0; i < ROWS; i++) {
        const bal_csr_row *row = &a->row[i];
        wrong += row->landmark != i * 3 || row->count != entries_here(i);
        for (bal_size e = 0; e < row->count; e++) {
            bal_gidx pos = p->layout->rank_first[c.rank] + row->index[e];
            float want = entry(i, pos);
            wrong += memcmp(&row->value[e], &want, sizeof want) != 0;
        }
        entries += row->count;
    }
    all_assert(wrong == 0 && bal_csr_entries(a) == entries);
}
END_TEST

START_TEST(copies_and_empties_what_is_pushed)
{
    bal_csr_row row = {0};
    bal_size held = bal_mem_held(), before = a->bytes;

    (void)bal_csr_row_create(&row, 10);
    for (int e = 0; e < 10; e++) {
        row.index[e] = 3 * e;
        row.value[e] = 0.25f * (float)e;
    }
    row.landmark = 7;
    bal_status st = bal_csr_push(a, &row);
    all_assert(!bal_failed(st) && row.index == NULL && row.value == NULL &&
               row.count == 0);
    const bal_csr_row *last = &a->row[ROWS];
    all_assert(a->m == ROWS + 1 && last->landmark == 7 && last->count == 10);
    all_assert(last->index[9] == 27 && last->value[9] == 2.25f);
    /* Nothing more is held than a chunk, if one was needed, and its place in
     * the list of chunks. */
    bal_size more = bal_mem_held() - held - (a->bytes - before);
    all_assert(more >= 0 && more < 1024);
}
END_TEST

/* Rows longer than a chunk, and many short ones, stay as they were. */
START_TEST(keeps_rows_of_any_length)
{
    enum { LENGTHS = 5 };
    static const bal_size length[LENGTHS] = {0, 1, 700000, 3, 200000};
    int wrong = 0;

    for (int i = 0; i < LENGTHS; i++) {
        bal_csr_row row = {.landmark = i};
        (void)bal_csr_row_create(&row, length[i]);
        for (bal_size e = 0; e < length[i]; e++) {
            row.index[e] = (bal_lidx)(e + i);
            row.value[e] = (float)(e % 1000);
        }
        wrong += bal_failed(bal_csr_push(a, &row));
    }
    for (int i = 0; i < LENGTHS; i++) {
        const bal_csr_row *row = &a->row[ROWS + i];
        wrong += row->count != length[i] || row->landmark != i;
        for (bal_size e = 0; e < row->count; e++)
            wrong += row->index[e] != (bal_lidx)(e + i) ||
                     row->value[e] < (float)(e % 1000) ||
                     row->value[e] > (float)(e % 1000);
    }
    all_assert(wrong == 0);
}
END_TEST

START_TEST(adds_up_rows_and_columns)
{
    int64_t size[ROWS];
    double *sum = calloc((size_t)p->layout->m + 1, sizeof *sum);
    int wrong = 0;

    bal_csr_row_sizes(&c, a, size);
    bal_csr_column_sums(a, sum);
    for (bal_size i = 0; i < ROWS; i++) {
        int64_t want = 0;
        for (bal_gidx pos = 0; pos < data->n; pos++)
            want += entry(i, pos) > 0;
        wrong += size[i] != want;
    }
    for (bal_lidx j = 0; j < p->layout->m; j++) {
        double want = 0;
        for (bal_size i = 0; i < ROWS; i++)
            want += (double)entry(i, p->layout->rank_first[c.rank] + j);
        wrong += memcmp(&sum[j], &want, sizeof want) != 0;
    }
    free(sum);
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

/* The entry of row i at an input row. */
static float entry_by_row(const bal_gidx *pos, bal_size i, bal_gidx row)
{
    return entry(i, pos[row]);
}

/* Compares this rank's run of rows first .. first + count - 1. */
static int check_run(const bal_csr_run *run, bal_size first, bal_size count)
{
    bal_gidx *pos = calloc((size_t)data->n, sizeof *pos);
    bal_size begin = first + bal_share_first(count, c.rank, c.size);
    bal_size end = first + bal_share_first(count, c.rank + 1, c.size), e = 0;
    int wrong = run->rows != end - begin;

    for (bal_gidx j = 0; j < data->n; j++)
        pos[data->row[j]] = j;
    for (bal_size i = begin; i < end; i++)
        for (bal_gidx row = 0; row < data->n; row++) {
            float want = entry_by_row(pos, i, row);
            if (!(want > 0))
                continue;
            wrong += e >= run->entries || run->column[e] != row ||
                     memcmp(&run->value[e], &want, sizeof want) != 0;
            e++;
        }
    free(pos);
    return wrong + (e != run->entries);
}

START_TEST(collects_whole_rows_in_the_order_of_the_input)
{
    const bal_size first[] = {0, 0, 4, 3, 22, 10};
    const bal_size count[] = {ROWS, 0, 1, 7, 1, 13};

    bal_csr_run run = {0};
    bal_verdict v =
        bal_csr_collect(&c, a, p->route, first[_i], count[_i], &run);
    all_assert(!bal_failed(v));
    int wrong = check_run(&run, first[_i], count[_i]);
    bal_csr_run_finish(&run);
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    bal_csr *none = NULL;
    bal_csr_run run = {0};
    bal_size held = bal_mem_held();

    (void)bal_csr_collect(&c, a, p->route, 0, ROWS, &run);
    bal_csr_run_finish(&run);
    (void)bal_csr_create(p->layout, &none);
    bal_csr_destroy(&none);
    bal_csr_destroy(&none);
    all_assert(none == NULL && bal_mem_held() == held);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("data/csr");
    TCase *tcase = tcase_create("csr");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, keeps_its_rows);
    tcase_add_test(tcase, copies_and_empties_what_is_pushed);
    tcase_add_test(tcase, keeps_rows_of_any_length);
    tcase_add_test(tcase, adds_up_rows_and_columns);
    tcase_add_loop_test(tcase, collects_whole_rows_in_the_order_of_the_input, 0,
                        6);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
