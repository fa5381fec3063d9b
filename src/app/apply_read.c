/* What `balans apply` reads of a model, pass by pass. */
#include "apply_internal.h"
#include "balans/base/mem.h"
#include "balans/par/agree.h"

static const char what[] = "the model";

static bal_status allot(const bal_model *m, bal_fit_pass *f)
{
    bal_size p = m->space->p, rows = f->head->m, B = f->head->batches;
    bal_status st;

    BAL_TRY(bal_alloc(&f->landmark, rows * p, what));
    BAL_TRY(bal_alloc(&f->sum, rows, what));
    BAL_TRY(bal_alloc(&f->s2, rows * B, what));
    BAL_TRY(bal_alloc(&f->own, rows, what));
    BAL_TRY(bal_alloc(&f->size, B, what));
    BAL_TRY(bal_alloc(&f->k, B, what));
    if (f->head->trusts)
        BAL_TRY(bal_alloc(&f->omega, rows * B, what));
    if (f->head->cuts)
        BAL_TRY(bal_alloc(&f->cut, rows, what));
done:
    return st;
}

/* Batches have points, of which there is a sample, and a landmark is of one. */
static bool is_right(const bal_fit_pass *f)
{
    const bal_model_pass *head = f->head;
    bal_size sampled = 0;
    bool right = true;

    for (bal_size b = 0; b < head->batches && right; b++) {
        right = f->size[b] > 0 && f->k[b] > 0;
        sampled += bal_model_sampled(f->size[b]);
    }
    for (bal_size i = 0; i < head->m && right; i++)
        right = f->own[i] >= 0 && f->own[i] < head->batches &&
                (f->cut == NULL || (f->cut[i] >= 0 && f->cut[i] < BAL_BINS));
    return right && sampled == head->sampled;
}

bal_verdict bal_fit_pass_read(bal_model *m, int64_t number, bal_fit_pass *f)
{
    bal_size rows = m->pass[number - 1].m, B = m->pass[number - 1].batches;
    bal_store *s = m->store;
    char key[BAL_STORE_KEY];
    bal_verdict st;

    *f = (bal_fit_pass){.head = &m->pass[number - 1], .number = number};
    BAL_TRY(bal_agree(m->comm, allot(m, f)));
    BAL_TRY(bal_store_get(s, bal_model_key(number, "landmarks", key),
                          BAL_STORE_F32, rows, m->space->p, f->landmark));
    BAL_TRY(bal_store_get(s, bal_model_key(number, "sums", key), BAL_STORE_F64,
                          rows, 1, f->sum));
    BAL_TRY(bal_store_get(s, bal_model_key(number, "scales", key),
                          BAL_STORE_F32, rows, B, f->s2));
    BAL_TRY(bal_store_get(s, bal_model_key(number, "own", key), BAL_STORE_I64,
                          rows, 1, f->own));
    BAL_TRY(bal_store_get(s, bal_model_key(number, "sizes", key), BAL_STORE_I64,
                          B, 1, f->size));
    BAL_TRY(bal_store_get(s, bal_model_key(number, "neighbors", key),
                          BAL_STORE_I64, B, 1, f->k));
    if (f->omega != NULL)
        BAL_TRY(bal_store_get(s, bal_model_key(number, "trust", key),
                              BAL_STORE_F32, rows, B, f->omega));
    if (f->cut != NULL)
        BAL_TRY(bal_store_get(s, bal_model_key(number, "cuts", key),
                              BAL_STORE_I32, rows, 1, f->cut));
    BAL_TRY(bal_store_get_texts(s, bal_model_key(number, "batches", key), &B,
                                &f->name));
    BAL_TRY(bal_agree(m->comm, bal_model_check(m, is_right(f))));
done:
    return st;
}

void bal_fit_pass_finish(bal_fit_pass *f)
{
    bal_free(&f->landmark);
    bal_free(&f->sum);
    bal_free(&f->s2);
    bal_free(&f->omega);
    bal_free(&f->own);
    bal_free(&f->cut);
    bal_free(&f->name);
    bal_free(&f->size);
    bal_free(&f->k);
}

/* ---- Samples ---- */

bal_status bal_stand_in_read(const bal_model *m, const bal_fit_pass *f,
                             bal_size batch, bal_stand_in *s)
{
    bal_size p = m->space->p, count = bal_model_sampled(f->size[batch]);
    bal_size first = 0;
    bal_store_array a;
    char key[BAL_STORE_KEY];
    float *point = NULL;
    bal_status st;

    for (bal_size b = 0; b < batch; b++)
        first += bal_model_sampled(f->size[b]);
    BAL_TRY(bal_alloc(&point, count * p, what));
    BAL_TRY(bal_store_find(m->store, bal_model_key(f->number, "sample", key),
                           BAL_STORE_F32, f->head->sampled, p, &a));
    BAL_TRY(bal_store_read(m->store, &a, first, count, point));
    BAL_TRY(bal_layout_create(&count, 1, 0, 1, &s->layout));
    BAL_TRY(bal_tiles_create(s->layout, (int)p, &s->z));
    for (bal_size j = 0; j < count; j++)
        bal_tiles_set(s->z, (bal_lidx)j, point + j * p);
done:
    bal_free(&point);
    return st;
}

void bal_stand_in_finish(bal_stand_in *s)
{
    bal_tiles_destroy(&s->z);
    bal_layout_destroy(&s->layout);
}
