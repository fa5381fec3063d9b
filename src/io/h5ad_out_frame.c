/* The data frames of a new file: obs and var with their indices, and the
 * categorical columns of obs.
 *
 * An index of millions of strings is written in a moment when they all have the
 * same room in the file: fixed-length UTF-8 strings, padded with zeros, which
 * every reader of AnnData takes like those of variable length. */
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/aside.h"
#include "h5ad_internal.h"
#include "h5ad_out_internal.h"

/* ---- Index ---- */

static int digits_of(bal_size n)
{
    int digits = 1;

    for (; n > 9; n /= 10)
        digits++;
    return digits;
}

/* `prefix` and the number, padded with zeros to `width`. */
static void put_name(char *at, const char *prefix, int width, bal_size number)
{
    size_t length = strlen(prefix);
    int digits = digits_of(number);

    memcpy(at, prefix, length);
    memset(at + length, 0, (size_t)width - length);
    for (int i = digits - 1; i >= 0; i--, number /= 10)
        at[length + (size_t)i] = (char)('0' + number % 10);
}

static bal_status write_names(hid_t dataset, const char *prefix, int width,
                              bal_size n)
{
    enum { PIECE = 1 << 16 };
    char *text = NULL;
    hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    bal_status st;

    BAL_TRY(bal_alloc(&text, (bal_size)PIECE * width, "an index"));
    for (bal_size i = 0; i < n; i += PIECE) {
        hsize_t first = (hsize_t)i;
        hsize_t count = (hsize_t)(n - i < PIECE ? n - i : PIECE);
        for (hsize_t j = 0; j < count; j++)
            put_name(text + j * (hsize_t)width, prefix, width,
                     (bal_size)(first + j));
        hid_t memory = H5Screate_simple(1, &count, NULL);
        H5Sselect_hyperslab(space, H5S_SELECT_SET, &first, NULL, &count, NULL);
        if (H5Dwrite(dataset, type, memory, space, H5P_DEFAULT, text) < 0)
            st = bal_h5_fail(BAL_EIO, "write", dataset);
        H5Sclose(memory);
        if (bal_failed(st))
            break;
    }
done:
    bal_free(&text);
    H5Sclose(space);
    H5Tclose(type);
    return st;
}

static bal_status write_index(hid_t frame, const char *prefix, bal_size n)
{
    int width = (int)strlen(prefix) + digits_of(n > 0 ? n - 1 : 0);
    hid_t type = H5Tcopy(H5T_C_S1), dataset = H5I_INVALID_HID;
    hid_t space = H5Screate_simple(1, &(hsize_t){(hsize_t)n}, NULL);
    bal_status st;

    H5Tset_size(type, (size_t)width);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    BAL_TRY(bal_h5_make_dataset(frame, "_index", type, space, &dataset));
    BAL_TRY(bal_h5_set_encoding(dataset, "string-array", "0.2.0"));
    BAL_TRY(write_names(dataset, prefix, width, n));
done:
    bal_h5_close(&dataset);
    H5Sclose(space);
    H5Tclose(type);
    return st;
}

static bal_status make_frame(hid_t to, const char *path, const char *prefix,
                             bal_size n, const bal_h5_list *order)
{
    hid_t group;
    bal_status st = bal_h5_make_group(to, path, &group);

    if (bal_failed(st))
        return st;
    BAL_TRY(bal_h5_set_encoding(group, "dataframe", "0.2.0"));
    BAL_TRY(bal_h5_set_text(group, "_index", "_index"));
    BAL_TRY(bal_h5_set_list(group, "column-order", order));
    BAL_TRY(write_index(group, prefix, n));
done:
    bal_h5_close(&group);
    return st;
}

/* ---- Categorical columns ---- */

static bal_status set_unordered(hid_t group)
{
    hid_t type = bal_h5_bool_type(), space = H5Screate(H5S_SCALAR);
    hid_t a =
        H5Acreate2(group, "ordered", type, space, H5P_DEFAULT, H5P_DEFAULT);
    bal_status st = BAL_OK;

    if (a < 0 || H5Awrite(a, type, &(signed char){0}) < 0)
        st = bal_h5_fail(BAL_EIO, "write an attribute to", group);
    bal_h5_close(&a);
    H5Sclose(space);
    H5Tclose(type);
    return st;
}

