/* Points that no landmark covers become landmarks, in random order.
 *
 * The uncovered points queue up by a random key of (pass, input row); in that
 * order each one that is still uncovered becomes a landmark. W are taken from
 * the front of the queue at a time: their rows are computed together, and one
 * is accepted unless a row accepted before it covers it. For that the rank that
 * holds a candidate says which of the other candidates' rows contain it, as a
 * bit mask; one reduction of W masks, and all ranks accept alike. Every
 * candidate that is not accepted is covered, so the queue ends.
 *
 * W doubles while nearly all candidates are accepted and halves when many are
 * not: it changes the rows computed in vain, never the result.
 * Reference: docs/algorithm.md, "Points no landmark covers". */
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "balans/par/agree.h"
#include "sampler_internal.h"

/* The uncovered points of this rank, in order. */
typedef struct queue {
    bal_ticket *at;
    bal_size count, next;
} queue;

static int by_key_and_row(const void *a, const void *b)
{
    return bal_ticket_order(a, b);
}

bal_ticket bal_sampler_ticket(const bal_sampler *s, bal_lidx j)
{
    bal_gidx row = s->order->row[j];

    return (bal_ticket){
        .key = bal_rng_u64(s->par->seed, s->par->pass, UINT32_MAX,
                           (uint32_t)row, (uint32_t)(row >> 32)),
        .row = row,
        .pos = s->layout->rank_first[s->comm->rank] + j,
    };
}

static bal_status line_up(const bal_sampler *s, queue *line)
{
    bal_size count = 0;

    for (bal_lidx j = 0; j < s->layout->m; j++)
        count += !bal_bits_has(&s->covered, j);
    bal_status st = bal_alloc(&line->at, count, "uncovered points");
    if (bal_failed(st))
        return st;
    for (bal_lidx j = 0; j < s->layout->m; j++)
        if (!bal_bits_has(&s->covered, j))
            line->at[line->count++] = bal_sampler_ticket(s, j);
    if (count > 0)
        qsort(line->at, (size_t)count, sizeof *line->at, by_key_and_row);
    return BAL_OK;
}

/* The first points still uncovered over all ranks, at most w.  @return how
 * many; their positions stand in s->pos on the ranks that hold them */
static int next_candidates(bal_sampler *s, queue *line, int w)
{
    bal_gidx first = s->layout->rank_first[s->comm->rank];
    int count = 0;

    while (
        line->next < line->count &&
        bal_bits_has(&s->covered, (bal_lidx)(line->at[line->next].pos - first)))
        line->next++;
    for (bal_size i = line->next; i < line->count && count < w; i++)
        if (!bal_bits_has(&s->covered, (bal_lidx)(line->at[i].pos - first)))
            s->ticket[count++] = line->at[i];
    while (count < w)
        s->ticket[count++] = BAL_TICKET_NONE;
    bal_ticket_merge(s->comm, s->ticket, w);
    for (count = 0; count < w && s->ticket[count].pos >= 0; count++) {
        bal_gidx pos = s->ticket[count].pos;
        bool here = pos >= first && pos < first + s->layout->m;
        s->pos[count] = here ? pos : -1;
    }
    return count;
}

static int by_index(const void *a, const void *b)
{
    bal_lidx x = *(const bal_lidx *)a, y = *(const bal_lidx *)b;

    return (x > y) - (x < y);
}

/* For each candidate: bit v is set if the row of candidate v covers it.
 * @return whether all ranks are well */
static bool find_hits(bal_sampler *s, int w, uint64_t *hit)
{
    bal_gidx first = s->layout->rank_first[s->comm->rank];

    memset(hit, 0, (size_t)(w + 1) * sizeof *hit);
    for (int i = 0; i < w; i++) {
        bal_gidx local = s->pos[i] - first;
        if (local < 0 || local >= s->layout->m)
            continue;
        bal_lidx j = (bal_lidx)local;
        for (int v = 0; v < i; v++)
            if (s->step[v].count > 0 &&
                bsearch(&j, s->step[v].index, (size_t)s->step[v].count,
                        sizeof j, by_index) != NULL)
                hit[i] |= (uint64_t)1 << v;
    }
    bal_wish wish = bal_sampler_wish(s);
    hit[w] = (bal_failed(s->mine) ? 1U : 0U) | (wish == BAL_SAVE ? 2U : 0U) |
             (wish == BAL_STOP ? 4U : 0U);
    bal_comm_or_u64(s->comm, hit, w + 1);
    s->saving = (hit[w] & 2) != 0;
    s->stopping = (hit[w] & 4) != 0;
    return (hit[w] & 1) == 0;
}

/* Accepts candidates in order.  @return how many */
static int accept(bal_sampler *s, int w, const uint64_t *hit, int64_t *fresh)
{
    uint64_t accepted = 0;
    int count = 0;

    for (int i = 0; i < w; i++) {
        if (!s->full && (hit[i] & accepted) == 0) {
            accepted |= (uint64_t)1 << i;
            *fresh += bal_bits_mark(&s->covered, &s->step[i]);
            bal_sampler_keep(s, &s->step[i], bal_sampler_scales(s, i));
            s->report->landmarks++;
            s->report->extended++;
            s->full = bal_sampler_is_full(s);
            count++;
        }
        bal_csr_row_finish(&s->step[i]);
    }
    return count;
}

/* Candidates to take next: at most one row in eight or so shall be in vain, and
 * none that the limit forbids. */
static int next_width(const bal_sampler *s, int w, int count, int accepted)
{
    bal_size left = s->par->max_landmarks - s->report->landmarks;

    if (8 * accepted >= 7 * count)
        w = 2 * w < s->w_most ? 2 * w : s->w_most;
    else if (4 * accepted < 3 * count && w > 1)
        w /= 2;
    return s->par->max_landmarks > 0 && left < w ? (int)left : w;
}

/* Unless a rank has lost a row it should have kept. */
static bal_verdict save_well(bal_sampler *s)
{
    bal_verdict st = bal_agree(s->comm, s->mine);

    return bal_failed(st) ? st : bal_sampler_save(s, false);
}

bal_verdict bal_sampler_extend(bal_sampler *s)
{
    bal_verdict st;
    uint64_t hit[BAL_ROWS_MOST + 1];
    int64_t fresh = 0;
    queue line = {0};
    int w = 1, count;

    BAL_TRY(bal_agree(s->comm, line_up(s, &line)));
    while (!s->full && (count = next_candidates(s, &line, w)) > 0) {
        bal_rows_compute(s->comm, s->rows, count, s->pos, s->step, &s->mine);
        s->report->rows += count;
        if (!find_hits(s, count, hit))
            break;
        int accepted = accept(s, count, hit, &fresh);
        s->report->overshoot = s->report->rows - s->report->landmarks;
        w = next_width(s, w, count, accepted);
        bal_sampler_progress(s);
        if (s->stopping)
            break;
        if (s->saving)
            BAL_TRY(save_well(s));
    }
    BAL_TRY(bal_agree(s->comm, s->mine));
    if (s->stopping)
        BAL_TRY(bal_sampler_save(s, true));
    bal_comm_sum_i64(s->comm, &fresh, 1);
    s->points += fresh;
    if (s->report->extended > 0)
        bal_sampler_note(s);
    BAL_TRY(bal_agree(s->comm, s->mine));
done:
    for (int i = 0; i < s->w_most; i++)
        bal_csr_row_finish(&s->step[i]);
    bal_free(&line.at);
    return st;
}
