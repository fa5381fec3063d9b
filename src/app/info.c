#include "balans/app/info.h"

#include <stdio.h>

#include "balans/app/plan.h"
#include "balans/par/agree.h"
bal_verdict bal_plan_file(bal_comm *c, const bal_params *p){(void)p;return bal_agree(c,BAL_OK);}
bal_verdict bal_plan_matrices(bal_comm *c, bal_h5ad *f){(void)f;return bal_agree(c,BAL_OK);}
#include "balans/base/text.h"
#include "balans/data/labels.h"
#include "balans/io/h5ad.h"

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
    BAL_TRY(bal_plan_matrices(c, f));
    BAL_TRY(show_columns(c, f));
done:
    bal_h5ad_close(&f);
    return st;
}

/* The empty line parts what the file holds from what a run needs. */
static bal_verdict plan(bal_comm *c, const bal_params *p)
{
    if (c->rank == 0) {
        puts("\na run");
        fflush(stdout);
    }
    return bal_plan_file(c, p);
}

bal_verdict bal_info_file(bal_comm *c, const bal_params *p)
{
    bal_verdict st;

    BAL_TRY(show(c, p->input));
    BAL_TRY(plan(c, p));
done:
    return st;
}
