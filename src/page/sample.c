/* A group's share is cut out of the running total, so that shares add up; a
 * point is taken with the probability that fills the share exactly (selection
 * sampling, Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S). */
#include "balans/page/sample.h"

#include "balans/base/mem.h"
#include "balans/base/rng.h"

enum { DRAW = 1, SHUFFLE }; /* purposes of random numbers */

static void share_out(const bal_size *size, bal_size groups, bal_size n,
                      bal_size most, bal_size *quota)
{
    bool each = 2 * groups <= most;
    bal_size rest = n, room = most, total = 0;

    for (bal_size g = 0; g < groups; g++) {
        rest -= each && size[g] > 0;
        room -= each && size[g] > 0;
    }
    for (bal_size g = 0; g < groups; g++) {
        bal_size first = each && size[g] > 0;
        double before = (double)total, after;
        total += size[g] - first;
        after = (double)total;
        quota[g] = first + (bal_size)(after * (double)room / (double)rest) -
                   (bal_size)(before * (double)room / (double)rest);
    }
}

bal_status bal_sample_by_group(const int32_t *code, bal_size n,
                               const bal_size *size, bal_size groups,
                               bal_size most, uint64_t seed, bal_gidx *chosen)
{
    bal_size *quota = NULL, *left = NULL, count = 0;
    bal_status st;

    BAL_TRY(bal_alloc(&quota, groups, "a sample"));
    BAL_TRY(bal_alloc(&left, groups, "a sample"));
    for (bal_size g = 0; g < groups; g++)
        quota[g] = left[g] = size[g];
    if (n > most)
        share_out(size, groups, n, most, quota);
    for (bal_size i = 0; i < n; i++) {
        int32_t g = code[i];
        uint64_t r =
            bal_rng_u64(seed, (uint32_t)i, (uint32_t)(i >> 32), DRAW, 0);
        if ((bal_size)bal_rng_below(r, (uint64_t)left[g]--) < quota[g]) {
            quota[g]--;
            chosen[count++] = i;
        }
    }
done:
    bal_free(&quota);
    bal_free(&left);
    return st;
}

void bal_shuffle(bal_size n, uint64_t seed, bal_size *order)
{
    for (bal_size i = 0; i < n; i++)
        order[i] = i;
    for (bal_size i = n; i > 1; i--) {
        uint64_t r =
            bal_rng_u64(seed, (uint32_t)i, (uint32_t)(i >> 32), SHUFFLE, 0);
        bal_size j = (bal_size)bal_rng_below(r, (uint64_t)i);
        bal_size last = order[i - 1];
        order[i - 1] = order[j];
        order[j] = last;
    }
}
