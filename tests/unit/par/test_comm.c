/* Reductions, gathering and broadcasts against what every rank can work out. */
#include "balans/par/comm.h"

#include <string.h>

#include "mpi_check.h"

static bal_comm c;

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    bal_comm_finish(&c);
}

START_TEST(knows_its_place)
{
    int rank, size, same;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_compare(MPI_COMM_WORLD, c.mpi, &same);
    all_assert(c.rank == rank && c.size == size);
    all_assert(same == MPI_CONGRUENT); /* a duplicate, not the same */
}
END_TEST

START_TEST(reduces_integers)
{
    int64_t far = INT64_C(1) << 40, n = c.size;
    int64_t sum[3] = {1, c.rank, far * c.rank};
    int64_t most[2] = {c.rank * far, -c.rank};
    int64_t least[2] = {c.rank * far, -c.rank};

    bal_comm_sum_i64(&c, sum, 3);
    bal_comm_max_i64(&c, most, 2);
    bal_comm_min_i64(&c, least, 2);
    all_assert(sum[0] == n && sum[1] == n * (n - 1) / 2);
    all_assert(sum[2] == far * (n * (n - 1) / 2));
    all_assert(most[0] == (n - 1) * far && most[1] == 0);
    all_assert(least[0] == 0 && least[1] == 1 - n);
}
END_TEST

START_TEST(joins_bits)
{
    uint64_t wide[2] = {UINT64_C(1) << (40 + c.rank), 8};
    uint32_t narrow[2] = {1u << c.rank, 0};

    bal_comm_or_u64(&c, wide, 2);
    bal_comm_or_u32(&c, narrow, 2);
    all_assert(wide[0] == ((UINT64_C(1) << c.size) - 1) << 40 && wide[1] == 8);
    all_assert(narrow[0] == (1u << c.size) - 1 && narrow[1] == 0);
}
END_TEST

START_TEST(finds_extremes_of_reals)
{
    float low[1] = {(float)c.rank - 2.5f}, high[1] = {(float)c.rank - 2.5f};
    double top[1] = {-1e300 * (c.rank + 1)};

    bal_comm_min_f32(&c, low, 1);
    bal_comm_max_f32(&c, high, 1);
    bal_comm_max_f64(&c, top, 1);
    all_assert(low[0] <= -2.5f && low[0] >= -2.5f);
    all_assert(high[0] <= (float)c.size - 3.5f &&
               high[0] >= (float)c.size - 3.5f);
    all_assert(top[0] >= -1e300 && top[0] <= -1e300);
}
END_TEST

START_TEST(accepts_nothing)
{
    int64_t untouched = 5;
    char byte = 'x';

    bal_comm_sum_i64(&c, &untouched, 0);
    bal_comm_bcast(&c, &byte, 0, 0);
    bal_comm_exscan_i64(&c, &untouched, 0, &untouched);
    bal_comm_barrier(&c);
    all_assert(untouched == 5 && byte == 'x');
}
END_TEST

START_TEST(gathers_in_the_order_of_ranks)
{
    int64_t mine[2] = {c.rank, -c.rank}, all[2 * 64];
    int wrong = 0;

    bal_comm_gather_i64(&c, mine, 2, all);
    for (int r = 0; r < c.size; r++)
        wrong += all[2 * r] != r || all[2 * r + 1] != -r;
    all_assert(wrong == 0);
}
END_TEST

START_TEST(sums_what_comes_before)
{
    int64_t x[2] = {c.rank + 1, INT64_C(1) << 40}, before[2] = {-7, -7};

    bal_comm_exscan_i64(&c, x, 2, before);
    all_assert(before[0] == c.rank * (c.rank + 1) / 2);
    all_assert(before[1] == (INT64_C(1) << 40) * c.rank);
}
END_TEST

START_TEST(broadcasts_from_any_rank)
{
    for (int root = 0; root < c.size; root++) {
        char text[8] = "?";
        if (c.rank == root)
            strcpy(text, "said");
        bal_comm_bcast(&c, text, (bal_size)sizeof text, root);
        all_assert(strcmp(text, "said") == 0);
    }
}
END_TEST

