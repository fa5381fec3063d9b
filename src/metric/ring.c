#include "balans/metric/ring.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/par/agree.h"

/* ---- the space ---- */

double bal_unit_factor(const float *x, bal_size d)
{
    double sum = 0;

    for (bal_size f = 0; f < d; f++)
        sum += (double)x[f] * (double)x[f];
    return sum > 0 ? 1 / sqrt(sum) : 0;
}

static void look_at(const bal_set *set, double *largest, double *zeros)
{
    for (bal_size i = 0; i < set->m; i++) {
        const float *x = set->x + i * set->d;
        float most = 0;
        for (bal_size f = 0; f < set->d; f++)
            most = fabsf(x[f]) > most ? fabsf(x[f]) : most;
        *largest = (double)most > *largest ? (double)most : *largest;
        if (!(most > 0))
            *zeros = 1;
    }
}

void bal_metric_space_of(bal_comm *c, const bal_set *set, const bal_set *other,
                         bal_space_kind kind, bal_metric_space *out)
{
    double seen[2] = {0, 0}; /* largest value, whether a point is zero */
    int exponent;

    look_at(set, &seen[0], &seen[1]);
    if (other != NULL)
        look_at(other, &seen[0], &seen[1]);
    bal_comm_max_f64(c, seen, 2);
    (void)frexp(seen[0], &exponent);
    out->kind = kind;
    out->p = (int)set->d + (kind == BAL_COSINE && seen[1] > 0);
    out->factor =
        kind == BAL_EUCLIDEAN && seen[0] > 0 ? ldexp(1, -exponent) : 1;
}

double bal_metric_distance(const bal_metric_space *space, float d2)
{
    if (space->kind == BAL_COSINE)
        return (double)d2 / 2;
    return sqrt((double)d2) / space->factor;
}

/* ---- blocks ---- */

typedef struct place {
    int32_t group;
    int32_t i; /* of this rank's points */
} place;

static int compare_places(const void *a, const void *b)
{
    const place *x = a, *y = b;

    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->i < y->i ? -1 : x->i > y->i;
}

/* Cuts the sorted points into tiles of one group; with `tile` NULL it only
 * counts them. */
static bal_size cut(const place *at, bal_size m, bal_block_tile *tile,
                    bal_size *lanes)
{
    bal_size tiles = 0;

    *lanes = 0;
    for (bal_size i = 0; i < m;) {
        bal_size end = i;
        while (end < m && end - i < BAL_TILE && at[end].group == at[i].group)
            end++;
        int32_t count = (int32_t)(end - i);
        int32_t ld = (count + BAL_LANES - 1) / BAL_LANES * BAL_LANES;
        if (tile != NULL)
            tile[tiles] = (bal_block_tile){count, ld, at[i].group, 0, *lanes};
        tiles++;
        *lanes += ld;
        i = end;
    }
    return tiles;
}

static void put_point(const bal_set *set, const bal_metric_space *space,
                      bal_size i, float *column, int ld)
{
    const float *x = set->x + i * set->d;
    double factor =
        space->kind == BAL_COSINE ? bal_unit_factor(x, set->d) : space->factor;

    for (bal_size f = 0; f < set->d; f++)
        column[f * ld] = (float)((double)x[f] * factor);
    if (space->p > set->d)
        column[set->d * ld] = factor > 0 ? 0.0f : 1.0f;
}

static void fill(const bal_set *set, bal_gidx first,
                 const bal_metric_space *space, const place *at, bal_block *b)
{
    for (bal_size t = 0; t < b->tiles; t++) {
        const bal_block_tile *tile = &b->tile[t];
        float *z = b->z + tile->offset * b->p;
        int32_t *id = b->id + tile->offset;
        for (int j = 0; j < tile->m; j++) {
            put_point(set, space, at[j].i, z + j, tile->ld);
            id[j] = (int32_t)(first + at[j].i);
        }
        for (int j = tile->m; j < tile->ld; j++) {
            id[j] = -1;
            for (int f = 0; f < b->p; f++)
                z[(bal_size)f * tile->ld + j] = INFINITY;
        }
        at += tile->m;
    }
}

static bal_status block_create(bal_size tiles, bal_size lanes, int p,
                               bal_block **out)
{
    bal_status st;
    bal_block *b = NULL;

    *out = NULL;
    BAL_TRY(bal_alloc(&b, 1, "a block of points"));
    b->tiles = tiles;
    b->lanes = lanes;
    b->p = p;
    BAL_TRY(bal_alloc(&b->tile, tiles, "a block of points"));
    BAL_TRY(bal_alloc(&b->z, lanes * p, "a block of points"));
    BAL_TRY(bal_alloc(&b->id, lanes, "a block of points"));
    *out = b;
    b = NULL;
done:
    bal_block_destroy(&b);
    return st;
}

bal_status bal_block_create(const bal_set *set, int rank,
                            const bal_metric_space *space, const int32_t *code,
                            bal_block **out)
{
    bal_status st;
    place *at = NULL;
    bal_gidx first = set->first[rank];
    bal_size lanes, tiles;

    *out = NULL;
    BAL_TRY(bal_alloc(&at, set->m, "the order of points"));
    for (bal_size i = 0; i < set->m; i++)
        at[i] = (place){code == NULL ? 0 : code[first + i], (int32_t)i};
    if (code != NULL)
        qsort(at, (size_t)set->m, sizeof *at, compare_places);
    tiles = cut(at, set->m, NULL, &lanes);
    BAL_TRY(block_create(tiles, lanes, space->p, out));
    (void)cut(at, set->m, (*out)->tile, &lanes);
    fill(set, first, space, at, *out);
done:
    bal_free(&at);
    return st;
}

