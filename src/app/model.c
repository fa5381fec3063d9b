/* Models, written.  The keys of a pass begin with its number.  Samples are
 * gathered batch by batch, so that no rank holds more than one. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "balans/par/agree.h"
#include "model_internal.h"

const bal_store_kind bal_model_kind = {
    .name = "balans model",
    .version = 1,
    .way_out = "fit it anew",
};

static const char what[] = "the model";

const char *bal_model_key(int64_t pass, const char *name,
                          char key[BAL_STORE_KEY])
{
    snprintf(key, BAL_STORE_KEY, "pass %lld %s", (long long)pass, name);
    return key;
}

/* ---- Samples ---- */

static int ascending(const void *a, const void *b)
{
    bal_gidx x = *(const bal_gidx *)a, y = *(const bal_gidx *)b;

    return (x > y) - (x < y);
}

void bal_model_draw(uint64_t seed, int64_t pass, bal_size n, bal_gidx *out)
{
    const uint32_t purpose = UINT32_MAX - 2; /* beyond all blocks */
    bal_size want = bal_model_sampled(n), count = 0;

    for (bal_size t = n - want; t < n; t++) {
        uint64_t r = bal_rng_u64(seed, (uint32_t)pass, purpose, (uint32_t)t,
                                 (uint32_t)(t >> 32));
        bal_gidx item = (bal_gidx)bal_rng_below(r, (uint64_t)t + 1);
        for (bal_size i = 0; i < count; i++)
            if (out[i] == item) {
                item = t;
                break;
            }
        out[count++] = item;
    }
    qsort(out, (size_t)count, sizeof *out, ascending);
}

/* The owner fills in, the others leave 0, and all are or-ed. */
void bal_model_points(bal_comm *c, const bal_tiles *z, const bal_gidx *position,
                      bal_size count, float *out)
{
    const bal_layout *l = z->layout;

    memset(out, 0, (size_t)(count * z->p) * sizeof *out);
    for (bal_size i = 0; i < count; i++) {
        bal_gidx local = position[i] - l->rank_first[l->rank];
        if (local >= 0 && local < l->m)
            bal_tiles_point(z, (bal_lidx)local, out + i * z->p);
    }
    bal_comm_or_u32(c, (uint32_t *)(void *)out, count * z->p);
}

/* ---- A pass ---- */

static bal_verdict keep(bal_model_out *m, const bal_store_array *a,
                        bal_size first, bal_size count, const float *g)
{
    bal_status mine = BAL_OK;

    if (m->comm->rank == 0)
        mine = bal_store_write(m->store, a, first, count, g);
    return bal_agree(m->comm, mine);
}

static bal_verdict keep_x(void *arg, bal_size first, bal_size count, float *g)
{
    bal_model_out *m = arg;

    return keep(m, &m->x, first, count, g);
}

static bal_verdict keep_z(void *arg, bal_size first, bal_size count, float *g)
{
    bal_model_out *m = arg;

    return keep(m, &m->z, first, count, g);
}

/* What is worked with to add a pass. */
typedef struct adding {
    bal_model_out *m;
    int64_t pass;
    const bal_points *points;
    const bal_layout *l;
    const bal_landmarks *k;
    char key[BAL_STORE_KEY];
} adding;

static const char *key_of(adding *a, const char *name)
{
    return bal_model_key(a->pass, name, a->key);
}

static bal_size sampled(const bal_layout *l)
{
    bal_size sum = 0;

    for (bal_size b = 0; b < l->batches; b++)
        sum += bal_model_sampled(l->batch_first[b + 1] - l->batch_first[b]);
    return sum;
}

