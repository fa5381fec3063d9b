/* The adaptive sampler: its work space, the landmarks it has kept so far, and
 * the order of its stages - blocks of draws (sampler_blocks), then what is left
 * (sampler_extend).
 * Reference: arXiv 2601.22331, section 2.2, Algorithms 1 and 5;
 * docs/algorithm.md. */
#include "balans/algo/sampler.h"

#include <math.h>
#include <string.h>

#include "balans/base/fault.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/par/agree.h"
#include "sampler_internal.h"

static bal_size batches_here(const bal_layout *l)
{
    return l->tiles > 0 ? l->tile[l->tiles - 1].batch - l->tile[0].batch + 1
                        : 0;
}

bal_size bal_sample_memory(const bal_layout *l, int p,
                           const bal_row_params *rows,
                           const bal_sample_params *par, int w)
{
    bal_size bits = ((bal_size)l->m + 63) / 64 * 8;
    bal_size block = bits + 4 * (bal_size)l->m + 8 * l->tiles +
                     par->block * (bal_size)(sizeof(bal_csr_row) + 8) + 64;

    if (par->scales)
        block += 4 * par->block * batches_here(l);
    return bal_rows_memory(l, p, rows, w) + w * block + 3 * bits +
           bal_places_memory(w * par->block);
}

/* The largest W whose work space fits on this rank; and rows that fit, were
 * they to hold all its points. */
static bal_status choose_width(const bal_tiles *z, const bal_row_params *rows,
                               const bal_sample_params *par, int64_t *out)
{
    char need[32], have[32];
    int w = par->most_in_flight;

    if (w < 1 || w > BAL_ROWS_MOST)
        w = BAL_ROWS_MOST;
    while (w > 0 && bal_sample_memory(z->layout, z->p, rows, par, w) >
                        par->memory - bal_sampler_rows_share(par))
        w--;
    bal_size longest = 8 * ((bal_size)z->layout->m + BAL_LANES);
    out[0] = w;
    out[1] = bal_sampler_rows_share(par) / longest;
    if (w > 0)
        return BAL_OK;
    bal_size least = bal_sample_memory(z->layout, z->p, rows, par, 1);
    return BAL_FAIL(BAL_EUSAGE,
                    "cannot sample within --memory-per-rank %s; one landmark "
                    "at a time needs %s on a rank with %d points",
                    bal_bytes(have, sizeof have, par->memory),
                    bal_bytes(need, sizeof need, least), z->layout->m);
}

static bal_status make_room(bal_sampler *s, const bal_tiles *z,
                            const bal_row_params *rows)
{
    bal_status st;
    bal_size w = s->w_most, rows_ahead = w * s->par->block;
    bal_lidx m = s->layout->m;

    BAL_TRY(bal_rows_create(z, rows, s->w_most, &s->rows));
    BAL_TRY(bal_alloc(&s->cover, w, "coverage"));
    for (bal_size q = 0; q < w; q++)
        BAL_TRY(bal_cover_create(&s->cover[q], s->layout));
    BAL_TRY(bal_alloc(&s->ahead, rows_ahead, "rows in flight"));
    BAL_TRY(bal_alloc(&s->step, w, "rows in flight"));
    if (s->par->scales)
        (void)bal_rows_scales(s->rows, 0, &s->first_local, &s->locals);
    BAL_TRY(bal_alloc(&s->ahead_scale, rows_ahead * s->locals, "scales"));
    BAL_TRY(bal_alloc(&s->started, w, "rows in flight"));
    BAL_TRY(bal_alloc(&s->again, w, "rows in flight"));
    BAL_TRY(bal_places_create(&s->flying, rows_ahead));
    BAL_TRY(bal_places_create(&s->kept, 0));
    BAL_TRY(bal_alloc(&s->drawn, 2 * w, "draws"));
    BAL_TRY(bal_alloc(&s->before, 2 * w, "draws"));
    BAL_TRY(bal_alloc(&s->total, 2 * w + 3, "draws"));
    BAL_TRY(bal_alloc(&s->count, rows_ahead + 2, "counts"));
    BAL_TRY(bal_alloc(&s->pos, w, "draws"));
    BAL_TRY(bal_alloc(&s->ticket, w, "draws"));
    BAL_TRY(bal_bits_create(&s->covered, m));
    BAL_TRY(bal_bits_create(&s->landmark, m));
    BAL_TRY(bal_bits_create(&s->spare, m));
    BAL_TRY(bal_csr_create(s->layout, &s->a));
done:
    return st;
}

