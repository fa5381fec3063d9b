/*
 * Two rounds of the ring for a panel of queries.  In the first, a query meets
 * the points of its own label: their distances, with one bit for "in another
 * batch", are sorted.  In the second it meets everybody, and for each positive
 * is counted how many are not farther.  Those of the same label are known and
 * taken off again; what remains are negatives.  No ranking of n points is ever
 * sorted or stored.
 *
 * Queries stand in the order of labels, so that those of one label meet its
 * tiles together.
 */
#include "balans/metric/retrieval.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/base/rng.h"
#include "balans/kernel/distance.h"
#include "balans/par/agree.h"
#include "ranks.h"

enum { WIDTH = 64, PANEL = 1 << 23 };

typedef struct query {
    int32_t i; /* of this rank's points */
    int32_t label;
    int32_t batch;
    bal_size at;        /* its part of the pools */
    bal_size same, pos; /* others of its label; those in other batches */
} query;

typedef struct work {
    const bal_set *set;
    bal_gidx first;
    int p, threads;
    bal_block *plain, *sorted, *control; /* sorted: by label */
    bal_ring *all_ring, *label_ring, *control_ring;
    query *query; /* [queries], in the order of labels */
    bal_size queries;
    uint32_t *key, *spare; /* pools, [PANEL or a label] */
    float *near;           /* distances of positives */
    uint32_t *count, *count_control;
    float *rows, *d2; /* [threads, WIDTH, p], [threads, WIDTH, BAL_TILE] */
} work;

/* ---- who is a query ---- */

typedef struct ticket {
    int32_t label, id;
    uint64_t luck;
} ticket;

static int compare(const void *a, const void *b)
{
    const ticket *x = a, *y = b;

    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    if (x->luck != y->luck)
        return x->luck < y->luck ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Sets chosen [n]: everyone, or the luckiest of each label. */
static bal_status choose(const bal_set *set, uint64_t seed, bool *chosen)
{
    enum { PURPOSE = 0x71756572 };
    bal_status st = BAL_OK;
    ticket *t = NULL;
    bal_size rank = 0;

    if (set->n <= BAL_RETRIEVAL_ALL) {
        memset(chosen, 1, (size_t)set->n * sizeof *chosen);
        return BAL_OK;
    }
    BAL_TRY(bal_alloc(&t, set->n, "queries"));
    for (bal_size i = 0; i < set->n; i++)
        t[i] = (ticket){set->label.code[i], (int32_t)i,
                        bal_rng_u64(seed, PURPOSE, 0, (uint32_t)i, 0)};
    qsort(t, (size_t)set->n, sizeof *t, compare);
    for (bal_size i = 0; i < set->n; i++) {
        rank = i > 0 && t[i].label == t[i - 1].label ? rank + 1 : 0;
        chosen[t[i].id] = rank < BAL_RETRIEVAL_QUERIES;
    }
done:
    bal_free(&t);
    return st;
}

static bal_status list_queries(work *w, uint64_t seed)
{
    bal_status st;
    bool *chosen = NULL;

    BAL_TRY(bal_alloc(&chosen, w->set->n, "queries"));
    BAL_TRY(bal_alloc(&w->query, w->set->m, "queries"));
    BAL_TRY(choose(w->set, seed, chosen));
    for (bal_size lane = 0; lane < w->sorted->lanes; lane++) {
        int32_t id = w->sorted->id[lane];
        if (id < 0 || !chosen[id])
            continue;
        w->query[w->queries++] = (query){
            .i = (int32_t)(id - w->first),
            .label = w->set->label.code[id],
            .batch = w->set->batch.code[id],
        };
    }
done:
    bal_free(&chosen);
    return st;
}

/* ---- one panel ---- */

static void fetch_row(const bal_block *plain, int32_t i, float *row)
{
    bal_block_rows(plain, &plain->tile[i / BAL_TILE], i % BAL_TILE, 1, row);
}

/* Non-negative floats are in the order of their bits, whose highest is free. */
static uint32_t key_of(float d2, bool positive)
{
    uint32_t bits;

    memcpy(&bits, &d2, sizeof bits);
    return bits << 1 | positive;
}

static float distance_of(uint32_t key)
{
    uint32_t bits = key >> 1;
    float d2;

    memcpy(&d2, &bits, sizeof d2);
    return d2;
}

static void take_tile(work *w, query *q, const float *d2, int m,
                      const int32_t *id)
{
    uint32_t *key = w->key + q->at;
    const int32_t *batch = w->set->batch.code;

    for (int j = 0; j < m; j++)
        if (id[j] != w->first + q->i)
            key[q->same++] = key_of(d2[j], batch[id[j]] != q->batch);
}

/* `count` queries of one label meet its tiles. */
static void meet_label(work *w, query *q, int count, const float *rows,
                       float *d2, const bal_block *guest)
{
    bal_size t = bal_block_find(guest, q->label);

    for (; t < guest->tiles && guest->tile[t].group == q->label; t++) {
        const bal_block_tile *tile = &guest->tile[t];
        bal_distance_tile(guest->z + tile->offset * w->p, tile->ld, w->p, rows,
                          count, d2);
        for (int i = 0; i < count; i++)
            take_tile(w, &q[i], d2 + (bal_size)i * tile->ld, tile->m,
                      guest->id + tile->offset);
    }
}

static void meet_labels(work *w, query *q, int count, float *rows, float *d2,
                        const bal_block *guest)
{
    for (int i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && q[end].label == q[i].label;)
            end++;
        meet_label(w, q + i, end - i, rows + (bal_size)i * w->p, d2, guest);
    }
}