static bal_verdict add_sample(adding *a)
{
    const bal_layout *l = a->l;
    bal_size p = a->points->z->p, at = 0;
    bal_store_array array;
    bal_gidx *position = NULL;
    float *point = NULL;
    bal_status mine = bal_alloc(&position, BAL_MODEL_SAMPLE, what);
    bal_verdict st;

    if (!bal_failed(mine))
        mine = bal_alloc(&point, BAL_MODEL_SAMPLE * p, what);
    BAL_TRY(bal_agree(a->m->comm, mine));
    BAL_TRY(bal_store_make(a->m->store, key_of(a, "sample"), BAL_STORE_F32,
                           sampled(l), p, &array));
    for (bal_size b = 0; b < l->batches; b++) {
        bal_size n = l->batch_first[b + 1] - l->batch_first[b];
        bal_size count = bal_model_sampled(n);
        bal_model_draw(a->m->par->seed, a->pass, n, position);
        for (bal_size i = 0; i < count; i++)
            position[i] += l->batch_first[b];
        bal_model_points(a->m->comm, a->points->z, position, count, point);
        if (a->m->comm->rank == 0 && !bal_failed(mine))
            mine = bal_store_write(a->m->store, &array, at, count, point);
        at += count;
    }
    BAL_TRY(bal_agree(a->m->comm, mine));
done:
    bal_free(&position);
    bal_free(&point);
    return st;
}

static bal_verdict add_batches(adding *a)
{
    bal_store *s = a->m->store;
    const bal_labels *labels = a->points->order->labels;
    bal_size B = a->l->batches;
    int64_t *k = NULL;
    bal_verdict st;

    BAL_TRY(bal_agree(a->m->comm, bal_alloc(&k, B, what)));
    for (bal_size b = 0; b < B; b++)
        k[b] = bal_neighbors_in(a->m->par->neighbors, labels->size[b]);
    BAL_TRY(bal_store_put_texts(s, key_of(a, "batches"),
                                (const char *const *)labels->name, B));
    BAL_TRY(bal_store_put(s, key_of(a, "sizes"), BAL_STORE_I64, B, 1,
                          labels->size));
    BAL_TRY(
        bal_store_put(s, key_of(a, "neighbors"), BAL_STORE_I64, B, 1, k));
done:
    bal_free(&k);
    return st;
}

static bal_verdict add_landmarks(adding *a)
{
    bal_store *s = a->m->store;
    const bal_landmarks *k = a->k;
    bal_size p = a->points->z->p;
    int64_t *own = NULL;
    float *z = NULL;
    bal_status mine = bal_alloc(&own, k->m, what);
    bal_verdict st;

    if (!bal_failed(mine))
        mine = bal_alloc(&z, k->m * p, what);
    BAL_TRY(bal_agree(a->m->comm, mine));
    for (bal_size i = 0; i < k->m; i++)
        own[i] = bal_layout_batch(a->l, k->position[i]);
    bal_model_points(a->m->comm, a->points->z, k->position, k->m, z);
    BAL_TRY(bal_store_put(s, key_of(a, "landmarks"), BAL_STORE_F32, k->m, p,
                          z));
    BAL_TRY(bal_store_put(s, key_of(a, "own"), BAL_STORE_I64, k->m, 1, own));
    BAL_TRY(bal_store_put(s, key_of(a, "sums"), BAL_STORE_F64, k->m, 1,
                          k->parts->sum));
    BAL_TRY(bal_store_put(s, key_of(a, "scales"), BAL_STORE_F32, k->m,
                          a->l->batches, k->report.scale));
done:
    bal_free(&own);
    bal_free(&z);
    return st;
}

static bal_verdict add_trust(adding *a)
{
    const bal_trust *t = a->k->trust;
    float *omega = NULL;
    bal_verdict st;

    BAL_TRY(bal_agree(a->m->comm,
                      bal_alloc(&omega, t->m * t->batches, what)));
    for (bal_size i = 0; i < t->m * t->batches; i++)
        omega[i] = (float)t->omega[i];
    BAL_TRY(bal_store_put(a->m->store, key_of(a, "trust"), BAL_STORE_F32, t->m,
                          t->batches, omega));
done:
    bal_free(&omega);
    return st;
}

/* The least affinity that each landmark keeps lies in the bin of its cut or, if
 * that bin is empty, above it: both keep the same points. */
static void find_cuts(bal_comm *c, const bal_affinity *a, float *least,
                      int32_t *cut)
{
    for (bal_size i = 0; i < a->m; i++)
        least[i] = 1;
    for (bal_size b = 0; b < a->count; b++) {
        bal_size e = a->entry_first[b];
        for (bal_size r = a->run_first[b]; r < a->run_first[b + 1]; r++)
            for (; e < a->entry_first[b] + a->run[r].end; e++)
                if (a->value[e] < least[a->run[r].landmark])
                    least[a->run[r].landmark] = a->value[e];
    }
    bal_comm_min_f32(c, least, a->m);
    for (bal_size i = 0; i < a->m; i++)
        cut[i] = bal_rows_bin(least[i]);
}