/* Pairs of ints: the pair whose first is larger. */
static void larger(void *in, void *inout, int *len, MPI_Datatype *type)
{
    const int *a = in;
    int *b = inout;

    (void)type;
    for (int i = 0; i < 2 * *len; i += 2)
        if (a[i] > b[i])
            memcpy(b + i, a + i, 2 * sizeof *b);
}

START_TEST(reduces_by_an_operation)
{
    int pair[4] = {c.rank, 10 * c.rank, -c.rank, 7 + c.rank};
    MPI_Datatype type;
    MPI_Op op;

    MPI_Type_contiguous(2, MPI_INT, &type);
    MPI_Type_commit(&type);
    MPI_Op_create(larger, 1, &op);
    bal_comm_reduce(&c, pair, 2, type, op);
    MPI_Op_free(&op);
    MPI_Type_free(&type);
    all_assert(pair[0] == c.size - 1 && pair[1] == 10 * (c.size - 1));
    all_assert(pair[2] == 0 && pair[3] == 7);
}
END_TEST

START_TEST(counts_by_phase)
{
    int64_t x[3] = {0};

    bal_comm_enter(&c, BAL_PHASE_SAMPLE);
    bal_comm_sum_i64(&c, x, 3);
    bal_comm_sum_i64(&c, x, 2);
    bal_comm_enter(&c, BAL_PHASE_WRITE);
    bal_comm_barrier(&c);
    bal_comm_count_io(&c, 1000);
    bal_comm_enter(&c, BAL_PHASE_READ);
    all_assert(c.tally[BAL_PHASE_SAMPLE].calls == 2);
    all_assert(c.tally[BAL_PHASE_SAMPLE].bytes == 40);
    all_assert(c.tally[BAL_PHASE_SAMPLE].io_bytes == 0);
    all_assert(c.tally[BAL_PHASE_WRITE].calls == 1);
    all_assert(c.tally[BAL_PHASE_WRITE].io_bytes == 1000);
    all_assert(c.tally[BAL_PHASE_CORRECT].calls == 0);
    all_assert(c.tally[BAL_PHASE_SAMPLE].seconds >= 0);
}
END_TEST

/* Ranks with more rows than others, and one without any, in pieces of ten. */
START_TEST(cuts_rows_into_as_many_pieces_everywhere)
{
    bal_size rows = 7 * c.rank, next = 0, from;
    const bal_pieces cut = bal_pieces_cut(&c, rows, 8, 87);

    all_assert(cut.count == (7 * (c.size - 1) + 9) / 10);
    for (int64_t i = 0; i < cut.count; i++) {
        bal_size count = bal_piece(&cut, i, &from);
        all_assert(from == next && count >= 0 && count <= 10);
        all_assert(count <= bal_pieces_most(&cut));
        next += count;
    }
    all_assert(next == rows);
    all_assert(bal_pieces_cut(&c, c.rank, 100, 8).step == 1);
}
END_TEST

START_TEST(names_every_phase_differently)
{
    int clashes = 0;

    for (int a = 0; a < BAL_PHASE_COUNT; a++)
        for (int b = 0; b < a; b++)
            clashes += strcmp(bal_phase_name((bal_phase)a),
                              bal_phase_name((bal_phase)b)) == 0;
    all_assert(clashes == 0);
    all_assert(strcmp(bal_phase_name(BAL_PHASE_SAMPLE), "sample") == 0);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("par/comm");
    TCase *tcase = tcase_create("comm");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, knows_its_place);
    tcase_add_test(tcase, reduces_integers);
    tcase_add_test(tcase, joins_bits);
    tcase_add_test(tcase, finds_extremes_of_reals);
    tcase_add_test(tcase, accepts_nothing);
    tcase_add_test(tcase, gathers_in_the_order_of_ranks);
    tcase_add_test(tcase, sums_what_comes_before);
    tcase_add_test(tcase, broadcasts_from_any_rank);
    tcase_add_test(tcase, reduces_by_an_operation);
    tcase_add_test(tcase, counts_by_phase);
    tcase_add_test(tcase, cuts_rows_into_as_many_pieces_everywhere);
    tcase_add_test(tcase, names_every_phase_differently);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
