/* The affinities of landmarks to each other: those that the run stored; else
 * made again, in the corrected coordinates, with the sample of the figures for
 * the batches.
 *
 *     scale(i, b) = the k-th smallest squared distance from i to points of the
 *                   sample in b,  k = k_b times the share of b in the sample
 *     a(i, j)     = exp(-d2(i, j) / scale(i, b_j))
 *
 * Cost: 3 l s p flops for l landmarks and a sample of s.
 * Reference: docs/algorithm.md, sections 3, 4 and 10. */
#include <math.h>
#include <stdlib.h>

#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/io/h5ad_uns.h"
#include "balans/kernel/kselect.h"
#include "balans/page/sample.h"
#include "page_internal.h"

static const double least = 0.001; /* affinity that counts */

/* ---- Which landmarks ---- */

/* Landmarks are in the order in which they were drawn. */
typedef struct drawn {
    bal_size m;
    int64_t *row;
    int32_t *batch;
    bal_size *size; /* [batches] landmarks of each */
} drawn;

static void finish_drawn(drawn *d)
{
    bal_free(&d->row);
    bal_free(&d->batch);
    bal_free(&d->size);
}

/* None where the run had a model for them, or the file is damaged. */
static bal_status list_landmarks(const bal_page *p, drawn *d)
{
    const json_t *list = bal_page_look(p->uns, "landmarks");
    const bal_labels *l = p->batch.labels;
    bal_status st;

    d->m = (bal_size)json_array_size(list);
    BAL_TRY(bal_alloc(&d->row, d->m, "the landmarks"));
    BAL_TRY(bal_alloc(&d->batch, d->m, "the landmarks"));
    BAL_TRY(bal_alloc(&d->size, l->count, "the landmarks"));
    for (bal_size i = 0; i < d->m; i++) {
        d->row[i] = json_integer_value(json_array_get(list, (size_t)i));
        if (d->row[i] < 0 || d->row[i] >= p->n)
            return BAL_FAIL(BAL_EINPUT,
                            "cannot report on '%s': landmark %lld is row %lld, "
                            "which is not there",
                            p->par->input, (long long)i, (long long)d->row[i]);
        d->batch[i] = l->code[d->row[i]];
        d->size[d->batch[i]]++;
    }
done:
    return st;
}

/* ---- Made again ---- */

static double distance2(const float *x, const float *y, bal_size p)
{
    double sum = 0;

    for (bal_size f = 0; f < p; f++) {
        double v = (double)x[f] - (double)y[f];
        sum += v * v;
    }
    return sum;
}

/* The sample, batch by batch. */
typedef struct batches {
    bal_size *first; /* [B + 1] in `at` */
    bal_size *at;    /* [n] points of the view */
} batches;

static bal_status sort_by_batch(const bal_page *p, batches *b)
{
    const bal_labels *l = p->batch.labels;
    const bal_view *v = &p->view;
    bal_status st;

    BAL_TRY(bal_alloc(&b->first, l->count + 2, "a sample"));
    BAL_TRY(bal_alloc(&b->at, v->n, "a sample"));
    for (bal_size i = 0; i < v->n; i++)
        b->first[l->code[v->row[i]] + 2]++;
    for (bal_size g = 0; g < l->count; g++)
        b->first[g + 2] += b->first[g + 1];
    for (bal_size i = 0; i < v->n; i++)
        b->at[b->first[l->code[v->row[i]] + 1]++] = i;
done:
    return st;
}

/* The scale of one landmark in batch g; infinite where the sample has no other
 * point of it. */
static double scale_of(const bal_page *p, const batches *b, bal_gidx row,
                       const float *z, bal_size g, float *room)
{
    const bal_labels *l = p->batch.labels;
    const bal_view *v = &p->view;
    bal_size count = 0, sampled = b->first[g + 1] - b->first[g], k;
    double share = (double)sampled / (double)l->size[g];

    for (bal_size i = b->first[g]; i < b->first[g + 1]; i++)
        if (v->row[b->at[i]] != row)
            room[count++] =
                (float)distance2(z, v->after + b->at[i] * v->p, v->p);
    k = (bal_size)llround(
        share * (double)bal_neighbors_in(p->ran.neighbors, l->size[g]));
    k = k < 1 ? 1 : k > count ? count : k;
    return count > 0 ? (double)bal_kth_smallest(room, count, k) : INFINITY;
}