void bal_block_destroy(bal_block **b)
{
    if (*b == NULL)
        return;
    bal_free(&(*b)->tile);
    bal_free(&(*b)->z);
    bal_free(&(*b)->id);
    bal_free(b);
}

void bal_block_rows(const bal_block *b, const bal_block_tile *tile, int j,
                    int count, float *rows)
{
    const float *z = b->z + tile->offset * b->p + j;

    for (int f = 0; f < b->p; f++)
        for (int i = 0; i < count; i++)
            rows[(bal_size)i * b->p + f] = z[(bal_size)f * tile->ld + i];
}

bal_size bal_block_find(const bal_block *b, int32_t group)
{
    bal_size low = 0, high = b->tiles;

    while (low < high) {
        bal_size middle = low + (high - low) / 2;
        if (b->tile[middle].group < group)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- the ring ---- */

struct bal_ring {
    const bal_block *own;
    int64_t *size; /* [ranks, 2]: tiles and lanes of each rank's block */
    bal_block *guest[2];
    MPI_Request request[6];
    MPI_Datatype tile, strip; /* strip: BAL_LANES points */
};

static bal_status guests_create(bal_comm *c, bal_ring *r)
{
    bal_status st = BAL_OK;
    int64_t tiles = 0, lanes = 0;

    for (int i = 0; i < c->size; i++) {
        tiles = r->size[2 * i] > tiles ? r->size[2 * i] : tiles;
        lanes = r->size[2 * i + 1] > lanes ? r->size[2 * i + 1] : lanes;
    }
    for (int i = 0; i < 2 && c->size > 1 + i && !bal_failed(st); i++)
        st = block_create(tiles, lanes, r->own->p, &r->guest[i]);
    return st;
}

/* A rank that is done with a turn waits for those with larger blocks. */
static void grant_turn(const bal_comm *c, const bal_ring *r)
{
    double most = 0;

    for (int i = 0; i < c->size; i++)
        most = fmax(most, (double)r->size[2 * i + 1]);
    bal_watch_grant(2 * most * most * r->own->p);
}

bal_verdict bal_ring_create(bal_comm *c, const bal_block *own, bal_ring **out)
{
    bal_verdict st;
    bal_ring *r = NULL;
    int64_t mine[2] = {own->tiles, own->lanes};

    *out = NULL;
    bal_status local = bal_alloc(&r, 1, "a ring");
    if (!bal_failed(local))
        local = bal_alloc(&r->size, 2 * (bal_size)c->size, "a ring");
    BAL_TRY(bal_agree(c, local));
    r->own = own;
    bal_comm_gather_i64(c, mine, 2, r->size);
    BAL_TRY(bal_agree(c, guests_create(c, r)));
    MPI_Type_contiguous((int)sizeof(bal_block_tile), MPI_BYTE, &r->tile);
    MPI_Type_commit(&r->tile);
    MPI_Type_contiguous(BAL_LANES * own->p, MPI_FLOAT, &r->strip);
    MPI_Type_commit(&r->strip);
    grant_turn(c, r);
    *out = r;
    r = NULL;
done:
    if (r != NULL) { /* its types were not made */
        bal_block_destroy(&r->guest[0]);
        bal_block_destroy(&r->guest[1]);
        bal_free(&r->size);
        bal_free(&r);
    }
    return st;
}

void bal_ring_destroy(bal_ring **r)
{
    if (*r == NULL)
        return;
    bal_watch_grant(0);
    MPI_Type_free(&(*r)->tile);
    MPI_Type_free(&(*r)->strip);
    bal_block_destroy(&(*r)->guest[0]);
    bal_block_destroy(&(*r)->guest[1]);
    bal_free(&(*r)->size);
    bal_free(r);
}

static void pass_on(bal_comm *c, bal_ring *r, const bal_block *from,
                    bal_block *to, int whose_next)
{
    int right = (c->rank + 1) % c->size;
    int left = (c->rank + c->size - 1) % c->size;

    to->tiles = r->size[2 * whose_next];
    to->lanes = r->size[2 * whose_next + 1];
    MPI_Irecv(to->tile, (int)to->tiles, r->tile, left, 0, c->mpi,
              &r->request[0]);
    MPI_Irecv(to->z, (int)(to->lanes / BAL_LANES), r->strip, left, 1, c->mpi,
              &r->request[1]);
    MPI_Irecv(to->id, (int)to->lanes, MPI_INT32_T, left, 2, c->mpi,
              &r->request[2]);
    MPI_Isend(from->tile, (int)from->tiles, r->tile, right, 0, c->mpi,
              &r->request[3]);
    MPI_Isend(from->z, (int)(from->lanes / BAL_LANES), r->strip, right, 1,
              c->mpi, &r->request[4]);
    MPI_Isend(from->id, (int)from->lanes, MPI_INT32_T, right, 2, c->mpi,
              &r->request[5]);
    bal_comm_count(c, from->lanes * (from->p + 1) * 4 +
                          from->tiles * (bal_size)sizeof *from->tile);
}

/* At turn t a rank holds the block of the rank t to its left.  The place of the
 * block before is free by then: its sending is over. */
const bal_block *bal_ring_turn(bal_comm *c, bal_ring *r, int turn)
{
    const bal_block *now = turn == 0 ? r->own : r->guest[(turn - 1) % 2];

    if (turn > 0)
        MPI_Waitall(6, r->request, MPI_STATUSES_IGNORE);
    if (turn < c->size - 1)
        pass_on(c, r, now, r->guest[turn % 2],
                (c->rank + 2 * c->size - turn - 1) % c->size);
    return now;
}
