/* Landmarks that are not drawn by coverage: all points where they are few, and
 * the missing ones of batches that have few.
 *
 * The points of such batches queue up by the random key of (pass, input row),
 * as in the extension; in that order each becomes a landmark while its batch
 * has less than min(BAL_FEW, its size). Each rank lines up the first of each of
 * its batches only, at most as many as are missing; the queues of all ranks are
 * merged W tickets at a time, and all ranks count alike. Reference:
 * docs/algorithm.md, "Landmarks". */
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "sampler_internal.h"

/* Computes the rows of `w` new landmarks at s->pos and keeps them.  @return
 * whether to go on */
static bool take_rows(bal_sampler *s, int w)
{
    int64_t sum[4] = {0};

    bal_rows_compute(s->comm, s->rows, w, s->pos, s->step, &s->mine);
    s->report->rows += w;
    for (int i = 0; i < w; i++) {
        sum[0] += bal_bits_mark(&s->covered, &s->step[i]);
        bal_sampler_keep(s, &s->step[i], bal_sampler_scales(s, i));
    }
    sum[1] = bal_failed(s->mine);
    sum[2] = bal_sampler_wish(s) == BAL_STOP;
    sum[3] = bal_sampler_wish(s) == BAL_SAVE;
    bal_comm_sum_i64(s->comm, sum, 4);
    s->points += sum[0];
    s->report->landmarks += w;
    s->full = bal_sampler_is_full(s);
    s->stopping = sum[2] > 0;
    s->saving = sum[3] > 0;
    bal_sampler_note(s);
    bal_sampler_progress(s);
    return sum[1] == 0 && !s->stopping;
}

/* What follows rows that were taken. */
static bal_verdict settle(bal_sampler *s)
{
    bal_verdict st = bal_agree(s->comm, s->mine);

    if (bal_failed(st))
        return st;
    if (s->stopping || s->saving)
        return bal_sampler_save(s, s->stopping);
    return st;
}

bal_verdict bal_sampler_all(bal_sampler *s)
{
    bal_verdict st;
    bal_gidx first = s->layout->rank_first[s->comm->rank], at;
    bool well = true;

    while (well && (at = s->report->landmarks) < s->layout->n) {
        bal_size left = s->layout->n - at;
        int w = left < s->w_most ? (int)left : s->w_most;
        for (int i = 0; i < w; i++) {
            bool here = at + i >= first && at + i < first + s->layout->m;
            s->pos[i] = here ? at + i : -1;
        }
        well = take_rows(s, w);
        s->report->in_flight =
            w > s->report->in_flight ? w : s->report->in_flight;
        if (s->stopping || s->saving)
            BAL_TRY(settle(s));
    }
    BAL_TRY(bal_agree(s->comm, s->mine));
    s->stage = BAL_SAMPLE_EXTEND;
done:
    return st;
}

/* ---- Batches with few ---- */

typedef struct lack {
    int8_t *missing;  /* [batches] landmarks a batch still lacks */
    bal_ticket *line; /* this rank's queue */
    bal_size count;
} lack;

static bal_size least(const bal_layout *l, bal_size b)
{
    bal_size size = l->batch_first[b + 1] - l->batch_first[b];

    return size < BAL_FEW ? size : BAL_FEW;
}

static bal_status count_missing(const bal_sampler *s, lack *k)
{
    const bal_layout *l = s->layout;
    bal_status st = bal_alloc(&k->missing, l->batches, "the batches");

    if (bal_failed(st))
        return st;
    for (bal_size b = 0; b < l->batches; b++)
        k->missing[b] = (int8_t)least(l, b);
    for (bal_size i = 0; i < s->a->m; i++) {
        bal_size b = bal_layout_batch(l, s->a->row[i].landmark);
        k->missing[b] = (int8_t)(k->missing[b] - (k->missing[b] > 0));
    }
    return BAL_OK;
}

/* Puts a ticket into a queue of at most `most`, of which there are `count`.
 * @return how many there are now */
