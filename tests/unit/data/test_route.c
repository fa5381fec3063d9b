/* Points between the order of the file and the batch order. */
#include "balans/data/route.h"

#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "mpi_check.h"
#include "points_fixture.h"

static const int64_t one_point[] = {1};
static const int64_t one_batch[] = {700};
static const int64_t mixed[] = {300, 1, 5, 257, 2};
static const int64_t crumbs[] = {1, 1, 1};
static const int64_t many[] = {900, 40, 1200, 3};

typedef struct batches {
    const int64_t *size;
    int64_t count;
} batches;
static const batches cases[] = {
    {one_point, 1}, {one_batch, 1}, {mixed, 5}, {crumbs, 3}, {many, 4}};
enum { CASES = 5, P = 3 };

static void prepare(const batches *b)
{
    make_points(b->size, b->count, 2, P, 0, 1);
}

/* The coordinates of an input row. */
static float cell(bal_gidx row, bal_size f)
{
    return (float)(10 * row + f);
}

START_TEST(finds_every_position)
{
    int wrong = 0;

    prepare(&cases[_i]);
    const bal_order *o = p->order;
    bal_gidx first = o->layout->rank_first[c.rank];
    wrong += o->first != bal_slab_first(data->n, c.rank, c.size);
    wrong += o->first + o->m != bal_slab_first(data->n, c.rank + 1, c.size);
    for (bal_size i = 0; i < o->m; i++)
        wrong += data->row[o->pos[i]] != o->first + i;
    for (bal_lidx j = 0; j < o->layout->m; j++) {
        wrong += o->row[j] != data->row[first + j];
        wrong += o->batch[j] != data->batch[first + j];
    }
    for (bal_size t = 0; t < o->layout->tiles; t++)
        wrong += o->tile_start[t] != o->layout->tile[t].first;
    wrong += o->tile_start[o->layout->tiles] != o->layout->m;
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

START_TEST(knows_who_holds_a_row)
{
    const bal_size n[] = {1, 2, 256, 257, 3000, 1000000};
    int wrong = 0;

    for (int e = 0; e < 6; e++)
        for (int size = 1; size < 9; size++)
            for (int rank = 0; rank < size; rank++) {
                bal_gidx from = bal_slab_first(n[e], rank, size);
                bal_gidx to = bal_slab_first(n[e], rank + 1, size);
                if (from == to)
                    continue;
                wrong += bal_slab_owner(n[e], size, from) != rank;
                wrong += bal_slab_owner(n[e], size, to - 1) != rank;
            }
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

/* Moves all rows in pieces; the last are short or empty. */
static int move(bal_size piece, bool to_tiles)
{
    const bal_order *o = p->order;
    int64_t turns = (o->m + piece - 1) / piece;
    float *rows = calloc((size_t)(piece * P), sizeof *rows);
    int wrong = 0;

    bal_comm_max_i64(&c, &turns, 1);
    for (bal_size t = 0; t < turns; t++) {
        bal_size at = t * piece < o->m ? t * piece : o->m;
        bal_size count = o->m - at < piece ? o->m - at : piece;
        for (bal_size e = 0; e < count * P && to_tiles; e++)
            rows[e] = cell(o->first + at + e / P, e % P);
        bal_verdict v = to_tiles
                            ? bal_route_to_tiles(&c, o, at, count, rows, p->z)
                            : bal_route_to_file(&c, o, at, count, p->z, rows);
        wrong += bal_failed(v);
        for (bal_size e = 0; e < count * P && !to_tiles; e++) {
            float want = -cell(o->first + at + e / P, e % P);
            wrong += memcmp(&rows[e], &want, sizeof want) != 0;
        }
    }
    free(rows);
    return wrong;
}

/* Compares the tiles with the rows that belong there, and turns them. */
static int check_tiles(void)
{
    int wrong = 0;

    for (bal_lidx j = 0; j < p->layout->m; j++) {
        float got[P];
        bal_tiles_point(p->z, j, got);
        bal_gidx row = data->row[p->layout->rank_first[c.rank] + j];
        for (int f = 0; f < P; f++) {
            float want = cell(row, f);
            wrong += memcmp(&got[f], &want, sizeof want) != 0;
            got[f] = -want;
        }
        bal_tiles_set(p->z, j, got);
    }
    return wrong;
}

START_TEST(moves_points_there_and_back)
{
    const bal_size pieces[] = {7, 64, 100000};

    prepare(&cases[_i]);
    for (int turn = 0; turn < 3; turn++) {
        int wrong = move(pieces[turn], true);
        wrong += 1000 * check_tiles();
        wrong += 1000000 * move(pieces[turn], false);
        all_assert_msg(wrong == 0, "%d wrong", wrong);
    }
}
END_TEST

/* A piece leaves all other points alone. */
START_TEST(moves_what_it_is_given)
{
    float some[2 * P];

    prepare(&cases[4]);
    int wrong = move(100000, true);
    bal_size count = p->order->m < 2 ? p->order->m : 2;
    for (int e = 0; e < 2 * P; e++)
        some[e] = -1;
    bal_verdict v = bal_route_to_tiles(&c, p->order, 0, count, some, p->z);
    wrong += bal_failed(v);
    for (bal_lidx j = 0; j < p->layout->m; j++) {
        float got[P];
        bal_tiles_point(p->z, j, got);
        bal_gidx row = p->order->row[j];
        int owner = bal_slab_owner(data->n, c.size, row);
        bool moved = row < bal_slab_first(data->n, owner, c.size) + 2;
        for (int f = 0; f < P; f++) {
            float want = moved ? -1 : cell(row, f);
            wrong += memcmp(&got[f], &want, sizeof want) != 0;
        }
    }
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    bal_size held = bal_mem_held();

    prepare(&cases[2]);
    (void)move(10, true);
    points_destroy(&p);
    all_assert(bal_mem_held() == held);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("data/route");
    TCase *tcase = tcase_create("route");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, finds_every_position, 0, CASES);
    tcase_add_test(tcase, knows_who_holds_a_row);
    tcase_add_loop_test(tcase, moves_points_there_and_back, 0, CASES);
    tcase_add_test(tcase, moves_what_it_is_given);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
