/* The work space of affinity rows: what is there for W landmarks, and its size.
 *
 * Bytes = W (candidates + lists of the k smallest + lists to merge + histograms
 *         + threads (distances of a tile, selections, histogram)),
 * the candidates being nearly all of it: 4 1/8 bytes a point where tiles are
 * full (a value, and a bit whether there is one); the last tile of a batch has
 * values for up to BAL_LANES - 1 more points, and bits for BAL_TILE.
 * bal_rows_memory() says it exactly and has to stay the sum of what fill_in()
 * and scratch_create() ask for. */
#include "balans/base/mem.h"
#include "balans/kernel/affinity.h"
#include "balans/par/kmerge.h"
#include "row_internal.h"

bal_size bal_rows_wanted(const bal_layout *l, const bal_row_params *par,
                         bal_size b)
{
    bal_size k = bal_neighbors_in(par->neighbors, bal_batch_size(l, b));

    return k < bal_batch_size(l, b) ? k : bal_batch_size(l, b);
}

/* First and last + 1 batch of which this rank holds points. */
static void own_batches(const bal_layout *l, bal_size *from, bal_size *to)
{
    *from = *to = 0;
    if (l->tiles > 0) {
        *from = l->tile[0].batch;
        *to = (bal_size)l->tile[l->tiles - 1].batch + 1;
    }
}

static bal_size points_here(const bal_layout *l, bal_size b)
{
    bal_gidx from = l->batch_first[b], to = l->batch_first[b + 1];
    bal_gidx low = l->rank_first[l->rank], high = l->rank_first[l->rank + 1];

    from = from > low ? from : low;
    to = to < high ? to : high;
    return to > from ? to - from : 0;
}

static bool is_split(const bal_layout *l, bal_size b)
{
    return bal_layout_owner(l, l->batch_first[b]) !=
           bal_layout_owner(l, l->batch_first[b + 1] - 1);
}

/* Sizes that the work space depends on. */
typedef struct extent {
    bal_size locals, lists, k_most, splits, merges, k_merge;
} extent;

static extent measure(const bal_layout *l, const bal_row_params *par)
{
    extent e = {0};
    bal_size from, to;

    own_batches(l, &from, &to);
    e.locals = to - from;
    for (bal_size b = from; b < to; b++) {
        bal_size k = bal_rows_wanted(l, par, b), here = points_here(l, b);
        e.lists += k < here ? k : here;
        e.k_most = k > e.k_most ? k : e.k_most;
    }
    for (bal_size b = 0; b < l->batches; b++) {
        bool split = is_split(l, b);
        bal_size k = bal_rows_wanted(l, par, b);
        e.splits += split;
        if ((split || par->gate > 0) && k > e.k_merge)
            e.k_merge = k;
    }
    /* With a gate every rank has to know the scale of the landmark's own
     * batch, so its list goes along. */
    e.merges = e.splits + (par->gate > 0 ? 1 : 0);
    return e;
}

bal_size bal_rows_memory(const bal_layout *l, int p, const bal_row_params *par,
                         int w)
{
    extent e = measure(l, par);
    bal_size k_most = e.k_most > 0 ? e.k_most : 1;
    bal_size each = /* candidates */
        4 * l->lanes + (8 * BAL_MASK_WORDS + 2) * l->tiles;
    bal_size thread = 4 * BAL_TILE + 4 * bal_kselect_capacity(k_most) +
                      (bal_size)sizeof(bal_kselect) + 4 * BAL_BINS_ROOM + 28;

    each += 4 * e.lists + 16 * e.locals + 8 * BAL_BINS + 8 * (bal_size)p + 32;
    if (e.k_merge <= BAL_KMERGE_MOST)
        each += 4 * e.merges * (e.k_merge + 1);
    else
        each += e.merges * (8 * BAL_KRADIX_WORK + 28);
    each += 8 * (e.locals + par->threads);
    return w * (each + par->threads * thread) + 24 * e.locals + 8 * e.splits;
}

static void list_batches(bal_rows *r)
{
    const bal_layout *l = r->l;
    bal_size from, to, at = 0;

    own_batches(l, &from, &to);
    for (bal_size b = from; b < to; b++) {
        bal_size k = bal_rows_wanted(l, &r->par, b), here = points_here(l, b);
        r->local[b - from] = (bal_local_batch){
            .batch = b,
            .k = k,
            .list = at,
            .room = k < here ? k : here,
            .split = is_split(l, b),
        };
        at += r->local[b - from].room;
    }
    at = 0;
    for (bal_size b = 0; b < l->batches; b++)
        if (is_split(l, b))
            r->split[at++] = b;
}

