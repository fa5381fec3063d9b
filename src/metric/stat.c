/* Selection by digits: the values' highest 16 bits are counted over all ranks,
 * the digit that holds the k-th is found, and the search goes on among the
 * values with that digit.  Doubles that are not negative are in the order of
 * their bit patterns. */
#include "balans/metric/stat.h"

#include <math.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/sum.h"

enum { DIGIT = 16, DIGITS = 1 << DIGIT, WORD = 64 };

/* Counts the digit below `shift + DIGIT` of the values that agree with `prefix`
 * above it. */
static void count_digit(const uint64_t *value, bal_size m, uint64_t prefix,
                        int shift, int64_t *bins)
{
    int above = shift + DIGIT;

    memset(bins, 0, DIGITS * sizeof *bins);
    for (bal_size i = 0; i < m; i++)
        if (above == WORD || value[i] >> above == prefix >> above)
            bins[(value[i] >> shift) & (DIGITS - 1)]++;
}

bal_verdict bal_select_u64(bal_comm *c, const uint64_t *value, bal_size m,
                           bal_size k, uint64_t *out)
{
    bal_verdict st;
    int64_t *bins = NULL;
    uint64_t prefix = 0;

    BAL_TRY(bal_agree(c, bal_alloc(&bins, DIGITS, "a selection")));
    for (int shift = WORD - DIGIT; shift >= 0; shift -= DIGIT) {
        uint64_t digit = 0;
        count_digit(value, m, prefix, shift, bins);
        bal_comm_sum_i64(c, bins, DIGITS);
        while (digit < DIGITS - 1 && k > bins[digit])
            k -= bins[digit++];
        prefix |= digit << shift;
    }
    *out = prefix;
done:
    bal_free(&bins);
    return st;
}

static double value_of(uint64_t bits)
{
    double v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

bal_verdict bal_median(bal_comm *c, const double *value, bal_size m,
                       double *out)
{
    bal_verdict st;
    uint64_t *bits = NULL, low, high;
    int64_t count = 0;

    *out = NAN;
    BAL_TRY(bal_agree(c, bal_alloc(&bits, m, "a median")));
    for (bal_size i = 0; i < m; i++)
        if (!isnan(value[i]))
            memcpy(&bits[count++], &value[i], sizeof *bits);
    bal_size mine = count;
    bal_comm_sum_i64(c, &count, 1);
    if (count == 0)
        goto done;
    BAL_TRY(bal_select_u64(c, bits, mine, (count + 1) / 2, &low));
    BAL_TRY(bal_select_u64(c, bits, mine, count / 2 + 1, &high));
    *out = (value_of(low) + value_of(high)) / 2;
done:
    bal_free(&bits);
    return st;
}

bal_verdict bal_group_means(bal_comm *c, const double *value,
                            const int32_t *code, bal_size m, bal_size groups,
                            double bound, bal_size n, double *mean,
                            int64_t *count)
{
    bal_verdict st;
    bal_scale scale = bal_scale_for(bound * (double)n, n);
    bal_fixed *sum = NULL;
    int64_t *many = NULL;

    bal_status mine = bal_alloc(&sum, groups, "means of groups");
    if (!bal_failed(mine))
        mine = bal_alloc(&many, groups, "means of groups");
    BAL_TRY(bal_agree(c, mine));
    for (bal_size i = 0; i < m; i++) {
        bal_size g = code == NULL ? 0 : code[i];
        if (isnan(value[i]))
            continue;
        bal_fixed_add(&sum[g], &scale, value[i]);
        many[g]++;
    }
    bal_fixed_reduce(c, sum, groups);
    bal_comm_sum_i64(c, many, groups);
    for (bal_size g = 0; g < groups; g++) {
        mean[g] = many[g] == 0
                      ? NAN
                      : bal_fixed_value(sum[g], &scale) / (double)many[g];
        if (count != NULL)
            count[g] = many[g];
    }
done:
    bal_free(&sum);
    bal_free(&many);
    return st;
}

double bal_mean_defined(const double *v, bal_size n)
{
    double sum = 0;
    bal_size count = 0;

    for (bal_size i = 0; i < n; i++)
        if (!isnan(v[i])) {
            sum += v[i];
            count++;
        }
    return count == 0 ? NAN : sum / (double)count;
}
