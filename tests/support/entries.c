#include "entries.h"

#include <stdio.h>
#include <stdlib.h>

#include "balans/base/rng.h"

float entries_value(bal_size row, bal_gidx pos)
{
    uint64_t r = bal_rng_u64(2, (uint32_t)row, (uint32_t)pos, 0, 0);

    if (row == ENTRIES_EMPTY || (row != ENTRIES_FULL && r % 5 != 0))
        return 0;
    return (float)(1 + r % 1000) / 1000.0f;
}

bal_size entries_here(const bal_layout *l, bal_size row)
{
    bal_gidx first = l->rank_first[l->rank];
    bal_size count = 0;

    for (bal_lidx j = 0; j < l->m; j++)
        count += entries_value(row, first + j) > 0;
    return count;
}

static bal_status push_row(bal_csr *a, bal_size i)
{
    const bal_layout *l = a->layout;
    bal_gidx first = l->rank_first[l->rank];
    bal_csr_row row = {.landmark = i * 3};
    bal_size at = 0;
    bal_status st;

    BAL_TRY(bal_csr_row_create(&row, entries_here(l, i)));
    for (bal_lidx j = 0; j < l->m; j++)
        if (entries_value(i, first + j) > 0) {
            row.index[at] = j;
            row.value[at++] = entries_value(i, first + j);
        }
    BAL_TRY(bal_csr_push(a, &row));
done:
    bal_csr_row_finish(&row);
    return st;
}

bal_csr *entries_create(const bal_layout *l)
{
    bal_csr *a = NULL;
    bal_status st = bal_csr_create(l, &a);

    for (bal_size i = 0; i < ENTRIES_ROWS && !bal_failed(st); i++)
        st = push_row(a, i);
    if (bal_failed(st)) {
        fprintf(stderr, "entries: %s\n", bal_error_get()->text);
        abort();
    }
    return a;
}
