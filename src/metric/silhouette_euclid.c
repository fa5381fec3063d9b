/*
 * Euclidean silhouettes by definition: all distances of a point, added up by
 * cluster in the order of the points, so that no sum depends on who made it.
 * Every rank gets all points, which is why there is a limit to their number.
 *
 * Cost: 3 n^2 d flops; n d floats on every rank.
 */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/kernel/distance.h"
#include "balans/par/agree.h"
#include "clusters.h"

typedef struct work {
    const bal_set *set;
    const bal_clusters *k;
    bal_metric_space space;
    bal_set all; /* everybody's points, as if one rank held them */
    bal_gidx ends[2];
    bal_block *block; /* the same in tiles */
    int threads;
    float *row;      /* [threads, p] */
    float *d2;       /* [threads, BAL_TILE] */
    double *sum;     /* [threads, clusters] */
    int *count, *at; /* [ranks], of the exchange */
} work;

static bal_status prepare(work *w, int ranks)
{
    const char *what = "silhouettes";
    bal_status st;

    w->ends[1] = w->set->n;
    w->all = (bal_set){
        .n = w->set->n, .m = w->set->n, .d = w->set->d, .first = w->ends};
    BAL_TRY(bal_alloc(&w->all.x, w->set->n * w->set->d, what));
    BAL_TRY(bal_alloc(&w->row, (bal_size)w->threads * w->space.p, what));
    BAL_TRY(bal_alloc(&w->d2, (bal_size)w->threads * BAL_TILE, what));
    BAL_TRY(bal_alloc(&w->sum, w->threads * w->k->count, what));
    BAL_TRY(bal_alloc(&w->count, ranks, what));
    BAL_TRY(bal_alloc(&w->at, ranks, what));
done:
    return st;
}

static void finish(work *w)
{
    bal_free(&w->all.x);
    bal_block_destroy(&w->block);
    bal_free(&w->row);
    bal_free(&w->d2);
    bal_free(&w->sum);
    bal_free(&w->count);
    bal_free(&w->at);
}

static void share_points(bal_comm *c, work *w)
{
    MPI_Datatype point;

    for (int r = 0; r < c->size; r++) {
        w->at[r] = (int)w->set->first[r];
        w->count[r] = (int)(w->set->first[r + 1] - w->set->first[r]);
    }
    MPI_Type_contiguous((int)w->set->d, MPI_FLOAT, &point);
    MPI_Type_commit(&point);
    MPI_Allgatherv(w->set->x, (int)w->set->m, point, w->all.x, w->count, w->at,
                   point, c->mpi);
    MPI_Type_free(&point);
    bal_comm_count(c, w->set->m * w->set->d * (bal_size)sizeof(float));
}

static void add_distances(const work *w, const float *row, float *d2,
                          double *sum)
{
    const bal_block *b = w->block;

    memset(sum, 0, (size_t)w->k->count * sizeof *sum);
    for (bal_size t = 0; t < b->tiles; t++) {
        const bal_block_tile *tile = &b->tile[t];
        const int32_t *id = b->id + tile->offset;
        bal_distance_tile(b->z + tile->offset * b->p, tile->ld, b->p, row, 1,
                          d2);
        for (int j = 0; j < tile->m; j++)
            sum[w->k->of[id[j]]] += bal_metric_distance(&w->space, d2[j]);
    }
}

static double silhouette(const work *w, bal_gidx i, int thread)
{
    float *row = w->row + (bal_size)thread * w->space.p;
    double *sum = w->sum + thread * w->k->count, other = INFINITY;
    bal_size own = w->k->of[i];

    if (!bal_clusters_defined(w->k, own))
        return NAN;
    if (w->k->size[own] == 1)
        return 0;
    bal_block_rows(w->block, &w->block->tile[i / BAL_TILE], (int)(i % BAL_TILE),
                   1, row);
    add_distances(w, row, w->d2 + (bal_size)thread * BAL_TILE, sum);
    for (bal_size g = w->k->begin[own]; g < w->k->end[own]; g++)
        if (g != own)
            other = fmin(other, sum[g] / (double)w->k->size[g]);
    return bal_silhouette_value(sum[own] / (double)(w->k->size[own] - 1),
                                other);
}

bal_verdict bal_silhouette_euclid(bal_comm *c, const bal_set *set,
                                  const bal_clusters *k, int threads, double *s)
{
    bal_verdict st;
    bal_gidx first = set->first[c->rank];
    work w = {.set = set, .k = k, .threads = threads};

    bal_metric_space_of(c, set, NULL, BAL_EUCLIDEAN, &w.space);
    BAL_TRY(bal_agree(c, prepare(&w, c->size)));
    share_points(c, &w);
    BAL_TRY(
        bal_agree(c, bal_block_create(&w.all, 0, &w.space, NULL, &w.block)));
#pragma omp parallel for num_threads(threads) schedule(dynamic, 16)
    for (bal_size i = 0; i < set->m; i++) {
        s[i] = silhouette(&w, first + i, omp_get_thread_num());
        bal_alive();
    }
done:
    finish(&w);
    return st;
}
