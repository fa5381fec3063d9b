/* The matrices of a file: which there are, and what one of them is, as the
 * helper finds out. */
#include <stdio.h>
#include <string.h>

#include "balans/base/text.h"
#include "h5ad_ask.h"
#include "h5ad_internal.h"

/* Adds PREFIX/MEMBER for all members of the group PREFIX. */
static bal_status list_mapping(hid_t file, const char *prefix,
                               bal_h5_list *list)
{
    char name[BAL_H5_PATH_MAX];
    bal_h5_list member = {0};
    hid_t group = bal_h5_find(file, prefix);
    bal_status st = BAL_OK;

    if (bal_h5_is(group, H5I_GROUP))
        st = bal_h5_members(group, &member);
    for (bal_size i = 0; i < member.count && !bal_failed(st); i++) {
        snprintf(name, sizeof name, "%s/%s", prefix, member.item[i]);
        if (bal_h5_has(file, name))
            st = bal_h5_list_add(list, name);
    }
    bal_h5_list_free(&member);
    bal_h5_close(&group);
    return st;
}

static bal_status list_matrices(hid_t file, bal_h5_list *list)
{
    bal_status st = BAL_OK;

    if (bal_h5_has(file, "X"))
        BAL_TRY(bal_h5_list_add(list, "X"));
    BAL_TRY(list_mapping(file, "layers", list));
    BAL_TRY(list_mapping(file, "obsm", list));
done:
    return st;
}

static bool is_matrix_name(const char *name)
{
    return strcmp(name, "X") == 0 || strncmp(name, "layers/", 7) == 0 ||
           strncmp(name, "obsm/", 5) == 0;
}

static bal_status not_found(hid_t file, const char *path, const char *name)
{
    char text[BAL_ERROR_TEXT_MAX / 2];
    bal_h5_list list = {0};
    bal_status st = list_matrices(file, &list);

    if (!bal_failed(st))
        st = BAL_FAIL(BAL_EINPUT,
                      "matrix '%.200s' not found in '%s', which has: %s", name,
                      path, bal_join(text, sizeof text, list.item, list.count));
    bal_h5_list_free(&list);
    return st;
}

static bool is_empty(hid_t file, const char *name)
{
    hid_t object = bal_h5_find(file, name), space = H5I_INVALID_HID;
    bool empty = false;

    if (bal_h5_is(object, H5I_DATASET))
        space = H5Dget_space(object);
    if (space >= 0)
        empty = H5Sget_simple_extent_type(space) == H5S_NULL;
    bal_h5_close(&space);
    bal_h5_close(&object);
    return empty;
}

static bal_status refuse_empty(hid_t file, const char *path, const char *name)
{
    char text[BAL_ERROR_TEXT_MAX / 2];
    bal_h5_list all = {0}, other = {0};
    bal_status st;

    BAL_TRY(list_matrices(file, &all));
    for (bal_size i = 0; i < all.count; i++)
        if (!is_empty(file, all.item[i]))
            BAL_TRY(bal_h5_list_add(&other, all.item[i]));
    st = BAL_FAIL(BAL_EINPUT,
                  "cannot use '%s', matrix '%s': it is empty; use --matrix, "
                  "there are: %s",
                  path, name,
                  bal_join(text, sizeof text, other.item, other.count));
done:
    bal_h5_list_free(&all);
    bal_h5_list_free(&other);
    return st;
}

bal_status bal_work_matrix(bal_pack *in, bal_pack *out)
{
    const char *path = bal_unpack_text(in), *name = bal_unpack_text(in);
    bal_size n = bal_unpack_int(in);
    bal_matrix_info info = {0};
    hid_t file = H5I_INVALID_HID;
    bal_status st;

    bal_aside_at(name);
    BAL_TRY(bal_h5_open(path, BAL_H5_READ, NULL, &file));
    if (!is_matrix_name(name) || strlen(name) >= sizeof info.name ||
        !bal_h5_has(file, name))
        st = not_found(file, path, name);
    else if (is_empty(file, name))
        st = refuse_empty(file, path, name);
    else
        st = bal_h5ad_inspect(file, path, n, name, &info);
    bal_pack_bytes(out, &info, (bal_size)sizeof info);
done:
    bal_h5_close(&file);
    return st;
}

/* The names of those that could be opened. */
bal_status bal_work_matrices(bal_pack *in, bal_pack *out)
{
    const char *path = bal_unpack_text(in);
    bal_size n = bal_unpack_int(in);
    bal_matrix_info info;
    bal_h5_list list = {0}, sound = {0};
    hid_t file = H5I_INVALID_HID;
    bal_status st;

    BAL_TRY(bal_h5_open(path, BAL_H5_READ, NULL, &file));
    BAL_TRY(list_matrices(file, &list));
    for (bal_size i = 0; i < list.count; i++) {
        bal_aside_at(list.item[i]);
        if (strlen(list.item[i]) < sizeof info.name &&
            !bal_failed(bal_h5ad_inspect(file, path, n, list.item[i], &info)))
            BAL_TRY(bal_h5_list_add(&sound, list.item[i]));
        bal_error_clear();
    }
    bal_pack_list(out, &sound);
done:
    bal_h5_list_free(&list);
    bal_h5_list_free(&sound);
    bal_h5_close(&file);
    return st;
}

bal_verdict bal_h5ad_matrices(bal_h5ad *f, char ***name, bal_size *count)
{
    bal_pack in = {0};
    bal_h5_list list = {0};
    bal_verdict st;

    bal_pack_text(&in, f->path);
    bal_pack_int(&in, f->n);
    st = bal_ask_list(f->comm, BAL_ASIDE_MATRICES, f->path, f->mark.bytes, &in,
                      &list);
    bal_pack_finish(&in);
    *name = list.item;
    *count = list.count;
    return st;
}

void bal_h5ad_names_free(char ***name, bal_size count)
{
    bal_h5_list list = {*name, count};

    bal_h5_list_free(&list);
    *name = NULL;
}
