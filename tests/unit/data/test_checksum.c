/* Checksums tell data sets apart, and do not depend on the ranks. */
#include "balans/data/checksum.h"

#include <string.h>

#include "balans/base/mem.h"
#include "mpi_check.h"
#include "points.h"

static bal_comm all, self;
static ref_data *data;
static points *p, *alone;

static void set_up(void)
{
    const int64_t size[] = {300, 1, 17, 600};

    bal_comm_init(&all, MPI_COMM_WORLD);
    bal_comm_init(&self, MPI_COMM_SELF);
    data = ref_data_create(size, 4, 5, 2, 0, 2);
    p = points_create(&all, data);
    alone = points_create(&self, data);
}

static void tear_down(void)
{
    points_destroy(&p);
    points_destroy(&alone);
    ref_data_destroy(&data);
    bal_comm_finish(&self);
    bal_comm_finish(&all);
}

static uint64_t sum_of(bal_comm *c, bal_blocks *x)
{
    uint64_t sum = 0;
    bal_verdict v = bal_checksum_rows(c, x, &sum);

    all_assert(!bal_failed(v));
    return sum;
}

START_TEST(does_not_depend_on_ranks)
{
    all_assert(sum_of(&all, p->x) == sum_of(&self, alone->x));
    all_assert(bal_checksum_batches(&all, p->labels) ==
               bal_checksum_batches(&self, alone->labels));
}
END_TEST

START_TEST(differs_whenever_a_bit_does)
{
    uint64_t before = sum_of(&self, alone->x);
    float *at = alone->x->at, old = at[1234];
    uint32_t bits;

    for (int bit = 0; bit < 32; bit++) {
        memcpy(&bits, &old, sizeof bits);
        bits ^= UINT32_C(1) << bit;
        memcpy(&at[1234], &bits, sizeof bits);
        all_assert(sum_of(&self, alone->x) != before);
    }
    at[1234] = old;
    all_assert(sum_of(&self, alone->x) == before);
    old = at[10];
    at[10] = at[15];
    at[15] = old;
    all_assert(sum_of(&self, alone->x) != before);
}
END_TEST

START_TEST(differs_whenever_a_batch_does)
{
    uint64_t before = bal_checksum_batches(&self, alone->labels);
    int32_t *code = alone->labels->code, old = code[700];

    code[700] = (old + 1) % 4;
    all_assert(bal_checksum_batches(&self, alone->labels) != before);
    code[700] = old;
    all_assert(bal_checksum_batches(&self, alone->labels) == before);
}
END_TEST

START_TEST(mixes_every_byte)
{
    unsigned char bytes[40] = {0};

    for (bal_size n = 0; n < 40; n++) {
        uint64_t sum = bal_checksum_bytes(1, bytes, n);
        all_assert(sum != bal_checksum_bytes(2, bytes, n));
        for (bal_size at = 0; at < n; at++) {
            bytes[at] = 1;
            all_assert(sum != bal_checksum_bytes(1, bytes, n));
            bytes[at] = 0;
        }
    }
}
END_TEST

static bal_status refuse(void *arg, bal_size first, bal_size count, float *rows)
{
    const int *bad = arg;

    memset(rows, 0, (size_t)(count * 5) * sizeof *rows);
    return *bad == all.rank && first == 0
               ? BAL_FAIL(BAL_EIO, "cannot read rows of a test")
               : BAL_OK;
}

START_TEST(fails_as_its_source_does)
{
    int bad = 0;
    bal_source source = {&bad, refuse, NULL};
    bal_blocks *x = NULL;
    uint64_t sum;

    bal_status st = bal_blocks_create(3000, 5, all.rank, all.size, &x);
    if (!bal_failed(st))
        st = bal_blocks_stream(x, &source, 1);
    all_assert(!bal_failed(st));
    for (bad = 0; bad < all.size; bad++) {
        bal_verdict v = bal_checksum_rows(&all, x, &sum);
        all_assert(v.code == BAL_EIO);
        bal_error_clear();
    }
    bal_verdict v = bal_checksum_rows(&all, x, &sum);
    all_assert(!bal_failed(v));
    bal_blocks_destroy(&x);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("data/checksum");
    TCase *tcase = tcase_create("checksum");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, does_not_depend_on_ranks);
    tcase_add_test(tcase, differs_whenever_a_bit_does);
    tcase_add_test(tcase, differs_whenever_a_batch_does);
    tcase_add_test(tcase, mixes_every_byte);
    tcase_add_test(tcase, fails_as_its_source_does);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
