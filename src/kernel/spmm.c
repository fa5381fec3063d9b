/* Sparse rows times dense rows, eight features to a vector and up to eight
 * vectors of sums in registers while the entries go by. */
#include "table.h"

typedef double v8d __attribute__((vector_size(64), aligned(8)));
typedef float v8f __attribute__((vector_size(32), aligned(4)));
typedef int64_t v8i __attribute__((vector_size(64), aligned(8)));

enum { SUM_AHEAD = 6 }; /* entries whose rows are fetched ahead */

#define ALWAYS inline __attribute__((always_inline))

/* Products of two floats are exact in double, and so are those with powers of
 * two: whether they are fused with what follows changes no bit. */
#if defined(__GNUC__) && !defined(__clang__)
#define EXACT __attribute__((optimize("fp-contract=fast")))
#else
#define EXACT
#endif

/* Applies `op` to the sums 0 .. nv - 1, nv a constant of the caller. */
#define EACH_SUM(op)                                                       \
    do {                                                                   \
        op(0);                                                             \
        if (nv > 1) op(1);                                                 \
        if (nv > 2) op(2);                                                 \
        if (nv > 3) op(3);                                                 \
        if (nv > 4) op(4);                                                 \
        if (nv > 5) op(5);                                                 \
        if (nv > 6) op(6);                                                 \
        if (nv > 7) op(7);                                                 \
    } while (0)

/* Adds a vector of sums to its exact sums: see bal_fixed_add(). */
EXACT static ALWAYS void flush(const v8d *sum, const double *up_hi,
                               double up_lo, int64_t *hi, int64_t *lo)
{
    v8d scaled = *sum * *(const v8d *)up_hi;
    v8i whole = __builtin_convertvector(scaled, v8i);
    v8d rest = (scaled - __builtin_convertvector(whole, v8d)) * up_lo;

    *(v8i *)hi += whole;
    *(v8i *)lo += __builtin_convertvector(rest, v8i);
}

EXACT static ALWAYS void sum_vectors(const float *x, bal_size ld,
                               const uint16_t *row, const float *value,
                               bal_size entries, int nv, const double *up_hi,
                               double up_lo, int64_t *hi, int64_t *lo)
{
    v8d s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    v8d s4 = {0}, s5 = {0}, s6 = {0}, s7 = {0};

    for (bal_size e = 0; e < entries; e++) {
        const v8f *at = (const v8f *)(x + (bal_size)row[e] * ld);
        double a = (double)value[e];
        if (e + SUM_AHEAD < entries) {
            const float *next = x + (bal_size)row[e + SUM_AHEAD] * ld;
            for (int i = 0; i < 8 * nv; i += 16)
                __builtin_prefetch(next + i);
        }
#define ADD(i) s##i += a * __builtin_convertvector(at[i], v8d)
        EACH_SUM(ADD);
    }
#define FLUSH(i) flush(&s##i, up_hi + 8 * i, up_lo, hi + 8 * i, lo + 8 * i)
    EACH_SUM(FLUSH);
}

EXACT void bal_spmm_sum(const float *x, bal_size ld, const uint16_t *row,
                  const float *value, bal_size entries, int vectors,
                  const double *up_hi, double up_lo, int64_t *hi, int64_t *lo)
{
#define SUM(n)                                                            \
    case n:                                                               \
        sum_vectors(x, ld, row, value, entries, n, up_hi, up_lo, hi, lo); \
        break
    switch (vectors) {
        SUM(1);
        SUM(2);
        SUM(3);
        SUM(4);
        SUM(5);
        SUM(6);
        SUM(7);
        SUM(8);
    }
}

static ALWAYS void gather_vectors(const double *table, bal_size ld,
                                  const uint32_t *index, const double *weight,
                                  bal_size entries, int nv, double *sum)
{
    v8d s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    v8d s4 = {0}, s5 = {0}, s6 = {0}, s7 = {0};

    for (bal_size e = 0; e < entries; e++) {
        const v8d *at = (const v8d *)(table + (bal_size)index[e] * ld);
        /* Entries of the next points follow, so reading on is allowed. */
        const double *next = table + (bal_size)index[e + BAL_GATHER_AHEAD] * ld;
        double w = weight[e];
        for (int i = 0; i < nv; i++)
            __builtin_prefetch(next + 8 * i);
#define GATHER(i) s##i += w * at[i]
        EACH_SUM(GATHER);
    }
#define STORE(i) *(v8d *)(sum + 8 * i) = s##i
    EACH_SUM(STORE);
}

void bal_spmm_gather(const double *table, bal_size ld, const uint32_t *index,
                     const double *weight, bal_size entries, int vectors,
                     double *sum)
{
#define TAKE(n)                                                       \
    case n:                                                           \
        gather_vectors(table, ld, index, weight, entries, n, sum);    \
        break
    switch (vectors) {
        TAKE(1);
        TAKE(2);
        TAKE(3);
        TAKE(4);
        TAKE(5);
        TAKE(6);
        TAKE(7);
        TAKE(8);
    }
}