static void meet_everybody(work *w, const query *q, int count,
                           const float *rows, float *d2, const bal_block *guest,
                           uint32_t *pool)
{
    for (bal_size t = 0; t < guest->tiles; t++) {
        const bal_block_tile *tile = &guest->tile[t];
        bal_distance_tile(guest->z + tile->offset * w->p, tile->ld, w->p, rows,
                          count, d2);
        for (int i = 0; i < count; i++)
            if (q[i].pos > 0)
                bal_ranks_add(d2 + (bal_size)i * tile->ld, tile->ld,
                              w->near + q[i].at, q[i].pos, pool + q[i].at);
    }
}

/* One turn of a round; `pool` NULL is the round of the labels. */
static void turn(work *w, bal_size begin, bal_size end, const bal_block *guest,
                 uint32_t *pool)
{
    bal_size width = (bal_size)WIDTH * w->p;

#pragma omp parallel for num_threads(w->threads) schedule(dynamic, 1)
    for (bal_size at = begin; at < end; at += WIDTH) {
        int me = omp_get_thread_num();
        int count = end - at < WIDTH ? (int)(end - at) : WIDTH;
        float *rows = w->rows + me * width;
        float *d2 = w->d2 + (bal_size)me * WIDTH * BAL_TILE;
        for (int i = 0; i < count; i++)
            fetch_row(w->plain, w->query[at + i].i, rows + (bal_size)i * w->p);
        if (pool == NULL)
            meet_labels(w, w->query + at, count, rows, d2, guest);
        else
            meet_everybody(w, w->query + at, count, rows, d2, guest, pool);
        bal_alive();
    }
}

static void sort_labels(work *w, bal_size begin, bal_size end)
{
#pragma omp parallel for num_threads(w->threads) schedule(dynamic, 16)
    for (bal_size i = begin; i < end; i++) {
        query *q = &w->query[i];
        bal_sort_u32(w->key + q->at, q->same, w->spare + q->at);
        for (bal_size j = 0; j < q->same; j++) {
            uint32_t key = w->key[q->at + j];
            if (key & 1)
                w->near[q->at + q->pos++] = distance_of(key);
        }
    }
}

/* @param count  per positive, points not farther; NULL pool entries of the same
 *               label are taken off if `own` */
static double precision(const work *w, const query *q, uint32_t *count,
                        bool own)
{
    const uint32_t *key = w->key + q->at;
    const float *near = w->near + q->at;
    bal_size same = 0;
    double sum = 0;

    if (q->pos == 0)
        return NAN;
    bal_ranks_finish(q->pos, count);
    for (bal_size r = 0; r < q->pos; r++) {
        while (same < q->same && distance_of(key[same]) <= near[r])
            same++;
        bal_size before = (bal_size)count[r] - (own ? same + 1 : 0);
        sum += (double)(r + 1) / (double)(r + 1 + before);
    }
    return sum / (double)q->pos;
}

static void score(work *w, bal_size begin, bal_size end, double *ap,
                  double *against)
{
    for (bal_size i = begin; i < end; i++) {
        const query *q = &w->query[i];
        if (w->set->label.filled > 1)
            ap[q->i] = precision(w, q, w->count + q->at, true);
        if (against != NULL)
            against[q->i] = precision(w, q, w->count_control + q->at, false);
    }
}

