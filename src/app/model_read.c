/* Models, read. */
#include <stdio.h>
#include <stdlib.h>

#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/io/publish.h"
#include "balans/par/agree.h"
#include "model.h"
#include "model_internal.h"

static const char what[] = "the model";

/* The checksum is right, so a number that cannot be is a fault of the writer;
 * but it decides what is asked of memory. */
bal_status bal_model_check(const bal_model *m, bool right)
{
    if (right)
        return BAL_OK;
    return BAL_FAIL(BAL_EINPUT,
                    "cannot read '%s': its numbers do not go together; fit it "
                    "anew",
                    m->path);
}

/* Nothing is made of a size that the store does not have. */
static bal_status check_space(const bal_store *s, const int64_t *whole)
{
    bal_store_array a;
    bal_status st;

    BAL_TRY(bal_store_find(s, "mean", BAL_STORE_F64, whole[0], 1, &a));
    if (whole[2] != 0)
        BAL_TRY(bal_store_find(s, "components", BAL_STORE_F64, whole[0],
                               whole[1], &a));
done:
    return st;
}

static bal_verdict read_space(bal_model *m, const int64_t *whole)
{
    bal_store *s = m->store;
    bal_space *space;
    bal_verdict st;

    BAL_TRY(bal_agree(m->comm, check_space(s, whole)));
    BAL_TRY(bal_agree(m->comm, bal_space_create(whole[0], whole[1],
                                                whole[2] != 0, &m->space)));
    space = m->space;
    BAL_TRY(
        bal_store_get(s, "mean", BAL_STORE_F64, space->d, 1, space->mean));
    BAL_TRY(bal_store_get(s, "sd", BAL_STORE_F64, space->d, 1, space->sd));
    BAL_TRY(
        bal_store_get(s, "centre", BAL_STORE_F64, space->d, 1, space->centre));
    BAL_TRY(bal_store_get(s, "clip", BAL_STORE_F64, 1, 1, &space->clip));
    if (space->pca)
        BAL_TRY(bal_store_get(s, "components", BAL_STORE_F64, space->d,
                              space->p, space->components));
    bal_space_ready(space);
done:
    return st;
}

static bool settings_are_right(const bal_store *s, const int64_t *whole,
                               const double *real)
{
    char key[BAL_STORE_KEY];

    return whole[0] > 0 && whole[1] > 0 && whole[1] <= whole[0] &&
           (whole[2] != 0 || whole[1] == whole[0]) && whole[3] > 0 &&
           bal_store_has(s, bal_model_key(whole[3], "head", key)) &&
           whole[4] > 0 && whole[5] >= 0 &&
           (whole[6] == BAL_ELBOW || whole[6] == BAL_SCALE) &&
           (whole[7] == BAL_EXTEND || whole[7] == BAL_KEEP) && real[0] >= 0 &&
           real[0] <= 100 && (real[1] == 0 || real[1] >= 1);
}

static bal_verdict read_settings(bal_model *m)
{
    int64_t whole[BAL_MODEL_WHOLE];
    double real[BAL_MODEL_REAL];
    bal_verdict st;

    BAL_TRY(bal_store_get(m->store, "settings", BAL_STORE_I64, BAL_MODEL_WHOLE,
                          1, whole));
    BAL_TRY(bal_store_get(m->store, "shares", BAL_STORE_F64, BAL_MODEL_REAL, 1,
                          real));
    BAL_TRY(bal_store_get(m->store, "seed", BAL_STORE_U64, 1, 1, &m->seed));
    BAL_TRY(bal_agree(m->comm, bal_model_check(m, settings_are_right(
                                                      m->store, whole, real))));
    m->passes = whole[3];
    m->columns = whole[4];
    m->neighbors = (bal_neighbors){whole[5], real[0]};
    m->sparsify = (bal_sparsify)whole[6];
    m->uncovered = (bal_uncovered)whole[7];
    m->gate = real[1];
    BAL_TRY(read_space(m, whole));
    BAL_TRY(bal_store_get_texts(m->store, "features", &whole[0], &m->feature));
    BAL_TRY(
        bal_store_get_texts(m->store, "columns", &m->columns, &m->column));
done:
    return st;
}

