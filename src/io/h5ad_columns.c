/* Columns of obs: which there are, and of what parts one is made.  A column is
 *   a vector of values;
 *   codes with categories: a group of both, codes that carry a reference to
 *   their categories (anndata 0.7), or codes whose categories are those of
 *   their name in obs/__categories (SeuratDisk);
 *   a group of values and a mask of those that are missing;
 *   a group of values, counted from 1, and levels (h5Seurat). */
#include <stdio.h>
#include <string.h>

#include "balans/base/text.h"
#include "h5ad_column.h"

bal_status bal_column_refuse(const bal_request *q, const char *why)
{
    return BAL_FAIL(BAL_EINPUT, "cannot use '%s', %s column '%.200s': %s",
                    q->path, q->what, q->column, why);
}

bal_status bal_h5ad_list_columns(hid_t obs, bal_h5_list *list)
{
    char index[BAL_H5_PATH_MAX];
    bal_h5_list member = {0};
    bool ordered = H5Aexists(obs, "column-order") > 0;
    bal_status st = bal_h5_get_list(obs, "column-order", list);

    if (!bal_h5_get_text(obs, "_index", index, sizeof index))
        snprintf(index, sizeof index, "_index");
    if (!bal_failed(st) && !ordered)
        st = bal_h5_members(obs, &member);
    for (bal_size i = 0; i < member.count && !bal_failed(st); i++)
        if (strcmp(member.item[i], "__categories") != 0 &&
            strcmp(member.item[i], index) != 0)
            st = bal_h5_list_add(list, member.item[i]);
    bal_h5_list_free(&member);
    return st;
}

static bal_status not_found(const bal_request *q, hid_t obs)
{
    char text[BAL_ERROR_TEXT_MAX / 2], meant[128] = "";
    const char *near;
    bal_h5_list list = {0};
    bal_status st = bal_h5ad_list_columns(obs, &list);

    if (!bal_failed(st)) {
        near = bal_nearest(q->column, (const char *const *)list.item,
                           (size_t)list.count);
        if (near != NULL)
            snprintf(meant, sizeof meant, "is '%.100s' meant; ", near);
        st = BAL_FAIL(BAL_EINPUT,
                      "%s column '%.200s' not found in '%s'; %sobs has: %s",
                      q->what, q->column, q->path, meant,
                      bal_join(text, sizeof text, list.item, list.count));
    }
    bal_h5_list_free(&list);
    return st;
}

/* ---- Parts ---- */

/* What the attribute `categories` of codes refers to. */
static bal_status follow_reference(const bal_request *q, hid_t codes,
                                   hid_t *categories)
{
    hobj_ref_t ref = 0;
    hid_t a = H5Aopen(codes, "categories", H5P_DEFAULT);
    hid_t type = a >= 0 ? H5Aget_type(a) : H5I_INVALID_HID;
    hid_t space = a >= 0 ? H5Aget_space(a) : H5I_INVALID_HID;
    bal_status st = BAL_OK;

    if (type >= 0 && H5Tequal(type, H5T_STD_REF_OBJ) > 0) {
        if (H5Sget_simple_extent_npoints(space) != 1)
            st = bal_column_refuse(
                q, "its attribute 'categories' is not one reference");
        else if (H5Aread(a, type, &ref) >= 0 && ref != 0)
            *categories = H5Rdereference2(codes, H5P_DEFAULT, H5R_OBJECT, &ref);
    }
    bal_h5_close(&space);
    bal_h5_close(&type);
    bal_h5_close(&a);
    return st;
}

