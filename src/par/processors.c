#include "balans/par/processors.h"

#include <stdio.h>
#include <string.h>

#include "balans/base/rng.h"

enum { NAME = 40 };

/* A number for a name on a rank; the sum of all tells placements apart. */
static uint64_t mark(const char *core, int rank)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; core[i] != '\0'; i++)
        sum += bal_rng_u64(0, (unsigned char)core[i], i, (uint32_t)rank, 0);
    return sum;
}

bal_processors bal_processors_of(bal_comm *c, const char *core)
{
    char own[NAME] = "", first[NAME], other[NAME];
    bal_processors p = {false, ""};

    snprintf(own, sizeof own, "%s", core);
    memcpy(first, own, sizeof first);
    bal_comm_bcast(c, first, sizeof first, 0);

    int64_t at = strcmp(own, first) != 0 ? c->rank : c->size;
    int64_t sum = (int64_t)mark(own, c->rank);
    bal_comm_min_i64(c, &at, 1);
    p.mixed = at < c->size;
    if (!p.mixed) {
        memcpy(p.text, first, sizeof first);
        return p;
    }
    memcpy(other, own, sizeof other);
    bal_comm_bcast(c, other, sizeof other, (int)at);
    bal_comm_sum_i64(c, &sum, 1);
    snprintf(p.text, sizeof p.text,
             "%s on rank 0, %s on rank %lld (of all ranks: %016llx)", first,
             other, (long long)at, (unsigned long long)sum);
    return p;
}
