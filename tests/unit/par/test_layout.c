/* Tiles and their owners, for every rank of made-up sizes: the layout is local,
 * so one process can ask for all of them. */
#include "balans/par/layout.h"

#include "mpi_check.h"

static const bal_size one[] = {1};
static const bal_size small[] = {3, 1, 2};
static const bal_size edges[] = {256, 255, 257, 1, 512, 16, 17};
static const bal_size uneven[] = {5000, 1, 1, 700, 33};

typedef struct batches {
    const bal_size *size;
    bal_size count;
} batches;
static const batches cases[] = {{one, 1}, {small, 3}, {edges, 7}, {uneven, 5}};
enum { CASES = 4, RANKS_MOST = 40 };

static bal_layout *lay_out(const batches *b, int rank, int size)
{
    bal_layout *l = NULL;

    (void)bal_layout_create(b->size, b->count, rank, size, &l);
    return l;
}

START_TEST(lays_out_a_case_done_by_hand)
{
    const bal_size size[] = {300, 5};
    bal_layout *l = lay_out(&(batches){size, 2}, 0, 1);

    all_assert(l != NULL && l->n == 305 && l->batches == 2);
    all_assert(l->batch_first[0] == 0 && l->batch_first[1] == 300 &&
               l->batch_first[2] == 305);
    all_assert(l->m == 305 && l->tiles == 3 && l->all_tiles == 3);
    all_assert(l->tile[0].first == 0 && l->tile[0].m == 256 &&
               l->tile[0].ld == 256 && l->tile[0].batch == 0 &&
               l->tile[0].offset == 0);
    all_assert(l->tile[1].first == 256 && l->tile[1].m == 44 &&
               l->tile[1].ld == 48 && l->tile[1].batch == 0 &&
               l->tile[1].offset == 256);
    all_assert(l->tile[2].first == 300 && l->tile[2].m == 5 &&
               l->tile[2].ld == 16 && l->tile[2].batch == 1 &&
               l->tile[2].offset == 304);
    all_assert(l->lanes == 320);
    bal_layout_destroy(&l);
    all_assert(l == NULL);
    bal_layout_destroy(&l);

    /* 305 / 2 = 152: the second tile starts in the second half */
    l = lay_out(&(batches){size, 2}, 1, 2);
    all_assert(l->rank_first[0] == 0 && l->rank_first[1] == 256 &&
               l->rank_first[2] == 305);
    all_assert(l->m == 49 && l->tiles == 2 && l->tile[0].first == 0 &&
               l->tile[1].first == 44);
    bal_layout_destroy(&l);
}
END_TEST

/* Counts what is wrong with the tiles of one rank, `at` being the position
 * where they have to start. */
static int check_tiles(const bal_layout *l, bal_gidx at)
{
    int wrong = l->rank_first[l->rank] != at;
    bal_size offset = 0;

    for (bal_size t = 0; t < l->tiles; t++) {
        const bal_tile *tile = &l->tile[t];
        bal_gidx begin = l->batch_first[tile->batch];
        bal_gidx end = l->batch_first[tile->batch + 1];
        bal_size left = end - at;
        wrong += tile->first != at - l->rank_first[l->rank];
        wrong += at < begin || at >= end || (at - begin) % BAL_TILE != 0;
        wrong += tile->m != (left < BAL_TILE ? left : BAL_TILE);
        wrong += tile->ld < tile->m || tile->ld >= tile->m + BAL_LANES ||
                 tile->ld % BAL_LANES != 0;
        wrong += tile->offset != offset;
        for (bal_lidx j = tile->first; j < tile->first + tile->m; j++)
            wrong += bal_layout_tile(l, j) != t;
        at += tile->m;
        offset += tile->ld;
    }
    wrong += at != l->rank_first[l->rank + 1] || l->lanes != offset;
    return wrong + (l->m != at - l->rank_first[l->rank]);
}

START_TEST(covers_every_point_once)
{
    const batches *b = &cases[_i];

    for (int size = 1; size <= RANKS_MOST; size++) {
        bal_gidx at = 0;
        bal_size tiles = 0;
        int wrong = 0;
        for (int r = 0; r < size; r++) {
            bal_layout *l = lay_out(b, r, size);
            wrong += check_tiles(l, at);
            at += l->m;
            tiles += l->tiles;
            wrong += r == size - 1 && (at != l->n || tiles != l->all_tiles);
            bal_layout_destroy(&l);
        }
        all_assert_msg(wrong == 0, "%d wrong on %d ranks", wrong, size);
    }
}
END_TEST

