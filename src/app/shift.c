#include "shift.h"

#include <math.h>

#include "balans/base/mem.h"
#include "balans/io/report.h"
#include "balans/par/agree.h"
#include "balans/par/sum.h"

enum { PANEL = 16 }; /* coordinates at a time: a wide sum takes 72 bytes */

/* A tile belongs to one batch, so that its own sum is the same on any rank. */
static void add_tiles(const bal_tiles *z, int from, int count, bal_wide *sum)
{
    const bal_layout *l = z->layout;

    for (bal_size t = 0; t < l->tiles; t++) {
        const bal_tile *tile = &l->tile[t];
        for (int f = 0; f < count; f++) {
            const float *at = bal_tiles_block(z, t) + (from + f) * tile->ld;
            double own = 0;
            for (int j = 0; j < tile->m; j++)
                own += (double)at[j];
            bal_wide_add(&sum[tile->batch * PANEL + f], own);
        }
    }
}

static bal_verdict find_means(bal_comm *c, const bal_points *points,
                              double *mean)
{
    const bal_layout *l = points->order->layout;
    int p = points->z->p;
    bal_wide *sum = NULL;
    bal_verdict st;

    BAL_TRY(bal_agree(
        c, bal_alloc(&sum, l->batches * PANEL, "the means of the batches")));
    for (int from = 0; from < p; from += PANEL) {
        int count = p - from < PANEL ? p - from : PANEL;
        for (bal_size i = 0; i < l->batches * PANEL; i++)
            sum[i] = (bal_wide){{0}};
        add_tiles(points->z, from, count, sum);
        bal_wide_reduce(c, sum, l->batches * PANEL);
        for (bal_size b = 0; b < l->batches; b++)
            for (int f = 0; f < count; f++)
                mean[b * p + from + f] =
                    bal_wide_value(&sum[b * PANEL + f]) /
                    (double)(l->batch_first[b + 1] - l->batch_first[b]);
    }
done:
    bal_free(&sum);
    return st;
}

bal_verdict bal_shift_begin(bal_comm *c, const bal_points *points, bal_shift *s)
{
    bal_size batches = points->order->layout->batches;
    bal_status mine;
    bal_verdict st = bal_agree(c, BAL_OK);

    if (batches > BAL_TOLD_BATCHES)
        return st;
    s->batches = batches;
    mine = bal_alloc(&s->before, batches * points->z->p,
                     "the means of the batches");
    if (!bal_failed(mine))
        mine = bal_alloc(&s->length, batches, "the shifts of the batches");
    BAL_TRY(bal_agree(c, mine));
    BAL_TRY(find_means(c, points, s->before));
done:
    return st;
}

bal_verdict bal_shift_end(bal_comm *c, bal_points *points, bal_shift *s)
{
    int p = points->z->p, column = points->column;
    double *after = NULL;
    bal_verdict st = bal_agree(c, BAL_OK);

    if (s->batches == 0)
        return st;
    BAL_TRY(bal_points_turn(c, points, 0));
    BAL_TRY(bal_agree(
        c, bal_alloc(&after, s->batches * p, "the means of the batches")));
    BAL_TRY(find_means(c, points, after));
    for (bal_size b = 0; b < s->batches; b++) {
        double d2 = 0;
        for (bal_size i = b * p; i < (b + 1) * p; i++)
            d2 += (after[i] - s->before[i]) * (after[i] - s->before[i]);
        s->length[b] = sqrt(d2);
    }
    BAL_TRY(bal_points_turn(c, points, column));
done:
    bal_free(&after);
    return st;
}

json_t *bal_shift_report(const bal_points *points, const bal_shift *s)
{
    const bal_labels *l = points->orders[0]->labels;

    if (s->batches == 0)
        return json_object();
    return json_pack("{s:o, s:o}", "batches",
                     bal_report_texts(l->name, l->count), "length",
                     bal_report_reals(s->length, s->batches));
}

void bal_shift_finish(bal_shift *s)
{
    bal_free(&s->before);
    bal_free(&s->length);
    s->batches = 0;
}
