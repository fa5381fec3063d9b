#include "input.h"

#include <stdio.h>
#include <string.h>

#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/par/agree.h"
#include "input_sample.h"

void bal_input_original(const bal_params *par, char *path, size_t size)
{
    if (strncmp(par->matrix, "obsm/", 5) == 0)
        snprintf(path, size, "%s_original", par->matrix);
    else
        snprintf(path, size, "layers/original");
}

/* The element that --keep-original will make must not be there; found out now,
 * not after the work. */
static bal_verdict check_original(const bal_input *in)
{
    bal_verdict st;
    bal_status mine = BAL_OK;
    char **name = NULL, want[BAL_PATH_MOST];
    bal_size count = 0;

    bal_input_original(in->par, want, sizeof want);
    BAL_TRY(bal_h5ad_matrices(in->file, &name, &count));
    for (bal_size i = 0; i < count; i++)
        if (strcmp(name[i], want) == 0)
            mine = BAL_FAIL(BAL_EINPUT,
                            "cannot keep the original: '%s' has an element "
                            "'%s' already; rename it or leave out "
                            "--keep-original",
                            in->par->input, want);
    BAL_TRY(bal_agree(in->comm, mine));
done:
    bal_h5ad_names_free(&name, count);
    return st;
}

/* The components would go where the corrected matrix goes. */
static bal_status check_place(const bal_input *in)
{
    if (in->par->pca == 0 || in->info.d <= in->par->pca ||
        strcmp(in->par->matrix, "obsm/X_balans") != 0)
        return BAL_OK;
    return BAL_FAIL(BAL_EINPUT,
                    "cannot correct 'obsm/X_balans' of '%s' by its principal "
                    "components, as these are stored under that name; use "
                    "--pca 0",
                    in->par->input);
}

bal_status bal_input_allot(bal_input *in, int most)
{
    bal_status st = bal_alloc(&in->column, most, "the batch columns");

    return bal_failed(st) ? st
                          : bal_alloc(&in->labels, most, "the batch columns");
}

/* Splits `list`, which it cuts, at commas. */
static bal_status split(char *list, bal_input *in)
{
    int most = 1;
    bal_status st;

    for (const char *s = list; *s != '\0'; s++)
        most += *s == ',';
    BAL_TRY(bal_input_allot(in, most));
    for (char *name = list; in->columns < most; in->columns++) {
        size_t length = strcspn(name, ",");
        bool last = name[length] == '\0';
        name[length] = '\0';
        if (length == 0)
            BAL_TRY(BAL_FAIL(BAL_EUSAGE, "cannot take '%s' for option "
                                         "'--batch': a name between its commas "
                                         "is empty",
                             in->par->batch));
        BAL_TRY(bal_alloc(&in->column[in->columns], (bal_size)length + 1,
                          "the batch columns"));
        memcpy(in->column[in->columns], name, length);
        name += last ? length : length + 1;
    }
done:
    return st;
}

static bal_status list_columns(bal_input *in, char *const *known,
                               bal_size count)
{
    bool whole = false;
    char *list = NULL;
    bal_status st;

    for (bal_size i = 0; i < count; i++)
        whole = whole || strcmp(known[i], in->par->batch) == 0;
    BAL_TRY(bal_alloc(&list, (bal_size)strlen(in->par->batch) + 1,
                      "the batch columns"));
    strcpy(list, in->par->batch);
    if (!whole) {
        st = split(list, in);
        goto done;
    }
    /* A column whose own name has commas. */
    BAL_TRY(bal_input_allot(in, 1));
    in->column[in->columns++] = list;
    list = NULL;
done:
    bal_free(&list);
    return st;
}

static bal_verdict name_columns(bal_input *in)
{
    char **known = NULL;
    bal_size count = 0;
    bal_verdict st;

    BAL_TRY(bal_h5ad_columns(in->file, &known, &count));
    BAL_TRY(bal_agree(in->comm, list_columns(in, known, count)));
done:
    bal_h5ad_names_free(&known, count);
    return st;
}

bal_verdict bal_input_open(bal_comm *c, const bal_params *par, bal_input *out)
{
    bal_verdict st;

    *out = (bal_input){.comm = c, .par = par};
    BAL_TRY(bal_h5ad_open(c, par->input, &out->file));
    bal_h5ad_allow(out->file, bal_params_memory(par));
    BAL_TRY(bal_h5ad_matrix_open(out->file, par->matrix, &out->info));
    BAL_TRY(bal_agree(c, check_place(out)));
    if (par->keep_original)
        BAL_TRY(check_original(out));
    BAL_TRY(name_columns(out));
    for (int i = 0; i < out->columns; i++)
        BAL_TRY(bal_h5ad_labels(out->file, out->column[i], "batch",
                                &out->labels[i]));
    if (par->fit_sample > 0)
        BAL_TRY(bal_input_sample(out));
done:
    return st;
}

void bal_input_close(bal_input *in)
{
    for (int i = 0; i < in->columns; i++) {
        bal_labels_destroy(&in->labels[i]);
        bal_free(&in->column[i]);
    }
    bal_free(&in->labels);
    bal_free(&in->column);
    in->columns = 0;
    bal_h5ad_close(&in->file);
}

void bal_input_say(const bal_input *in)
{
    char size[32];

    bal_info("'%s', matrix '%s': %lld profiles x %lld features (%s), %lld "
             "batches",
             in->par->input, in->info.name, (long long)in->info.n,
             (long long)in->info.d,
             bal_bytes(size, sizeof size, 4 * in->info.n * in->info.d),
             (long long)in->labels[0]->count);
    if (in->info.n < bal_h5ad_rows(in->file))
        bal_info("they are a sample of its %lld profiles (--sample)",
                 (long long)bal_h5ad_rows(in->file));
    if (in->lost > 0)
        bal_warn("%lld batches of '%s' have no profile in the sample; they "
                 "have with a larger --sample",
                 (long long)in->lost, in->column[in->columns - 1]);
    for (int i = 0; i < in->columns; i++)
        if (in->labels[i]->count == 1)
            bal_warn("batch column '%s' has one value only: there is nothing "
                     "to align",
                     in->column[i]);
}
