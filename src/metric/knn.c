/*
 * All pairs, blockwise: the points of one tile, WIDTH at a time, against every
 * tile of the block that is visiting (metric/ring).  The k best of each point
 * are a heap with the worst on top; a vector compare with that one's distance
 * drops nearly everything else.
 *
 * A neighbour is one 64-bit key, the bits of its squared distance - of floats
 * that are not negative, in the order of the values - above its shuffled
 * number.  Keys differ, so the k smallest are one set, in whatever order they
 * are offered.
 *
 * Cost: 3 n^2 p flops, and about k log(n / k) times log k steps in the heap of
 * each point.
 */
#include "balans/metric/knn.h"

#include <math.h>
#include <omp.h>

#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/kernel/distance.h"
#include "balans/kernel/kselect.h"
#include "balans/par/agree.h"

enum { WIDTH = 64 };

/* Work space of a thread. */
typedef struct workspace {
    float *rows; /* [WIDTH, p] */
    float *d2;   /* [WIDTH, BAL_TILE] */
} workspace;

/* ---- heaps, the largest on top ---- */

static void sink(uint64_t *heap, int count, int i, uint64_t key)
{
    for (;;) {
        int child = 2 * i + 1;
        if (child >= count)
            break;
        if (child + 1 < count && heap[child + 1] > heap[child])
            child++;
        if (heap[child] <= key)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = key;
}

static void heapify(uint64_t *heap, int count)
{
    for (int i = count / 2 - 1; i >= 0; i--)
        sink(heap, count, i, heap[i]);
}

static void offer(uint64_t *heap, int k, int32_t *count, uint64_t key)
{
    if (*count == k) {
        if (key < heap[0])
            sink(heap, k, 0, key);
        return;
    }
    heap[(*count)++] = key;
    if (*count == k)
        heapify(heap, k);
}

static void sort(uint64_t *heap, int count)
{
    heapify(heap, count);
    for (int last = count - 1; last > 0; last--) {
        uint64_t largest = heap[0];
        sink(heap, last, 0, heap[last]);
        heap[last] = largest;
    }
}

/* ---- pairs ---- */

static uint64_t key_of(float d2, int32_t id)
{
    uint32_t bits;

    memcpy(&bits, &d2, sizeof bits);
    return (uint64_t)bits << 32 | bal_shuffled((uint32_t)id);
}

/* Distances beyond it cannot get in; equal ones may, by their number. */
static float bound(const uint64_t *heap, int k, int32_t count)
{
    uint32_t bits = (uint32_t)(heap[0] >> 32);
    float d2;

    if (count < k)
        return INFINITY;
    memcpy(&d2, &bits, sizeof d2);
    return d2;
}

static void offer_tile(bal_knn *g, bal_size i, int32_t self, const float *d2,
                       const bal_block_tile *tile, const int32_t *id)
{
    float value[BAL_TILE];
    uint64_t mask[BAL_MASK_WORDS];
    uint64_t *heap = g->key + i * g->k;
    int n = 0;

    bal_candidates(d2, tile->ld, bound(heap, g->k, g->count[i]), value, mask);
    for (int q = 0; q < BAL_MASK_WORDS; q++)
        for (uint64_t left = mask[q]; left != 0; left &= left - 1) {
            int lane = 64 * q + __builtin_ctzll(left);
            float near = value[n++];
            if (id[lane] != self)
                offer(heap, g->k, &g->count[i], key_of(near, id[lane]));
        }
}

/* `w` points of a tile, from the j-th on, against one tile. */
static void meet(bal_knn *g, const workspace *at, const int32_t *self,
                 bal_gidx first, int w, const bal_block *guest,
                 const bal_block_tile *tile)
{
    bal_distance_tile(guest->z + tile->offset * guest->p, tile->ld, guest->p,
                      at->rows, w, at->d2);
    for (int i = 0; i < w; i++)
        offer_tile(g, self[i] - first, self[i], at->d2 + (bal_size)i * tile->ld,
                   tile, guest->id + tile->offset);
}

static void meet_all(bal_knn *g, const workspace *at, bal_gidx first,
                     const bal_block *own, const bal_block_tile *tile,
                     const bal_block *guest)
{
    bal_size begin = bal_block_find(guest, tile->group);

    for (int j = 0; j < tile->m; j += WIDTH) {
        int w = tile->m - j < WIDTH ? tile->m - j : WIDTH;
        bal_block_rows(own, tile, j, w, at->rows);
        for (bal_size t = begin;
             t < guest->tiles && guest->tile[t].group == tile->group; t++)
            meet(g, at, own->id + tile->offset + j, first, w, guest,
                 &guest->tile[t]);
    }
}

/* Two tiles of this rank never hold the same point, so threads do not meet. */
static void work(bal_knn *g, const workspace *workspaces, int threads,
                 bal_gidx first, const bal_block *own, const bal_block *guest)
{
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (bal_size t = 0; t < own->tiles; t++) {
        meet_all(g, &workspaces[omp_get_thread_num()], first, own,
                 &own->tile[t], guest);
        bal_alive();
    }
}

static void workspaces_destroy(workspace **workspaces, int threads)
{
    for (int t = 0; *workspaces != NULL && t < threads; t++) {
        bal_free(&(*workspaces)[t].rows);
        bal_free(&(*workspaces)[t].d2);
    }
    bal_free(workspaces);
}

static bal_status workspaces_create(int threads, int p, workspace **out)
{
    bal_status st;
    workspace *d = NULL;

    *out = NULL;
    BAL_TRY(bal_alloc(&d, threads, "work space for distances"));
    for (int t = 0; t < threads; t++) {
        BAL_TRY(bal_alloc(&d[t].rows, (bal_size)WIDTH * p,
                          "work space for distances"));
        BAL_TRY(bal_alloc(&d[t].d2, (bal_size)WIDTH * BAL_TILE,
                          "work space for distances"));
    }
    *out = d;
    d = NULL;
done:
    workspaces_destroy(&d, threads);
    return st;
}

static bal_status knn_create(const bal_set *set, const bal_metric_space *space,
                             int k, bal_knn **out)
{
    bal_status st;
    bal_knn *g = NULL;

    *out = NULL;
    BAL_TRY(bal_alloc(&g, 1, "the nearest neighbours"));
    g->space = *space;
    g->m = set->m;
    g->k = k;
    BAL_TRY(bal_alloc(&g->count, set->m, "the nearest neighbours"));
    BAL_TRY(bal_alloc(&g->key, set->m * k, "the nearest neighbours"));
    *out = g;
    g = NULL;
done:
    bal_knn_destroy(&g);
    return st;
}

void bal_knn_destroy(bal_knn **g)
{
    if (*g == NULL)
        return;
    bal_free(&(*g)->count);
    bal_free(&(*g)->key);
    bal_free(g);
}

bal_verdict bal_knn_create(bal_comm *c, const bal_set *set, bal_space_kind kind,
                           const int32_t *code, int k, int threads,
                           bal_knn **out)
{
    bal_verdict st;
    bal_metric_space space;
    bal_knn *g = NULL;
    bal_block *own = NULL;
    bal_ring *ring = NULL;
    workspace *workspaces = NULL;

    *out = NULL;
    bal_metric_space_of(c, set, NULL, kind, &space);
    bal_status mine = knn_create(set, &space, k, &g);
    if (!bal_failed(mine))
        mine = bal_block_create(set, c->rank, &space, code, &own);
    if (!bal_failed(mine))
        mine = workspaces_create(threads, space.p, &workspaces);
    BAL_TRY(bal_agree(c, mine));
    BAL_TRY(bal_ring_create(c, own, &ring));
    for (int turn = 0; turn < c->size; turn++)
        work(g, workspaces, threads, set->first[c->rank], own,
             bal_ring_turn(c, ring, turn));
    for (bal_size i = 0; i < g->m; i++)
        sort(g->key + i * k, g->count[i]);
    *out = g;
    g = NULL;
done:
    bal_knn_destroy(&g);
    bal_block_destroy(&own);
    bal_ring_destroy(&ring);
    workspaces_destroy(&workspaces, threads);
    return st;
}
