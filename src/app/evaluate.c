/* One matrix after the other: read by slabs, controls taken apart, scored and
 * let go.  The scores stay, a few numbers for each label and batch. */
#include "balans/app/evaluate.h"

#include <string.h>

#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/io/publish.h"
#include "balans/io/report.h"
#include "balans/par/agree.h"
#include "evaluate_internal.h"

/* ---- before the work ---- */

/* Found out now, not after the work; only making a file tells for sure. */
static bal_status check_json(const char *json, const char *input)
{
    const bal_named_file file[] = {{"the input", input, false},
                                   {"the scores", json, true}};
    bal_publish *made = NULL;
    bal_status st;

    if (json == NULL)
        return BAL_OK;
    BAL_TRY(bal_publish_apart(file, 2));
    BAL_TRY(bal_publish_begin(json, true, &made));
done:
    bal_publish_discard(&made);
    return st;
}

static bal_size count_lines(const char *text)
{
    bal_size lines = 1;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static bool has_name(const bal_evaluation *v, const char *name, size_t length)
{
    for (bal_size i = 0; i < v->matrices; i++)
        if (strlen(v->name[i]) == length &&
            strncmp(v->name[i], name, length) == 0)
            return true;
    return false;
}

/* A matrix that is named twice counts once. */
static bal_status list_matrices(bal_evaluation *v)
{
    const char *text = v->par->matrix;
    bal_size most = count_lines(text);
    bal_status st;

    BAL_TRY(bal_alloc(&v->name, most, "the names of matrices"));
    BAL_TRY(bal_alloc(&v->score, most, "scores"));
    for (bal_size i = 0; i < most; i++) {
        size_t length = strcspn(text, "\n");
        if (!has_name(v, text, length)) {
            BAL_TRY(bal_alloc(&v->name[v->matrices], (bal_size)length + 1,
                              "the names of matrices"));
            memcpy(v->name[v->matrices++], text, length);
        }
        text += length + 1;
    }
done:
    return st;
}

static bal_status find_control(bal_evaluation *v)
{
    v->control = -1;
    if (v->par->control == NULL)
        return BAL_OK;
    for (bal_size l = 0; l < v->label->count; l++)
        if (strcmp(v->label->name[l], v->par->control) == 0)
            v->control = l;
    if (v->control < 0)
        return BAL_FAIL(BAL_EINPUT,
                        "cannot find the controls: no row of '%s' has the "
                        "label '%s' in column '%s'",
                        v->par->input, v->par->control, v->par->label);
    v->controls = v->label->size[v->control];
    if (v->controls == v->label->n)
        return BAL_FAIL(BAL_EINPUT,
                        "cannot evaluate '%s': all rows are controls, with "
                        "label '%s'",
                        v->par->input, v->par->control);
    return BAL_OK;
}

static bal_verdict open_file(bal_evaluation *v)
{
    bal_verdict st;
    bal_comm *c = v->comm;
    bal_matrix_info info;

    BAL_TRY(bal_agree(c, c->rank == 0 ? check_json(v->par->json, v->par->input)
                                      : BAL_OK));
    BAL_TRY(bal_agree(c, list_matrices(v)));
    BAL_TRY(bal_h5ad_open(c, v->par->input, &v->file));
    BAL_TRY(bal_h5ad_labels(v->file, v->par->batch, "batch", &v->batch));
    BAL_TRY(bal_h5ad_labels(v->file, v->par->label, "label", &v->label));
    BAL_TRY(bal_agree(c, find_control(v)));
    for (bal_size i = 0; i < v->matrices; i++)
        BAL_TRY(bal_h5ad_matrix_open(v->file, v->name[i], &info));
done:
    return st;
}

/* ---- one matrix ---- */

static bal_status read_slab(bal_evaluation *v, bal_set *set)
{
    enum { PIECE = 16 << 20 };
    bal_size step = PIECE / set->d > 1 ? PIECE / set->d : 1;
    bal_gidx first = set->first[v->comm->rank];
    bal_status st = BAL_OK;

    for (bal_size at = 0; at < set->m && !bal_failed(st); at += step) {
        bal_size count = set->m - at < step ? set->m - at : step;
        st = bal_h5ad_read_rows(v->file, first + at, count,
                                set->x + at * set->d);
        bal_progress_share((double)(at + count) / (double)set->m);
        bal_progress("%lld of %lld rows", (long long)(first + at + count),
                     (long long)set->n);
    }
    return st;
}

static bal_verdict read_matrix(bal_evaluation *v, const char *name,
                               bal_set **out)
{
    bal_verdict st;
    bal_matrix_info info;
    bal_set *set = NULL;

    *out = NULL;
    BAL_TRY(bal_h5ad_matrix_open(v->file, name, &info));
    BAL_TRY(bal_h5ad_matrix_load(v->file));
    BAL_TRY(bal_set_create(v->comm, v->batch, v->label, info.d, &set));
    BAL_TRY(bal_agree(v->comm, read_slab(v, set)));
    *out = set;
    set = NULL;
done:
    bal_set_destroy(&set);
    return st;
}

/* Parts the controls from the rest, which replaces *set. */
static bal_verdict part(bal_evaluation *v, bal_set **set, bal_set **controls)
{
    bal_verdict st;
    bal_set *rest = NULL;
    bool *keep = NULL;
    const int32_t *code = (*set)->label.code + (*set)->first[v->comm->rank];
    bal_size m = (*set)->m;

    BAL_TRY(bal_agree(v->comm, bal_alloc(&keep, m, "the controls")));
    for (bal_size i = 0; i < m; i++)
        keep[i] = code[i] == v->control;
    BAL_TRY(bal_set_subset(v->comm, *set, keep, controls));
    for (bal_size i = 0; i < m; i++)
        keep[i] = !keep[i];
    BAL_TRY(bal_set_subset(v->comm, *set, keep, &rest));
    bal_set_destroy(set);
    *set = rest;
done:
    bal_free(&keep);
    return st;
}

static bal_status copy_sizes(const bal_grouping *g, bal_size **out)
{
    bal_status st = BAL_OK;

    if (*out == NULL)
        st = bal_alloc(out, g->count, "the sizes of groups");
    if (!bal_failed(st))
        memcpy(*out, g->size, (size_t)g->count * sizeof **out);
    return st;
}

static bal_verdict score_matrix(bal_evaluation *v, bal_size i)
{
    bal_verdict st;
    bal_set *set = NULL, *controls = NULL;
    bal_score_params par = {
        .kind = (bal_space_kind)v->par->distance,
        .sample = v->par->sample,
        .seed = v->par->seed,
        .threads = v->threads,
    };

    bal_comm_enter(v->comm, BAL_PHASE_READ);
    BAL_TRY(read_matrix(v, v->name[i], &set));
    bal_comm_enter(v->comm, BAL_PHASE_METRIC);
    if (v->control >= 0)
        BAL_TRY(part(v, &set, &controls));
    bal_info("matrix '%s': %lld points x %lld features", v->name[i],
             (long long)set->n, (long long)set->d);
    bal_status mine = copy_sizes(&set->label, &v->label_size);
    if (!bal_failed(mine))
        mine = copy_sizes(&set->batch, &v->batch_size);
    BAL_TRY(bal_agree(v->comm, mine));
    v->points = set->n;
    BAL_TRY(bal_scores_create(v->comm, set, controls, &par, &v->score[i]));
done:
    bal_progress_end();
    bal_set_destroy(&set);
    bal_set_destroy(&controls);
    return st;
}

static bal_verdict write_json(bal_evaluation *v)
{
    json_t *r = v->comm->rank == 0 ? bal_evaluation_report(v) : NULL;
    bal_verdict st =
        bal_agree(v->comm, v->comm->rank == 0 ? bal_h5ad_unchanged(v->file)
                                              : BAL_OK);

    if (!bal_failed(st))
        st = bal_report_write(v->comm, v->par->json, r);
    json_decref(r);
    return st;
}

static bal_verdict run(bal_evaluation *v)
{
    bal_verdict st;

    BAL_TRY(open_file(v));
    for (bal_size i = 0; i < v->matrices; i++)
        BAL_TRY(score_matrix(v, i));
    if (v->comm->rank == 0)
        bal_evaluation_print(v);
    if (v->par->json != NULL)
        BAL_TRY(write_json(v));
done:
    return st;
}

static void finish(bal_evaluation *v)
{
    bal_h5ad_close(&v->file);
    bal_labels_destroy(&v->batch);
    bal_labels_destroy(&v->label);
    for (bal_size i = 0; i < v->matrices; i++) {
        bal_free(&v->name[i]);
        bal_scores_destroy(&v->score[i]);
    }
    bal_free(&v->name);
    bal_free(&v->score);
    bal_free(&v->label_size);
    bal_free(&v->batch_size);
}

bal_verdict bal_evaluate_file(bal_comm *c, const bal_params *p)
{
    bal_evaluation v = {
        .comm = c,
        .par = p,
        .threads = bal_params_threads(p),
    };
    bal_verdict st = run(&v);

    bal_progress_end();
    finish(&v);
    return st;
}
