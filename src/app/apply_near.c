/* How near new points are to the landmarks of a fit: whether it is time to fit
 * anew, and the nearest landmark of a point that has none. */
#include <math.h>

#include "apply_internal.h"
#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/kernel/distance.h"
#include "balans/par/agree.h"
#include "balans/par/select.h"

static const char what[] = "the nearest landmarks";

/* Squared distance of each point of z to its nearest landmark, [layout->m];
 * with `other`, landmarks at distance 0 do not count. */
static bal_status nearest_of(const bal_tiles *z, const float *landmark,
                             bal_size m, bool other, float *d2)
{
    const bal_layout *l = z->layout;
    float *got = NULL;
    bal_status st = bal_alloc(&got, (bal_size)BAL_ROWS_MOST * BAL_TILE,
                              "distances");

    for (bal_size t = 0; t < l->tiles && !bal_failed(st); t++) {
        const bal_tile *tile = &l->tile[t];
        float *least = d2 + tile->first;
        for (int j = 0; j < tile->m; j++)
            least[j] = INFINITY;
        bal_alive();
        for (bal_size i = 0; i < m; i += BAL_ROWS_MOST) {
            int w = (int)(m - i < BAL_ROWS_MOST ? m - i : BAL_ROWS_MOST);
            bal_distance_tile(bal_tiles_block(z, t), tile->ld, z->p,
                              landmark + i * z->p, w, got);
            for (int q = 0; q < w; q++)
                for (int j = 0; j < tile->m; j++) {
                    float v = got[(bal_size)q * tile->ld + j];
                    if (v < least[j] && (v > 0 || !other))
                        least[j] = v;
                }
        }
    }
    bal_free(&got);
    return st;
}

/* Median distance of the new points, and of the model's samples. */
bal_verdict bal_apply_nearness(bal_application *a, const bal_fit_pass *f)
{
    const bal_layout *l = a->points->order->layout;
    bal_size m = f->head->m, held = 0;
    float *now = NULL, *fit = NULL;
    bal_status mine = bal_alloc(&now, l->m, "distances");
    bal_verdict st;

    if (!bal_failed(mine))
        mine = nearest_of(a->points->z, f->landmark, m, false, now);
    if (!bal_failed(mine))
        mine = bal_alloc(&fit, f->head->sampled, "distances");
    for (bal_size b = a->c->rank; b < f->head->batches && !bal_failed(mine);
         b += a->c->size) {
        bal_stand_in s = {0};
        mine = bal_stand_in_read(a->model, f, b, &s);
        if (!bal_failed(mine))
            mine = nearest_of(s.z, f->landmark, m, true, fit + held);
        if (!bal_failed(mine))
            held += s.layout->m;
        bal_stand_in_finish(&s);
    }
    BAL_TRY(bal_agree(a->c, mine));
    a->near.now = sqrt((double)bal_select_all(a->c, now, l->m,
                                              (l->n - 1) / 2 + 1));
    a->near.fit = sqrt((double)bal_select_all(
        a->c, fit, held, (f->head->sampled - 1) / 2 + 1));
done:
    bal_free(&now);
    bal_free(&fit);
    return st;
}

/* ---- Points without landmark ---- */

typedef struct nearest {
    const bal_tiles *z;
    const bal_fit_pass *f;
    const float *s2; /* [m, count] */
    bal_size count;  /* batches */
    float *share; /* [points] least d2 / s2; negative: has a landmark */
    bal_size *landmark;
} nearest;

static void compare(nearest *n, bal_size t, bal_size first, int count,
                    const float *d2)
{
    const bal_tile *tile = &n->z->layout->tile[t];

    for (int q = 0; q < count; q++) {
        float s2 = n->s2[(first + q) * n->count + tile->batch];
        for (int j = 0; j < tile->m && s2 > 0; j++) {
            float share = d2[(bal_size)q * tile->ld + j] / s2;
            if (share < n->share[tile->first + j]) {
                n->share[tile->first + j] = share;
                n->landmark[tile->first + j] = first + q;
            }
        }
    }
}

static bal_status find_nearest(nearest *n, const bal_csr *rows)
{
    const bal_layout *l = n->z->layout;
    bal_size m = n->f->head->m;
    float *d2 = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&n->share, l->m, what));
    BAL_TRY(bal_alloc(&n->landmark, l->m, what));
    BAL_TRY(bal_alloc(&d2, (bal_size)BAL_ROWS_MOST * BAL_TILE, what));
    for (bal_lidx j = 0; j < l->m; j++) {
        n->share[j] = INFINITY;
        n->landmark[j] = -1;
    }
    for (bal_size i = 0; i < rows->m; i++)
        for (bal_size e = 0; e < rows->row[i].count; e++)
            n->share[rows->row[i].index[e]] = -1;
    for (bal_size t = 0; t < l->tiles; t++) {
        bal_alive();
        for (bal_size i = 0; i < m; i += BAL_ROWS_MOST) {
            int now = (int)(m - i < BAL_ROWS_MOST ? m - i : BAL_ROWS_MOST);
            bal_distance_tile(bal_tiles_block(n->z, t), l->tile[t].ld, n->z->p,
                              n->f->landmark + i * n->z->p, now, d2);
            compare(n, t, i, now, d2);
        }
    }
done:
    bal_free(&d2);
    return st;
}

/* The row of landmark i with the points that have no other, which are none of
 * its own. */
static bal_status add_to_row(const nearest *n, bal_size i,
                             const bal_csr_row *old, bal_csr *to)
{
    bal_lidx points = n->z->layout->m;
    bal_size more = 0, at = 0, e = 0;
    bal_csr_row row = {.landmark = -1};
    bal_status st;

    for (bal_lidx j = 0; j < points; j++)
        more += n->landmark[j] == i;
    BAL_TRY(bal_csr_row_create(&row, old->count + more));
    for (bal_lidx j = 0; j < points && at < row.count; j++) {
        bool kept = e < old->count && old->index[e] == j;
        if (!kept && n->landmark[j] != i)
            continue;
        row.index[at] = j;
        row.value[at++] = kept ? old->value[e++] : 1;
    }
    BAL_TRY(bal_csr_push(to, &row));
done:
    bal_csr_row_finish(&row);
    return st;
}

bal_status bal_apply_cover(const bal_application *a, const bal_fit_pass *f,
                           const float *s2, bal_size count, bal_csr **rows)
{
    nearest n = {.z = a->points->z, .f = f, .s2 = s2, .count = count};
    bal_csr *all = NULL;
    bal_status st;

    BAL_TRY(find_nearest(&n, *rows));
    BAL_TRY(bal_csr_create(n.z->layout, &all));
    for (bal_size i = 0; i < (*rows)->m; i++)
        BAL_TRY(add_to_row(&n, i, &(*rows)->row[i], all));
    bal_csr_destroy(rows);
    *rows = all;
    all = NULL;
done:
    bal_csr_destroy(&all);
    bal_free(&n.share);
    bal_free(&n.landmark);
    return st;
}
