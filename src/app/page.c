/* The page is rank 0's work, on a communicator of its own; the others wait for
 * the outcome. */
#include "balans/app/page.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/app/options.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/io/h5ad_uns.h"
#include "balans/io/publish.h"
#include "balans/page/style.h"
#include "balans/par/agree.h"
#include "page_internal.h"

enum { COLOURED_MOST = 24, COLOURED_OF_MANY = 12 };

json_t *bal_page_look(const json_t *tree, const char *path)
{
    char key[128];
    json_t *v = NULL;

    while (*path != '\0') {
        size_t length = strcspn(path, "/");
        snprintf(key, sizeof key, "%.*s", (int)length, path);
        tree = v = json_object_get(tree, key);
        path += length + (path[length] == '/');
    }
    return v;
}

const char *bal_page_text(const json_t *tree, const char *path,
                          const char *otherwise)
{
    const json_t *v = bal_page_look(tree, path);

    return json_is_string(v) ? json_string_value(v) : otherwise;
}

double bal_page_number(const json_t *tree, const char *path)
{
    const json_t *v = bal_page_look(tree, path);

    return json_is_number(v) ? json_number_value(v) : NAN;
}

/* ---- What is read ---- */

static bal_status fail_foreign(const bal_page *p)
{
    return BAL_FAIL(BAL_EINPUT,
                    "cannot report on '%s': it is not an output of 'balans "
                    "correct' or 'balans apply', as its uns/balans %s",
                    p->par->input,
                    p->uns == NULL ? "is missing" : "names no batch column");
}

static bal_status set_option(bal_page *p, const char *name)
{
    char path[64];
    const bal_option *o = bal_option_find(BAL_FOR_CORRECT, name);
    const char *text;

    snprintf(path, sizeof path, "params/%s", name);
    text = bal_page_text(p->uns, path, NULL);
    return text != NULL ? bal_option_set(o, &p->ran, text, false, name)
                        : BAL_OK;
}

static bal_status read_uns(bal_page *p)
{
    bal_status st = bal_h5ad_value(p->file, "uns/balans", &p->uns).code;

    if (bal_failed(st))
        return st;
    if (bal_page_text(p->uns, "params/batch", NULL) == NULL)
        return fail_foreign(p);
    BAL_TRY(bal_params_default(&p->ran));
    BAL_TRY(set_option(p, "matrix"));
    BAL_TRY(set_option(p, "neighbors"));
    BAL_TRY(set_option(p, "sparsify"));
done:
    return st;
}

/* The scores have to be of this file, as far as they say. */
static bal_status read_scores(bal_page *p)
{
    json_error_t why;
    double points;

    if (p->par->scores == NULL)
        return BAL_OK;
    p->scores = json_load_file(p->par->scores, 0, &why);
    if (p->scores == NULL && why.line <= 0)
        return BAL_FAIL(BAL_EINPUT, "cannot read '%s': %s", p->par->scores,
                        strerror(errno));
    if (p->scores == NULL)
        return BAL_FAIL(BAL_EINPUT, "cannot read '%s', line %d: %s",
                        p->par->scores, why.line, why.text);
    if (!json_is_object(json_object_get(p->scores, "matrices")))
        return BAL_FAIL(BAL_EINPUT,
                        "cannot use '%s': it is not what 'balans evaluate "
                        "--json' writes",
                        p->par->scores);
    points = bal_page_number(p->scores, "points") +
             bal_page_number(p->scores, "controls");
    if (points == (double)p->n)
        return BAL_OK;
    return BAL_FAIL(BAL_EINPUT,
                    "cannot use '%s': it is about %.0f points, '%s' has %lld",
                    p->par->scores, points, p->par->input, (long long)p->n);
}

/* ---- Groups and their looks ---- */

static const bal_labels *sorting;

static int by_size(const void *a, const void *b)
{
    bal_size i = *(const bal_size *)a, j = *(const bal_size *)b;

    if (sorting->size[i] != sorting->size[j])
        return sorting->size[i] < sorting->size[j] ? 1 : -1;
    return (i > j) - (i < j);
}

/* Of many groups only the largest have a look of their own, unless all are to
 * have one. */
static bal_status dress(bal_look *k, bool all)
{
    bal_size count = k->labels->count, own;
    bal_status st;

    BAL_TRY(bal_alloc(&k->style, count, "the groups of a figure"));
    BAL_TRY(bal_alloc(&k->order, count, "the groups of a figure"));
    for (bal_size g = 0; g < count; g++) {
        k->order[g] = g;
        k->style[g] = (int32_t)(g % BAL_STYLES);
    }
    sorting = k->labels;
    qsort(k->order, (size_t)count, sizeof *k->order, by_size);
    own = all || count <= COLOURED_MOST ? count : COLOURED_OF_MANY;
    k->plain = count - own;
    for (bal_size i = 0; i < count && k->plain > 0; i++)
        k->style[k->order[i]] = i < own ? (int32_t)i : BAL_STYLE_OTHER;
done:
    return st;
}

