/* What the bits of the distance space depend on, and where X may be. */
#include <math.h>
#include <string.h>

#include "balans/algo/space.h"
#include "balans/base/mem.h"
#include "mpi_check.h"
#include "spaces.h"

static const space_data wells = {700, 20, space_usual};
static const space_data wide = {600, 150, space_usual};

static bool same(const void *a, const void *b, bal_size count, size_t size)
{
    return (a == NULL) == (b == NULL) &&
           (a == NULL || memcmp(a, b, (size_t)count * size) == 0);
}

/* Whether this rank's part of a is what b, which holds all points, has. */
static void all_same(const space_run *a, const space_run *b)
{
    bal_size d = a->s->d, p = a->s->p;

    all_assert(same(a->s->low, b->s->low, d, sizeof(float)));
    all_assert(same(a->s->high, b->s->high, d, sizeof(float)));
    all_assert(same(a->s->mean, b->s->mean, d, sizeof(double)));
    all_assert(same(a->s->sd, b->s->sd, d, sizeof(double)));
    all_assert(same(a->s->centre, b->s->centre, d, sizeof(double)));
    all_assert(same(a->s->components, b->s->components, d * p, sizeof(double)));
    all_assert(same(a->s->variance, b->s->variance, p, sizeof(double)));
    all_assert(same(&a->s->total, &b->s->total, 1, sizeof(double)));
    all_assert(same(a->z, b->z + a->x->first * p, a->x->m * p, sizeof(float)));
}

static void check_bits(const space_data *of, const bal_space_params *par)
{
    static const bal_size memory[2] = {(bal_size)1 << 30, 1};
    space_run alone;

    space_start(&alone, MPI_COMM_SELF, of, par, &space_resident);
    all_assert(!bal_failed(alone.st));
    for (int way = 0; way < 12; way++) {
        bal_space_params now = *par;
        space_run r;
        now.threads = 1 + way / 4;
        now.memory = memory[way % 2];
        space_start(&r, MPI_COMM_WORLD, of, &now,
                    way / 2 % 2 == 0 ? &space_resident : &space_streamed);
        all_assert(!bal_failed(r.st));
        all_same(&r, &alone);
        space_end(&r);
    }
    space_end(&alone);
}

START_TEST(bits_do_not_depend_on_ranks_threads_memory_or_place)
{
    static const space_data few = {3, 30, space_even};
    static const space_data wild = {500, 9, space_wild};
    static const space_data *const set[] = {&wells, &wide, &few, &wild};
    bal_space_params par = space_standard;

    for (int i = 0; i < 4; i++)
        for (int scale = 0; scale < (i < 3 ? 2 : 1); scale++)
            for (bal_size p = 0; p <= 7; p += 7) {
                par.scale = (bal_scaling)scale;
                par.pca = p;
                check_bits(set[i], &par);
            }
}
END_TEST

START_TEST(any_number_of_rows_will_do)
{
    static const bal_size n[] = {1, 2, 255, 256, 257, 1025, 4000};
    bal_space_params par = space_standard;

    par.pca = 4;
    for (size_t i = 0; i < sizeof n / sizeof *n; i++)
        check_bits(&(space_data){n[i], 11, space_usual}, &par);
}
END_TEST

/* Of a matrix of so many rows that blocks have two slices. */
START_TEST(blocks_of_several_slices)
{
    static const space_data tall = {66000, 3, space_even};
    bal_space_params par = space_standard;
    space_run alone, r;

    par.pca = 2;
    space_start(&alone, MPI_COMM_SELF, &tall, &par, &space_resident);
    par.threads = 2;
    space_start(&r, MPI_COMM_WORLD, &tall, &par, &space_streamed);
    all_assert(!bal_failed(alone.st) && !bal_failed(r.st));
    all_assert(r.x->longest == 512);
    all_same(&r, &alone);
    space_end(&alone);
    space_end(&r);
}
END_TEST

/* Each number of a row depends on the row alone. */
START_TEST(applied_row_by_row)
{
    bal_space_params par = space_standard;

    for (par.pca = 0; par.pca <= 6; par.pca += 6) {
        space_run r;
        float z[20];
        space_start(&r, MPI_COMM_WORLD, &wells, &par, &space_resident);
        all_assert(!bal_failed(r.st));
        bal_size p = r.s->p;
        double *room = space_get(BAL_TILE * 20, sizeof *room);
        bool equal = true;
        for (bal_size j = 0; j < r.x->m; j++) {
            bal_space_apply(r.s, r.rows + j * 20, 1, room, z);
            equal = equal && same(z, r.z + j * p, p, sizeof *z);
        }
        all_assert(equal);
        bal_free(&room);
        space_end(&r);
    }
}
END_TEST