static bal_status scratch_create(bal_row_scratch *s, int w, bal_size k)
{
    bal_status st;

    BAL_TRY(bal_alloc(&s->d2, (bal_size)w * BAL_TILE, "distances"));
    BAL_TRY(bal_alloc(&s->buffer, w * bal_kselect_capacity(k), "neighbours"));
    BAL_TRY(bal_alloc(&s->select, w, "neighbours"));
    BAL_TRY(bal_alloc(&s->guess, w, "neighbours"));
    BAL_TRY(bal_alloc(&s->bins, (bal_size)w * BAL_BINS_ROOM, "histograms"));
    BAL_TRY(bal_alloc(&s->fill, w, "candidates"));
    BAL_TRY(bal_alloc(&s->held, w, "candidates"));
    BAL_TRY(bal_alloc(&s->reaching, w, "candidates"));
done:
    return st;
}

static bal_status fill_in(bal_rows *r, const extent *e)
{
    bal_status st;
    bal_size w = r->w_most, lanes = r->l->lanes;

    BAL_TRY(bal_alloc(&r->local, e->locals, "the batches"));
    BAL_TRY(bal_alloc(&r->split, e->splits, "the batches"));
    BAL_TRY(bal_alloc(&r->list, w * e->lists, "neighbours"));
    BAL_TRY(bal_alloc(&r->list_len, w * e->locals, "neighbours"));
    BAL_TRY(bal_alloc(&r->s2, w * e->locals, "scales"));
    BAL_TRY(bal_alloc(&r->word, w * (r->z->p + 2), "coordinates"));
    BAL_TRY(bal_alloc(&r->landmark, w * r->z->p, "coordinates"));
    BAL_TRY(bal_alloc(&r->self, w, "landmarks"));
    BAL_TRY(bal_alloc(&r->value, w * lanes, "candidates"));
    BAL_TRY(bal_alloc(&r->mask, w * r->l->tiles * BAL_MASK_WORDS,
                      "candidates"));
    BAL_TRY(bal_alloc(&r->found, w * r->l->tiles, "candidates"));
    BAL_TRY(bal_alloc(&r->place, w * r->parts, "candidates"));
    BAL_TRY(bal_alloc(&r->bins, w * BAL_BINS, "histograms"));
    BAL_TRY(bal_alloc(&r->elbow, w, "histograms"));
    BAL_TRY(bal_alloc(&r->threshold, w, "histograms"));
    BAL_TRY(bal_scales_create(r, r->w_most));
    BAL_TRY(bal_alloc(&r->thread, r->threads, "threads"));
    for (int i = 0; i < r->threads; i++)
        BAL_TRY(scratch_create(&r->thread[i], r->w_most, r->k_most));
done:
    return st;
}

bal_status bal_rows_create(const bal_tiles *z, const bal_row_params *par, int w,
                           bal_rows **out)
{
    bal_status st;
    bal_rows *r = NULL;
    extent e = measure(z->layout, par);

    *out = NULL;
    BAL_TRY(bal_alloc(&r, 1, "rows of affinities"));
    r->z = z;
    r->l = z->layout;
    r->par = *par;
    r->w_most = w;
    r->threads = par->threads > 0 ? par->threads : 1;
    r->locals = e.locals;
    r->parts = e.locals + r->threads;
    r->ratio =
        par->sparsify == BAL_SCALE ? 1.0f : BAL_AFFINITY_REACH;
    r->k_most = e.k_most > 0 ? e.k_most : 1;
    r->lists = e.lists;
    r->splits = e.splits;
    r->merges = e.merges;
    r->k_merge = e.k_merge;
    BAL_TRY(fill_in(r, &e));
    list_batches(r);
    *out = r;
    r = NULL;
done:
    bal_rows_destroy(&r);
    return st;
}

void bal_rows_destroy(bal_rows **rp)
{
    bal_rows *r = *rp;

    if (r == NULL)
        return;
    for (int i = 0; r->thread != NULL && i < r->threads; i++) {
        bal_free(&r->thread[i].d2);
        bal_free(&r->thread[i].buffer);
        bal_free(&r->thread[i].select);
        bal_free(&r->thread[i].guess);
        bal_free(&r->thread[i].bins);
        bal_free(&r->thread[i].fill);
        bal_free(&r->thread[i].held);
        bal_free(&r->thread[i].reaching);
    }
    bal_scales_destroy(r);
    bal_free(&r->local);
    bal_free(&r->split);
    bal_free(&r->list);
    bal_free(&r->list_len);
    bal_free(&r->s2);
    bal_free(&r->word);
    bal_free(&r->landmark);
    bal_free(&r->self);
    bal_free(&r->value);
    bal_free(&r->mask);
    bal_free(&r->found);
    bal_free(&r->place);
    bal_free(&r->bins);
    bal_free(&r->elbow);
    bal_free(&r->threshold);
    bal_free(&r->thread);
    bal_free(rp);
}