START_TEST(gives_each_rank_the_tiles_that_start_in_its_share)
{
    const batches *b = &cases[_i];

    for (int size = 1; size <= RANKS_MOST; size++) {
        int wrong = 0;
        for (int r = 0; r < size; r++) {
            bal_layout *l = lay_out(b, r, size);
            bal_gidx low = l->n * r / size, high = l->n * (r + 1) / size;
            for (bal_size t = 0; t < l->tiles; t++) {
                bal_gidx at = l->rank_first[r] + l->tile[t].first;
                wrong += at < low || at >= high;
            }
            bal_layout_destroy(&l);
        }
        all_assert_msg(wrong == 0, "%d wrong on %d ranks", wrong, size);
    }
}
END_TEST

START_TEST(finds_owner_and_batch_of_every_position)
{
    const batches *b = &cases[_i];

    for (int size = 1; size <= RANKS_MOST; size += 3) {
        bal_layout *l = lay_out(b, 0, size);
        int wrong = 0;
        bal_size batch = 0;
        for (bal_gidx pos = 0; pos < l->n; pos++) {
            int r = bal_layout_owner(l, pos);
            while (pos >= l->batch_first[batch + 1])
                batch++;
            wrong += pos < l->rank_first[r] || pos >= l->rank_first[r + 1];
            wrong += bal_layout_batch(l, pos) != batch;
        }
        bal_layout_destroy(&l);
        all_assert_msg(wrong == 0, "%d wrong on %d ranks", wrong, size);
    }
}
END_TEST

START_TEST(counts_beyond_32_bits)
{
    const bal_size size[] = {(INT64_C(1) << 32) + 77, 1, 3, INT64_C(1) << 33};
    const bal_size n = (INT64_C(3) << 32) + 81;
    enum { RANKS = 401 };
    int wrong = 0;

    for (int r = 0; r < RANKS; r += 100) {
        bal_layout *l = lay_out(&(batches){size, 4}, r, RANKS);
        bal_gidx low = l->rank_first[r], high = l->rank_first[r + 1];
        wrong += l->n != n || check_tiles(l, low);
        wrong += l->all_tiles != (INT64_C(1) << 24) + 1 + 1 + 1 + (1 << 25);
        wrong += bal_layout_owner(l, low) != r;
        wrong += bal_layout_owner(l, high - 1) != r;
        wrong += l->m < n / RANKS - BAL_TILE || l->m > n / RANKS + BAL_TILE;
        wrong += bal_layout_batch(l, (INT64_C(1) << 32) + 76) != 0;
        wrong += bal_layout_batch(l, (INT64_C(1) << 32) + 77) != 1;
        wrong += bal_layout_batch(l, n - 1) != 3;
        bal_layout_destroy(&l);
    }
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

START_TEST(refuses_a_part_beyond_32_bits)
{
    const bal_size size[] = {INT64_C(1) << 33};
    bal_layout *l = NULL;
    bal_status st = bal_layout_create(size, 1, 0, 2, &l);

    all_assert(st == BAL_ERANGE && l == NULL);
    all_assert(bal_error_get()->code == BAL_ERANGE);
    bal_error_clear();
}
END_TEST

START_TEST(cuts_the_file_into_slabs)
{
    const bal_size sizes[] = {0, 1, 5, 1000, (INT64_C(1) << 62) + 12345};
    int wrong = 0;

    for (int s = 0; s < 5; s++)
        for (int size = 1; size <= 1000; size += 37) {
            bal_size n = sizes[s], rows = bal_rows_of_block(n);
            bal_size least = n, most = 0;
            for (int r = 0; r < size; r++) {
                bal_gidx first = bal_slab_first(n, r, size);
                bal_gidx next = bal_slab_first(n, r + 1, size);
                bal_size blocks = (next + rows - 1) / rows - first / rows;
                least = blocks < least ? blocks : least;
                most = blocks > most ? blocks : most;
                wrong += next < first || (first < n && first % rows != 0);
            }
            wrong += bal_slab_first(n, 0, size) != 0;
            wrong += bal_slab_first(n, size, size) != n;
            wrong += n > 0 && most - least > 1;
            wrong += rows < BAL_TILE || rows > BAL_BLOCK;
        }
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("par/layout");
    TCase *tcase = tcase_create("layout");

    tcase_add_test(tcase, lays_out_a_case_done_by_hand);
    tcase_add_loop_test(tcase, covers_every_point_once, 0, CASES);
    tcase_add_loop_test(
        tcase, gives_each_rank_the_tiles_that_start_in_its_share, 0, CASES);
    tcase_add_loop_test(tcase, finds_owner_and_batch_of_every_position, 0,
                        CASES);
    tcase_add_test(tcase, counts_beyond_32_bits);
    tcase_add_test(tcase, refuses_a_part_beyond_32_bits);
    tcase_add_test(tcase, cuts_the_file_into_slabs);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
