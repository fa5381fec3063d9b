/* Sparse rows over the ranks, against the dense matrix they stand for. */
#include "balans/data/csr.h"

#include <string.h>

#include "balans/base/mem.h"
#include "entries.h"
#include "mpi_check.h"
#include "points.h"

static bal_comm c;
static ref_data *data;
static points *p;
static bal_csr *a;

static void set_up(void)
{
    const int64_t size[] = {40, 1, 290, 6};

    bal_comm_init(&c, MPI_COMM_WORLD);
    data = ref_data_create(size, 4, 2, 2, 0, 3);
    p = points_create(&c, data);
    a = entries_create(p->layout);
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

    all_assert(a->m == ENTRIES_ROWS);
    for (bal_size i = 0; i < ENTRIES_ROWS; i++) {
        const bal_csr_row *row = &a->row[i];
        wrong +=
            row->landmark != i * 3 || row->count != entries_here(p->layout, i);
        for (bal_size e = 0; e < row->count; e++) {
            bal_gidx pos = p->layout->rank_first[c.rank] + row->index[e];
            float want = entries_value(i, pos);
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
    const bal_csr_row *last = &a->row[ENTRIES_ROWS];
    all_assert(a->m == ENTRIES_ROWS + 1 && last->landmark == 7 &&
               last->count == 10);
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
        const bal_csr_row *row = &a->row[ENTRIES_ROWS + i];
        wrong += row->count != length[i] || row->landmark != i;
        for (bal_size e = 0; e < row->count; e++)
            wrong += row->index[e] != (bal_lidx)(e + i) ||
                     row->value[e] < (float)(e % 1000) ||
                     row->value[e] > (float)(e % 1000);
    }
    all_assert(wrong == 0);
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    bal_csr *none = NULL;
    bal_size held = bal_mem_held();

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
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
