/* What the sampler tells and takes over when it is stopped and goes on. */
#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "sampler_internal.h"

void bal_sample_report_finish(bal_sample_report *r)
{
    bal_free(&r->curve_landmarks);
    bal_free(&r->curve_covered);
}

void bal_sample_state_finish(bal_sample_state *s)
{
    bal_csr_destroy(&s->a);
    bal_sample_report_finish(&s->report);
}

bal_wish bal_sampler_wish(const bal_sampler *s)
{
    const bal_sample_hook *hook = s->par->hook;

    return hook != NULL ? hook->wish(hook->arg) : BAL_GO_ON;
}

bal_verdict bal_sampler_save(bal_sampler *s, bool stop)
{
    bal_sample_state state = {
        .stage = s->stage,
        .block = s->block,
        .width = s->width,
        .quiet = s->quiet,
        .full = s->full,
        .a = s->a,
        .report = *s->report,
    };

    return s->par->hook->save(s->par->hook->arg, &state, stop);
}

/* Marks the points that the rows cover and that are landmarks.  @return how
 * many of this rank's are covered */
static bal_size mark_rows(bal_sampler *s)
{
    bal_size points = 0;
    bal_gidx first = s->layout->rank_first[s->comm->rank];

    for (bal_size i = 0; i < s->a->m; i++) {
        bal_gidx j = s->a->row[i].landmark - first;
        points += bal_bits_mark(&s->covered, &s->a->row[i]);
        if (j >= 0 && j < s->layout->m)
            bal_bits_set(&s->landmark, (bal_lidx)j);
    }
    return points;
}

bal_verdict bal_sampler_restore(bal_sampler *s)
{
    bal_sample_state *from = s->par->hook != NULL ? s->par->hook->from : NULL;
    bal_size small = s->report->small_batches;

    if (from == NULL)
        return bal_agree(s->comm, BAL_OK);
    bal_csr_destroy(&s->a);
    s->a = from->a;
    *s->report = from->report;
    s->report->small_batches = small;
    s->stage = from->stage;
    s->block = from->block;
    s->quiet = from->quiet;
    s->full = from->full;
    s->width = (int)(from->width < s->w_most ? from->width : s->w_most);
    *from = (bal_sample_state){.stage = from->stage};
    s->points = mark_rows(s);
    bal_comm_sum_i64(s->comm, &s->points, 1);
    return bal_agree(s->comm, BAL_OK);
}