static int insert(bal_ticket *line, int count, int most, bal_ticket ticket)
{
    int at = count;

    if (count == most && bal_ticket_order(&ticket, &line[count - 1]) > 0)
        return count;
    count = count < most ? count + 1 : most;
    for (at = count - 1; at > 0 && bal_ticket_order(&ticket, &line[at - 1]) < 0;
         at--)
        line[at] = line[at - 1];
    line[at] = ticket;
    return count;
}

/* Queues the first points of batch b that are no landmarks, of those from local
 * point j on.  @return the local point after the batch */
static bal_lidx queue_batch(const bal_sampler *s, lack *k, bal_size b,
                            bal_lidx j)
{
    bal_gidx first = s->layout->rank_first[s->comm->rank];
    bal_gidx end = s->layout->batch_first[b + 1] - first;
    bal_ticket *line = k->line + k->count;
    int count = 0, most = k->missing[b];

    end = end < s->layout->m ? end : s->layout->m;
    for (; j < end && most > 0; j++)
        if (!bal_bits_has(&s->landmark, j))
            count = insert(line, count, most, bal_sampler_ticket(s, j));
    k->count += count;
    return (bal_lidx)end;
}

static int by_order(const void *a, const void *b)
{
    return bal_ticket_order(a, b);
}

static bal_status line_up(const bal_sampler *s, lack *k)
{
    bal_status st;
    const bal_layout *l = s->layout;
    bal_size room = 0;
    bal_lidx j = 0;

    BAL_TRY(count_missing(s, k));
    for (bal_size b = 0; b < l->batches; b++)
        room += k->missing[b];
    BAL_TRY(bal_alloc(&k->line, room, "the batches"));
    while (j < l->m)
        j = queue_batch(s, k, l->tile[bal_layout_tile(l, j)].batch, j);
    if (k->count > 0)
        qsort(k->line, (size_t)k->count, sizeof *k->line, by_order);
done:
    return st;
}

/* The next points to become landmarks, at most w; their positions go to s->pos.
 * @return how many, -1 if there are none left */
static int next_points(bal_sampler *s, lack *k, int w)
{
    bal_gidx first = s->layout->rank_first[s->comm->rank];
    bal_size left = 0;
    int count = 0, i;

    for (bal_size e = 0; e < k->count; e++)
        if (k->missing[bal_layout_batch(s->layout, k->line[e].pos)] > 0)
            k->line[left++] = k->line[e];
    k->count = left;
    for (i = 0; i < w; i++)
        s->ticket[i] = i < left ? k->line[i] : BAL_TICKET_NONE;
    bal_ticket_merge(s->comm, s->ticket, w);
    for (i = 0; i < w && s->ticket[i].pos >= 0; i++) {
        bal_gidx pos = s->ticket[i].pos;
        bool here = pos >= first && pos < first + s->layout->m;
        int8_t *missing = &k->missing[bal_layout_batch(s->layout, pos)];
        if (here) {
            k->count--;
            memmove(k->line, k->line + 1, (size_t)k->count * sizeof *k->line);
        }
        if (*missing == 0)
            continue;
        --*missing;
        s->pos[count++] = here ? pos : -1;
    }
    return i > 0 ? count : -1;
}

bal_verdict bal_sampler_fill(bal_sampler *s)
{
    enum { MOST = 4000 }; /* landmarks that batches may get so */
    bal_verdict st;
    lack k = {0};
    bool well = true;
    int count = 0;

    if (BAL_FEW * s->layout->batches > MOST)
        return bal_agree(s->comm, BAL_OK);
    BAL_TRY(bal_agree(s->comm, line_up(s, &k)));
    while (well && !s->full) {
        bal_size room = s->par->max_landmarks - s->report->landmarks;
        int w = s->par->max_landmarks > 0 && room < s->w_most ? (int)room
                                                              : s->w_most;
        count = next_points(s, &k, w);
        if (count < 0)
            break;
        if (count == 0)
            continue;
        s->report->filled += count;
        well = take_rows(s, count);
        if (s->stopping || s->saving)
            BAL_TRY(settle(s));
    }
    BAL_TRY(bal_agree(s->comm, s->mine));
done:
    bal_free(&k.missing);
    bal_free(&k.line);
    return st;
}
