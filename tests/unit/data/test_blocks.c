/* Sweeps over the rows of a matrix: each row once, in order, resident or from a
 * source, up to the first failure. */
#include "balans/data/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/comm.h"
#include "balans/par/layout.h"
#include "mpi_check.h"

enum { D = 3 };

static const bal_size lengths[] = {0,   1,   2,    255,  256, 257,
                                   511, 513, 1024, 1500, 3000};
enum { LENGTHS = 11 };

static bal_comm c;

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    bal_comm_finish(&c);
}

static float cell(bal_gidx row, bal_size f)
{
    return (float)(10 * row + f);
}

/* A source in memory, and what is asked of it. */
typedef struct shelf {
    bal_blocks *x;
    float *rows;             /* [x->m, D] */
    int reads, writes;       /* so far */
    int bad_read, bad_write; /* which of them fails, or -1 */
    bal_size most;           /* rows asked for at a time */
    int astray;              /* ranges that are none */
} shelf;

static void note(shelf *s, bal_size first, bal_size count)
{
    s->astray += first < 0 || count < 1 || first + count > s->x->m;
    s->most = count > s->most ? count : s->most;
}

static bal_status read_rows(void *arg, bal_size first, bal_size count,
                            float *rows)
{
    shelf *s = arg;

    note(s, first, count);
    if (s->reads++ == s->bad_read)
        return BAL_FAIL(BAL_EIO, "cannot read rows of a test");
    memcpy(rows, s->rows + first * D, (size_t)count * D * sizeof *rows);
    return BAL_OK;
}

static bal_status write_rows(void *arg, bal_size first, bal_size count,
                             const float *rows)
{
    shelf *s = arg;

    note(s, first, count);
    if (s->writes++ == s->bad_write)
        return BAL_FAIL(BAL_EIO, "cannot keep rows of a test");
    memcpy(s->rows + first * D, rows, (size_t)count * D * sizeof *rows);
    return BAL_OK;
}

/* A matrix of n rows, streamed with a buffer of `memory` bytes; 0: resident. */
static void open_shelf(shelf *s, bal_size n, bal_size memory)
{
    const bal_source source = {s, read_rows, write_rows};
    bal_status st = bal_blocks_create(n, D, c.rank, c.size, &s->x);

    s->rows = calloc((size_t)(s->x->m * D) + 1, sizeof *s->rows);
    for (bal_size e = 0; e < s->x->m * D; e++)
        s->rows[e] = cell(s->x->first + e / D, e % D);
    if (!bal_failed(st))
        st = memory > 0 ? bal_blocks_stream(s->x, &source, memory)
                        : bal_blocks_reside(s->x);
    all_assert(!bal_failed(st));
    if (memory == 0 && s->x->m > 0)
        memcpy(s->x->at, s->rows, (size_t)(s->x->m * D) * sizeof *s->rows);
}

static void close_shelf(shelf *s)
{
    free(s->rows);
    bal_blocks_destroy(&s->x);
}

/* Compares `sign` times every row, turns it, and keeps it. */
static int turn(shelf *of, float sign)
{
    bal_blocks *x = of->x;
    bal_sweep s = bal_sweep_begin(x);
    bal_size next = 0;
    int wrong = 0;

    while (bal_sweep_next(&s)) {
        wrong += s.from != next || s.to <= s.from;
        for (bal_size b = s.from; b < s.to; b++) {
            float *row = bal_sweep_block(&s, b);
            for (bal_size e = 0; e < bal_block_size(x, b) * D; e++) {
                float want = sign * cell(x->first + x->start[b] + e / D, e % D);
                wrong += memcmp(&row[e], &want, sizeof want) != 0;
                row[e] = -row[e];
            }
        }
        next = s.to;
        bal_sweep_keep(&s);
    }
    return wrong + (next != x->count) + bal_failed(s.status);
}

START_TEST(cuts_the_rows_among_the_ranks)
{
    bal_size n = lengths[_i], rows = bal_rows_of_block(n);
    shelf s = {.bad_read = -1, .bad_write = -1};
    int wrong = 0;

    open_shelf(&s, n, 0);
    const bal_blocks *x = s.x;
    int64_t sum[2] = {x->m, x->count};
    bal_comm_sum_i64(&c, sum, 2);
    wrong += sum[0] != n || sum[1] != x->all || x->n != n || x->d != D;
    wrong += x->first != bal_slab_first(n, c.rank, c.size);
    wrong += x->first + x->m != bal_slab_first(n, c.rank + 1, c.size);
    wrong += x->start[0] != 0 || x->start[x->count] != x->m;
    for (bal_size b = 0; b < x->count; b++) {
        bal_gidx at = x->first + x->start[b];
        bal_size want = n - at < rows ? n - at : rows;
        wrong += at % rows != 0 || bal_block_size(x, b) != want;
        wrong += bal_block_size(x, b) > x->longest;
    }
    close_shelf(&s);
    all_assert_msg(wrong == 0, "%d wrong of %d rows", wrong, (int)n);
}
END_TEST

