/* What a block has covered and the weights of its draws, against sums over
 * dense rows. */
#include "../../../src/algo/cover.h"

#include <math.h>
#include <stdlib.h>

#include "balans/base/rng.h"
#include "mpi_check.h"
#include "points.h"

enum { ROWS = 40 };

static bal_comm c;
static ref_data *data;
static points *p;
static bal_cover cover;
static bal_csr_row row[ROWS];

/* The affinity of row i and a point, from 0.001 on; row 4 covers everything. */
static float entry(bal_size i, bal_gidx pos)
{
    uint64_t r = bal_rng_u64(9, (uint32_t)i, (uint32_t)pos, 0, 0);

    if (i != 4 && r % 3 != 0)
        return 0;
    return (float)(16778 + (r >> 40) % 16760438) / 16777216.0f;
}

static float entry_here(bal_size i, bal_lidx j)
{
    return entry(i, p->layout->rank_first[c.rank] + j);
}

static void make_row(bal_size i)
{
    bal_size e = 0;

    (void)bal_csr_row_create(&row[i], p->layout->m);
    for (bal_lidx j = 0; j < p->layout->m; j++)
        if (entry_here(i, j) > 0) {
            row[i].index[e] = j;
            row[i].value[e++] = entry_here(i, j);
        }
    row[i].count = e;
}

static void set_up(void)
{
    const int64_t size[] = {300, 1, 290, 6};

    bal_comm_init(&c, MPI_COMM_WORLD);
    data = ref_data_create(size, 4, 2, 2, 0, 3);
    p = points_create(&c, data);
    cover = (bal_cover){0};
    (void)bal_cover_create(&cover, p->layout);
    for (bal_size i = 0; i < ROWS; i++)
        make_row(i);
}

static void tear_down(void)
{
    for (bal_size i = 0; i < ROWS; i++)
        bal_csr_row_finish(&row[i]);
    bal_cover_finish(&cover);
    points_destroy(&p);
    ref_data_destroy(&data);
    bal_comm_finish(&c);
}

/* floor(2^40 / C) of a point after rows first .. last; 0 if uncovered. */
static int64_t weight(bal_size first, bal_size last, bal_lidx j)
{
    int64_t sum = 0;

    for (bal_size i = first; i <= last; i++)
        sum += (int64_t)round((double)entry_here(i, j) * 1048576.0);
    return sum > 0 ? (INT64_C(1) << 40) / sum : 0;
}

static int64_t check_left(bal_size last)
{
    int64_t left = 0, wrong = 0;

    for (bal_lidx j = 0; j < p->layout->m; j++) {
        bool open = true;
        for (bal_size i = 0; i <= last; i++)
            open = open && !(entry_here(i, j) > 0);
        if (open)
            wrong += bal_cover_find_left(&cover, left++) != j;
    }
    return wrong + (cover.left != left);
}

static int64_t check_weights(bal_size first, bal_size last)
{
    int64_t total = 0, wrong = !cover.weighted;

    for (bal_lidx j = 0; j < p->layout->m; j++) {
        int64_t w = weight(first, last, j);
        wrong += bal_cover_find_weight(&cover, total) != j;
        wrong += bal_cover_find_weight(&cover, total + w - 1) != j;
        total += w;
    }
    return wrong + (cover.weight != total);
}

START_TEST(follows_a_block)
{
    int64_t wrong = 0;

    for (bal_size i = 0; i < ROWS; i++) {
        wrong += bal_failed(bal_cover_add(&cover, row, i));
        if (p->layout->m > 0)
            wrong += i < 4 ? check_left(i) : check_weights(0, i);
    }
    all_assert_msg(wrong == 0, "%d wrong", (int)wrong);
}
END_TEST

START_TEST(starts_over_with_a_new_block)
{
    int64_t wrong = 0;

    for (bal_size i = 0; i < 6; i++)
        wrong += bal_failed(bal_cover_add(&cover, row, i));
    bal_cover_reset(&cover);
    wrong += cover.left != p->layout->m || cover.weighted;
    wrong += bal_failed(bal_cover_add(&cover, row + 4, 0));
    wrong += bal_failed(bal_cover_add(&cover, row + 4, 1));
    if (p->layout->m > 0)
        wrong += cover.left != 0 || check_weights(4, 5) != 0;
    all_assert_msg(wrong == 0, "%d wrong", (int)wrong);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("algo/cover");
    TCase *tcase = tcase_create("cover");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, follows_a_block);
    tcase_add_test(tcase, starts_over_with_a_new_block);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
