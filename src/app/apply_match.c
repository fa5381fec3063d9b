/* Features of an input matched with those of a model, by name, and the model's
 * space put into the input's order, so that no profile has to be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply_internal.h"
#include "balans/base/mem.h"
#include "balans/par/agree.h"

enum { TOLD = 5 }; /* names in a message */

typedef struct matching {
    const bal_model *m;
    bal_input *in;
    bal_size *feature; /* [d] number in the model, or -1 */
    bal_size further;
    char *names;       /* some of the further ones, for a message */
    bal_space *space;
} matching;

typedef struct named {
    const char *name;
    bal_size number;
} named;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static bal_status sort_names(char *const *name, bal_size count, named **out)
{
    bal_status st = bal_alloc(out, count, "the features");

    for (bal_size f = 0; f < count && !bal_failed(st); f++)
        (*out)[f] = (named){name[f], f};
    if (!bal_failed(st))
        qsort(*out, (size_t)count, sizeof **out, by_name);
    return st;
}

/* A list of names, of which the first are told. */
typedef struct told {
    char text[BAL_ERROR_TEXT_MAX / 2];
    size_t at;
    bal_size count;
} told;

static void tell_name(told *t, const char *name)
{
    if (t->count++ < TOLD)
        t->at += (size_t)snprintf(t->text + t->at, sizeof t->text - t->at,
                                  "%s'%.60s'", t->count > 1 ? ", " : "", name);
    else if (t->count == TOLD + 1)
        snprintf(t->text + t->at, sizeof t->text - t->at, ", ...");
}

static bal_status check_missing(const matching *r, const bool *there)
{
    told missing = {.text = ""};

    for (bal_size f = 0; f < r->m->space->d; f++)
        if (!there[f])
            tell_name(&missing, r->m->feature[f]);
    if (missing.count == 0)
        return BAL_OK;
    return BAL_FAIL(BAL_EINPUT,
                    "cannot apply model '%s' to '%s': matrix '%s' lacks %lld "
                    "of its %lld features: %s",
                    r->in->par->model, r->in->par->input, r->in->info.name,
                    (long long)missing.count, (long long)r->m->space->d,
                    missing.text);
}

/* Whether points become what their landmarks say, whose profiles hold the
 * features of the fit alone. */
static bool smooths(const bal_model *m)
{
    for (int64_t t = 0; t < m->passes; t++)
        if (m->pass[t].correction == BAL_SMOOTH)
            return true;
    return false;
}

/* Further features stay where they are, or are left out. */
static bal_status settle_further(matching *r, char *const *name)
{
    bool stay = r->in->par->keep_extra;
    told further = {.text = ""};
    bal_size d = r->in->info.d, kept = 0;
    bal_size *item = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&item, d, "the features"));
    for (bal_size f = 0; f < d; f++) {
        if (r->feature[f] < 0)
            tell_name(&further, name[f]);
        else
            item[kept++] = f;
    }
    r->further = further.count;
    if (further.count == 0)
        goto done;
    BAL_TRY(bal_alloc(&r->names, (bal_size)strlen(further.text) + 1,
                      "the features"));
    strcpy(r->names, further.text);
    if (stay && smooths(r->m))
        BAL_TRY(BAL_FAIL(BAL_EINPUT,
                         "cannot keep features of '%s' that model '%s' does "
                         "not know, as it smooths: %s; leave out --keep-extra",
                         r->in->par->input, r->in->par->model, r->names));
    if (stay)
        goto done;
    BAL_TRY(bal_h5ad_keep(r->in->file, kept, item));
    r->in->info.d = kept;
    for (bal_size f = 0; f < kept; f++)
        r->feature[f] = r->feature[item[f]];
done:
    bal_free(&item);
    return st;
}

static bal_status match(matching *r, char *const *name)
{
    bal_size d = r->in->info.d;
    named *known = NULL;
    bool *there = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&r->feature, d, "the features"));
    BAL_TRY(bal_alloc(&there, r->m->space->d, "the features"));
    BAL_TRY(sort_names(r->m->feature, r->m->space->d, &known));
    for (bal_size f = 0; f < d; f++) {
        named want = {name[f], f};
        const named *found = bsearch(&want, known, (size_t)r->m->space->d,
                                     sizeof *known, by_name);
        r->feature[f] = found != NULL ? found->number : -1;
        if (found == NULL)
            continue;
        if (there[found->number])
            BAL_TRY(BAL_FAIL(BAL_EINPUT,
                             "cannot apply a model to '%s': two of its "
                             "features are named '%.100s'; give each its own "
                             "name",
                             r->in->par->input, name[f]));
        there[found->number] = true;
    }
    BAL_TRY(check_missing(r, there));
    BAL_TRY(settle_further(r, name));
done:
    bal_free(&known);
    bal_free(&there);
    return st;
}

/* The model's space in the input's order; a further feature has no part. */
static bal_status arrange_space(matching *r)
{
    const bal_space *from = r->m->space;
    bal_size p = from->pca ? from->p : r->in->info.d;
    bal_space *to;
    bal_status st =
        bal_space_create(r->in->info.d, p, from->pca, &r->space);

    if (bal_failed(st))
        return st;
    to = r->space;
    to->clip = from->clip;
    for (bal_size f = 0; f < to->d; f++) {
        bal_size g = r->feature[f];
        if (g < 0)
            continue;
        to->mean[f] = from->mean[g];
        to->sd[f] = from->sd[g];
        to->centre[f] = from->centre[g];
        if (from->pca)
            memcpy(to->components + f * p, from->components + g * p,
                   (size_t)p * sizeof *to->components);
    }
    bal_space_ready(to);
    return BAL_OK;
}

bal_verdict bal_apply_match(const bal_model *m, bal_input *in, bal_matched *out)
{
    matching r = {.m = m, .in = in};
    bal_size count = in->info.d;
    char **name = NULL;
    bal_verdict st;

    BAL_TRY(bal_h5ad_features(in->file, &name));
    BAL_TRY(bal_agree(in->comm, match(&r, name)));
    BAL_TRY(bal_agree(in->comm, arrange_space(&r)));
done:
    *out = (bal_matched){r.feature, r.further, r.names, r.space};
    bal_h5ad_names_free(&name, count);
    return st;
}

void bal_matched_finish(bal_matched *m)
{
    bal_free(&m->feature);
    bal_free(&m->names);
    bal_space_destroy(&m->space);
}