START_TEST(sweeps_over_every_row_once)
{
    const bal_size memory[] = {0, 1, 600 * 4 * D, 1 << 20};
    bal_size n = lengths[_i];

    for (int e = 0; e < 4; e++) {
        shelf s = {.bad_read = -1, .bad_write = -1};
        open_shelf(&s, n, memory[e]);
        int wrong = turn(&s, 1) + turn(&s, -1) + turn(&s, 1) + s.astray;
        if (memory[e] == 0)
            wrong += s.reads + s.writes;
        else
            wrong += s.reads != s.writes || s.most > s.x->room;
        if (memory[e] == 1)
            wrong += s.reads != 3 * s.x->count;
        if (memory[e] == 1 << 20)
            wrong += s.reads != 3 * (s.x->count > 0);
        close_shelf(&s);
        all_assert_msg(wrong == 0, "%d wrong, %d rows, memory %d", wrong,
                       (int)n, (int)memory[e]);
    }
}
END_TEST

/* Changes that are not kept are not there in the next sweep of a stream. */
START_TEST(keeps_nothing_unasked)
{
    shelf s = {.bad_read = -1, .bad_write = -1};

    open_shelf(&s, 1500, 1);
    bal_sweep sweep = bal_sweep_begin(s.x);
    while (bal_sweep_next(&sweep))
        for (bal_size b = sweep.from; b < sweep.to; b++)
            bal_sweep_block(&sweep, b)[0] = 7;
    int wrong = turn(&s, 1);
    close_shelf(&s);
    all_assert(wrong == 0);
}
END_TEST

/* @return whether rank `bad`, and it alone, ended at the failure */
static bool ends_at(int bad, int bad_read, int bad_write)
{
    shelf s = {.bad_read = -1, .bad_write = -1};
    bool here = c.rank == bad;
    int turns = 0;

    if (here) {
        s.bad_read = bad_read;
        s.bad_write = bad_write;
    }
    open_shelf(&s, 3000, 1);
    here = here && s.x->count > 1;
    bal_sweep sweep = bal_sweep_begin(s.x);
    while (bal_sweep_next(&sweep)) {
        turns++;
        bal_sweep_keep(&sweep);
    }
    bool good = here ? sweep.status == BAL_EIO && s.reads == 2 &&
                           turns == (bad_read == 1 ? 1 : 2)
                     : sweep.status == BAL_OK && turns == s.x->count;
    bal_verdict v = bal_agree(&c, sweep.status);
    good = good && v.code == BAL_EIO && !bal_sweep_next(&sweep);
    bal_error_clear();
    close_shelf(&s);
    return good;
}

START_TEST(ends_with_the_first_failure)
{
    for (int bad = 0; bad < c.size; bad++) {
        all_assert(ends_at(bad, 1, -1));
        all_assert(ends_at(bad, -1, 1));
    }
}
END_TEST

START_TEST(has_room_behind_the_last_row)
{
    shelf s = {.bad_read = -1, .bad_write = -1};
    int wrong = 0;

    open_shelf(&s, 700, 0);
    for (bal_size e = s.x->m * D; e < s.x->m * D + BAL_LANES; e++)
        wrong += s.x->at[e] > 0 || s.x->at[e] < 0;
    close_shelf(&s);
    all_assert(wrong == 0);
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    bal_size held = bal_mem_held();
    shelf s = {.bad_read = -1, .bad_write = -1};

    open_shelf(&s, 3000, 1);
    (void)turn(&s, 1);
    close_shelf(&s);
    bal_blocks_destroy(&s.x);
    all_assert(s.x == NULL && bal_mem_held() == held);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("data/blocks");
    TCase *tcase = tcase_create("blocks");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, cuts_the_rows_among_the_ranks, 0, LENGTHS);
    tcase_add_loop_test(tcase, sweeps_over_every_row_once, 0, LENGTHS);
    tcase_add_test(tcase, keeps_nothing_unasked);
    tcase_add_test(tcase, ends_with_the_first_failure);
    tcase_add_test(tcase, has_room_behind_the_last_row);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