/* What is kept is all that the coordinates need. */
START_TEST(a_space_put_together_again_gives_the_same)
{
    bal_space_params par = space_standard;
    space_run r;
    bal_space *s = NULL;
    float z[6];

    par.pca = 6;
    space_start(&r, MPI_COMM_WORLD, &wells, &par, &space_resident);
    all_assert(!bal_failed(r.st));
    all_assert(!bal_failed(bal_space_create(20, 6, true, &s)));
    s->clip = r.s->clip;
    memcpy(s->mean, r.s->mean, 20 * sizeof *s->mean);
    memcpy(s->sd, r.s->sd, 20 * sizeof *s->sd);
    memcpy(s->centre, r.s->centre, 20 * sizeof *s->centre);
    memcpy(s->components, r.s->components, 120 * sizeof *s->components);
    bal_space_ready(s);
    double *room = space_get(BAL_TILE * 20, sizeof *room);
    bool equal = true;
    for (bal_size j = 0; j < r.x->m; j++) {
        bal_space_apply(s, r.rows + j * 20, 1, room, z);
        equal = equal && same(z, r.z + j * 6, 6, sizeof *z);
    }
    all_assert(equal);
    bal_free(&room);
    bal_space_destroy(&s);
    space_end(&r);
}
END_TEST

START_TEST(a_streamed_matrix_is_read_as_seldom_as_can_be)
{
    static const int sweeps[2][2] = {{4, 4}, {2, 3}}; /* scale, PCA */
    bal_space_params par = space_standard;

    for (int i = 0; i < 4; i++) {
        space_run r;
        par.scale = (bal_scaling)(i / 2);
        par.pca = i % 2 != 0 ? 5 : 0;
        space_start(&r, MPI_COMM_WORLD, &wells, &par, &space_streamed);
        all_assert(!bal_failed(r.st));
        all_assert(r.reads == sweeps[i / 2][i % 2] * r.x->count);
        space_end(&r);
    }
}
END_TEST

START_TEST(equal_profiles_have_equal_coordinates)
{
    bal_space_params par = space_standard;
    space_run r;

    par.pca = 8;
    space_start(&r, MPI_COMM_SELF, &wide, &par, &space_resident);
    all_assert(!bal_failed(r.st));
    all_assert(same(r.z + 10 * 8, r.z + 500 * 8, 8, sizeof *r.z));
    all_assert(!same(r.z + 10 * 8, r.z + 501 * 8, 8, sizeof *r.z));
    space_end(&r);
}
END_TEST

static void check_failure(const space_data *of, const bal_space_params *par,
                          const space_place *place)
{
    bal_size held = bal_mem_held();
    space_run r;

    space_start(&r, MPI_COMM_WORLD, of, par, place);
    all_assert(r.st.code == BAL_EIO);
    all_assert(strstr(bal_error_get()->text, "rows of a test") != NULL);
    space_end(&r);
    all_assert(bal_mem_held() == held);
}

/* At every read of every rank. */
START_TEST(a_source_that_fails_on_one_rank_fails_everywhere)
{
    static const space_data data = {1100, 9, space_even};
    bal_space_params par = space_standard;
    space_place place = space_streamed;
    space_run r;

    par.pca = 4;
    space_start(&r, MPI_COMM_WORLD, &data, &par, &place);
    all_assert(!bal_failed(r.st));
    int64_t reads[4];
    int64_t mine = r.reads;
    bal_comm_gather_i64(&r.c, &mine, 1, reads);
    int size = r.c.size;
    space_end(&r);
    for (place.fails = 0; place.fails < size; place.fails++)
        for (place.when = 0; place.when < reads[place.fails]; place.when++)
            check_failure(&data, &par, &place);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("space, bits");
    TCase *tc = tcase_create("all");

    tcase_add_test(tc, bits_do_not_depend_on_ranks_threads_memory_or_place);
    tcase_add_test(tc, any_number_of_rows_will_do);
    tcase_add_test(tc, blocks_of_several_slices);
    tcase_add_test(tc, applied_row_by_row);
    tcase_add_test(tc, a_space_put_together_again_gives_the_same);
    tcase_add_test(tc, a_streamed_matrix_is_read_as_seldom_as_can_be);
    tcase_add_test(tc, equal_profiles_have_equal_coordinates);
    tcase_add_test(tc, a_source_that_fails_on_one_rank_fails_everywhere);
    suite_add_tcase(suite, tc);
    return mpi_check_run(suite, argc, argv);
}