static bal_verdict add_cuts(adding *a)
{
    float *least = NULL;
    int32_t *cut = NULL;
    bal_status mine = bal_alloc(&least, a->k->m, what);
    bal_verdict st;

    if (!bal_failed(mine))
        mine = bal_alloc(&cut, a->k->m, what);
    BAL_TRY(bal_agree(a->m->comm, mine));
    find_cuts(a->m->comm, a->k->by_tile, least, cut);
    BAL_TRY(bal_store_put(a->m->store, key_of(a, "cuts"), BAL_STORE_I32,
                          a->k->m, 1, cut));
done:
    bal_free(&least);
    bal_free(&cut);
    return st;
}

bal_verdict bal_model_add_pass(bal_model_out *m, const bal_model_form *form,
                               const bal_points *points,
                               const bal_landmarks *k, bal_size d)
{
    adding a = {m, form->pass, points, points->order->layout, k, ""};
    bool cuts = m->par->sparsify == BAL_ELBOW;
    bool strict = m->par->trust == BAL_TRUST_STRICT;
    int64_t trust = strict ? BAL_MODEL_STRICT : BAL_MODEL_TRUSTS;
    const int64_t head[BAL_MODEL_HEAD] = {
        points->column,  form->correction, k->trust != NULL ? trust : 0, cuts,
        k->m,            a.l->batches,     sampled(a.l),     a.l->n,
        k->report.uncovered};
    bal_verdict st;

    BAL_TRY(bal_store_put(m->store, key_of(&a, "head"), BAL_STORE_I64,
                          BAL_MODEL_HEAD, 1, head));
    BAL_TRY(bal_store_put(m->store, key_of(&a, "blend"), BAL_STORE_F64, 1, 1,
                          &form->blend));
    BAL_TRY(add_batches(&a));
    BAL_TRY(add_landmarks(&a));
    BAL_TRY(add_sample(&a));
    if (k->trust != NULL)
        BAL_TRY(add_trust(&a));
    if (cuts)
        BAL_TRY(add_cuts(&a));
    BAL_TRY(bal_store_make(m->store, key_of(&a, "consensus"), BAL_STORE_F32, d,
                           k->m, &m->x));
    BAL_TRY(bal_store_make(m->store, key_of(&a, "consensus of coordinates"),
                           BAL_STORE_F32, points->z->p, k->m, &m->z));
done:
    return st;
}

/* ---- The whole ---- */

typedef struct named {
    const char *name;
    bal_size feature;
} named;

static int by_name(const void *a, const void *b)
{
    const named *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : (x->feature > y->feature) -
                                    (x->feature < y->feature);
}

/* New data are matched by name. */
static bal_status check_names(const bal_input *in, char *const *name)
{
    bal_size d = in->info.d;
    named *list = NULL;
    bal_status st = bal_alloc(&list, d, what);

    if (bal_failed(st))
        return st;
    for (bal_size f = 0; f < d; f++)
        list[f] = (named){name[f], f};
    qsort(list, (size_t)d, sizeof *list, by_name);
    for (bal_size f = 1; f < d && !bal_failed(st); f++)
        if (strcmp(list[f - 1].name, list[f].name) == 0)
            st = BAL_FAIL(BAL_EINPUT,
                          "cannot make a model of '%s': features %lld and %lld "
                          "have one name, '%.100s'; give each its own",
                          in->par->input, (long long)list[f - 1].feature,
                          (long long)list[f].feature, list[f].name);
    bal_free(&list);
    return st;
}

static bal_verdict put_features(bal_model_out *m, const bal_input *in)
{
    char **name = NULL;
    bal_verdict st;

    BAL_TRY(bal_h5ad_features(in->file, &name));
    BAL_TRY(bal_agree(m->comm, check_names(in, name)));
    BAL_TRY(bal_store_put_texts(m->store, "features",
                                (const char *const *)name, in->info.d));
    BAL_TRY(bal_store_put_texts(m->store, "columns",
                                (const char *const *)in->column, in->columns));
done:
    bal_h5ad_names_free(&name, in->info.d);
    return st;
}

