/* Blocks of draws.
 *
 *     block q:  c_J = 0;  for t = 0 .. J - 1:
 *         U = points with c_J = 0
 *         draw i uniformly from U, or from all with probability ~ 1 / c_J
 *         row i of A;  c_J += row
 *     stop at the end of the first block in which the number of rows in
 *     succession that covered no point for the first time reached tau
 *
 * A block's draws depend on its own rows only, and the random number of (q, t)
 * is a function, so W blocks advance together, one step of all at a time; what
 * was computed ahead of the end is dropped. W grows 1, 2, 4, ... : then at most
 * about as many rows are dropped as kept.
 *
 * A draw: the ranks exchange what each has to draw from (its number of points
 * left, or its sum of weights), all know from the random number which rank's
 * share it falls in, and that rank finds the point. The order of points is that
 * of positions, so the result does not depend on how they are spread.
 *
 * Rows of the group of W blocks are looked at in canonical order (block by
 * block) when it is complete: each rank counts the points of its own that a row
 * covers first; one reduction adds the counts up, and every rank comes to the
 * same decision. A failure of one rank travels with the draws and the counts.
 *
 * Cost: that of the rows; 16 W + 8 bytes a rank for a draw, 16 W J for a group.
 * Reference: arXiv 2601.22331, section 2.2, Algorithms 1 and 5;
 * docs/algorithm.md. */
#include <string.h>

#include "balans/base/rng.h"
#include "balans/par/agree.h"
#include "sampler_internal.h"

/* One rank's wish to stop, in a sum that counts failed ranks as well. */
#define STOP_UNIT (INT64_C(1) << 32)

/* The rank in whose share item number `item` of the total falls; `item` becomes
 * its number inside that share. `column` is the place in drawn_all's rows. */
static int owner_of(const bal_sampler *s, int width, int column, int64_t *item)
{
    int r = 0;

    while (*item >= s->drawn_all[(bal_size)r * width + column])
        *item -= s->drawn_all[(bal_size)r++ * width + column];
    return r;
}

static int64_t total_of(const bal_sampler *s, int width, int column)
{
    int64_t sum = 0;

    for (int r = 0; r < s->comm->size; r++)
        sum += s->drawn_all[(bal_size)r * width + column];
    return sum;
}

/* Draws one point for block q of `w`: its position if it is on this rank. */
static bal_gidx draw_one(const bal_sampler *s, int w, int q, bal_size block,
                         bal_size t)
{
    int width = 2 * w + 1;
    bool weighted = total_of(s, width, 2 * q) == 0;
    int column = 2 * q + (weighted ? 1 : 0);
    uint64_t r = bal_rng_u64(s->par->seed, s->par->pass, (uint32_t)block,
                             (uint32_t)t, 0);
    int64_t item =
        (int64_t)bal_rng_below(r, (uint64_t)total_of(s, width, column));

    if (owner_of(s, width, column, &item) != s->comm->rank)
        return -1;
    bal_lidx j = weighted ? bal_cover_find_weight(&s->cover[q], item)
                          : bal_cover_find_left(&s->cover[q], item);
    return s->layout->rank_first[s->comm->rank] + j;
}

/* Draws a point for each block in flight.  @return whether all ranks are well,
 * and none wants to stop */
static bool draw(bal_sampler *s, int w, bal_size first_block, bal_size t)
{
    int width = 2 * w + 1;

    for (int q = 0; q < w; q++) {
        s->drawn[2 * q] = s->cover[q].left;
        s->drawn[2 * q + 1] = s->cover[q].weighted ? s->cover[q].weight : 0;
    }
    s->drawn[2 * w] = bal_failed(s->mine) +
                      (bal_sampler_wish(s) == BAL_STOP) * STOP_UNIT;
    bal_comm_gather_i64(s->comm, s->drawn, width, s->drawn_all);
    int64_t signs = total_of(s, width, 2 * w);
    s->stopping = signs >= STOP_UNIT;
    if (signs > 0)
        return false;
    for (int q = 0; q < w; q++)
        s->pos[q] = draw_one(s, w, q, first_block + q, t);
    return true;
}

/* Step t of all blocks in flight. */
static bool step(bal_sampler *s, int w, bal_size first_block, bal_size t)
{
    if (!draw(s, w, first_block, t))
        return false;
    bal_rows_compute(s->comm, s->rows, w, s->pos, s->step, &s->mine);
    s->report->rows += w;
    for (int q = 0; q < w; q++) {
        bal_csr_row *rows = s->ahead + q * s->par->block;
        rows[t] = s->step[q];
        if (s->locals > 0)
            memcpy(s->ahead_scale + (q * s->par->block + t) * s->locals,
                   bal_sampler_scales(s, q),
                   (size_t)s->locals * sizeof *s->ahead_scale);
        s->step[q] = (bal_csr_row){0};
        if (!bal_failed(s->mine))
            s->mine = bal_cover_add(&s->cover[q], rows, t);
    }
    bal_sampler_progress(s);
    return true;
}

static void copy_bits(bal_bits *to, const bal_bits *from)
{
    memcpy(to->word, from->word, (size_t)from->words * sizeof *from->word);
}

/* Marks row i of the group as kept; fills in its new points and whether it is
 * a new landmark, as far as this rank knows. */