static bal_verdict read_provenance(bal_model *m)
{
    char **text = NULL;
    bal_size count = 1;
    bal_verdict st;

    BAL_TRY(bal_store_get_texts(m->store, "provenance", &count, &text));
    m->provenance = json_loads(text[0], 0, NULL);
    BAL_TRY(bal_agree(m->comm,
                      bal_model_check(m, json_is_object(m->provenance))));
done:
    bal_free(&text);
    return st;
}

static bool pass_is_right(const bal_model *m, const bal_model_pass *p)
{
    return p->column >= 0 && p->column < m->columns && p->m > 0 &&
           p->batches > 0 && p->n > 0 && p->uncovered >= 0 &&
           p->uncovered <= p->n &&
           (p->correction == BAL_SMOOTH || p->correction == BAL_RESIDUAL) &&
           p->blend > 0 && p->blend <= 1;
}

/* The store has arrays of those sizes. */
static bal_status check_arrays(const bal_model *m, int64_t t,
                               const bal_model_pass *p)
{
    char key[BAL_STORE_KEY];
    bal_store_array a;
    bal_status st;

    BAL_TRY(bal_store_find(m->store, bal_model_key(t, "landmarks", key),
                           BAL_STORE_F32, p->m, m->space->p, &a));
    BAL_TRY(bal_store_find(m->store, bal_model_key(t, "scales", key),
                           BAL_STORE_F32, p->m, p->batches, &a));
    BAL_TRY(bal_store_find(m->store, bal_model_key(t, "sample", key),
                           BAL_STORE_F32, p->sampled, m->space->p, &a));
done:
    return st;
}

static bal_verdict read_pass(bal_model *m, int64_t t)
{
    bal_model_pass *p = &m->pass[t - 1];
    char key[BAL_STORE_KEY];
    int64_t head[BAL_MODEL_HEAD];
    bal_verdict st;

    BAL_TRY(bal_store_get(m->store, bal_model_key(t, "head", key),
                          BAL_STORE_I64, BAL_MODEL_HEAD, 1, head));
    *p = (bal_model_pass){
        .column = head[0],
        .correction = (bal_correction)head[1],
        .trusts = head[2] != 0,
        .strict = head[2] == BAL_MODEL_STRICT,
        .cuts = head[3] != 0,
        .m = head[4],
        .batches = head[5],
        .sampled = head[6],
        .n = head[7],
        .uncovered = head[8],
    };
    BAL_TRY(bal_store_get(m->store, bal_model_key(t, "blend", key),
                          BAL_STORE_F64, 1, 1, &p->blend));
    BAL_TRY(bal_agree(m->comm, bal_model_check(m, pass_is_right(m, p))));
    BAL_TRY(bal_agree(m->comm, check_arrays(m, t, p)));
done:
    return st;
}

bal_verdict bal_model_open(bal_comm *c, const char *path, bal_model *m)
{
    bal_verdict st;

    *m = (bal_model){.comm = c, .path = path};
    BAL_TRY(bal_store_open(c, path, &bal_model_kind, &m->store));
    BAL_TRY(read_settings(m));
    BAL_TRY(read_provenance(m));
    BAL_TRY(bal_agree(c, bal_alloc(&m->pass, m->passes, what)));
    for (int64_t t = 1; t <= m->passes; t++)
        BAL_TRY(read_pass(m, t));
done:
    return st;
}

void bal_model_close(bal_model *m)
{
    bal_store_close(&m->store);
    bal_space_destroy(&m->space);
    bal_free(&m->feature);
    bal_free(&m->column);
    bal_free(&m->pass);
    json_decref(m->provenance);
    m->provenance = NULL;
}

/* ---- What is in it ---- */