bal_verdict bal_model_begin(const bal_input *in, bal_model_out *m)
{
    bal_comm *c = in->comm;
    const bal_params *par = in->par;
    bal_verdict st;

    *m = (bal_model_out){.comm = c, .par = par};
    m->keep_x = (bal_fitted){.arg = m, .keep = keep_x};
    m->keep_z = (bal_fitted){.arg = m, .keep = keep_z};
    if (par->save_model == NULL)
        return bal_agree(c, BAL_OK);
    BAL_TRY(bal_store_create(c, par->save_model, par->force, &bal_model_kind,
                             &m->store));
    BAL_TRY(put_features(m, in));
done:
    return st;
}

static bal_verdict put_space(bal_model_out *m, const bal_space *s)
{
    bal_verdict st;

    BAL_TRY(bal_store_put(m->store, "mean", BAL_STORE_F64, s->d, 1, s->mean));
    BAL_TRY(bal_store_put(m->store, "sd", BAL_STORE_F64, s->d, 1, s->sd));
    BAL_TRY(
        bal_store_put(m->store, "centre", BAL_STORE_F64, s->d, 1, s->centre));
    BAL_TRY(bal_store_put(m->store, "clip", BAL_STORE_F64, 1, 1, &s->clip));
    if (s->pca)
        BAL_TRY(bal_store_put(m->store, "components", BAL_STORE_F64, s->d, s->p,
                              s->components));
done:
    return st;
}

static bal_verdict put_settings(bal_model_out *m, const bal_input *in,
                                const bal_space *space, int64_t passes)
{
    const bal_params *par = m->par;
    const int64_t whole[BAL_MODEL_WHOLE] = {
        space->d,      space->p,         space->pca,   passes,
        in->columns,   par->neighbors.k, par->sparsify, par->uncovered};
    const double real[BAL_MODEL_REAL] = {par->neighbors.share, par->gate};
    bal_verdict st;

    BAL_TRY(bal_store_put(m->store, "settings", BAL_STORE_I64, BAL_MODEL_WHOLE,
                          1, whole));
    BAL_TRY(bal_store_put(m->store, "shares", BAL_STORE_F64, BAL_MODEL_REAL, 1,
                          real));
    BAL_TRY(bal_store_put(m->store, "seed", BAL_STORE_U64, 1, 1, &par->seed));
done:
    return st;
}

/* Rank 0's text, on every rank, as a store wants it. */
static bal_verdict put_provenance(bal_model_out *m, const json_t *provenance)
{
    bal_comm *c = m->comm;
    char *made = NULL, *text = NULL;
    const char *only;
    int64_t bytes = 0;
    bal_status mine = BAL_OK;
    bal_verdict st;

    if (c->rank == 0) {
        made = json_dumps(provenance, JSON_SORT_KEYS | JSON_COMPACT);
        mine = made != NULL
                   ? BAL_OK
                   : BAL_FAIL(BAL_ENOMEM, "cannot get memory for %s", what);
        bytes = made != NULL ? (int64_t)strlen(made) + 1 : 0;
    }
    BAL_TRY(bal_agree(c, mine));
    bal_comm_bcast(c, &bytes, (bal_size)sizeof bytes, 0);
    BAL_TRY(bal_agree(c, bal_alloc(&text, bytes, what)));
    if (made != NULL)
        memcpy(text, made, (size_t)bytes);
    bal_comm_bcast(c, text, bytes, 0);
    only = text;
    BAL_TRY(bal_store_put_texts(m->store, "provenance", &only, 1));
done:
    free(made);
    bal_free(&text);
    return st;
}

bal_verdict bal_model_finish(bal_model_out *m, const bal_input *in,
                             const bal_space *space, int64_t passes,
                             const json_t *provenance)
{
    bal_verdict st;

    BAL_TRY(put_settings(m, in, space, passes));
    BAL_TRY(put_space(m, space));
    BAL_TRY(put_provenance(m, provenance));
    BAL_TRY(bal_store_finish(&m->store));
done:
    return st;
}

void bal_model_discard(bal_model_out *m)
{
    bal_store_close(&m->store);
}
