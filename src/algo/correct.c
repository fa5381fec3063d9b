/* Smoothing and residual correction with the sparse affinities A (m x n).
 *
 *     w(l)     = sum_j A_lj,           mu(l)    = sum_j A_lj x_j / w(l)
 *     w(l, b)  = the same over j in b, mu(l, b) likewise
 *     R_lj     = A_lj / w(l),          P_jl     = R_lj / sum_l R_lj
 *     smooth     xhat_j = sum_l P_jl mu(l)
 *     residual   xhat_j = x_j + sum_l P_jl (mu(l) - mu(l, b_j))
 *
 * Features are taken in panels that fit the work space. In a panel, the sums of
 * all rows are made and reduced; then points are corrected tile by tile, in
 * place, because a panel of x is not needed any more once its sums are known.
 * For the residual form the sums of one batch after the other are made from its
 * points just before these are corrected, so that memory does not grow with the
 * number of batches; only batches that several ranks hold are reduced.
 *
 * Cost: 4 flops an entry and feature (6 for residual), one reduction of 16 m d
 * bytes (and as much for each batch on several ranks).
 * Reference: arXiv 2601.22331, section 3, Algorithm 4; docs/algorithm.md. */
#include "balans/algo/correct.h"

#include <stddef.h>

#include "balans/par/agree.h"
#include "panel.h"

/* A landmark's mean less that of the batch, whose sums the panel holds now. */
static const double *give_step(const bal_panel *p, const void *self, bal_size l,
                               double *room, double *weight)
{
    const double *mu = bal_panel_give_mean(p, self, l, room, weight);
    double w = bal_panel_total(p, l, p->count);

    for (bal_size f = 0; f < p->count; f++)
        room[f] = w > 0 ? mu[f] - bal_panel_total(p, l, f) / w : 0;
    return room;
}

static void store(const bal_panel *p, const bal_tile *tile, bool residual,
                  const double *point)
{
    for (int j = 0; j < tile->m; j++) {
        const double *at = point + j * p->width;
        float *x = p->x->at + (bal_size)(tile->first + j) * p->x->d + p->first;
        if (!(at[p->count] > 0))
            continue;
        for (bal_size f = 0; f < p->count; f++)
            x[f] =
                (float)(at[f] / at[p->count] + (residual ? (double)x[f] : 0));
    }
}

static void take_place(const bal_panel *p, const void *self,
                       const bal_tile *tile, const double *point)
{
    (void)self;
    store(p, tile, false, point);
}

static void take_step(const bal_panel *p, const void *self,
                      const bal_tile *tile, const double *point)
{
    (void)self;
    store(p, tile, true, point);
}

/* This rank's tiles of batch b, from the first tile `at` not yet passed. */
static bal_run tiles_of(const bal_layout *l, bal_size at, bal_size b)
{
    bal_run r = {at, at};

    while (r.to < l->tiles && l->tile[r.to].batch == b)
        r.to++;
    return r;
}

static void correct_by_batch(bal_panel *p)
{
    const bal_handing h = {p->count, give_step, take_step, NULL};
    const bal_layout *l = p->layout;
    bal_run tiles = {0, 0};

    for (bal_size b = 0; b < l->batches; b++) {
        bool split = bal_layout_owner(l, l->batch_first[b]) !=
                     bal_layout_owner(l, l->batch_first[b + 1] - 1);
        tiles = tiles_of(l, tiles.to, b);
        if (!split && tiles.from == tiles.to)
            continue;
        bal_panel_sum(p, tiles);
        if (split)
            bal_comm_sum_i64(p->comm, p->sum, 2 * p->a->m * p->width);
        bal_panel_hand(p, tiles, &h);
    }
}

static void correct_panel(bal_panel *p, bal_size first, bal_correction form)
{
    bal_panel_load(p, first);
    bal_panel_means(p);
    if (form == BAL_RESIDUAL) {
        correct_by_batch(p);
        return;
    }
    const bal_handing h = {p->count, bal_panel_give_mean, take_place, NULL};
    bal_panel_hand(p, bal_run_all(p->layout), &h);
}

bal_verdict bal_correct(bal_comm *c, const bal_csr *a, bal_correction form,
                        bal_size memory, int threads, bal_shard *x)
{
    bal_verdict st;
    bal_panel p;

    BAL_TRY(bal_panel_init(c, a, x, memory, 0, threads, &p));
    for (bal_size f = 0; f < x->d; f += p.room) {
        BAL_TRY(bal_pause(c));
        correct_panel(&p, f, form);
    }
done:
    bal_panel_finish(&p);
    return st;
}
