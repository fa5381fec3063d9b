#include "balans/app/info.h"

#include <stdio.h>

#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/base/timer.h"
#include "balans/data/labels.h"
#include "balans/forecast/print.h"
#include "balans/io/h5ad.h"
#include "balans/par/agree.h"
#include "workload.h"

static void print_column(const char *name, const bal_labels *l)
{
    bal_size least = l->size[0], most = l->size[0];

    for (bal_size i = 1; i < l->count; i++) {
        least = l->size[i] < least ? l->size[i] : least;
        most = l->size[i] > most ? l->size[i] : most;
    }
    printf("  %-24s %lld value%s, %lld to %lld rows each\n", name,
           (long long)l->count, l->count == 1 ? "" : "s", (long long)least,
           (long long)most);
}

/* A column that cannot name groups (numbers with a fraction, missing values) is
 * worth a word, not a failure. */
static void show_column(bal_comm *c, bal_h5ad *f, const char *name)
{
    bal_labels *l;

    if (bal_failed(bal_h5ad_labels(f, name, "obs", &l))) {
        bal_error_clear();
        if (c->rank == 0)
            printf("  %-24s not usable as groups\n", name);
        return;
    }
    if (c->rank == 0)
        print_column(name, l);
    bal_labels_destroy(&l);
}

static bal_verdict show_columns(bal_comm *c, bal_h5ad *f)
{
    char **name = NULL;
    bal_size count = 0;
    bal_verdict st = bal_h5ad_columns(f, &name, &count);

    if (bal_failed(st))
        return st;
    if (c->rank == 0)
        printf("\ncolumns of obs\n");
    for (bal_size i = 0; i < count; i++)
        show_column(c, f, name[i]);
    bal_h5ad_names_free(&name, count);
    return st;
}

static bal_verdict show(bal_comm *c, const char *path)
{
    bal_verdict st;
    bal_h5ad *f = NULL;
    char bytes[32];

    BAL_TRY(bal_h5ad_open(c, path, &f));
    if (c->rank == 0)
        printf("%s: %lld observations, %s\n\n", path,
               (long long)bal_h5ad_rows(f),
               bal_bytes(bytes, sizeof bytes, bal_h5ad_file_bytes(f)));
    BAL_TRY(bal_matrices_print(c, f));
    BAL_TRY(show_columns(c, f));
done:
    bal_h5ad_close(&f);
    return st;
}

/* ---- a run ---- */

/* One batch of all points, where none was named. */
static bal_verdict take_as_one(bal_input *in)
{
    bal_comm *c = in->comm;
    bal_size n = bal_h5ad_rows(in->file), count;
    int32_t *code = NULL;
    char all[] = "all", *name = all;
    bal_verdict st;

    count = bal_slab_first(n, c->rank + 1, c->size) -
            bal_slab_first(n, c->rank, c->size);
    BAL_TRY(bal_agree(c, bal_input_allot(in, 1)));
    BAL_TRY(bal_agree(c, bal_alloc(&code, count, "the batches")));
    BAL_TRY(bal_labels_unify(c, n, &name, 1, code, false, "the file",
                             &in->labels[0]));
    in->columns = 1;
    code = NULL;
done:
    bal_free(&code);
    return st;
}

static void print_no_x(char *const *name, bal_size count)
{
    printf("matrix           no X; give '--matrix NAME' (there are: ");
    for (bal_size i = 0; i < count; i++)
        printf("%s%s", i > 0 ? ", " : "", name[i]);
    puts(count > 0 ? ")" : "none)");
    fflush(stdout);
}

/* Whether there is the matrix to ask about: the file may have no X. */
static bal_verdict has_matrix(const bal_input *in, bool *found)
{
    char **name = NULL;
    bal_size count = 0;
    bal_verdict st;

    *found = strcmp(in->par->matrix, "X") != 0;
    BAL_TRY(bal_h5ad_matrices(in->file, &name, &count));
    for (bal_size i = 0; i < count; i++)
        *found = *found || strcmp(name[i], "X") == 0;
    if (!*found && in->comm->rank == 0)
        print_no_x(name, count);
done:
    bal_h5ad_names_free(&name, count);
    return st;
}

static bal_verdict open_without_batch(bal_input *in, bool *found)
{
    bal_verdict st;

    BAL_TRY(bal_h5ad_open(in->comm, in->par->input, &in->file));
    BAL_TRY(has_matrix(in, found));
    if (!*found)
        goto done;
    BAL_TRY(bal_h5ad_matrix_open(in->file, in->par->matrix, &in->info));
    BAL_TRY(take_as_one(in));
done:
    return st;
}

static bal_verdict show_run(bal_comm *c, const bal_params *p)
{
    bal_input in = {.comm = c, .par = p};
    bool found = true;
    double start = bal_now();
    bal_verdict st;

    bal_comm_enter(c, BAL_PHASE_READ);
    if (p->batch != NULL)
        BAL_TRY(bal_input_open(c, p, &in));
    else
        BAL_TRY(open_without_batch(&in, &found));
    if (found)
        BAL_TRY(bal_run_forecast(&in, p->ranks > 0 ? (int)p->ranks : c->size,
                                 bal_now() - start));
done:
    bal_input_close(&in);
    return st;
}

/* The empty line parts what the file holds from what a run needs. */
bal_verdict bal_info_file(bal_comm *c, const bal_params *p)
{
    bal_verdict st;

    BAL_TRY(show(c, p->input));
    if (c->rank == 0) {
        puts("\na run");
        fflush(stdout);
    }
    BAL_TRY(show_run(c, p));
done:
    return st;
}
