/* Columns of obs: which there are, and how one is encoded, which rank 0 finds
 * out alone. */
#include <stdio.h>
#include <string.h>

#include "balans/base/text.h"
#include "balans/par/agree.h"
#include "h5ad_internal.h"

bal_status bal_column_refuse(const bal_request *q, const char *why)
{
    return BAL_FAIL(BAL_EINPUT, "cannot use '%s', %s column '%s': %s",
                    q->f->path, q->what, q->column, why);
}

bal_status bal_h5ad_list_columns(hid_t obs, bal_h5_list *list)
{
    bal_h5_list member = {0};
    bal_status st = bal_h5_get_list(obs, "column-order", list);

    if (!bal_failed(st) && list->count == 0)
        st = bal_h5_members(obs, &member);
    for (bal_size i = 0; i < member.count && !bal_failed(st); i++)
        if (strcmp(member.item[i], "__categories") != 0)
            st = bal_h5_list_add(list, member.item[i]);
    bal_h5_list_free(&member);
    return st;
}

static bal_status not_found(const bal_request *q, hid_t obs)
{
    char text[BAL_ERROR_TEXT_MAX / 2];
    bal_h5_list list = {0};
    bal_status st = bal_h5ad_list_columns(obs, &list);

    if (!bal_failed(st))
        st = BAL_FAIL(BAL_EINPUT,
                      "%s column '%s' not found in '%s'; obs has: %s", q->what,
                      q->column, q->f->path,
                      bal_join(text, sizeof text, list.item, list.count));
    bal_h5_list_free(&list);
    return st;
}

/* anndata 0.7: the codes carry a reference to their categories. */
static void follow_reference(hid_t codes, const char *name, char *path)
{
    hobj_ref_t ref;
    hid_t a = H5Aopen(codes, "categories", H5P_DEFAULT);
    hid_t type = a >= 0 ? H5Aget_type(a) : H5I_INVALID_HID;
    ssize_t len = 0;

    if (type >= 0 && H5Tequal(type, H5T_STD_REF_OBJ) > 0 &&
        H5Aread(a, type, &ref) >= 0)
        len = H5Rget_name(codes, H5R_OBJECT, &ref, path, BAL_H5_PATH_MAX);
    if (len > 0 && len < BAL_H5_PATH_MAX)
        memmove(path, path + 1, strlen(path));
    else
        snprintf(path, BAL_H5_PATH_MAX, "obs/__categories/%s", name);
    bal_h5_close(&type);
    bal_h5_close(&a);
}

static void find_parts(hid_t object, const bal_request *q, bal_column *col)
{
    char base[BAL_H5_PATH_MAX - 32];

    snprintf(base, sizeof base, "obs/%s", q->column);
    if (bal_h5_is(object, H5I_DATASET)) {
        snprintf(col->values, sizeof col->values, "%s", base);
        if (H5Aexists(object, "categories") > 0)
            follow_reference(object, q->column, col->categories);
        return;
    }
    if (bal_h5_has(object, "codes") && bal_h5_has(object, "categories")) {
        snprintf(col->values, sizeof col->values, "%s/codes", base);
        snprintf(col->categories, sizeof col->categories, "%s/categories",
                 base);
    } else if (bal_h5_has(object, "values")) {
        snprintf(col->values, sizeof col->values, "%s/values", base);
        if (bal_h5_has(object, "mask"))
            snprintf(col->mask, sizeof col->mask, "%s/mask", base);
    }
}

/* Fails unless a part is a vector (of `n` elements, if n >= 0) that can be
 * read. */
static bal_status check_part(hid_t file, const bal_request *q, const char *path,
                             bal_size n, H5T_class_t *class)
{
    bal_size dims[2];
    size_t bytes;
    hid_t part = bal_h5_find(file, path);
    bal_status st = BAL_OK;

    *class = H5T_NO_CLASS;
    if (bal_h5_dims(part, dims) != 1)
        st = bal_column_refuse(q, "it is not a vector of values");
    else if (n >= 0 && dims[0] != n)
        st = bal_column_refuse(q, "its length is not that of obs");
    else
        st = bal_h5ad_check_filters(part);
    if (!bal_failed(st))
        *class = bal_h5_class(part, &bytes);
    bal_h5_close(&part);
    return st;
}

static bool names_groups(H5T_class_t class)
{
    return class == H5T_STRING || class == H5T_INTEGER || class == H5T_ENUM;
}

static bal_status check_parts(hid_t file, const bal_request *q,
                              const bal_column *col)
{
    H5T_class_t values, mask, categories;
    bal_status st;

    BAL_TRY(check_part(file, q, col->values, q->f->n, &values));
    if (values == H5T_FLOAT)
        st = bal_column_refuse(
            q, "it holds floating-point numbers; store it as strings, "
               "integers or a categorical");
    else if (!names_groups(values) ||
             (col->categories[0] != '\0' && values != H5T_INTEGER))
        st = bal_column_refuse(q, "its values do not name groups");
    if (bal_failed(st))
        return st;
    if (col->mask[0] != '\0')
        BAL_TRY(check_part(file, q, col->mask, q->f->n, &mask));
    if (col->categories[0] != '\0') {
        BAL_TRY(check_part(file, q, col->categories, -1, &categories));
        if (!names_groups(categories) && categories != H5T_FLOAT)
            st = bal_column_refuse(
                q, "its categories are neither text nor numbers");
    }
done:
    return st;
}

/* Categories that may be missing are a group, too. */
static void enter_categories(hid_t file, bal_column *col)
{
    hid_t object = bal_h5_find(file, col->categories);
    size_t len = strlen(col->categories);

    if (bal_h5_is(object, H5I_GROUP))
        snprintf(col->categories + len, sizeof col->categories - len,
                 "/values");
    bal_h5_close(&object);
}

bal_status bal_column_look(const bal_request *q, bal_column *col)
{
    hid_t file, obs = H5I_INVALID_HID, object = H5I_INVALID_HID;
    bal_status st = bal_h5_open(q->f->path, BAL_H5_READ, NULL, &file);

    if (bal_failed(st))
        return st;
    obs = bal_h5_find(file, "obs");
    if (strlen(q->column) < BAL_H5_PATH_MAX - 64)
        object = bal_h5_find(obs, q->column);
    if (object < 0) {
        st = not_found(q, obs);
    } else if (q->f->n == 0) {
        st = bal_column_refuse(q, "obs has no rows");
    } else {
        find_parts(object, q, col);
        if (col->categories[0] != '\0')
            enter_categories(file, col);
        st = col->values[0] != '\0'
                 ? check_parts(file, q, col)
                 : bal_column_refuse(q, "it is not a column");
    }
    bal_h5_close(&object);
    bal_h5_close(&obs);
    bal_h5_close(&file);
    return st;
}

static bal_status list(const bal_h5ad *f, bal_h5_list *out)
{
    hid_t obs = H5Oopen(f->file, "obs", H5P_DEFAULT);
    bal_status st =
        obs >= 0 ? bal_h5ad_list_columns(obs, out)
                 : BAL_FAIL(BAL_EINPUT, "cannot open 'obs' in '%s'", f->path);

    bal_h5_close(&obs);
    return st;
}

bal_verdict bal_h5ad_columns(bal_h5ad *f, char ***name, bal_size *count)
{
    bal_h5_list found = {0};
    bal_verdict st = bal_agree(f->comm, list(f, &found));

    if (bal_failed(st)) {
        bal_h5_list_free(&found);
        return st;
    }
    *name = found.item;
    *count = found.count;
    return st;
}