static void mark(bal_sampler *s, bal_size i, bal_size rows)
{
    const bal_csr_row *row = &s->ahead[i];
    bal_gidx j = row->landmark - s->layout->rank_first[s->comm->rank];

    s->count[i] = bal_bits_mark(&s->covered, row);
    s->count[rows + i] = 0;
    if (j >= 0 && j < s->layout->m) {
        s->count[rows + i] = !bal_bits_has(&s->landmark, (bal_lidx)j);
        bal_bits_set(&s->landmark, (bal_lidx)j);
    }
}

/* How many of the group's rows belong to the result; sets *stop if the sampler
 * ends with them. */
static bal_size judge(bal_sampler *s, int w, bool *stop)
{
    bal_size j = s->par->block, rows = w * j, limit = s->par->max_landmarks;
    bal_size drawn = s->report->landmarks;

    for (bal_size i = 0; i < rows; i++) {
        s->quiet = s->count[i] > 0 ? 0 : s->quiet + 1;
        *stop = *stop || s->quiet >= s->par->patience;
        drawn += s->count[rows + i];
        if (limit > 0 && drawn >= limit) {
            s->full = *stop = true;
            return i + 1;
        }
        if ((i + 1) % j == 0 && *stop)
            return i + 1;
    }
    return rows;
}

/* Takes the first `kept` rows of the group into A and drops the rest. */
static void settle(bal_sampler *s, bal_size kept, bal_size rows)
{
    for (bal_size i = 0; i < kept; i++) {
        s->points += s->count[i];
        if (s->count[rows + i] > 0) {
            s->report->landmarks++;
            bal_sampler_keep(s, &s->ahead[i], s->ahead_scale + i * s->locals);
        } else {
            s->report->repeats++;
            bal_csr_row_finish(&s->ahead[i]);
        }
        if ((i + 1) % s->par->block == 0 || i + 1 == kept)
            bal_sampler_note(s);
    }
    for (bal_size i = kept; i < rows; i++)
        bal_csr_row_finish(&s->ahead[i]);
    s->report->overshoot += rows - kept;
}

/* Blocks whose rows, as long as those of this group, fit the room for them on
 * this rank, at most w_most. */
static int64_t blocks_that_fit(const bal_sampler *s, bal_size rows)
{
    bal_size entries = 0;

    for (bal_size i = 0; i < rows; i++)
        entries += s->ahead[i].count;
    bal_size block = 8 * (entries / rows + BAL_LANES) * s->par->block;
    bal_size fit = bal_sampler_rows_share(s->par) / block;
    return fit < s->w_most ? fit : s->w_most;
}

/* The same on all ranks: rows may be far longer on one than on the others. */
static void fit_width(bal_sampler *s, bal_size rows)
{
    int64_t fit = blocks_that_fit(s, rows);

    bal_comm_min_i64(s->comm, &fit, 1);
    s->w_fit = (int)fit;
}

/* Looks at a complete group of w blocks in canonical order. */
static bool close_group(bal_sampler *s, int w, bool *stop)
{
    bal_size rows = w * s->par->block;

    copy_bits(&s->spare, &s->covered);
    copy_bits(&s->spare_mark, &s->landmark);
    for (bal_size i = 0; i < rows; i++)
        mark(s, i, rows);
    s->count[2 * rows] = bal_failed(s->mine);
    s->count[2 * rows + 1] = bal_sampler_wish(s) == BAL_SAVE;
    bal_comm_sum_i64(s->comm, s->count, 2 * rows + 2);
    s->saving = s->count[2 * rows + 1] > 0;
    if (s->count[2 * rows] > 0)
        return false;
    fit_width(s, rows);
    bal_size kept = judge(s, w, stop);
    if (kept < rows) {
        /* Forget what the dropped rows marked. */
        copy_bits(&s->covered, &s->spare);
        copy_bits(&s->landmark, &s->spare_mark);
        for (bal_size i = 0; i < kept; i++) {
            int64_t fresh = s->count[i], mark_new = s->count[rows + i];
            mark(s, i, rows);
            s->count[i] = fresh;
            s->count[rows + i] = mark_new;
        }
    }
    settle(s, kept, rows);
    return true;
}

/* Steps of a group of w blocks.  @return whether it is complete */
static bool run_group(bal_sampler *s, int w)
{
    bool well = true;

    for (int q = 0; q < w; q++)
        bal_cover_reset(&s->cover[q]);
    for (bal_size t = 0; t < s->par->block && well; t++)
        well = step(s, w, s->block, t);
    return well;
}

/* A group that takes longer than there is time is tried in halves next. */
static void drop_group(bal_sampler *s, int w, bal_size rows_before)
{
    for (bal_size i = 0; i < w * s->par->block; i++)
        bal_csr_row_finish(&s->ahead[i]);
    s->report->rows = rows_before;
    s->width = w > 1 ? w / 2 : 1;
}

/* Group after group of blocks, until the stopping rule holds. */
bal_verdict bal_sampler_blocks(bal_sampler *s)
{
    bal_verdict st;
    bool stop = false, well = true;

    while (!stop && well) {
        int w = s->width;
        bal_size rows_before = s->report->rows;
        well = run_group(s, w);
        if (s->stopping)
            drop_group(s, w, rows_before);
        well = well && close_group(s, w, &stop);
        if (!well)
            break;
        s->report->in_flight = w > s->report->in_flight ? w
                                                        : s->report->in_flight;
        s->block += w;
        w = 2 * w < s->w_fit ? 2 * w : s->w_fit;
        s->width = w > 1 ? w : 1;
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
