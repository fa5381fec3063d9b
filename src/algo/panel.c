/* Sums over points: in double within a tile, exact across tiles (par/sum), with
 * bounds (most entries of a row) max|x_f|. The weight is one more column. Both
 * ways visit the entries of a row tile by tile, in order. */
#include "panel.h"

#include <math.h>
#include <string.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/kernel/spmm.h"
#include "balans/par/agree.h"

/* Features in a panel: what landmarks give is gone through once for each tile
 * and should stay in a cache, but the index of an entry serve many features. */
enum { PANEL_MOST = 64 };

static bal_size choose_room(const bal_panel *p, bal_size memory, bal_size extra)
{
    bal_size m = p->a->m, d = p->x->d, threads = p->threads;
    bal_size each = 24 * m + 8 * threads * (BAL_TILE + 1) + 40 + extra;
    bal_size most = (memory - 8 * threads * m) / each - 2;

    most = most < PANEL_MOST ? most : PANEL_MOST;
    most = most < d ? most : d;
    return most > 1 ? most : 1;
}

static bal_status allot(bal_panel *p)
{
    bal_status st;
    bal_size m = p->a->m, wide = p->room + 1, threads = p->threads;

    BAL_TRY(bal_alloc(&p->most, p->room, "the correction"));
    BAL_TRY(bal_alloc(&p->scale, wide, "the correction"));
    BAL_TRY(bal_alloc(&p->up, wide, "the correction"));
    BAL_TRY(bal_alloc(&p->sum, 2 * m * wide, "the consensus of the landmarks"));
    BAL_TRY(bal_alloc(&p->mu, m * wide, "the consensus of the landmarks"));
    BAL_TRY(bal_alloc(&p->partial, threads * (wide + 1), "the correction"));
    BAL_TRY(bal_alloc(&p->point, threads * BAL_TILE * (wide + 1),
                      "the correction"));
    BAL_TRY(bal_alloc(&p->cursor, threads * m, "the correction"));
done:
    return st;
}

void bal_panel_finish(bal_panel *p)
{
    bal_watch_grant(0);
    bal_free(&p->most);
    bal_free(&p->scale);
    bal_free(&p->up);
    bal_free(&p->sum);
    bal_free(&p->mu);
    bal_free(&p->partial);
    bal_free(&p->point);
    bal_free(&p->cursor);
}

static bal_verdict longest_row(bal_comm *c, const bal_csr *a, int64_t *out)
{
    bal_verdict st;
    int64_t *size = NULL;

    *out = 0;
    BAL_TRY(bal_agree(c, bal_alloc(&size, a->m, "the correction")));
    bal_csr_row_sizes(c, a, size);
    for (bal_size l = 0; l < a->m; l++)
        *out = size[l] > *out ? size[l] : *out;
done:
    bal_free(&size);
    return st;
}

bal_verdict bal_panel_init(bal_comm *c, const bal_csr *a, bal_shard *x,
                           bal_size memory, bal_size extra, int threads,
                           bal_panel *p)
{
    bal_verdict st;
    bal_status mine;

    *p = (bal_panel){
        .comm = c,
        .a = a,
        .layout = a->layout,
        .x = x,
        .threads = threads > 0 ? threads : 1,
    };
    BAL_TRY(longest_row(c, a, &p->longest));
    p->room = choose_room(p, memory, extra);
    bal_comm_min_i64(c, &p->room, 1);
    mine = bal_fault("correct");
    if (!bal_failed(mine))
        mine = allot(p);
    BAL_TRY(bal_agree(c, mine));
    /* Ranks wait for the one with the most entries. */
    int64_t most = bal_csr_entries(a);
    bal_comm_max_i64(c, &most, 1);
    bal_watch_grant(6 * (double)most * (double)p->room / p->threads);
done:
    return st;
}