static void print_features(const bal_model *m)
{
    enum { TOLD = 3 };
    bal_size told = m->space->d < TOLD ? m->space->d : TOLD;

    printf("features         %lld:", (long long)m->space->d);
    for (bal_size f = 0; f < told; f++)
        printf("%s %s", f > 0 ? "," : "", m->feature[f]);
    puts(told < m->space->d ? ", ..." : "");
    printf("distance space   %lld %s\n", (long long)m->space->p,
           m->space->pca ? "principal components" : "features");
    printf("batch columns   ");
    for (bal_size i = 0; i < m->columns; i++)
        printf("%s %s", i > 0 ? "," : "", m->column[i]);
    puts("");
}

static void print_passes(const bal_model *m)
{
    printf("\n%-5s %-10s %-6s %10s %10s %10s  %s\n", "pass", "form", "trust",
           "points", "landmarks", "batches", "column");
    for (int64_t t = 0; t < m->passes; t++) {
        const bal_model_pass *p = &m->pass[t];
        printf("%-5lld %-10s %-6s %10lld %10lld %10lld  %s\n",
               (long long)t + 1,
               p->correction == BAL_RESIDUAL ? "residual"
               : p->blend < 1                ? "blend"
                                             : "smooth",
               p->strict   ? "strict"
               : p->trusts ? "on"
                           : "off", (long long)p->n, (long long)p->m,
               (long long)p->batches, m->column[p->column]);
    }
}

static void print_provenance(const bal_model *m)
{
    const json_t *input = json_object_get(m->provenance, "input");
    const char *version =
        json_string_value(json_object_get(m->provenance, "version"));
    const char *name = json_string_value(json_object_get(input, "name"));
    long long all = json_integer_value(json_object_get(input, "sample_of"));
    const char *key;
    json_t *v;

    printf("fitted to        %s, by balans %s\n", name != NULL ? name : "?",
           version != NULL ? version : "?");
    if (all > 0)
        printf("sample           %lld of its %lld profiles\n",
               (long long)m->pass[0].n, all);
    puts("\nparameters");
    json_object_foreach(json_object_get(m->provenance, "params"), key, v)
    {
        char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
        printf("  %-16s %s\n", key, text != NULL ? text : "?");
        free(text);
    }
}

/* Those of pass t, the first on its column. */
static bal_verdict print_batches(bal_model *m, int64_t t)
{
    enum { TOLD = 12 };
    char key[BAL_STORE_KEY], **name = NULL;
    int64_t *size = NULL;
    bal_size count = m->pass[t - 1].batches;
    bal_verdict st;

    BAL_TRY(bal_store_get_texts(m->store, bal_model_key(t, "batches", key),
                                &count, &name));
    BAL_TRY(bal_agree(m->comm, bal_alloc(&size, count, what)));
    BAL_TRY(bal_store_get(m->store, bal_model_key(t, "sizes", key),
                          BAL_STORE_I64, count, 1, size));
    if (m->comm->rank == 0) {
        printf("\nbatches of '%s'\n", m->column[m->pass[t - 1].column]);
        for (bal_size b = 0; b < count && b < TOLD; b++)
            printf("  %-24s %lld points\n", name[b], (long long)size[b]);
        if (count > TOLD)
            printf("  and %lld more\n", (long long)(count - TOLD));
    }
done:
    bal_free(&name);
    bal_free(&size);
    return st;
}

bal_verdict bal_model_print(bal_comm *c, const char *path)
{
    char bytes[32];
    bal_model m = {0};
    bal_verdict st;

    BAL_TRY(bal_model_open(c, path, &m));
    if (c->rank == 0) {
        printf("%s: a model, %s\n\n", path,
               bal_bytes(bytes, sizeof bytes, bal_file_look(path).bytes));
        print_features(&m);
        print_provenance(&m);
        print_passes(&m);
    }
    for (int64_t t = 1; t <= m.passes; t++)
        if (t == 1 || m.pass[t - 1].column != m.pass[t - 2].column)
            BAL_TRY(print_batches(&m, t));
done:
    if (c->rank == 0)
        fflush(stdout);
    bal_model_close(&m);
    return st;
}
