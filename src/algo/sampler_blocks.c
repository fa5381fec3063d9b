/* Blocks of draws.
 *
 *     block q:  c_J = 0;  for t = 0 .. J - 1:
 *         U = points with c_J = 0
 *         draw i uniformly from U, or from all with probability ~ 1 / c_J
 *         row i of A;  c_J += row
 *     stop after M landmarks; or at the end of the first block in which the
 *     number of rows in succession that covered no point for the first time
 *     reached tau
 *
 * A block's draws depend on its own rows only, and the random number of (q, t)
 * is a function, so W blocks, a group, advance together (sampler_flight); what
 * was computed ahead of the end is dropped.
 *
 * A draw: the ranks add up what there is to draw from (points left, or the sum
 * of weights) and what the ranks below them have of it; all know from the
 * random number which item it is, and the rank in whose share it falls finds
 * the point. The order of points is that of positions, so the result does not
 * depend on how they are spread. A point drawn before needs no new row: its old
 * one is copied.
 *
 * Rows of a group are looked at in canonical order (block by block) when it is
 * complete: each rank counts the points of its own that a row covers first; one
 * reduction adds the counts up, and every rank comes to the same decision. A
 * failure of one rank travels with the draws and the counts.
 *
 * Cost: that of the rows; 32 W + 24 bytes for a draw, 8 W J for a group.
 * Reference: arXiv 2601.22331, section 2.2, Algorithms 1 and 5;
 * docs/algorithm.md. */
#include <string.h>

#include "balans/base/rng.h"
#include "balans/par/agree.h"
#include "sampler_internal.h"

/* ---- Draws ---- */

/* Draws one point for active block x: its position if it is on this rank. */
static bal_gidx draw_one(const bal_sampler *s, int x)
{
    int q = s->active[x];
    bool weighted = s->total[2 * x] == 0;
    int column = 2 * x + (weighted ? 1 : 0);
    uint64_t r =
        bal_rng_u64(s->par->seed, s->par->pass, (uint32_t)(s->block + q),
                    (uint32_t)s->started[q], 0);
    int64_t item = (int64_t)bal_rng_below(r, (uint64_t)s->total[column]) -
                   s->before[column];

    if (item < 0 || item >= s->drawn[column])
        return -1;
    bal_lidx j = weighted ? bal_cover_find_weight(&s->cover[q], item)
                          : bal_cover_find_left(&s->cover[q], item);
    return s->layout->rank_first[s->comm->rank] + j;
}

/* Draws a point for each active block.  @return whether all ranks are well,
 * none wants to stop, and the rows of the group will fit */
static bool draw(bal_sampler *s, int count)
{
    int64_t *sign = s->total + 2 * count;

    for (int x = 0; x < count; x++) {
        const bal_cover *cover = &s->cover[s->active[x]];
        s->drawn[2 * x] = cover->left;
        s->drawn[2 * x + 1] = cover->weighted ? cover->weight : 0;
    }
    memcpy(s->total, s->drawn, (size_t)(2 * count) * sizeof *s->total);
    sign[0] = bal_failed(s->mine);
    sign[1] = bal_sampler_wish(s) == BAL_STOP;
    sign[2] = bal_flight_is_crowded(s);
    bal_comm_sum_i64(s->comm, s->total, 2 * count + 3);
    s->stopping = sign[1] > 0;
    s->crowded = sign[0] + sign[1] == 0 && sign[2] > 0;
    if (sign[0] + sign[1] + sign[2] > 0)
        return false;
    bal_comm_exscan_i64(s->comm, s->drawn, 2 * count, s->before);
    for (int x = 0; x < count; x++)
        s->pos[x] = draw_one(s, x);
    return true;
}

/* Computes the rows of the points drawn that have none yet. */
static void compute_new(bal_sampler *s, int count, bal_gidx *pos)
{
    bool want[BAL_ROWS_MOST];

    bal_rows_place(s->comm, s->rows, count, pos);
    bal_flight_look_up(s, count, pos, want);
    int fresh = bal_rows_pick(s->rows, count, want, pos);
    if (fresh > 0)
        bal_rows_fill(s->comm, s->rows, fresh, pos, s->step, &s->mine);
    s->report->rows += fresh;
}

/* The next step of `count` blocks. */
static bool step(bal_sampler *s, int count)
{
    if (!draw(s, count))
        return s->crowded && bal_flight_narrow(s);
    compute_new(s, count, s->pos);
    for (int x = 0; x < count; x++)
        bal_flight_add(s, x);
    bal_flight_cover(s, count);
    bal_sampler_progress(s);
    return true;
}

/* ---- A complete group ---- */

static void copy_bits(bal_bits *to, const bal_bits *from)
{
    memcpy(to->word, from->word, (size_t)from->words * sizeof *from->word);
}

/* How many of the group's places belong to the result; sets *stop if drawing
 * ends with them. */