/* The first entry of a row whose point is at or after j. */
static bal_size entry_at(const bal_csr_row *row, bal_lidx j)
{
    bal_size low = 0, high = row->count;

    while (low < high) {
        bal_size middle = low + (high - low) / 2;
        if (row->index[middle] < j)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The local index at which tile t starts; one past the end for the last. */
static bal_lidx tile_start(const bal_layout *l, bal_size t)
{
    return t < l->tiles ? l->tile[t].first : l->m;
}

static void choose_scales(bal_panel *p)
{
    const bal_shard *x = p->x;

    for (bal_size f = 0; f < p->count; f++)
        p->most[f] = 0;
    for (bal_lidx j = 0; j < x->m; j++) {
        if (j % BAL_TILE == 0)
            bal_alive();
        const float *row = x->at + (bal_size)j * x->d + p->first;
        for (bal_size f = 0; f < p->count; f++)
            p->most[f] = fmaxf(p->most[f], fabsf(row[f]));
    }
    bal_comm_max_f32(p->comm, p->most, p->count);
    for (bal_size f = 0; f < p->count; f++)
        p->scale[f] = bal_scale_for((double)p->longest * (double)p->most[f],
                                    p->layout->all_tiles);
    p->scale[p->count] =
        bal_scale_for((double)p->longest, p->layout->all_tiles);
    for (bal_size f = 0; f < p->width; f++)
        p->up[f] = p->scale[f].up_hi;
}

static int64_t *limbs(const bal_panel *p, bal_size l)
{
    return p->sum + 2 * l * p->width;
}

double bal_panel_total(const bal_panel *p, bal_size l, bal_size f)
{
    const int64_t *sum = limbs(p, l);

    return bal_fixed_value((bal_fixed){sum[f], sum[p->width + f]},
                           &p->scale[f]);
}

/* Asks for the next entries of a row some rows ahead: each row's entries lie
 * elsewhere, and waiting for them would take longer than the work. */
static inline void prefetch_ahead(const bal_panel *p, bal_size l,
                                  const bal_size *cursor)
{
    enum { AHEAD = 12 };

    if (l + AHEAD < p->a->m) {
        const bal_csr_row *row = &p->a->row[l + AHEAD];
        __builtin_prefetch(row->index + cursor[l + AHEAD]);
        __builtin_prefetch(row->value + cursor[l + AHEAD]);
    }
}

/* Adds the entries of row l in a tile that ends before point `stop`. */
static void sum_entries(const bal_panel *p, bal_size l, bal_lidx stop,
                        double *partial)
{
    const bal_csr_row *row = &p->a->row[l];
    bal_size first = p->cursor[l], e = first;
    int64_t *sum = limbs(p, l);
    /* A column whose bound is 0 holds zeros, whatever its low limb's scale. */
    double up_lo = p->scale[p->count].up_lo;

    while (e < row->count && row->index[e] < stop)
        e++;
    if (e == first)
        return;
    bal_spmm_sum(p->x->at + p->first, p->x->d, row->index + first,
                 row->value + first, e - first, p->count, partial);
    bal_fixed_flush(p->up, up_lo, p->width, partial, sum, sum + p->width);
    p->cursor[l] = e;
}

/* Rows from .. end - 1, tile by tile. */
static void sum_block(const bal_panel *p, bal_size from, bal_size end,
                      bal_run tiles, double *partial)
{
    bal_lidx start = tile_start(p->layout, tiles.from);

    for (bal_size l = from; l < end; l++) {
        memset(limbs(p, l), 0, (size_t)(2 * p->width) * sizeof *p->sum);
        p->cursor[l] = entry_at(&p->a->row[l], start);
    }
    for (bal_size t = tiles.from; t < tiles.to; t++) {
        for (bal_size l = from; l < end; l++)
            sum_entries(p, l, tile_start(p->layout, t + 1), partial);
        bal_alive();
    }
}

/* Rows from .. end - 1, so many at a time that their sums stay in a cache while
 * all tiles pass by. */
static void sum_rows(const bal_panel *p, bal_size from, bal_size end,
                     bal_run tiles, double *partial)
{
    enum { CACHE = 256 << 10 };
    bal_size step = CACHE / (16 * p->width);

    step = step > 1 ? step : 1;
    memset(partial, 0, (size_t)p->width * sizeof *partial);
    for (bal_size l = from; l < end; l += step)
        sum_block(p, l, l + step < end ? l + step : end, tiles, partial);
}

void bal_panel_sum(bal_panel *p, bal_run tiles)
{
    bal_size m = p->a->m, chunk = m / p->threads + 1;

#pragma omp parallel for schedule(static, 1) num_threads(p->threads)
    for (int i = 0; i < p->threads; i++) {
        bal_size from = i * chunk < m ? i * chunk : m;
        bal_size end = from + chunk < m ? from + chunk : m;
        sum_rows(p, from, end, tiles, p->partial + i * (p->room + 2));
    }
}

void bal_panel_load(bal_panel *p, bal_size first)
{
    p->first = first;
    p->count = p->x->d - first < p->room ? p->x->d - first : p->room;
    p->width = p->count + 1;
    choose_scales(p);
    bal_panel_sum(p, bal_run_all(p->layout));
    bal_comm_sum_i64(p->comm, p->sum, 2 * p->a->m * p->width);
}

void bal_panel_means(bal_panel *p)
{
    for (bal_size l = 0; l < p->a->m; l++) {
        double *mu = p->mu + l * p->width;
        double w = bal_panel_total(p, l, p->count);
        for (bal_size f = 0; f < p->count; f++)
            mu[f] = bal_panel_total(p, l, f) / w;
        mu[p->count] = w;
    }
}

const double *bal_panel_give_mean(const bal_panel *p, const void *self,
                                  bal_size l, double *room, double *weight)
{
    const double *mu = p->mu + l * p->width;

    (void)self;
    (void)room;
    *weight = mu[p->count];
    return mu;
}

/* Adds what row l gives to the points of a tile. */
static void add_row(const bal_panel *p, const bal_handing *h, bal_size l,
                    const bal_tile *tile, bal_size *cursor, double *room,
                    double *point)
{
    const bal_csr_row *row = &p->a->row[l];
    bal_size first = *cursor, e = first;
    bal_lidx stop = tile->first + tile->m;
    double weight;

    while (e < row->count && row->index[e] < stop)
        e++;
    if (e == first)
        return;
    const double *what = h->give(p, h->self, l, room, &weight);
    bal_spmm_spread(what, weight, row->index + first, row->value + first,
                    e - first, tile->first, h->columns, point);
    *cursor = e;
}

static void hand_run(const bal_panel *p, bal_run tiles, const bal_handing *h,
                     int thread)
{
    bal_size m = p->a->m;
    bal_size *cursor = p->cursor + thread * m;
    double *point = p->point + thread * BAL_TILE * (p->room + 2);
    double *room = p->partial + thread * (p->room + 2);

    for (bal_size l = 0; l < m; l++)
        cursor[l] = entry_at(&p->a->row[l], tile_start(p->layout, tiles.from));
    for (bal_size t = tiles.from; t < tiles.to; t++) {
        const bal_tile *tile = &p->layout->tile[t];
        bal_alive();
        memset(point, 0, (size_t)(tile->m * (h->columns + 1)) * sizeof *point);
        for (bal_size l = 0; l < m; l++) {
            prefetch_ahead(p, l, cursor);
            add_row(p, h, l, tile, &cursor[l], room, point);
        }
        h->take(p, h->self, tile, point);
    }
}

void bal_panel_hand(const bal_panel *p, bal_run tiles, const bal_handing *h)
{
    bal_size count = tiles.to - tiles.from;

#pragma omp parallel for schedule(static, 1) num_threads(p->threads)
    for (int i = 0; i < p->threads; i++) {
        bal_run part = {tiles.from + count * i / p->threads,
                        tiles.from + count * (i + 1) / p->threads};
        hand_run(p, part, h, i);
    }
}
