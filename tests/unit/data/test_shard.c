/* Rows between the order of the file and the global order. */
#include "balans/data/shard.h"

#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "mpi_check.h"
#include "points.h"

static const int64_t one_point[] = {1};
static const int64_t one_batch[] = {700};
static const int64_t mixed[] = {300, 1, 5, 257, 2};
static const int64_t crumbs[] = {1, 1, 1, 1, 1, 1};

typedef struct batches {
    const int64_t *size;
    int64_t count;
} batches;
static const batches cases[] = {
    {one_point, 1}, {one_batch, 1}, {mixed, 5}, {crumbs, 6}};
enum { CASES = 4, D = 3 };

static bal_comm c;
static ref_data *data;
static points *p;

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    points_destroy(&p);
    ref_data_destroy(&data);
    bal_comm_finish(&c);
}

static void prepare(const batches *b)
{
    data = ref_data_create(b->size, b->count, D, 2, 0, 1);
    p = points_create(&c, data);
}

/* What stands in the file at (row, feature). */
static float cell(bal_gidx row, int f)
{
    return (float)(10 * row + f);
}

START_TEST(finds_every_position)
{
    int wrong = 0;

    prepare(&cases[_i]);
    bal_gidx first = p->layout->rank_first[c.rank];
    wrong += p->route->first != bal_slab_first(data->n, c.rank, c.size);
    for (bal_size i = 0; i < p->route->m; i++)
        wrong += data->row[p->route->pos[i]] != p->route->first + i;
    for (bal_lidx j = 0; j < p->layout->m; j++)
        wrong += p->route->row[j] != data->row[first + j];
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

/* Moves all rows in panels of the given size; the last are short or empty. */
static int move(bal_size panel, bool in)
{
    const bal_route *r = p->route;
    int64_t turns = (r->m + panel - 1) / panel;
    float *rows = calloc((size_t)(panel * D), sizeof *rows);
    int wrong = 0;

    bal_comm_max_i64(&c, &turns, 1);
    for (bal_size t = 0; t < turns; t++) {
        bal_size at = t * panel < r->m ? t * panel : r->m;
        bal_size count = r->m - at < panel ? r->m - at : panel;
        for (bal_size e = 0; e < count * D && in; e++)
            rows[e] = cell(r->first + at + e / D, (int)(e % D));
        bal_verdict v = in ? bal_route_scatter(&c, r, at, count, rows, p->x)
                           : bal_route_gather(&c, r, at, count, p->x, rows);
        wrong += bal_failed(v);
        for (bal_size e = 0; e < count * D && !in; e++) {
            float want = -cell(r->first + at + e / D, (int)(e % D));
            wrong += memcmp(&rows[e], &want, sizeof want) != 0;
        }
    }
    free(rows);
    return wrong;
}

START_TEST(moves_rows_there_and_back)
{
    const bal_size panels[] = {1, 7, 64, 100000};

    prepare(&cases[_i]);
    for (int turn = _i == 1 ? 1 : 0; turn < 4; turn++) {
        bal_size all = (bal_size)p->x->m * D;
        memset(p->x->at, 0, (size_t)all * sizeof(float));
        int wrong = move(panels[turn], true);
        for (bal_size e = 0; e < all; e++) {
            float want = cell(p->route->row[e / D], (int)(e % D));
            wrong += memcmp(&p->x->at[e], &want, sizeof want) != 0;
            p->x->at[e] = -want;
        }
        wrong += move(panels[turn], false);
        all_assert_msg(wrong == 0, "%d wrong", wrong);
    }
}
END_TEST

START_TEST(starts_with_zeros)
{
    bal_shard *s = NULL;
    int wrong = 0;

    prepare(&cases[2]);
    bal_status st = bal_shard_create(p->layout, 9, &s);
    all_assert(!bal_failed(st));
    for (bal_size e = 0; e < (bal_size)s->m * 9; e++)
        wrong += s->at[e] > 0 || s->at[e] < 0;
    all_assert(wrong == 0 && s->m == p->layout->m && s->d == 9);
    bal_shard_destroy(&s);
    all_assert(s == NULL);
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
    Suite *suite = suite_create("data/shard");
    TCase *tcase = tcase_create("shard");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, finds_every_position, 0, CASES);
    tcase_add_loop_test(tcase, moves_rows_there_and_back, 0, CASES);
    tcase_add_test(tcase, starts_with_zeros);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
