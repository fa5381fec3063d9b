#include "affinities.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void insist(bool good)
{
    if (!good) {
        fprintf(stderr, "affinities: %s\n", bal_error_get()->text);
        abort();
    }
}

/* This rank's entries of row i. */
static void push_row(const bal_layout *l, const ref_sample *s, int64_t i,
                     bal_csr *a)
{
    const double *dense = s->a + i * s->n + l->rank_first[l->rank];
    bal_csr_row row = {0};
    bal_size count = 0, e = 0;

    for (bal_lidx j = 0; j < l->m; j++)
        count += dense[j] > 0;
    insist(!bal_failed(bal_csr_row_create(&row, count)));
    row.landmark = s->landmark[i];
    for (bal_lidx j = 0; j < l->m; j++)
        if (dense[j] > 0) {
            row.index[e] = j;
            row.value[e++] = (float)dense[j];
        }
    insist(!bal_failed(bal_csr_push(a, &row)));
}

affinities affinities_create(bal_comm *c, const points *p, const ref_sample *s)
{
    affinities out = {0};
    bal_csr *a = NULL;

    insist(!bal_failed(bal_csr_create(p->layout, &a)));
    for (int64_t i = 0; i < s->m; i++)
        push_row(p->layout, s, i, a);
    insist(!bal_failed(bal_affinity_by_tile(a, p->order, 1, &out.by_tile)));
    insist(!bal_failed(bal_affinity_by_block(c, a, p->order, p->x, 1 << 20,
                                             1, &out.by_block)));
    bal_csr_destroy(&a);
    return out;
}

void affinities_finish(affinities *a)
{
    bal_affinity_destroy(&a->by_tile);
    bal_affinity_destroy(&a->by_block);
}

void affinities_round(ref_sample *s, const ref_data *data, bool hollow)
{
    for (int64_t i = 0; i < s->m; i++)
        for (int64_t j = 0; j < s->n; j++) {
            double *a = &s->a[i * s->n + j];
            bool other = data->batch[j] != data->batch[s->landmark[i]];
            *a = (double)(float)*a;
            if (hollow && other && (i + data->batch[j]) % 3 == 0)
                *a = 0;
        }
}