static bal_status read_look(bal_page *p, const char *what, bal_look *k)
{
    bal_status st = bal_h5ad_labels(p->file, k->column, what, &k->labels).code;

    return bal_failed(st) ? st : dress(k, strcmp(what, "batch") == 0);
}

/* The label of the scores is as good as one that was named. */
static bal_status read_groups(bal_page *p)
{
    const char *batch = bal_page_text(p->uns, "params/batch", "");
    const char *label = p->par->label;
    bal_status st;

    snprintf(p->batch.column, sizeof p->batch.column, "%.*s",
             (int)strcspn(batch, ","), batch);
    BAL_TRY(read_look(p, "batch", &p->batch));
    if (label == NULL)
        label = bal_page_text(p->scores, "parameters/label", NULL);
    if (label == NULL)
        goto done;
    snprintf(p->label.column, sizeof p->label.column, "%s", label);
    BAL_TRY(read_look(p, "label", &p->label));
done:
    return st;
}

/* ---- The work ---- */

static bal_status write_page(const bal_page *p)
{
    bal_publish *made = NULL;
    FILE *f = NULL;
    bal_status st;

    BAL_TRY(bal_publish_begin(p->par->output, p->par->force, &made));
    f = fopen(bal_publish_temporary(made), "w");
    if (f != NULL)
        BAL_TRY(bal_page_write(p, f));
    if (f == NULL || ferror(f) || fflush(f) != 0)
        BAL_TRY(BAL_FAIL(BAL_EIO, "cannot write '%s': %s", p->par->output,
                         strerror(errno)));
    fclose(f);
    f = NULL;
    BAL_TRY(bal_h5ad_unchanged(p->file));
    BAL_TRY(bal_publish_finish(&made, NULL));
done:
    if (f != NULL)
        fclose(f);
    bal_publish_discard(&made);
    return st;
}

static bal_status make(bal_page *p)
{
    bal_status st;

    BAL_TRY(bal_publish_check(p->par->output, p->par->force));
    BAL_TRY(bal_h5ad_open(p->comm, p->par->input, &p->file).code);
    p->n = bal_h5ad_rows(p->file);
    BAL_TRY(read_uns(p));
    BAL_TRY(read_scores(p));
    BAL_TRY(read_groups(p));
    BAL_TRY(bal_page_make_space(p));
    BAL_TRY(bal_page_find_original(p));
    BAL_TRY(bal_page_make_view(p));
    BAL_TRY(bal_page_make_heat(p));
    BAL_TRY(write_page(p));
done:
    return st;
}

static void finish_look(bal_look *k)
{
    bal_labels_destroy(&k->labels);
    bal_free(&k->style);
    bal_free(&k->order);
}

static void finish(bal_page *p)
{
    bal_h5ad_close(&p->file);
    bal_h5ad_close(&p->other);
    json_decref(p->uns);
    json_decref(p->scores);
    bal_params_destroy(&p->ran);
    finish_look(&p->batch);
    finish_look(&p->label);
    bal_space_destroy(&p->space);
    bal_free(&p->view.row);
    bal_free(&p->view.before);
    bal_free(&p->view.after);
    bal_free(&p->view.xy_before);
    bal_free(&p->view.xy_after);
    bal_free(&p->heat.row);
    bal_free(&p->heat.a);
}

static bal_status work(const bal_params *par)
{
    const bal_named_file file[] = {
        {"the input", par->input, false},
        {"the scores", par->scores, false},
        {"the original", par->original, false},
        {"the page", par->output, true},
    };
    bal_comm alone;
    bal_page p = {
        .comm = &alone, .par = par, .threads = bal_params_threads(par)};
    bal_status st = bal_publish_apart(file, (int)(sizeof file / sizeof *file));

    if (bal_failed(st))
        return st;
    bal_comm_init(&alone, MPI_COMM_SELF);
    bal_comm_enter(&alone, BAL_PHASE_READ);
    st = make(&p);
    bal_progress_end();
    finish(&p);
    bal_comm_finish(&alone);
    return st;
}

bal_verdict bal_page_file(bal_comm *c, const bal_params *par)
{
    const double waiting = 1e14; /* operations: others wait for rank 0 */
    bal_status mine = BAL_OK;
    bal_verdict st;

    if (c->rank == 0)
        mine = work(par);
    else
        bal_watch_grant(waiting);
    st = bal_agree(c, mine);
    bal_watch_grant(0);
    return st;
}
