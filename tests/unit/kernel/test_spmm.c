/* Sums over points and over landmarks, of every instruction set and number of
 * vectors, against plain loops. */
#include "balans/kernel/spmm.h"

#include <math.h>

#include "isas.h"
#include "mpi_check.h"

enum {
    POINTS = 40,
    LD = BAL_VECTOR * BAL_VECTORS + 3, /* rows need not be aligned */
    MOST = 90,                         /* entries */
    WIDTH = BAL_VECTOR * BAL_VECTORS,
};

static float x[POINTS * LD + BAL_VECTOR], value[MOST];
static double table[POINTS * LD + BAL_VECTOR], weight[MOST], up_hi[WIDTH];
static uint16_t row[MOST];
static uint32_t index_of[MOST + BAL_GATHER_AHEAD];
static const double up_lo = 0x1p40;

static void fill(void)
{
    uint64_t state = 11;

    for (int i = 0; i < POINTS * LD; i++) {
        x[i] = unit(&state) - 0.5f;
        table[i] = (double)unit(&state) - 0.5 + (double)unit(&state) * 0x1p-40;
    }
    for (int e = 0; e < MOST; e++) {
        value[e] = unit(&state);
        weight[e] = (double)unit(&state) * 3;
        row[e] = (uint16_t)below(&state, POINTS);
    }
    for (int e = 0; e < MOST + BAL_GATHER_AHEAD; e++)
        index_of[e] = below(&state, POINTS);
    for (int f = 0; f < WIDTH; f++)
        up_hi[f] = ldexp(1, 48 + f % 5);
}

/* The limbs of feature f after the entries. */
static void plain_sum(int entries, int f, int64_t *hi, int64_t *lo)
{
    double sum = 0;

    for (int e = 0; e < entries; e++)
        sum += (double)value[e] * (double)x[row[e] * LD + f];
    double scaled = sum * up_hi[f], whole = trunc(scaled);
    *hi += (int64_t)whole;
    *lo += (int64_t)((scaled - whole) * up_lo);
}

static const int lengths[] = {0, 1, 2, 7, 8, 33, MOST};
enum { LENGTHS = 7 };

START_TEST(adds_points_exactly)
{
    fill();
    FOR_EACH_ISA(isa)
    for (int v = 1; v <= BAL_VECTORS; v++)
        for (int t = 0; t < LENGTHS; t++) {
            int64_t hi[WIDTH], lo[WIDTH];
            for (int f = 0; f < WIDTH; f++) {
                hi[f] = f;
                lo[f] = -f;
            }
            bal_spmm_sum(x, LD, row, value, lengths[t], v, up_hi, up_lo, hi,
                         lo);
            for (int f = 0; f < WIDTH; f++) {
                int64_t want_hi = f, want_lo = -f;
                if (f < BAL_VECTOR * v)
                    plain_sum(lengths[t], f, &want_hi, &want_lo);
                ck_assert(hi[f] == want_hi && lo[f] == want_lo);
            }
        }
}
END_TEST

START_TEST(gathers_landmarks)
{
    fill();
    FOR_EACH_ISA(isa)
    for (int v = 1; v <= BAL_VECTORS; v++)
        for (int t = 0; t < LENGTHS; t++) {
            double sum[WIDTH];
            for (int f = 0; f < WIDTH; f++)
                sum[f] = 77;
            bal_spmm_gather(table, LD, index_of, weight, lengths[t], v, sum);
            for (int f = 0; f < WIDTH; f++) {
                double want = f < BAL_VECTOR * v ? 0 : 77;
                for (int e = 0; e < lengths[t] && f < BAL_VECTOR * v; e++)
                    want += weight[e] * table[(int)index_of[e] * LD + f];
                ck_assert(memcmp(&sum[f], &want, sizeof want) == 0);
            }
        }
}
END_TEST

/* Sums of parts are sums of the whole where they are exact. */
START_TEST(goes_on_where_it_stopped)
{
    int64_t once[2 * WIDTH] = {0}, twice[2 * WIDTH] = {0};

    fill();
    for (int i = 0; i < POINTS * LD; i++)
        x[i] = ldexpf(rintf(ldexpf(x[i], 10)), -10);
    for (int e = 0; e < MOST; e++)
        value[e] = ldexpf(rintf(ldexpf(value[e], 10)), -10);
    bal_spmm_sum(x, LD, row, value, MOST, BAL_VECTORS, up_hi, up_lo, once,
                 once + WIDTH);
    bal_spmm_sum(x, LD, row, value, 31, BAL_VECTORS, up_hi, up_lo, twice,
                 twice + WIDTH);
    bal_spmm_sum(x, LD, row + 31, value + 31, MOST - 31, BAL_VECTORS, up_hi,
                 up_lo, twice, twice + WIDTH);
    ck_assert(memcmp(once, twice, sizeof once) == 0);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *s = suite_create("kernel/spmm");
    TCase *c = tcase_create("spmm");

    tcase_add_test(c, adds_points_exactly);
    tcase_add_test(c, gathers_landmarks);
    tcase_add_test(c, goes_on_where_it_stopped);
    suite_add_tcase(s, c);
    return mpi_check_run(s, argc, argv);
}