/* Collective; a rank without queries left takes part in the rounds. */
static void run_panel(bal_comm *c, work *w, bal_size begin, bal_size end,
                      bal_size pool, double *ap, double *against)
{
    memset(w->count, 0, (size_t)pool * sizeof *w->count);
    for (int t = 0; t < c->size; t++)
        turn(w, begin, end, bal_ring_turn(c, w->label_ring, t), NULL);
    sort_labels(w, begin, end);
    for (int t = 0; t < c->size; t++)
        turn(w, begin, end, bal_ring_turn(c, w->all_ring, t), w->count);
    if (against != NULL) {
        memset(w->count_control, 0, (size_t)pool * sizeof *w->count);
        for (int t = 0; t < c->size; t++)
            turn(w, begin, end, bal_ring_turn(c, w->control_ring, t),
                 w->count_control);
    }
    score(w, begin, end, ap, against);
}

/* The end of the panel that starts at `begin`; gives its queries their parts of
 * the pools.  At least one query, whatever the size of its label. */
static bal_size cut_panel(work *w, bal_size begin, bal_size *pool)
{
    bal_size end = begin;

    *pool = 0;
    for (; end < w->queries; end++) {
        bal_size size = w->set->label.size[w->query[end].label];
        if (end > begin && *pool + size > PANEL)
            break;
        w->query[end].at = *pool;
        *pool += size;
    }
    return end;
}

/* ---- preparation ---- */

static bal_size largest_pool(work *w)
{
    bal_size most = 0, pool;

    for (bal_size begin = 0; begin < w->queries;) {
        begin = cut_panel(w, begin, &pool);
        most = pool > most ? pool : most;
    }
    return most;
}

static bal_status pools_create(work *w, bool controls)
{
    const char *what = "the ranks of replicates";
    bal_status st;
    bal_size pool = largest_pool(w);

    BAL_TRY(bal_alloc(&w->key, pool, what));
    BAL_TRY(bal_alloc(&w->spare, pool, what));
    BAL_TRY(bal_alloc(&w->near, pool, what));
    BAL_TRY(bal_alloc(&w->count, pool, what));
    if (controls)
        BAL_TRY(bal_alloc(&w->count_control, pool, what));
    BAL_TRY(bal_alloc(&w->rows, (bal_size)w->threads * WIDTH * w->p, what));
    BAL_TRY(bal_alloc(&w->d2, (bal_size)w->threads * WIDTH * BAL_TILE, what));
done:
    return st;
}

static bal_verdict prepare(bal_comm *c, work *w, const bal_set *controls,
                           bal_space_kind kind, uint64_t seed)
{
    bal_verdict st;
    bal_metric_space space;

    bal_metric_space_of(c, w->set, controls, kind, &space);
    w->p = space.p;
    bal_status mine =
        bal_block_create(w->set, c->rank, &space, NULL, &w->plain);
    if (!bal_failed(mine))
        mine = bal_block_create(w->set, c->rank, &space, w->set->label.code,
                                &w->sorted);
    if (!bal_failed(mine) && controls != NULL)
        mine = bal_block_create(controls, c->rank, &space, NULL, &w->control);
    if (!bal_failed(mine))
        mine = list_queries(w, seed);
    if (!bal_failed(mine))
        mine = pools_create(w, controls != NULL);
    BAL_TRY(bal_agree(c, mine));
    BAL_TRY(bal_ring_create(c, w->plain, &w->all_ring));
    BAL_TRY(bal_ring_create(c, w->sorted, &w->label_ring));
    if (controls != NULL)
        BAL_TRY(bal_ring_create(c, w->control, &w->control_ring));
done:
    return st;
}

static void finish(work *w)
{
    bal_ring_destroy(&w->all_ring);
    bal_ring_destroy(&w->label_ring);
    bal_ring_destroy(&w->control_ring);
    bal_block_destroy(&w->plain);
    bal_block_destroy(&w->sorted);
    bal_block_destroy(&w->control);
    bal_free(&w->query);
    bal_free(&w->key);
    bal_free(&w->spare);
    bal_free(&w->near);
    bal_free(&w->count);
    bal_free(&w->count_control);
    bal_free(&w->rows);
    bal_free(&w->d2);
}

bal_verdict bal_retrieval(bal_comm *c, const bal_set *set,
                          const bal_set *controls, bal_space_kind kind,
                          uint64_t seed, int threads, double *ap,
                          double *against)
{
    bal_verdict st;
    bal_size begin = 0, end, pool;
    work w = {.set = set, .first = set->first[c->rank], .threads = threads};

    for (bal_size i = 0; i < set->m; i++) {
        ap[i] = NAN;
        if (against != NULL)
            against[i] = NAN;
    }
    BAL_TRY(prepare(c, &w, controls, kind, seed));
    for (int64_t left = 1; left > 0;) {
        end = cut_panel(&w, begin, &pool);
        run_panel(c, &w, begin, end, pool, ap, against);
        begin = end;
        left = w.queries - begin;
        bal_comm_max_i64(c, &left, 1);
    }
done:
    finish(&w);
    return st;
}