static void finish(bal_sampler *s)
{
    bal_size rows = s->w_most * s->par->block;

    for (int q = 0; s->cover != NULL && q < s->w_most; q++)
        bal_cover_finish(&s->cover[q]);
    for (bal_size i = 0; s->ahead != NULL && i < rows; i++)
        bal_csr_row_finish(&s->ahead[i]);
    bal_rows_destroy(&s->rows);
    bal_free(&s->cover);
    bal_free(&s->ahead);
    bal_free(&s->step);
    bal_free(&s->ahead_scale);
    bal_free(&s->scale);
    bal_free(&s->started);
    bal_free(&s->again);
    bal_places_finish(&s->flying);
    bal_places_finish(&s->kept);
    bal_free(&s->drawn);
    bal_free(&s->before);
    bal_free(&s->total);
    bal_free(&s->count);
    bal_free(&s->pos);
    bal_free(&s->ticket);
    bal_bits_finish(&s->covered);
    bal_bits_finish(&s->landmark);
    bal_bits_finish(&s->spare);
    bal_csr_destroy(&s->a);
}

/* Adds the scales of the landmark that comes next. */
static bal_status keep_scales(bal_sampler *s, const float *scale)
{
    bal_status st = BAL_OK;

    if (s->a->m == s->scale_room) {
        bal_size room = 2 * s->scale_room + 64;
        BAL_TRY(bal_resize(&s->scale, room * s->locals, "the scales"));
        s->scale_room = room;
    }
    memcpy(s->scale + s->a->m * s->locals, scale,
           (size_t)s->locals * sizeof *scale);
done:
    return st;
}

void bal_sampler_keep(bal_sampler *s, bal_csr_row *row, const float *scale)
{
    bal_gidx j = row->landmark - s->layout->rank_first[s->comm->rank];

    if (j >= 0 && j < s->layout->m)
        bal_bits_set(&s->landmark, (bal_lidx)j);
    if (!bal_failed(s->mine) && s->locals > 0)
        s->mine = keep_scales(s, scale);
    if (!bal_failed(s->mine))
        s->mine = bal_places_set(&s->kept, row->landmark, s->a->m);
    if (!bal_failed(s->mine))
        s->mine = bal_csr_push(s->a, row);
    bal_csr_row_finish(row);
}

void bal_sampler_note(bal_sampler *s)
{
    bal_sample_report *r = s->report;
    bal_size room = r->curve_count;

    if (bal_failed(s->mine))
        return;
    if ((room & (room - 1)) == 0) { /* full at powers of two: double */
        s->mine = bal_resize(&r->curve_landmarks, 2 * room + 1, "the report");
        if (!bal_failed(s->mine))
            s->mine = bal_resize(&r->curve_covered, 2 * room + 1, "the report");
        if (bal_failed(s->mine))
            return;
    }
    r->curve_landmarks[room] = r->landmarks;
    r->curve_covered[room] = s->points;
    r->curve_count++;
}

/* How far the sampling is: towards the number of landmarks where one is wanted,
 * else by coverage, as each landmark covers about one share of what is left. */
static double share_done(const bal_sampler *s)
{
    double n = (double)s->layout->n, left = n - (double)s->points;
    double drawn =
        s->limit > 0 ? (double)s->report->landmarks / (double)s->limit : 0;

    if (s->par->landmarks > 0)
        return drawn;
    return left > 1 ? fmax(drawn, 1 - log(left) / log(n)) : 1;
}

