#include "points.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"

static void insist(bool good)
{
    if (!good) {
        fprintf(stderr, "points: %s\n", bal_error_get()->text);
        abort();
    }
}

int *points_batch_by_row(const ref_data *data)
{
    int *batch = ref_new(data->n, (int64_t)sizeof *batch);

    for (int64_t j = 0; j < data->n; j++)
        batch[data->row[j]] = data->batch[j];
    return batch;
}

static void make_labels(bal_comm *c, const ref_data *data, points *p)
{
    int *batch = points_batch_by_row(data);
    char **name = ref_new(data->batches, (int64_t)sizeof *name);
    bal_gidx first = bal_slab_first(data->n, c->rank, c->size);
    bal_size m = bal_slab_first(data->n, c->rank + 1, c->size) - first;
    int32_t *code = NULL;

    for (int64_t b = 0; b < data->batches; b++) {
        name[b] = ref_new(24, 1);
        snprintf(name[b], 24, "%lld", (long long)b);
    }
    insist(!bal_failed(bal_alloc(&code, m, "codes")));
    for (bal_size i = 0; i < m; i++)
        code[i] = batch[first + i];
    insist(!bal_failed(bal_labels_unify(c, data->n, name, data->batches, code,
                                        true, "a test", &p->labels)));
    for (int64_t b = 0; b < data->batches; b++)
        free(name[b]);
    free(name);
    free(batch);
}

/* Profiles stand in the order of the file. */
static void set_profiles(const ref_data *data, bal_blocks *x)
{
    for (int64_t j = 0; j < data->n; j++) {
        bal_gidx i = data->row[j] - x->first;
        if (i >= 0 && i < x->m)
            memcpy(x->at + i * data->d, data->x + j * data->d,
                   (size_t)data->d * sizeof *x->at);
    }
}

points *points_create(bal_comm *c, const ref_data *data)
{
    points *p = ref_new(1, (int64_t)sizeof *p);

    make_labels(c, data, p);
    insist(!bal_failed(bal_order_create(c, p->labels, &p->order)));
    p->layout = p->order->layout;
    insist(!bal_failed(
        bal_blocks_create(data->n, data->d, c->rank, c->size, &p->x)));
    insist(!bal_failed(bal_blocks_reside(p->x)));
    insist(!bal_failed(bal_tiles_create(p->layout, (int)data->p, &p->z)));
    set_profiles(data, p->x);
    bal_gidx first = p->layout->rank_first[c->rank];
    for (bal_lidx j = 0; j < p->layout->m; j++)
        bal_tiles_set(p->z, j, data->z + (first + j) * data->p);
    return p;
}

void points_destroy(points **p)
{
    if (*p == NULL)
        return;
    bal_tiles_destroy(&(*p)->z);
    bal_blocks_destroy(&(*p)->x);
    bal_order_destroy(&(*p)->order);
    bal_labels_destroy(&(*p)->labels);
    free(*p);
    *p = NULL;
}
