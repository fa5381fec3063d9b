/* Rows of landmarks of which only the coordinates are known: where they are
 * points after all, the rows are those of points, bit for bit. */
#include <stdlib.h>
#include <string.h>

#include "balans/algo/row.h"
#include "balans/base/mem.h"
#include "mpi_check.h"
#include "points_fixture.h"

typedef struct shape {
    int64_t size[4], batches, p, repeat;
} shape;

static const shape shapes[] = {
    {{70, 40, 6, 90}, 4, 4, 7}, /* duplicates; a batch below k */
    {{600, 257, 30}, 3, 10, 0}, /* batches of several tiles */
    {{300}, 1, 3, 5},
    {{1, 1, 1}, 3, 2, 0},
    {{1500, 40, 1300}, 3, 2, 0},
};
enum { SHAPES = (int)(sizeof shapes / sizeof *shapes), W = 24 };

static const bal_row_params settings[] = {
    {.neighbors = {10, 0}, .sparsify = BAL_SCALE, .threads = 1},
    {.neighbors = {3, 0.2}, .sparsify = BAL_SCALE, .threads = 2},
    {.neighbors = {10, 0}, .sparsify = BAL_ELBOW, .threads = 2},
    {.neighbors = {5, 0}, .sparsify = BAL_SCALE, .gate = 1.5, .threads = 1},
};
enum { SETTINGS = (int)(sizeof settings / sizeof *settings) };

static void prepare(const shape *s)
{
    make_points(s->size, s->batches, s->p, s->p, s->repeat, 11);
}

static bal_gidx landmark(int i)
{
    return (data->n - 1) * i / (W - 1);
}

/* Rows of the points, what they keep at least, their coordinates, and the
 * scales in their own batches, all on every rank. */
typedef struct known {
    bal_csr_row row[W];
    float least[W], point[W * 16], own[W];
    bal_size home[W];
} known;

static void find_rows(const bal_row_params *par, known *k)
{
    const bal_layout *l = p->layout;
    bal_gidx pos[W];
    bal_rows *r = NULL;
    bal_status mine = bal_rows_create(p->z, par, W, &r);

    all_assert(!bal_failed(mine));
    memset(k->point, 0, sizeof k->point);
    for (int i = 0; i < W; i++) {
        bal_gidx local = landmark(i) - l->rank_first[l->rank];
        bool here = local >= 0 && local < l->m;
        pos[i] = here ? landmark(i) : -1;
        if (here)
            bal_tiles_point(p->z, (bal_lidx)local,
                            k->point + (bal_size)i * p->z->p);
    }
    bal_comm_or_u32(&c, (uint32_t *)(void *)k->point, W * p->z->p);
    bal_rows_compute(&c, r, W, pos, k->row, &mine);
    all_assert(!bal_failed(mine));
    for (int i = 0; i < W; i++) {
        bal_size first, batches;
        const float *s2 = bal_rows_scales(r, i, &first, &batches);
        k->home[i] = bal_layout_batch(l, pos[i]);
        k->own[i] = k->home[i] >= first && k->home[i] < first + batches
                        ? s2[k->home[i] - first]
                        : -1;
        k->least[i] = 1;
        for (bal_size e = 0; e < k->row[i].count; e++)
            if (k->row[i].value[e] < k->least[i])
                k->least[i] = k->row[i].value[e];
    }
    bal_comm_max_f32(&c, k->own, W);
    bal_comm_min_f32(&c, k->least, W);
    bal_rows_destroy(&r);
}

static int compare(const bal_csr_row *a, const bal_csr_row *b)
{
    return a->count != b->count ||
           memcmp(a->index, b->index, (size_t)a->count * sizeof *a->index) ||
           memcmp(a->value, b->value, (size_t)a->count * sizeof *a->value);
}

static void check_setting(const bal_row_params *setting, bool moved)
{
    bal_row_params par = *setting;
    bal_size k[4];
    int32_t cut[W];
    known want;
    bal_csr_row got[W];
    bal_rows *r = NULL;
    bal_status mine;
    int64_t wrong = 0;

    find_rows(setting, &want);
    for (bal_size b = 0; b < p->layout->batches; b++)
        k[b] = bal_neighbors_in(par.neighbors, p->layout->batch_first[b + 1] -
                                                   p->layout->batch_first[b]);
    for (int i = 0; i < W; i++)
        cut[i] = bal_rows_bin(want.least[i]);
    for (int i = 0; i < W * p->z->p && moved; i++)
        want.point[i] += 1;
    par.k = k;
    mine = bal_rows_create(p->z, &par, W, &r);
    all_assert(!bal_failed(mine));
    const bal_foreign f = {want.point, true, cut, want.own, want.home};
    bal_rows_foreign(&c, r, W, &f, got, &mine);
    all_assert(!bal_failed(mine));
    for (int i = 0; i < W; i++) {
        wrong += compare(&got[i], &want.row[i]);
        bal_csr_row_finish(&got[i]);
        bal_csr_row_finish(&want.row[i]);
    }
    bal_rows_destroy(&r);
    bal_comm_sum_i64(&c, &wrong, 1);
    all_assert_msg(moved ? wrong > 0 : wrong == 0, "%lld rows differ",
                   (long long)wrong);
}

START_TEST(gives_the_rows_of_points)
{
    prepare(&shapes[_i]);
    for (int s = 0; s < SETTINGS; s++)
        check_setting(&settings[s], false);
}
END_TEST

START_TEST(tells_other_landmarks_apart)
{
    prepare(&shapes[1]);
    check_setting(&settings[0], true);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("algo/row, foreign landmarks");
    TCase *tcase = tcase_create("row");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, gives_the_rows_of_points, 0, SHAPES);
    tcase_add_test(tcase, tells_other_landmarks_apart);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
