/* Rows of the file go to the file: each rank writes its own blocks, without an
 * exchange; coordinates come back from the tiles piece by piece. */
#include "output.h"

#include <string.h>

#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/io/publish.h"
#include "balans/par/agree.h"

#define AFFINITY "uns/balans/affinity"

enum { PIECE = 64 << 20 }; /* bytes written at a time, with progress between */

static bal_size rows_of_piece(bal_size d)
{
    return PIECE / (4 * d) > 0 ? PIECE / (4 * d) : 1;
}

bal_verdict bal_output_check(bal_comm *c, const bal_params *p)
{
    const bal_named_file file[] = {
        {"the model", p->model, false},
        {"the input", p->input, false},
        {"the configuration", p->config, false},
        {"the output", p->output, true},
        {"the model", p->save_model, true},
        {"the report", p->report, true},
        {"the checkpoint", p->checkpoint, true},
    };
    bal_status mine = BAL_OK;
    bal_verdict st;

    if (c->rank == 0)
        mine = bal_publish_apart(file, (int)(sizeof file / sizeof *file));
    BAL_TRY(bal_agree(c, mine));
    if (p->output != NULL)
        BAL_TRY(bal_h5ad_out_check(c, p->output, p->input, p->force));
    if (c->rank == 0 && p->save_model != NULL)
        mine = bal_publish_check(p->save_model, p->force);
    if (c->rank == 0 && p->report != NULL && !bal_failed(mine))
        mine = bal_publish_check(p->report, true);
    BAL_TRY(bal_agree(c, mine));
done:
    return st;
}

/* The next rows of a sweep, at most a piece. */
typedef struct cursor {
    bal_sweep sweep;
    bal_size next; /* row, from the sweep's first block */
} cursor;

static bal_size next_rows(cursor *q, const float **rows, bal_gidx *first)
{
    const bal_blocks *x = q->sweep.x;
    bal_size from = x->start[q->sweep.from], left;

    if (from + q->next == x->start[q->sweep.to]) {
        q->next = 0;
        if (!bal_sweep_next(&q->sweep))
            return 0;
        from = x->start[q->sweep.from];
    }
    left = x->start[q->sweep.to] - from - q->next;
    left = left < rows_of_piece(x->d) ? left : rows_of_piece(x->d);
    *rows = q->sweep.rows + q->next * x->d;
    *first = x->first + from + q->next;
    q->next += left;
    return left;
}

/* Ranks may have different numbers of pieces; all take part in each. */
static bal_verdict write_blocks(bal_comm *c, bal_h5ad_out *out,
                                const char *path, bal_blocks *x)
{
    cursor q = {.sweep = bal_sweep_begin(x)};
    bal_verdict st = {BAL_OK};
    bal_size done_rows = 0;
    double share;

    for (;;) {
        const float *rows = NULL;
        bal_gidx first = 0;
        bal_size count = next_rows(&q, &rows, &first);
        int64_t most = count;
        bal_comm_max_i64(c, &most, 1);
        if (most == 0)
            break;
        BAL_TRY(bal_h5ad_out_write(out, path, first, count, rows));
        done_rows += count;
        share = (double)done_rows / (double)(x->m > 0 ? x->m : 1);
        bal_progress_share(share);
        bal_progress("'%s', %.0f %% of the rows", path, 100 * share);
    }
    st = bal_agree(c, q.sweep.status);
done:
    return st;
}

static bal_verdict write_coordinates(const bal_output *o, bal_h5ad_out *out)
{
    bal_comm *c = o->in->comm;
    const bal_points *points = o->points;
    const bal_pieces cut =
        bal_pieces_cut(c, points->x->m, 4 * points->z->p, PIECE);
    float *rows = NULL;
    bal_verdict st;

    BAL_TRY(bal_agree(c, bal_take(&rows, bal_pieces_most(&cut) * points->z->p,
                                  "a piece of the coordinates")));
    for (int64_t i = 0; i < cut.count; i++) {
        bal_size from, count = bal_piece(&cut, i, &from);
        BAL_TRY(
            bal_route_to_file(c, points->order, from, count, points->z, rows));
        BAL_TRY(bal_h5ad_out_write(out, "obsm/X_balans",
                                   points->x->first + from, count, rows));
    }
done:
    bal_free(&rows);
    return st;
}

static bal_verdict write_coverage(const bal_output *o, bal_h5ad_out *out)
{
    bal_comm *c = o->in->comm;
    bal_size m = o->points->x->m;
    double *sum = NULL;
    float *cover = NULL;
    bal_status mine = bal_alloc(&sum, m, "coverage");
    bal_verdict st;

    if (!bal_failed(mine))
        mine = bal_alloc(&cover, m, "coverage");
    BAL_TRY(bal_agree(c, mine));
    bal_affinity_coverage(o->passed->last.by_block, sum);
    for (bal_size i = 0; i < m; i++)
        cover[i] = (float)sum[i];
    BAL_TRY(bal_h5ad_out_write(out, "obs/balans_coverage", o->points->x->first,
                               m, cover));
done:
    bal_free(&sum);
    bal_free(&cover);
    return st;
}

/* ---- A ---- */

/* Rows from `first` on whose entries fit a piece; at least one. */
static bal_size rows_that_fit(const bal_output *o, bal_size first)
{
    const bal_landmarks *k = &o->passed->last;
    bal_size most = bal_params_memory(o->in->par) / 64, entries = 0, i = first;

    /* An entry takes 64 bytes on its way, and they are spread over the ranks
     * once when sent and once when received. */
    while (i < k->m && (i == first || entries + k->length[i] <= most))
        entries += k->length[i++];
    return i - first;
}

