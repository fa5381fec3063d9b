#include "moves.h"

#include <math.h>
#include <stdlib.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/select.h"

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

bal_status bal_moves_scale(const bal_layout *l, const bal_landmarks *k,
                           double *out)
{
    float *own = NULL;
    bal_size count = 0;
    bal_status st = bal_alloc(&own, k->m, "the landmarks' scales");

    if (bal_failed(st))
        return st;
    for (bal_size i = 0; i < k->m; i++) {
        bal_size a = bal_layout_batch(l, k->position[i]);
        float s2 = k->report.scale[i * l->batches + a];
        if (s2 >= 0)
            own[count++] = s2;
    }
    if (count > 0)
        qsort(own, (size_t)count, sizeof *own, by_value);
    *out = count > 0 ? sqrt((double)own[(count - 1) / 2]) : -1;
    bal_free(&own);
    return BAL_OK;
}

bal_verdict bal_moves_median(bal_comm *c, const bal_layout *l,
                             const double *move2, double *out)
{
    float *value = NULL;
    bal_verdict st;

    BAL_TRY(bal_agree(c, bal_alloc(&value, l->m, "the points' moves")));
    for (bal_lidx j = 0; j < l->m; j++)
        value[j] = (float)move2[j];
    *out = sqrt((double)bal_select_all(c, value, l->m, (l->n - 1) / 2 + 1));
done:
    bal_free(&value);
    return st;
}