void bal_sampler_progress(const bal_sampler *s)
{
    double n = (double)s->layout->n, left = n - (double)s->points;

    bal_progress_share(share_done(s));
    bal_progress("%lld rows, %.1f %% covered, %lld landmarks",
                 (long long)s->report->rows, 100 - 100 * left / n,
                 (long long)s->report->landmarks);
}

/* Batches in which a landmark finds fewer than k other points. */
static bal_size count_small(const bal_layout *l, bal_neighbors neighbors)
{
    bal_size small = 0;

    for (bal_size b = 0; b < l->batches; b++) {
        bal_size size = l->batch_first[b + 1] - l->batch_first[b];
        small += size - 1 < bal_neighbors_in(neighbors, size);
    }
    return small;
}

/* Whether all points are landmarks: where they are hardly more than wanted. */
static bool takes_all(const bal_sampler *s)
{
    bal_size n = s->layout->n, most = s->par->max_landmarks;

    return s->par->landmarks > 0 && 2 * n <= 3 * s->limit &&
           (most == 0 || n <= most);
}

/* Those that are not drawn by coverage. */
static bal_verdict add_landmarks(bal_sampler *s)
{
    if (s->par->landmarks > 0)
        return bal_sampler_fill(s);
    if (s->par->uncovered == BAL_EXTEND)
        return bal_sampler_extend(s);
    return bal_agree(s->comm, BAL_OK);
}

/* Landmarks at which drawing ends, 0 = none. */
static bal_size limit_of(const bal_sample_params *par)
{
    bal_size wanted = par->landmarks, most = par->max_landmarks;

    return wanted == 0 || (most > 0 && most < wanted) ? most : wanted;
}

static bal_verdict run(bal_sampler *s)
{
    bal_verdict st;
    bool fresh = s->stage != BAL_SAMPLE_DONE;

    if (s->stage == BAL_SAMPLE_BLOCKS)
        BAL_TRY(takes_all(s) ? bal_sampler_all(s) : bal_sampler_blocks(s));
    if (s->stage == BAL_SAMPLE_EXTEND && !s->full)
        BAL_TRY(add_landmarks(s));
    s->stage = BAL_SAMPLE_DONE;
    int64_t sum[] = {bal_csr_entries(s->a), bal_sampler_wish(s) == BAL_STOP};
    bal_comm_sum_i64(s->comm, sum, 2);
    s->report->entries = sum[0];
    s->report->uncovered = s->layout->n - s->points;
    bal_progress_end();
    BAL_TRY(bal_agree(s->comm, s->mine));
    if (s->par->hook != NULL && (fresh || sum[1] > 0))
        BAL_TRY(bal_sampler_save(s, sum[1] > 0));
    st = bal_sampler_collect_scales(s, &s->report->scale);
done:
    return st;
}

bal_verdict bal_sample(bal_comm *c, const bal_tiles *z, const bal_order *order,
                       const bal_row_params *rows, const bal_sample_params *par,
                       bal_csr **a, bal_sample_report *report)
{
    bal_verdict st;
    bal_status mine;
    int64_t w[2];
    bal_sampler s = {
        .comm = c,
        .layout = z->layout,
        .order = order,
        .par = par,
        .report = report,
        .limit = limit_of(par),
        .threads = rows->threads,
    };

    *a = NULL;
    *report = (bal_sample_report){
        .small_batches = count_small(z->layout, rows->neighbors),
    };
    mine = bal_fault("sample");
    if (!bal_failed(mine))
        mine = choose_width(z, rows, par, w);
    BAL_TRY(bal_agree(c, mine));
    bal_comm_min_i64(c, w, 2);
    s.w_most = s.w_fit = (int)w[0];
    s.first_most = w[1] < 1 ? 1 : w[1] < w[0] ? (int)w[1] : s.w_most;
    s.width = bal_sampler_width(&s);
    BAL_TRY(bal_agree(c, make_room(&s, z, rows)));
    BAL_TRY(bal_sampler_restore(&s));
    BAL_TRY(run(&s));
    *a = s.a;
    s.a = NULL;
done:
    if (bal_failed(st))
        bal_sample_report_finish(report);
    finish(&s);
    bal_mem_trim();
    return st;
}