/* Writes rows first .. first + count - 1, whose entries start at `at`. */
static bal_verdict write_rows(const bal_output *o, bal_h5ad_out *out,
                              bal_size first, bal_size count, bal_size at)
{
    bal_comm *c = o->in->comm;
    const bal_landmarks *k = &o->passed->last;
    bal_affinity_rows run = {0};
    bal_size mine = first + bal_share_first(count, c->rank, c->size);
    bal_verdict st;

    BAL_TRY(bal_affinity_collect(c, k->by_block, o->points->x->first, first,
                                 count, &run));
    for (bal_size i = first; i < mine; i++)
        at += k->length[i];
    BAL_TRY(
        bal_h5ad_out_write(out, AFFINITY "/data", at, run.entries, run.value));
    BAL_TRY(bal_h5ad_out_write(out, AFFINITY "/indices", at, run.entries,
                               run.column));
done:
    bal_affinity_rows_finish(&run);
    return st;
}

static bal_verdict write_affinity(const bal_output *o, bal_h5ad_out *out)
{
    bal_comm *c = o->in->comm;
    const bal_landmarks *k = &o->passed->last;
    int64_t *start = NULL;
    bal_verdict st;

    BAL_TRY(bal_agree(c, bal_alloc(&start, k->m + 1, "the affinities")));
    for (bal_size i = 0; i < k->m; i++)
        start[i + 1] = start[i] + k->length[i];
    BAL_TRY(bal_h5ad_out_write(out, AFFINITY "/indptr", 0,
                               c->rank == 0 ? k->m + 1 : 0, start));
    for (bal_size i = 0, count; i < k->m; i += count) {
        count = rows_that_fit(o, i);
        BAL_TRY(write_rows(o, out, i, count, start[i]));
    }
done:
    bal_free(&start);
    return st;
}

/* ---- What the file holds ---- */

/* An earlier run may have left them where this one makes none. */
static const char *const stale[] = {"obsm/X_balans", "varm/balans_PCs"};

/* The corrected profiles. */
static bal_array array_of_matrix(const bal_input *in)
{
    return (bal_array){
        .path = in->par->matrix,
        .element = BAL_F32,
        .n = in->info.n,
        .d = in->info.d,
        .compress = in->info.filters[0] != '\0',
    };
}

bal_verdict bal_output_begin(const bal_input *in, bal_h5ad_out **out)
{
    static const char *const column[] = {"balans_coverage"};
    const bal_params *par = in->par;
    char original[BAL_PATH_MOST];
    const bal_out_source source = {
        .input = in->file,
        .replace = par->matrix,
        .instead = array_of_matrix(in),
        .keep_as = par->keep_original ? original : NULL,
        .drop = stale,
        .drops = sizeof stale / sizeof *stale,
        .column = column,
        .columns = 1,
    };

    bal_input_original(par, original, sizeof original);
    return bal_h5ad_out_begin(in->comm, par->output, &source, par->force, out);
}

typedef struct plan {
    bal_array array[5];
    bal_csr_array csr;
    bal_out_plan plan;
} plan;

static void add_array(plan *p, const char *path, bal_element element,
                      bal_size n, bal_size d, bool compress)
{
    p->array[p->plan.arrays++] = (bal_array){
        .path = path,
        .element = element,
        .n = n,
        .d = d,
        .compress = compress,
    };
}

/* Loadings have a row for each variable, so they belong into varm unless the
 * matrix is one of obsm. */
static const char *components_path(const bal_params *par)
{
    return strncmp(par->matrix, "obsm/", 5) == 0 ? "uns/balans/pca/components"
                                                 : "varm/balans_PCs";
}

static void make_plan(const bal_output *o, plan *p)
{
    const bal_params *par = o->in->par;
    bal_size n = o->in->info.n, m = o->passed->last.m;
    bool zip = o->in->info.filters[0] != '\0';

    *p = (plan){0};
    p->array[p->plan.arrays++] = array_of_matrix(o->in);
    add_array(p, "obs/balans_coverage", BAL_F32, n, 0, false);
    if (!o->applied)
        add_array(p, "uns/balans/landmarks", BAL_I64, m, 0, false);
    if (o->space->pca) {
        add_array(p, "obsm/X_balans", BAL_F32, n, o->space->p, zip);
        add_array(p, components_path(par), BAL_F64, o->space->d, o->space->p,
                  false);
    }
    p->csr = (bal_csr_array){AFFINITY, m, n, o->passed->last.report.entries};
    p->plan.array = p->array;
    p->plan.csr = &p->csr;
    p->plan.csrs = par->save_affinity ? 1 : 0;
    p->plan.uns = o->uns;
}

bal_verdict bal_output_write(const bal_output *o, bal_h5ad_out *out)
{
    bal_comm *c = o->in->comm;
    const bal_landmarks *k = &o->passed->last;
    bal_verdict st;
    plan p;

    make_plan(o, &p);
    BAL_TRY(bal_h5ad_out_create(out, &p.plan));
    BAL_TRY(write_blocks(c, out, o->in->par->matrix, o->points->x));
    BAL_TRY(write_coverage(o, out));
    if (!o->applied)
        BAL_TRY(bal_h5ad_out_write(out, "uns/balans/landmarks", 0,
                                   c->rank == 0 ? k->m : 0, k->row));
    if (o->space->pca) {
        BAL_TRY(write_coordinates(o, out));
        BAL_TRY(bal_h5ad_out_write(out, components_path(o->in->par), 0,
                                   c->rank == 0 ? o->space->d : 0,
                                   o->space->components));
    }
    if (o->in->par->save_affinity)
        BAL_TRY(write_affinity(o, out));
done:
    return st;
}
