/* From the shard to the file: panels of slab rows are fetched through the route
 * and written by all ranks together, each its own run of input rows. */
#include <stdio.h>
#include <string.h>

#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/data/checksum.h"
#include "balans/io/report.h"
#include "balans/par/agree.h"
#include "job.h"

#define AFFINITY "uns/balans/affinity"

/* Writes a shard as the array `path`. */
static bal_verdict write_shard(bal_job *j, bal_h5ad_out *out, const char *path,
                               const bal_shard *s)
{
    bal_verdict st;
    float *rows = NULL;
    bal_size panels, step = bal_job_panel(j, s->d, &panels);

    BAL_TRY(bal_agree(j->comm, bal_alloc(&rows, step * s->d, "a panel")));
    for (bal_size p = 0; p < panels; p++) {
        bal_size from = p * step < j->route->m ? p * step : j->route->m;
        bal_size left = j->route->m - from;
        bal_size count = left < step ? left : step;
        BAL_TRY(bal_route_gather(j->comm, j->route, from, count, s, rows));
        BAL_TRY(bal_h5ad_out_write(out, path, j->route->first + from, count,
                                   rows));
        bal_progress("'%s', %.0f %% of the rows", path,
                     100.0 * (double)(p + 1) / (double)panels);
    }
done:
    bal_free(&rows);
    return st;
}

static bal_verdict write_coverage(bal_job *j, bal_h5ad_out *out)
{
    bal_verdict st;
    bal_status mine;
    bal_shard *cover = NULL;
    double *sum = NULL;

    mine = bal_shard_create(j->layout, 1, &cover);
    if (!bal_failed(mine))
        mine = bal_alloc(&sum, j->layout->m, "coverage");
    BAL_TRY(bal_agree(j->comm, mine));
    bal_csr_column_sums(j->a, sum);
    for (bal_lidx i = 0; i < j->layout->m; i++)
        cover->at[i] = (float)sum[i];
    BAL_TRY(write_shard(j, out, "obs/balans_coverage", cover));
done:
    bal_free(&sum);
    bal_shard_destroy(&cover);
    return st;
}

/* The input rows of the landmarks: known to the rank that holds each. */
static bal_verdict write_landmarks(bal_job *j, bal_h5ad_out *out)
{
    bal_verdict st;
    int64_t *row = NULL;
    bal_gidx first = j->layout->rank_first[j->comm->rank];

    BAL_TRY(bal_agree(j->comm, bal_alloc(&row, j->a->m, "the landmarks")));
    for (bal_size i = 0; i < j->a->m; i++) {
        bal_gidx local = j->a->row[i].landmark - first;
        if (local >= 0 && local < j->layout->m)
            row[i] = j->route->row[local];
    }
    bal_comm_sum_i64(j->comm, row, j->a->m);
    BAL_TRY(bal_h5ad_out_write(out, "uns/balans/landmarks", 0,
                               j->comm->rank == 0 ? j->a->m : 0, row));
done:
    bal_free(&row);
    return st;
}

/* Rows from `first` on whose entries fit a panel; at least one. */
static bal_size rows_that_fit(const bal_job *j, const int64_t *size,
                              bal_size first)
{
    bal_size most = j->memory / 64, entries = 0, i = first;

    /* An entry takes 64 bytes on its way, and they are spread over the ranks
     * once when sent and once when received. */
    while (i < j->a->m && (i == first || entries + size[i] <= most))
        entries += size[i++];
    return i - first;
}

/* Writes rows first .. first + count - 1, whose entries start at `at`. */
static bal_verdict write_rows(bal_job *j, bal_h5ad_out *out, bal_size first,
                              bal_size count, const int64_t *size, bal_size at)
{
    bal_verdict st;
    bal_csr_run run = {0};
    bal_size mine = first + bal_slab_first(count, j->comm->rank, j->comm->size);

    BAL_TRY(bal_csr_collect(j->comm, j->a, j->route, first, count, &run));
    for (bal_size i = first; i < mine; i++)
        at += size[i];
    BAL_TRY(bal_h5ad_out_write(out, AFFINITY "/data", at, run.entries,
                               run.value));
    BAL_TRY(bal_h5ad_out_write(out, AFFINITY "/indices", at, run.entries,
                               run.column));
done:
    bal_csr_run_finish(&run);
    return st;
}

