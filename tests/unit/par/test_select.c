/* The k-th smallest over the ranks that share a batch, against sorting all of
 * its values, which are a function of (row, position); and what it sends. */
#include "balans/par/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "mpi_check.h"

enum { W = 3, MOST = 40000 };

static bal_comm c;
static bal_layout *layout;
static bal_size points; /* of all batches */

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    bal_layout_destroy(&layout);
    bal_comm_finish(&c);
}

/* One batch; as many as ranks; many more; one over half of the ranks; batches
 * of a tile or two, so that some ranks have none; one point. */
enum { SHAPES = 6 };

static void prepare(int shape)
{
    bal_size size[200], batches = 0;

    switch (shape) {
    case 0:
        size[batches++] = 20000;
        break;
    case 1:
        for (; batches < c.size; batches++)
            size[batches] = 1300 + 17 * batches;
        break;
    case 2:
        for (; batches < 200; batches++)
            size[batches] = 290 + 37 * (batches % 13);
        break;
    case 3:
        size[batches++] = 3000;
        size[batches++] = 6100;
        size[batches++] = 3100;
        break;
    case 4:
        size[batches++] = 300;
        size[batches++] = 500;
        size[batches++] = 2;
        break;
    default:
        size[batches++] = 1;
    }
    points = 0;
    for (bal_size b = 0; b < batches; b++)
        points += size[b];
    bal_status st = bal_layout_create(size, batches, c.rank, c.size, &layout);
    all_assert(!bal_failed(st));
}

/* Many repeats, zeros, tiny and huge values. */
static float value(int row, bal_gidx pos)
{
    uint64_t r = bal_rng_u64(6, (uint32_t)row, (uint32_t)pos, 0, 0);

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

/* The smallest `most` values of a row at positions from .. to - 1, but for
 * position `without`.  @return how many */
static bal_size smallest(int row, bal_gidx from, bal_gidx to, bal_gidx without,
                         bal_size most, float *out)
{
    static float pool[MOST];
    bal_size count = 0;

    for (bal_gidx pos = from; pos < to; pos++)
        if (pos != without)
            pool[count++] = value(row, pos);
    qsort(pool, (size_t)count, sizeof *pool, compare);
    count = count < most ? count : most;
    if (count > 0)
        memcpy(out, pool, (size_t)count * sizeof *out);
    return count;
}

/* The part of batch b on this rank. */
static void part_of(bal_size b, bal_gidx *from, bal_gidx *to)
{
    bal_gidx low = layout->rank_first[c.rank];
    bal_gidx high = layout->rank_first[c.rank + 1];

    *from = layout->batch_first[b] > low ? layout->batch_first[b] : low;
    *to = layout->batch_first[b + 1] < high ? layout->batch_first[b + 1] : high;
}

static int logarithm(int g)
{
    int steps = 0;

    while (1 << steps < g)
        steps++;
    return steps;
}

/* Bytes that a rank may send for a batch, by docs/mpi.md. */
static int64_t allowed(bal_size b, bal_size k)
{
    int g = bal_layout_owner(layout, layout->batch_first[b + 1] - 1) + 1 -
            bal_layout_owner(layout, layout->batch_first[b]);

    if (k <= BAL_SELECT_LISTS)
        return 4 * W * (k + logarithm(g));
    return 3 * W * (16384 + 16 * logarithm(g));
}

typedef struct asked {
    float list[W * MOST], kth[W];
    bal_size count[W], k[W];
} asked;

/* Row i leaves out a landmark: the i-th point of the batch. */
static void ask(bal_size b, bal_size k, asked *a, bal_query *q)
{
    bal_gidx from, to;

    part_of(b, &from, &to);
    for (int i = 0; i < W; i++) {
        bal_gidx without = i > 0 ? layout->batch_first[b] + i - 1 : -1;
        a->k[i] = i == 0 ? k : i == 1 ? k - 1 : 1;
        a->k[i] = a->k[i] > 0 ? a->k[i] : 1;
        a->count[i] =
            smallest(i, from, to, without, k, a->list + (size_t)i * MOST);
    }
    *q = (bal_query){.list = a->list,
                     .stride = MOST,
                     .count = a->count,
                     .skip = 1,
                     .k = a->k,
                     .kth = a->kth};
}

static int check(bal_size b, bal_size k, const asked *a)
{
    static float all[MOST];
    int wrong = 0;

    for (int i = 0; i < W; i++) {
        bal_gidx without = i > 0 ? layout->batch_first[b] + i - 1 : -1;
        bal_size n = smallest(i, layout->batch_first[b],
                              layout->batch_first[b + 1], without, k, all);
        bal_size want = i == 0 ? k : i == 1 ? k - 1 : 1;
        want = want > 0 ? want : 1;
        wrong +=
            want <= n && memcmp(&all[want - 1], &a->kth[i], sizeof(float)) != 0;
    }
    return wrong;
}

START_TEST(finds_the_kth_and_sends_little)
{
    static asked a[2];
    const bal_size wanted[] = {1, 2, 10, 333, 1024, 1025, 5000};
    bal_size batch[2], k[2] = {0};

    prepare(_i);
    for (int turn = 0; turn < 7; turn++) {
        bal_select *s = NULL;
        bal_query query[2] = {{0}};
        int shares = bal_select_batches(layout, batch), wrong = 0;
        int64_t most = 0;
        for (int x = 0; x < shares; x++) {
            bal_size size = layout->batch_first[batch[x] + 1] -
                            layout->batch_first[batch[x]];
            k[x] = wanted[turn] < size ? wanted[turn] : size;
            most += allowed(batch[x], k[x]);
            ask(batch[x], k[x], &a[x], &query[x]);
        }
        bal_size held = bal_mem_held();
        all_assert(!bal_failed(bal_select_create(layout, k, W, &s)));
        held = bal_mem_held() - held;
        bal_tally before = c.tally[c.phase];
        bal_select_find(&c, s, W, query);
        int64_t sent = c.tally[c.phase].bytes - before.bytes;
        int64_t calls = c.tally[c.phase].calls - before.calls;
        bal_select_destroy(&s);
        for (int x = 0; x < shares; x++)
            wrong += check(batch[x], k[x], &a[x]);
        all_assert_msg(wrong == 0, "k = %d: %d wrong", (int)wanted[turn],
                       wrong);
        all_assert_msg(sent <= most, "k = %d: %lld bytes, at most %lld",
                       (int)wanted[turn], (long long)sent, (long long)most);
        all_assert(calls <= shares * 3 * 2 * (1 + logarithm(c.size)));
        all_assert(held <= bal_select_memory(layout, k, W) + 2048);
    }
}
END_TEST

START_TEST(is_tested_where_it_matters)
{
    bal_size batch[2];
    int64_t two = 0;

    prepare(2);
    two = bal_select_batches(layout, batch) == 2;
    bal_comm_max_i64(&c, &two, 1);
    all_assert(c.size < 4 || two == 1);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("par/select");
    TCase *tcase = tcase_create("select");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 100);
    tcase_add_loop_test(tcase, finds_the_kth_and_sends_little, 0, SHAPES);
    tcase_add_test(tcase, is_tested_where_it_matters);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