static float affinity(const bal_page *p, double d2, double scale)
{
    double a = scale > 0 ? exp(-d2 / scale) : d2 <= 0;
    bool near = p->ran.sparsify == BAL_SCALE ? d2 <= scale : a >= least;

    return near && isfinite(scale) ? (float)a : 0;
}

static bal_status fill(bal_page *p, const batches *b, const float *z)
{
    const bal_labels *l = p->batch.labels;
    bal_heat *h = &p->heat;
    bal_size dims = p->view.p;
    double *scale = NULL;
    float *room = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&scale, l->count, "affinities of landmarks"));
    BAL_TRY(bal_alloc(&room, p->view.n, "affinities of landmarks"));
    for (bal_size i = 0; i < h->n; i++) {
        for (bal_size g = 0; g < l->count; g++)
            scale[g] = scale_of(p, b, h->row[i], z + i * dims, g, room);
        for (bal_size j = 0; j < h->n; j++) {
            double d2 = distance2(z + i * dims, z + j * dims, dims);
            h->a[i * h->n + j] = affinity(p, d2, scale[l->code[h->row[j]]]);
        }
        h->a[i * h->n + i] = 1;
        bal_alive();
        bal_progress("affinities of %lld landmarks", (long long)h->n);
    }
done:
    bal_free(&scale);
    bal_free(&room);
    return st;
}

static bal_status make_again(bal_page *p)
{
    bal_heat *h = &p->heat;
    batches b = {0};
    float *z = NULL;
    bal_size dims;
    bal_status st;

    BAL_TRY(sort_by_batch(p, &b));
    BAL_TRY(bal_page_after(p, h->row, h->n, &dims, &z));
    BAL_TRY(fill(p, &b, z));
done:
    bal_free(&b.first);
    bal_free(&b.at);
    bal_free(&z);
    return st;
}

/* ---- Either way ---- */

static int by_row(const void *a, const void *b)
{
    const bal_gidx *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static bal_status read_stored(bal_page *p, const bal_gidx *chosen)
{
    bal_heat *h = &p->heat;

    h->stored = true;
    return bal_h5ad_entries(p->file, h->n, chosen, h->row, h->a).code;
}

/* The landmarks of the file, thinned batch by batch; points of the sample where
 * there are none. */
static bal_status choose(bal_page *p, drawn *d, bal_gidx **chosen)
{
    const bal_labels *l = p->batch.labels;
    bal_heat *h = &p->heat;
    bal_status st;

    h->landmarks = d->m > 0;
    if (!h->landmarks) {
        for (bal_size i = 0; i < l->count; i++)
            d->size[i] = l->size[i];
        d->m = p->n;
    }
    h->of = d->m;
    h->n = d->m < BAL_PAGE_LANDMARKS ? d->m : BAL_PAGE_LANDMARKS;
    BAL_TRY(bal_alloc(chosen, h->n, "the landmarks"));
    BAL_TRY(bal_alloc(&h->row, h->n, "the landmarks"));
    BAL_TRY(bal_alloc(&h->a, h->n * h->n, "affinities of landmarks"));
    BAL_TRY(bal_sample_by_group(h->landmarks ? d->batch : l->code, d->m,
                                d->size, l->count, BAL_PAGE_LANDMARKS,
                                p->par->seed, *chosen));
    for (bal_size i = 0; i < h->n; i++)
        h->row[i] = h->landmarks ? d->row[(*chosen)[i]] : (*chosen)[i];
done:
    return st;
}

bal_status bal_page_make_heat(bal_page *p)
{
    bal_heat *h = &p->heat;
    bal_gidx *chosen = NULL;
    drawn d = {0};
    bal_status st;

    BAL_TRY(list_landmarks(p, &d));
    BAL_TRY(choose(p, &d, &chosen));
    if (h->landmarks && json_is_true(bal_page_look(p->uns, "affinity"))) {
        BAL_TRY(read_stored(p, chosen));
        goto done;
    }
    qsort(h->row, (size_t)h->n, sizeof *h->row, by_row);
    BAL_TRY(make_again(p));
done:
    bal_free(&chosen);
    finish_drawn(&d);
    return st;
}