static bal_verdict write_affinity(bal_job *j, bal_h5ad_out *out)
{
    bal_verdict st;
    bal_status mine;
    int64_t *size = NULL, *start = NULL;
    bal_size m = j->a->m;

    mine = bal_alloc(&size, m, "the affinities");
    if (!bal_failed(mine))
        mine = bal_alloc(&start, m + 1, "the affinities");
    BAL_TRY(bal_agree(j->comm, mine));
    bal_csr_row_sizes(j->comm, j->a, size);
    for (bal_size i = 0; i < m; i++)
        start[i + 1] = start[i] + size[i];
    BAL_TRY(bal_h5ad_out_write(out, AFFINITY "/indptr", 0,
                               j->comm->rank == 0 ? m + 1 : 0, start));
    for (bal_size i = 0, count; i < m; i += count) {
        count = rows_that_fit(j, size, i);
        BAL_TRY(write_rows(j, out, i, count, size, start[i]));
    }
done:
    bal_free(&size);
    bal_free(&start);
    return st;
}

void bal_job_original(const bal_job *j, char *path, size_t size)
{
    if (strncmp(j->par->matrix, "obsm/", 5) == 0)
        snprintf(path, size, "%s_original", j->par->matrix);
    else
        snprintf(path, size, "layers/original");
}

/* What the file will hold, and the room for it. */
typedef struct plan {
    bal_array array[5];
    bal_csr_array csr;
    char keep_as[BAL_PATH_MOST];
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
static const char *components_path(const bal_job *j)
{
    return strncmp(j->par->matrix, "obsm/", 5) == 0
               ? "uns/balans/pca/components"
               : "varm/balans_PCs";
}

static void make_plan(const bal_job *j, json_t *uns, plan *p)
{
    /* An earlier run may have left them where this one makes none. */
    static const char *const stale[] = {"obsm/X_balans", "varm/balans_PCs"};
    bal_size n = j->info.n, m = j->a->m;
    bool zip = j->info.filters[0] != '\0';

    *p = (plan){0};
    add_array(p, j->par->matrix, BAL_F32, n, j->info.d, zip);
    add_array(p, "obs/balans_coverage", BAL_F32, n, 0, false);
    add_array(p, "uns/balans/landmarks", BAL_I64, m, 0, false);
    if (j->z != NULL) {
        add_array(p, "obsm/X_balans", BAL_F32, n, j->z->d, zip);
        add_array(p, components_path(j), BAL_F64, j->space->d, j->space->p,
                  false);
    }
    p->plan.input = j->file;
    p->plan.replace = j->par->matrix;
    p->plan.drop = stale;
    p->plan.drops = sizeof stale / sizeof *stale;
    bal_job_original(j, p->keep_as, sizeof p->keep_as);
    p->plan.keep_as = j->par->keep_original ? p->keep_as : NULL;
    p->csr = (bal_csr_array){AFFINITY, m, n, j->report.entries};
    p->plan.array = p->array;
    p->plan.csr = &p->csr;
    p->plan.csrs = j->par->save_affinity ? 1 : 0;
    p->plan.uns = uns;
    p->plan.force = j->par->force;
}

static bal_verdict write_all(bal_job *j, bal_h5ad_out *out)
{
    bal_verdict st;

    BAL_TRY(write_shard(j, out, j->par->matrix, j->x));
    BAL_TRY(write_coverage(j, out));
    BAL_TRY(write_landmarks(j, out));
    if (j->z != NULL) {
        BAL_TRY(write_shard(j, out, "obsm/X_balans", j->z));
        BAL_TRY(bal_h5ad_out_write(out, components_path(j), 0,
                                   j->comm->rank == 0 ? j->space->d : 0,
                                   j->space->components));
    }
    if (j->par->save_affinity)
        BAL_TRY(write_affinity(j, out));
done:
    return st;
}

bal_verdict bal_job_write(bal_job *j)
{
    bal_verdict st;
    plan p;
    bal_h5ad_out *out = NULL;
    json_t *uns = NULL, *run = NULL;

    bal_comm_enter(j->comm, BAL_PHASE_WRITE);
    j->checksum_x = bal_checksum_rows(j->comm, j->route, j->x);
    uns = bal_job_provenance(j);
    BAL_TRY(bal_agree(j->comm, bal_report_status(uns)));
    make_plan(j, uns, &p);
    BAL_TRY(bal_h5ad_out_create(j->comm, j->par->output, &p.plan, &out));
    BAL_TRY(write_all(j, out));
    BAL_TRY(bal_job_run_report(j, &run));
    BAL_TRY(bal_h5ad_out_finish(&out, run));
    bal_progress_end();
done:
    bal_h5ad_out_discard(&out);
    json_decref(uns);
    json_decref(run);
    return st;
}
