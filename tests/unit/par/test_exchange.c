/* Records from every rank to every rank: all arrive, in order, once. */
#include "balans/par/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "mpi_check.h"

enum { MOST = 64, RECORD_MOST = 24 };

static bal_comm c;

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    bal_comm_finish(&c);
}

/* How many records `from` sends to `to`. */
typedef bal_size plan(int from, int to);

static bal_size nothing(int from, int to)
{
    (void)from;
    (void)to;
    return 0;
}

static bal_size uneven(int from, int to)
{
    return from * 5 % 3 + 7 * to;
}

static bal_size from_the_last(int from, int to)
{
    return from == c.size - 1 ? 100 + to : 0;
}

static bal_size to_the_first(int from, int to)
{
    return to == 0 ? 3000 * from : 0;
}

static bal_size only_to_itself(int from, int to)
{
    return from == to ? 10 : 0;
}

static plan *const plans[] = {nothing, uneven, from_the_last, to_the_first,
                              only_to_itself};
enum { PLANS = 5 };

/* The bytes of record number i of a pair of ranks. */
static void write_record(char *at, size_t size, int from, int to, bal_size i)
{
    for (size_t b = 0; b < size; b++)
        at[b] = (char)(from * 31 + to * 17 + i * 7 + (bal_size)b);
}

static char *pack(plan *many, size_t size, bal_size *count)
{
    bal_size total = 0;

    for (int to = 0; to < c.size; to++)
        total += count[to] = many(c.rank, to);
    char *send = malloc((size_t)total * size + 1), *at = send;
    for (int to = 0; to < c.size; to++)
        for (bal_size i = 0; i < count[to]; i++, at += size)
            write_record(at, size, c.rank, to, i);
    return send;
}

static int check(plan *many, size_t size, const char *got,
                 const bal_size *count)
{
    char want[RECORD_MOST];
    int wrong = 0;

    for (int from = 0; from < c.size; from++) {
        wrong += count[from] != many(from, c.rank);
        for (bal_size i = 0; i < count[from]; i++, got += size) {
            write_record(want, size, from, c.rank, i);
            wrong += memcmp(got, want, size) != 0;
        }
    }
    return wrong;
}

START_TEST(delivers_everything)
{
    const size_t sizes[] = {1, 8, 12, RECORD_MOST};

    for (int s = 0; s < 4; s++) {
        bal_size sent[MOST], received[MOST];
        void *got = NULL;
        char *send = pack(plans[_i], sizes[s], sent);
        bal_verdict v = bal_exchange(&c, send, sent, sizes[s], &got, received);
        all_assert(!bal_failed(v));
        int wrong = check(plans[_i], sizes[s], got, received);
        free(send);
        bal_mem_free(&got);
        all_assert_msg(wrong == 0, "%d wrong", wrong);
    }
}
END_TEST

START_TEST(refuses_more_records_than_mpi_counts)
{
    bal_size sent[MOST] = {0}, received[MOST];
    void *got = NULL;

    if (c.rank == c.size - 1)
        sent[0] = INT64_C(1) << 31;
    bal_verdict v = bal_exchange(&c, &got, sent, 1, &got, received);
    all_assert(v.code == BAL_ERANGE && got == NULL);
    bal_error_clear();
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    bal_size sent[MOST], received[MOST], held = bal_mem_held();
    void *got = NULL;
    char *send = pack(uneven, 4, sent);

    (void)bal_exchange(&c, send, sent, 4, &got, received);
    bal_mem_free(&got);
    free(send);
    all_assert(bal_mem_held() == held);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("par/exchange");
    TCase *tcase = tcase_create("exchange");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, delivers_everything, 0, PLANS);
    tcase_add_test(tcase, refuses_more_records_than_mpi_counts);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
