/* What the sampler tells and takes over when it is stopped and goes on. */
#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "sampler_internal.h"

void bal_sample_report_finish(bal_sample_report *r)
{
    bal_free(&r->curve_landmarks);
    bal_free(&r->curve_covered);
    bal_free(&r->scale);
}

void bal_sample_state_finish(bal_sample_state *s)
{
    bal_csr_destroy(&s->a);
    bal_sample_report_finish(&s->report);
}

const float *bal_sampler_scales(const bal_sampler *s, int i)
{
    bal_size first, count;

    return bal_rows_scales(s->rows, i, &first, &count);
}

/* A rank knows the scales in its own batches; those that know one agree on it,
 * and no scale is below -1. */
bal_verdict bal_sampler_collect_scales(bal_sampler *s, float **out)
{
    bal_verdict st;
    bal_size m = s->a->m, batches = s->layout->batches;
    bal_status mine = s->mine;

    *out = NULL;
    if (!s->par->scales)
        return bal_agree(s->comm, BAL_OK);
    if (!bal_failed(mine))
        mine = bal_alloc(out, m * batches, "the scales");
    BAL_TRY(bal_agree(s->comm, mine));
    for (bal_size e = 0; e < m * batches; e++)
        (*out)[e] = -1.0f;
    for (bal_size i = 0; i < m && s->locals > 0; i++)
        memcpy(*out + i * batches + s->first_local, s->scale + i * s->locals,
               (size_t)s->locals * sizeof **out);
    bal_comm_max_f32(s->comm, *out, m * batches);
done:
    return st;
}

/* Takes over what this rank needs of the scales of a state. */
static bal_status take_scales(bal_sampler *s, const float *from)
{
    bal_size batches = s->layout->batches;
    bal_status st = BAL_OK;

    if (s->locals == 0)
        return st;
    BAL_TRY(bal_resize(&s->scale, s->a->m * s->locals, "the scales"));
    s->scale_room = s->a->m;
    for (bal_size i = 0; i < s->a->m; i++)
        memcpy(s->scale + i * s->locals, from + i * batches + s->first_local,
               (size_t)s->locals * sizeof *s->scale);
done:
    return st;
}

bal_wish bal_sampler_wish(const bal_sampler *s)
{
    const bal_sample_hook *hook = s->par->hook;

    return hook != NULL ? hook->wish(hook->arg) : BAL_GO_ON;
}

bal_verdict bal_sampler_save(bal_sampler *s, bool stop)
{
    bal_verdict st;
    bal_sample_state state = {
        .stage = s->stage,
        .block = s->block,
        .width = s->width,
        .quiet = s->quiet,
        .full = s->full,
        .a = s->a,
        .report = *s->report,
    };

    BAL_TRY(bal_sampler_collect_scales(s, &state.report.scale));
    st = s->par->hook->save(s->par->hook->arg, &state, stop);
done:
    bal_free(&state.report.scale);
    return st;
}

/* Marks the points that the rows cover and that are landmarks, and where their
 * rows are.  @return how
 * many of this rank's are covered */
static bal_size mark_rows(bal_sampler *s, bal_status *mine)
{
    bal_size points = 0;
    bal_gidx first = s->layout->rank_first[s->comm->rank];

    for (bal_size i = 0; i < s->a->m; i++) {
        bal_gidx j = s->a->row[i].landmark - first;
        points += bal_bits_mark(&s->covered, &s->a->row[i]);
        if (j >= 0 && j < s->layout->m)
            bal_bits_set(&s->landmark, (bal_lidx)j);
        if (!bal_failed(*mine))
            *mine = bal_places_set(&s->kept, s->a->row[i].landmark, i);
    }
    return points;
}

bal_verdict bal_sampler_restore(bal_sampler *s)
{
    bal_sample_state *from = s->par->hook != NULL ? s->par->hook->from : NULL;
    bal_size small = s->report->small_batches;
    bal_status mine;

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
    mine = take_scales(s, s->report->scale);
    bal_free(&s->report->scale);
    s->points = mark_rows(s, &mine);
    bal_comm_sum_i64(s->comm, &s->points, 1);
    return bal_agree(s->comm, mine);
}
