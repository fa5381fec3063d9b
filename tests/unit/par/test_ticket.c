/* Queues of all ranks, merged, against sorting what all ranks hold. */
#include "balans/par/ticket.h"

#include <stdlib.h>
#include <string.h>

#include "balans/base/rng.h"
#include "mpi_check.h"

enum { RANKS_MOST = 16 };

static bal_comm c;

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    bal_comm_finish(&c);
}

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
    Suite *suite = suite_create("par/ticket");
    TCase *tcase = tcase_create("ticket");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, merges_queues, 0, 4);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
