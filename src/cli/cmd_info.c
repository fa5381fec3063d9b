#include <stdio.h>
#include <string.h>

#include "balans/app/plan.h"
#include "balans/base/log.h"
#include "balans/base/text.h"
#include "balans/cli/args.h"
#include "balans/cli/command.h"
#include "balans/cli/machine.h"
#include "balans/data/labels.h"
#include "balans/io/h5ad.h"
#include "balans/par/agree.h"

static const bal_operand operands[] = {
    {"FILE.h5ad", offsetof(bal_query, par.input)},
    {NULL, 0},
};

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

static bal_status check(const bal_query *q)
{
    if (q->par.input == NULL)
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot start without a file; give FILE.h5ad");
    return bal_params_check_rules(&q->par);
}

/* The empty line parts what the file holds from what a run needs. */
static bal_verdict plan(bal_comm *c, const bal_query *q)
{
    if (c->rank == 0) {
        puts("\na run");
        fflush(stdout);
    }
    return bal_plan_file(c, q);
}

static bal_verdict run(bal_comm *c, int argc, char *const *argv)
{
    bal_verdict st;
    bal_query q = {0};

    BAL_TRY(bal_args_read(c, &bal_cmd_info, &q, argc, argv));
    BAL_TRY(bal_agree(c, check(&q)));
    if (q.par.verbose)
        bal_log_init(BAL_LOG_DEBUG, c->rank);
    bal_machine_say();
    BAL_TRY(show(c, q.par.input));
    BAL_TRY(plan(c, &q));
done:
    bal_params_destroy(&q.par);
    return st;
}

const bal_command bal_cmd_info = {
    .name = "info",
    .meaning = "show what is in a file, and what a run on it would need",
    .options = bal_query_table,
    .operands = operands,
    .notes = "With --batch it says how many landmarks and how much time to "
             "expect, from a\nsample of the file and a calibration of this "
             "machine; start it with as many\nranks on a host as the run will "
             "have there. The options are those\nof 'correct' that change "
             "what a run needs.\n",
    .run = run,
};
