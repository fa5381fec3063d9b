/* The feature-major form of the distance space, and its padding. */
#include "balans/data/tiles.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "balans/base/mem.h"
#include "mpi_check.h"
#include "points.h"

enum { P = 5 };

static bal_comm c;
static ref_data *data;
static points *p;

static void set_up(void)
{
    const int64_t size[] = {300, 1, 17, 600};

    bal_comm_init(&c, MPI_COMM_WORLD);
    data = ref_data_create(size, 4, P, P, 0, 2);
    p = points_create(&c, data);
}

static void tear_down(void)
{
    points_destroy(&p);
    ref_data_destroy(&data);
    bal_comm_finish(&c);
}

static bool is_equal(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

START_TEST(holds_points_by_feature_and_pads)
{
    bal_gidx at = p->layout->rank_first[c.rank];
    int wrong = 0;

    for (bal_size t = 0; t < p->layout->tiles; t++) {
        const bal_tile *tile = &p->layout->tile[t];
        const float *block = bal_tiles_block(p->z, t);
        wrong += (uintptr_t)block % 64 != 0;
        for (int f = 0; f < P; f++)
            for (int j = 0; j < tile->ld; j++) {
                float got = block[f * tile->ld + j];
                wrong += j < tile->m ? !is_equal(got, data->z[(at + j) * P + f])
                                     : !isinf(got) || got < 0;
            }
        at += tile->m;
    }
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

START_TEST(pads_a_new_space)
{
    bal_tiles *z = NULL;
    bal_status st = bal_tiles_create(p->layout, 2, &z);
    int wrong = 0;

    all_assert(!bal_failed(st) && z->p == 2);
    for (bal_size t = 0; t < p->layout->tiles; t++) {
        const bal_tile *tile = &p->layout->tile[t];
        for (int e = 0; e < 2 * tile->ld; e++)
            wrong += !is_equal(bal_tiles_block(z, t)[e],
                               e % tile->ld < tile->m ? 0 : INFINITY);
    }
    bal_tiles_destroy(&z);
    all_assert(wrong == 0 && z == NULL);
}
END_TEST

START_TEST(gives_single_points)
{
    float out[P];
    int wrong = 0;

    for (bal_lidx j = 0; j < p->layout->m; j++) {
        bal_gidx pos = p->layout->rank_first[c.rank] + j;
        bal_tiles_point(p->z, j, out);
        wrong += memcmp(out, data->z + pos * P, sizeof out) != 0;
    }
    all_assert(wrong == 0);
}
END_TEST

START_TEST(sets_single_points)
{
    float in[P], out[P];
    int wrong = 0;

    for (bal_lidx j = p->layout->m - 1; j >= 0; j--) {
        for (int f = 0; f < P; f++)
            in[f] = (float)(j * P + f);
        bal_tiles_set(p->z, j, in);
    }
    for (bal_lidx j = 0; j < p->layout->m; j++) {
        bal_tiles_point(p->z, j, out);
        for (int f = 0; f < P; f++)
            wrong += !is_equal(out[f], (float)(j * P + f));
    }
    all_assert(wrong == 0);
}
END_TEST

/* Negates every point in a sweep. */
static int turn(bal_blocks *x, float sign)
{
    bal_gidx at = x->first;
    bal_sweep s = bal_sweep_begin(x);
    int wrong = 0;

    while (bal_sweep_next(&s)) {
        for (bal_size b = s.from; b < s.to; b++) {
            float *row = bal_sweep_block(&s, b);
            for (int e = 0; e < bal_block_size(x, b) * P; e++) {
                wrong += !is_equal(row[e], sign * data->z[at * P + e]);
                row[e] = -row[e];
            }
            at += bal_block_size(x, b);
        }
        bal_sweep_keep(&s);
    }
    return wrong + bal_failed(s.status) + (at != x->first + x->m);
}

START_TEST(is_a_matrix_in_blocks)
{
    const bal_size memory[] = {1, (BAL_TILE + 40) * 4 * P, 1 << 20};
    bal_blocks *x = NULL;
    int wrong = 0;

    bal_status st = bal_tiles_blocks(p->z, memory[_i], &x);
    all_assert(!bal_failed(st));
    wrong += x->n != data->n || x->d != P || x->m != p->layout->m;
    wrong += x->count != p->layout->tiles || x->all != p->layout->all_tiles;
    wrong += turn(x, 1);
    wrong += turn(x, -1);
    wrong += turn(x, 1);
    bal_blocks_destroy(&x);
    all_assert_msg(wrong == 0 && x == NULL, "%d wrong", wrong);
    for (bal_size t = 0; t < p->layout->tiles; t++) {
        const bal_tile *tile = &p->layout->tile[t];
        if (tile->m < tile->ld)
            wrong += !isinf(bal_tiles_block(p->z, t)[tile->ld - 1]);
    }
    all_assert(wrong == 0);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("data/tiles");
    TCase *tcase = tcase_create("tiles");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, holds_points_by_feature_and_pads);
    tcase_add_test(tcase, pads_a_new_space);
    tcase_add_test(tcase, gives_single_points);
    tcase_add_test(tcase, sets_single_points);
    tcase_add_loop_test(tcase, is_a_matrix_in_blocks, 0, 3);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
