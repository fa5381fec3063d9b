/* The names of features: the index of var, read by rank 0's helper.  What lies
 * in obsm has none, so its features are called by their numbers. */
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "h5ad_ask.h"
#include "h5ad_column.h"

static bal_status take_text(void *arg, bal_gidx i, const char *s)
{
    (void)i;
    return bal_h5_list_add(arg, s != NULL ? s : "");
}

static bal_status take_whole(void *arg, bal_gidx i, bal_number v)
{
    char text[32];

    (void)i;
    snprintf(text, sizeof text, "%lld", (long long)v.whole);
    return bal_h5_list_add(arg, text);
}

static bal_status read_index(hid_t var, const char *path, bal_h5_list *list)
{
    char index[BAL_H5_PATH_MAX];
    hid_t values = H5I_INVALID_HID;
    bal_size dims[2];
    H5T_class_t class;
    size_t bytes;
    bal_status st = bal_h5ad_index(var, index, sizeof index);

    if (bal_failed(st))
        return BAL_FAIL(BAL_EINPUT,
                        "cannot use '%s': the index of its 'var' is missing",
                        path);
    values = bal_h5ad_values(var, index);
    if (bal_h5_dims(values, dims) != 1) {
        st = BAL_FAIL(BAL_EINPUT,
                      "cannot use '%s': the index '%s' of its 'var' is not a "
                      "vector",
                      path, index);
        goto done;
    }
    BAL_TRY(bal_h5ad_check_filters(values));
    BAL_TRY(bal_h5_check_chunks(values));
    BAL_TRY(bal_h5_check_sources(values));
    class = bal_h5_class(values, &bytes);
    if (class == H5T_STRING)
        BAL_TRY(bal_h5_read_texts(values, 0, dims[0], take_text, list));
    else if (class == H5T_INTEGER)
        BAL_TRY(bal_each_number(values, dims[0], take_whole, list));
    else
        BAL_TRY(BAL_FAIL(BAL_EINPUT,
                         "cannot use '%s': the index '%s' of its 'var' holds "
                         "neither text nor whole numbers",
                         path, index));
done:
    bal_h5_close(&values);
    return st;
}

bal_status bal_work_features(bal_pack *in, bal_pack *out)
{
    const char *path = bal_unpack_text(in);
    bal_h5_list list = {0};
    hid_t file = H5I_INVALID_HID, var = H5I_INVALID_HID;
    bal_status st;

    bal_aside_at("var");
    BAL_TRY(bal_h5_open(path, BAL_H5_READ, NULL, &file));
    var = bal_h5_find(file, "var");
    BAL_TRY(read_index(var, path, &list));
    bal_pack_list(out, &list);
done:
    bal_h5_list_free(&list);
    bal_h5_close(&var);
    bal_h5_close(&file);
    return st;
}

static bal_status number_features(bal_size d, bal_h5_list *list)
{
    char text[32];
    bal_status st = BAL_OK;

    for (bal_size f = 0; f < d && !bal_failed(st); f++) {
        snprintf(text, sizeof text, "%lld", (long long)f);
        st = bal_h5_list_add(list, text);
    }
    return st;
}

static bal_status check_count(const bal_h5ad *f, bal_size count)
{
    if (count == f->info.d)
        return BAL_OK;
    return BAL_FAIL(BAL_EINPUT,
                    "cannot use '%s': matrix '%s' has %lld features, but its "
                    "'var' names %lld",
                    f->path, f->info.name, (long long)f->info.d,
                    (long long)count);
}

bal_verdict bal_h5ad_features(bal_h5ad *f, char ***name)
{
    bal_pack in = {0};
    bal_h5_list list = {0};
    bal_verdict st;

    *name = NULL;
    if (strncmp(f->info.name, "obsm/", 5) == 0) {
        BAL_TRY(bal_agree(f->comm, number_features(f->info.d, &list)));
    } else {
        bal_pack_text(&in, f->path);
        BAL_TRY(bal_ask_list(f->comm, BAL_ASIDE_FEATURES, f->path,
                             f->mark.bytes, &in, &list));
        BAL_TRY(bal_agree(f->comm, check_count(f, list.count)));
    }
    *name = list.item;
    list = (bal_h5_list){0};
done:
    bal_h5_list_free(&list);
    bal_pack_finish(&in);
    return st;
}
