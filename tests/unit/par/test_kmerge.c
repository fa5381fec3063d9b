/* The k smallest over ranks, by merging and by counting, against sorting what
 * all ranks hold: values are a function of (rank, row, number). */
#include "balans/par/kmerge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/rng.h"
#include "mpi_check.h"

enum { ROWS = 5, MOST = 2000, RANKS_MOST = 16 };

static bal_comm c;

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    bal_comm_finish(&c);
}

/* How many values a rank holds of a row: none, for some. */
static int held(int rank, int row)
{
    return (rank * 7 + row * 3) % 4 == 0 ? 0 : 100 + 300 * ((rank + row) % 5);
}

/* Many repeats, zeros, tiny and huge values. */
static float value(int rank, int row, int i)
{
    uint64_t r = bal_rng_u64(6, (uint32_t)rank, (uint32_t)row, (uint32_t)i, 0);

    switch (r % 8) {
    case 0:
        return 0;
    case 1:
        return 1.5f;
    case 2:
        return 1e-42f * (float)(r >> 60);
    case 3:
        return 1e30f * (float)(1 + (r >> 61));
    default:
        return (float)(r >> 40) * 1e-6f;
    }
}

static int compare(const void *a, const void *b)
{
    float x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* Sorted values of one row on ranks first .. last - 1. */
static int sorted(int first, int last, int row, float *out)
{
    int count = 0;

    for (int r = first; r < last; r++)
        for (int i = 0; i < held(r, row); i++)
            out[count++] = value(r, row, i);
    qsort(out, (size_t)count, sizeof *out, compare);
    return count;
}

static float pool[RANKS_MOST * MOST];

static void fill_list(float *list, int first, int last, int k)
{
    for (int row = 0; row < ROWS; row++) {
        int count = sorted(first, last, row, pool);
        for (int i = 0; i < k; i++)
            list[row * k + i] = i < count ? pool[i] : INFINITY;
    }
}

START_TEST(merges_lists)
{
    const int ks[] = {1, 2, 10, 333, BAL_KMERGE_MOST};
    int k = ks[_i];
    size_t bytes = (size_t)(ROWS * k) * sizeof(float);
    float *mine = malloc(bytes), *want = malloc(bytes);

    fill_list(mine, c.rank, c.rank + 1, k);
    fill_list(want, 0, c.size, k);
    bal_kmerge(&c, mine, ROWS, k);
    bool same = memcmp(mine, want, bytes) == 0;
    free(mine);
    free(want);
    all_assert(same);
}
END_TEST

START_TEST(merges_no_rows_and_lists_of_nothing)
{
    float list[3] = {INFINITY, INFINITY, INFINITY};

    bal_kmerge(&c, list, 0, 3);
    bal_kmerge(&c, list, 1, 3);
    all_assert(isinf(list[0]) && isinf(list[2]));
}
END_TEST

static int64_t work[ROWS * BAL_KRADIX_WORK];

START_TEST(counts_to_the_kth)
{
    const float *at[ROWS];
    float *mine[ROWS], kth[ROWS];
    bal_size count[ROWS], k[ROWS];
    int wrong = 0;

    for (int row = 0; row < ROWS; row++) {
        count[row] = held(c.rank, row);
        at[row] = mine[row] = malloc(MOST * sizeof(float));
        for (int i = 0; i < count[row]; i++)
            mine[row][i] = value(c.rank, row, i);
    }
    for (int turn = 0; turn < 20; turn++) {
        bal_size rows = 0;
        float want[ROWS];
        bal_size many[ROWS];
        const float *used[ROWS];
        for (int row = 0; row < ROWS; row++) {
            int all = sorted(0, c.size, row, pool);
            if (all == 0)
                continue;
            uint64_t r = bal_rng_u64(8, (uint32_t)turn, (uint32_t)row, 0, 0);
            bal_size number = turn == 0   ? 1
                              : turn == 1 ? all
                                          : 1 + (bal_size)(r % (uint64_t)all);
            k[rows] = number;
            want[rows] = pool[number - 1];
            many[rows] = count[row];
            used[rows++] = at[row];
        }
        bal_kradix(&c, used, many, k, rows, work, kth);
        wrong += memcmp(kth, want, (size_t)rows * sizeof *kth) != 0;
    }
    for (int row = 0; row < ROWS; row++)
        free(mine[row]);
    all_assert_msg(wrong == 0, "%d of 20 turns", wrong);
}
END_TEST

START_TEST(counts_a_case_done_by_hand)
{
    /* rank 0 holds 4 2 0 and every rank one 3 */
    const float first[] = {4, 2, 0, 3}, other[] = {3};
    const float *at[] = {c.rank == 0 ? first : other};
    bal_size count[] = {c.rank == 0 ? 4 : 1}, k[] = {0};
    const float want[] = {0, 2, 3};
    float kth[1];

    for (k[0] = 1; k[0] <= 3; k[0]++) {
        bal_kradix(&c, at, count, k, 1, work, kth);
        all_assert(memcmp(kth, &want[k[0] - 1], sizeof *kth) == 0);
    }
}
END_TEST

static int by_key_and_row(const void *a, const void *b)
{
    const bal_ticket *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Ticket i of a rank; few keys, so rows decide. */
static bal_ticket ticket(int rank, int i)
{
    bal_gidx row = (bal_gidx)i * 1000 + (rank * 7 + i) % 5 * 100 + rank;

    return (bal_ticket){
        .key = i % 4 == 0 ? UINT64_MAX - (uint64_t)(i % 3) : (uint64_t)(i % 6),
        .row = row,
        .pos = 2 * row,
    };
}

/* Sorted tickets of ranks first .. last - 1, rank r having 10 r of them. */
static void line_up(bal_ticket *out, int w, int first, int last)
{
    static bal_ticket all[RANKS_MOST * RANKS_MOST * 10];
    int count = 0;

    for (int r = first; r < last; r++)
        for (int i = 0; i < 10 * r; i++)
            all[count++] = ticket(r, i);
    qsort(all, (size_t)count, sizeof *all, by_key_and_row);
    for (int i = 0; i < w; i++)
        out[i] = i < count ? all[i] : BAL_TICKET_NONE;
}

START_TEST(merges_queues)
{
    const int lengths[] = {1, 3, 15, 64};
    bal_ticket mine[64], want[64];
    int w = lengths[_i], wrong = 0;

    line_up(mine, w, c.rank, c.rank + 1);
    line_up(want, w, 0, c.size);
    bal_ticket_merge(&c, mine, w);
    for (int i = 0; i < w; i++)
        wrong += mine[i].key != want[i].key || mine[i].row != want[i].row ||
                 mine[i].pos != want[i].pos;
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("par/kmerge");
    TCase *tcase = tcase_create("kmerge");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, merges_lists, 0, 5);
    tcase_add_test(tcase, merges_no_rows_and_lists_of_nothing);
    tcase_add_test(tcase, counts_to_the_kth);
    tcase_add_test(tcase, counts_a_case_done_by_hand);
    tcase_add_loop_test(tcase, merges_queues, 0, 4);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