static bal_size judge(bal_sampler *s, bal_size places, bool *stop)
{
    bal_size j = s->par->block, drawn = s->report->landmarks;
    bool patient = s->par->landmarks > 0;

    for (bal_size i = 0; i < places; i++) {
        if (!bal_flight_is_there(s, i))
            continue;
        s->quiet = s->count[i] > 0 ? 0 : s->quiet + 1;
        *stop = *stop || (!patient && s->quiet >= s->par->patience);
        drawn += bal_flight_is_new(s, i);
        if (s->limit > 0 && drawn >= s->limit) {
            *stop = true;
            return i + 1;
        }
        if ((i + 1) % j == 0 && *stop)
            return i + 1;
    }
    return places;
}

/* Takes what the first `kept` places of the group hold into A, and drops the
 * rest. */
static void settle(bal_sampler *s, bal_size kept, bal_size places)
{
    s->news = s->looked = 0;
    for (bal_size i = 0; i < kept; i++) {
        if (!bal_flight_is_there(s, i))
            continue;
        s->points += s->count[i];
        s->looked += i >= kept / 2;
        s->news += i >= kept / 2 && s->count[i] > 0;
        if (bal_flight_is_new(s, i)) {
            s->report->landmarks++;
            bal_sampler_keep(s, &s->ahead[i], s->ahead_scale + i * s->locals);
        } else {
            s->report->repeats++;
        }
        if ((i + 1) % s->par->block == 0 || i + 1 == kept)
            bal_sampler_note(s);
    }
    bal_flight_clear(s, places);
    s->report->overshoot = s->report->rows - s->report->landmarks;
    s->full = bal_sampler_is_full(s);
}

/* The points of a part of this rank's that places 0 .. end - 1 cover first are
 * added to their counts. */
static void mark_part(bal_sampler *s, bal_size end, int part, int64_t *count)
{
    for (bal_size i = 0; i < end; i++) {
        if (!bal_flight_is_there(s, i))
            continue;
        int64_t news =
            bal_bits_mark_part(&s->covered, &s->ahead[i], part, s->threads);
        if (count == NULL)
            continue;
#pragma omp atomic
        count[i] += news;
    }
}

/* The points that places 0 .. end - 1 cover first, as far as this rank knows.
 * */
static void mark(bal_sampler *s, bal_size end, int64_t *count)
{
    if (count != NULL)
        memset(count, 0, (size_t)end * sizeof *count);
#pragma omp parallel for schedule(static, 1) num_threads(s->threads)
    for (int k = 0; k < s->threads; k++)
        mark_part(s, end, k, count);
}

/* Looks at a complete group in canonical order. */
static bool close_group(bal_sampler *s, bool *stop)
{
    bal_size places = s->width * s->par->block;

    copy_bits(&s->spare, &s->covered);
    mark(s, places, s->count);
    s->count[places] = bal_failed(s->mine);
    s->count[places + 1] = bal_sampler_wish(s) == BAL_SAVE;
    bal_comm_sum_i64(s->comm, s->count, places + 2);
    s->saving = s->count[places + 1] > 0;
    if (s->count[places] > 0)
        return false;
    bal_flight_fit(s);
    bal_size kept = judge(s, places, stop);
    if (kept < places) {
        /* Forget what the dropped rows marked. */
        copy_bits(&s->covered, &s->spare);
        mark(s, kept, NULL);
    }
    settle(s, kept, places);
    return true;
}

/* A group that takes longer than there is time is tried in halves next. */
static void drop_group(bal_sampler *s, bal_size rows_before)
{
    bal_flight_clear(s, s->width * s->par->block);
    s->report->rows = rows_before;
    s->width = s->width > 1 ? s->width / 2 : 1;
}

/* Steps of a group, until no block may go on.  @return whether all is well */
static bool run_group(bal_sampler *s)
{
    int count;
    bool well = true;

    for (int q = 0; q < s->width; q++)
        bal_cover_reset(&s->cover[q]);
    while (well && (count = bal_flight_choose(s)) > 0)
        well = step(s, count);
    return well;
}

bal_verdict bal_sampler_blocks(bal_sampler *s)
{
    bal_verdict st;
    bool stop = false;

    while (!stop) {
        bal_size rows_before = s->report->rows;
        if (!run_group(s) || !close_group(s, &stop)) {
            if (s->stopping)
                drop_group(s, rows_before);
            break;
        }
        if (s->width > s->report->in_flight)
            s->report->in_flight = s->width;
        s->block += s->width;
        s->width = bal_sampler_width(s);
        if (s->saving && !stop)
            BAL_TRY(bal_sampler_save(s, false));
    }
    BAL_TRY(bal_agree(s->comm, s->mine));
    if (s->stopping)
        BAL_TRY(bal_sampler_save(s, true));
    s->stage = BAL_SAMPLE_EXTEND;
done:
    return st;
}