static bal_status write_categories(hid_t group, const bal_categorical *c)
{
    hid_t type = bal_h5_text_type(), dataset = H5I_INVALID_HID;
    hid_t space = H5Screate_simple(1, &(hsize_t){(hsize_t)c->categories}, NULL);
    bal_status st;

    BAL_TRY(bal_h5_make_dataset(group, "categories", type, space, &dataset));
    BAL_TRY(bal_h5_set_encoding(dataset, "string-array", "0.2.0"));
    if (c->categories > 0 &&
        H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, c->category) < 0)
        st = bal_h5_fail(BAL_EIO, "write", dataset);
done:
    bal_h5_close(&dataset);
    H5Sclose(space);
    H5Tclose(type);
    return st;
}

static bal_status make_categorical(hid_t to, const bal_categorical *c,
                                   bal_size n)
{
    char path[BAL_H5_PATH_MAX];
    hid_t group = H5I_INVALID_HID;
    bal_status st;

    snprintf(path, sizeof path, "obs/%s", c->name);
    BAL_TRY(bal_h5_make_group(to, path, &group));
    BAL_TRY(bal_h5_set_encoding(group, "categorical", "0.2.0"));
    BAL_TRY(set_unordered(group));
    BAL_TRY(write_categories(group, c));
    snprintf(path, sizeof path, "obs/%s/codes", c->name);
    BAL_TRY(bal_out_make_array(
        to, &(bal_array){.path = path, .element = c->element, .n = n}));
done:
    bal_h5_close(&group);
    return st;
}

/* ---- Order of the columns ---- */

/* The columns that a data frame lists and has; readers stumble over others. */
static bal_status list_present(const char *file, const char *path, hid_t from,
                               bal_h5_list *order)
{
    bal_h5_list all = {0};
    bal_size gone = 0, last = 0;
    bal_status st;

    BAL_TRY(bal_h5ad_list_columns(from, &all));
    for (bal_size i = 0; i < all.count; i++) {
        bool here = bal_h5_has(from, all.item[i]);
        if (here)
            BAL_TRY(bal_h5_list_add(order, all.item[i]));
        gone += here ? 0 : 1;
        last = here ? last : i;
    }
    if (gone > 0)
        bal_aside_warn("'%s' lists %lld column%s of %s that %s not there, such "
                       "as '%.200s'; the output does not",
                       file, (long long)gone, gone == 1 ? "" : "s", path,
                       gone == 1 ? "is" : "are", all.item[last]);
done:
    bal_h5_list_free(&all);
    return st;
}

bal_status bal_out_copy_order(const char *file, const char *path,
                              const bal_h5_list *added, hid_t from, hid_t to)
{
    bal_h5_list order = {0};
    bal_status st;

    BAL_TRY(list_present(file, path, from, &order));
    for (bal_size i = 0; added != NULL && i < added->count; i++) {
        bal_size at = 0;
        while (at < order.count && strcmp(order.item[at], added->item[i]) != 0)
            at++;
        if (at == order.count)
            BAL_TRY(bal_h5_list_add(&order, added->item[i]));
    }
    BAL_TRY(bal_h5_set_list(to, "column-order", &order));
done:
    bal_h5_list_free(&order);
    return st;
}

/* ---- Both frames ---- */

static bal_status list_columns(const bal_out_plan *plan, bal_h5_list *list)
{
    bal_status st = BAL_OK;

    for (bal_size i = 0; i < plan->columns && !bal_failed(st); i++)
        st = bal_h5_list_add(list, plan->column[i].name);
    for (bal_size i = 0; i < plan->arrays && !bal_failed(st); i++)
        if (bal_out_column(&plan->array[i]) != NULL)
            st = bal_h5_list_add(list, bal_out_column(&plan->array[i]));
    return st;
}

bal_status bal_out_make_frames(const bal_out_plan *plan, hid_t to)
{
    bal_h5_list columns = {0}, none = {0};
    bal_size n = 0, d = 0;
    bal_status st;

    for (bal_size i = 0; i < plan->arrays; i++)
        if (strcmp(plan->array[i].path, "X") == 0) {
            n = plan->array[i].n;
            d = plan->array[i].d;
        }
    BAL_TRY(list_columns(plan, &columns));
    BAL_TRY(make_frame(to, "obs", "", n, &columns));
    BAL_TRY(make_frame(to, "var", "f", d, &none));
    for (bal_size i = 0; i < plan->columns; i++)
        BAL_TRY(make_categorical(to, &plan->column[i], n));
done:
    bal_h5_list_free(&columns);
    return st;
}