static bal_status find_dataset_parts(const bal_request *q, hid_t obs,
                                     hid_t object, bal_parts *p)
{
    size_t bytes;
    bool refers = H5Aexists(object, "categories") > 0;
    H5T_class_t class = bal_h5_class(object, &bytes);
    bal_status st = BAL_OK;

    p->values = object;
    H5Iinc_ref(object);
    if (refers)
        st = follow_reference(q, object, &p->categories);
    if (bal_failed(st) || p->categories >= 0)
        return st;
    if (refers || class == H5T_INTEGER || class == H5T_FLOAT) {
        hid_t all = bal_h5_find(obs, "__categories");
        p->categories = bal_h5_find(all, q->column);
        bal_h5_close(&all);
    }
    return refers && p->categories < 0
               ? bal_column_refuse(q, "its categories are not there")
               : BAL_OK;
}

static void find_group_parts(hid_t object, bal_parts *p)
{
    p->values = bal_h5_find(object, "codes");
    p->categories = bal_h5_find(object, "categories");
    if (p->values >= 0 && p->categories >= 0)
        return;
    bal_h5_close(&p->values);
    bal_h5_close(&p->categories);
    p->values = bal_h5_find(object, "values");
    p->mask = bal_h5_find(object, "mask");
    p->categories = bal_h5_find(object, "levels");
    p->first_code = p->categories >= 0 ? 1 : 0;
}

/* Categories that may be missing are a group, too. */
static void enter_categories(bal_parts *p)
{
    hid_t values;

    if (!bal_h5_is(p->categories, H5I_GROUP))
        return;
    values = bal_h5_find(p->categories, "values");
    p->categories_mask = bal_h5_find(p->categories, "mask");
    bal_h5_close(&p->categories);
    p->categories = values;
    p->has_categories = true;
}

/* Fails unless a part is a vector (of `n` elements, if n >= 0) that can be
 * read. */
static bal_status check_part(const bal_request *q, hid_t part, bal_size n)
{
    bal_size dims[2];
    int rank = bal_h5_dims(part, dims);

    if (rank != 1)
        return bal_column_refuse(q, rank < 0 && part < 0
                                        ? "it is not a column"
                                        : "it is not a vector of values");
    if (n >= 0 && dims[0] != n)
        return bal_column_refuse(q, "its length is not that of obs");
    bal_status st = bal_h5ad_check_filters(part);
    if (!bal_failed(st))
        st = bal_h5_check_chunks(part);
    return bal_failed(st) ? st : bal_h5_check_sources(part);
}

static bal_status check_parts(const bal_request *q, const bal_parts *p)
{
    bal_size dims[2];
    bal_status st;

    BAL_TRY(check_part(q, p->values, q->n));
    if (p->mask >= 0)
        BAL_TRY(check_part(q, p->mask, q->n));
    if (p->has_categories)
        BAL_TRY(check_part(q, p->categories, -1));
    if (p->categories_mask >= 0) {
        bal_h5_dims(p->categories, dims);
        BAL_TRY(check_part(q, p->categories_mask, dims[0]));
    }
done:
    return st;
}

bal_status bal_parts_open(hid_t file, const bal_request *q, bal_parts *p)
{
    hid_t obs = bal_h5_find(file, "obs"), object = H5I_INVALID_HID;
    bal_status st = BAL_OK;

    *p = (bal_parts){H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID,
                     H5I_INVALID_HID, false,           0};
    if (bal_h5_is(obs, H5I_GROUP))
        object = bal_h5_find(obs, q->column);
    if (object < 0)
        st = not_found(q, obs);
    else if (q->n == 0)
        st = bal_column_refuse(q, "obs has no rows");
    else if (bal_h5_is(object, H5I_DATASET))
        st = find_dataset_parts(q, obs, object, p);
    else if (bal_h5_is(object, H5I_GROUP))
        find_group_parts(object, p);
    if (!bal_failed(st)) {
        p->has_categories = p->categories >= 0;
        enter_categories(p);
        st = check_parts(q, p);
    }
    bal_h5_close(&object);
    bal_h5_close(&obs);
    return st;
}

void bal_parts_close(bal_parts *p)
{
    bal_h5_close(&p->values);
    bal_h5_close(&p->mask);
    bal_h5_close(&p->categories);
    bal_h5_close(&p->categories_mask);
}
