/* From the file to the shard: each rank reads its slab of input rows, panel by
 * panel, and the route sends every row to the rank that holds its position. */
#include <string.h>

#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/base/watch.h"
#include "balans/data/checksum.h"
#include "balans/par/agree.h"
#include "job.h"

bal_size bal_job_panel(const bal_job *j, bal_size d, bal_size *panels)
{
    enum { MOST = 64 << 20 };
    int size = j->comm->size;
    bal_size n = bal_h5ad_rows(j->file);
    bal_size longest = n / size + (n % size > 0);
    /* A panel exists about four times: read, packed, received, sent on. */
    bal_size bytes = j->memory / 4 < MOST ? j->memory / 4 : MOST;
    bal_size rows = bytes / (4 * d);

    rows = rows > 1 ? rows : 1;
    rows = rows < longest ? rows : longest;
    *panels = (longest + rows - 1) / rows;
    return rows;
}

/* The element that --keep-original will make must not be there; found out now,
 * not after the work. */
static bal_verdict check_original(bal_job *j)
{
    bal_verdict st;
    bal_status mine = BAL_OK;
    char **name = NULL, want[BAL_PATH_MOST];
    bal_size count = 0;

    bal_job_original(j, want, sizeof want);
    BAL_TRY(bal_h5ad_matrices(j->file, &name, &count));
    for (bal_size i = 0; i < count; i++)
        if (strcmp(name[i], want) == 0)
            mine = BAL_FAIL(BAL_EINPUT,
                            "cannot keep the original: '%s' has an element "
                            "'%s' already; rename it or leave out "
                            "--keep-original",
                            j->par->input, want);
    BAL_TRY(bal_agree(j->comm, mine));
done:
    bal_h5ad_names_free(&name, count);
    return st;
}

/* The components would go where the corrected matrix goes. */
static bal_status check_place(const bal_job *j)
{
    if (j->par->pca == 0 || j->info.d <= j->par->pca ||
        strcmp(j->par->matrix, "obsm/X_balans") != 0)
        return BAL_OK;
    return BAL_FAIL(BAL_EINPUT,
                    "cannot correct 'obsm/X_balans' of '%s' by its principal "
                    "components, as these are stored under that name; use "
                    "--pca 0",
                    j->par->input);
}

bal_verdict bal_job_open(bal_job *j)
{
    bal_verdict st;

    BAL_TRY(bal_h5ad_open(j->comm, j->par->input, &j->file));
    BAL_TRY(bal_h5ad_matrix_open(j->file, j->par->matrix, &j->info));
    BAL_TRY(bal_agree(j->comm, check_place(j)));
    if (j->par->keep_original)
        BAL_TRY(check_original(j));
    BAL_TRY(bal_h5ad_labels(j->file, j->par->batch, "batch", &j->labels));
    BAL_TRY(bal_agree(j->comm, bal_layout_create(j->labels->size,
                                                 j->labels->count,
                                                 j->comm->rank, j->comm->size,
                                                 &j->layout)));
done:
    return st;
}

void bal_job_say_input(const bal_job *j)
{
    char size[32];

    bal_info("'%s', matrix '%s': %lld profiles x %lld features (%s), %lld "
             "batches",
             j->par->input, j->info.name, (long long)j->info.n,
             (long long)j->info.d,
             bal_bytes(size, sizeof size, 4 * j->info.n * j->info.d),
             (long long)j->labels->count);
    if (j->labels->count == 1)
        bal_warn("batch column '%s' has one value only: there is nothing to "
                 "align, profiles are smoothed within the batch",
                 j->par->batch);
}

/* Pauses; a rank that has failed counts for more than being told to stop. */
static bal_verdict pause_unless(bal_comm *c, bal_status mine)
{
    bal_error failed = *bal_error_get(), stopped;
    bal_verdict st = bal_pause(c), worse;

    if (!bal_failed(st))
        return st;
    stopped = *bal_error_get();
    bal_error_set(&failed);
    worse = bal_agree(c, mine);
    if (bal_failed(worse))
        return worse;
    bal_error_set(&stopped);
    return st;
}

static bal_verdict read_panels(bal_job *j, float *rows)
{
    bal_verdict st = {BAL_OK};
    bal_status mine = BAL_OK;
    bal_size panels, step = bal_job_panel(j, j->info.d, &panels);

    bal_watch_grant_io(4.0 * (double)(step * j->info.d) * j->comm->size);
    for (bal_size p = 0; p < panels; p++) {
        bal_size from = p * step < j->route->m ? p * step : j->route->m;
        bal_size left = j->route->m - from;
        bal_size count = left < step ? left : step;
        BAL_TRY(pause_unless(j->comm, mine));
        /* After a failure the rank goes on sending what it has. */
        if (!bal_failed(mine) && count > 0)
            mine = bal_h5ad_read_rows(j->file, j->route->first + from, count,
                                      rows);
        BAL_TRY(bal_route_scatter(j->comm, j->route, from, count, rows, j->x));
        bal_progress_share((double)(p + 1) / (double)panels);
        bal_progress("%.0f %% of the rows",
                     100.0 * (double)(p + 1) / (double)panels);
    }
    st = bal_agree(j->comm, mine);
done:
    bal_watch_grant(0);
    return st;
}

bal_verdict bal_job_read(bal_job *j)
{
    bal_verdict st;
    bal_status mine;
    float *rows = NULL;
    bal_size panels, step = bal_job_panel(j, j->info.d, &panels);

    BAL_TRY(bal_h5ad_matrix_load(j->file));
    BAL_TRY(bal_route_create(j->comm, j->labels, j->layout, &j->route));
    mine = bal_shard_create(j->layout, j->info.d, &j->x);
    if (!bal_failed(mine))
        mine = bal_alloc(&rows, step * j->info.d, "a panel of the matrix");
    BAL_TRY(bal_agree(j->comm, mine));
    BAL_TRY(read_panels(j, rows));
    bal_progress_end();
    j->checksum = bal_checksum_rows(j->comm, j->route, j->x);
done:
    bal_free(&rows);
    return st;
}
