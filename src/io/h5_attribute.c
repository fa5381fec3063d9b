/* Attributes, as h5py writes and reads them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/h5.h"

/* An open attribute with its type and shape, for reading. */
typedef struct attribute {
    hid_t id, type, space;
    bal_size count; ///< elements; 0 where the attribute is absent
} attribute;

static bool open_attribute(hid_t object, const char *name, attribute *a)
{
    a->count = 0;
    a->id = a->type = a->space = H5I_INVALID_HID;
    if (H5Aexists(object, name) <= 0)
        return false;
    a->id = H5Aopen(object, name, H5P_DEFAULT);
    if (a->id < 0)
        return false;
    a->type = H5Aget_type(a->id);
    a->space = H5Aget_space(a->id);
    a->count = (bal_size)H5Sget_simple_extent_npoints(a->space);
    return true;
}

static void close_attribute(attribute *a)
{
    bal_h5_close(&a->space);
    bal_h5_close(&a->type);
    bal_h5_close(&a->id);
}

/* Calls back with each string of an open attribute of strings. */
static bal_status each_text(const attribute *a, bal_h5_taker take, void *arg)
{
    bool variable = H5Tis_variable_str(a->type) > 0;
    size_t bytes = variable ? sizeof(char *) : H5Tget_size(a->type) + 1;
    hid_t type = H5Tcopy(H5T_C_S1);
    void *room = NULL;
    bal_status st = bal_mem_alloc(&room, a->count, bytes, "an attribute");

    H5Tset_size(type, variable ? H5T_VARIABLE : bytes);
    H5Tset_cset(type, H5Tget_cset(a->type));
    if (!bal_failed(st) && H5Aread(a->id, type, room) < 0) {
        st = bal_h5_fail(BAL_EINPUT, "read an attribute of", a->id);
        variable = false;
    }
    for (bal_size i = 0; i < a->count && !bal_failed(st); i++) {
        const char *s = (char *)room + (size_t)i * bytes;
        if (variable)
            s = ((char **)room)[i] != NULL ? ((char **)room)[i] : "";
        st = take(arg, i, s);
    }
    if (variable && room != NULL)
        H5Dvlen_reclaim(type, a->space, H5P_DEFAULT, room);
    bal_mem_free(&room);
    H5Tclose(type);
    return st;
}

typedef struct target {
    char *buf;
    size_t size;
} target;

static bal_status take_text(void *arg, bal_gidx i, const char *s)
{
    target *t = arg;

    if (i == 0)
        snprintf(t->buf, t->size, "%s", s);
    return BAL_OK;
}

bool bal_h5_get_text(hid_t object, const char *name, char *buf, size_t size)
{
    target t = {buf, size};
    attribute a;
    bool ok = false;

    buf[0] = '\0';
    if (!open_attribute(object, name, &a))
        return false;
    if (a.count == 1 && H5Tget_class(a.type) == H5T_STRING) {
        ok = !bal_failed(each_text(&a, take_text, &t));
        if (!ok)
            bal_error_clear();
    }
    close_attribute(&a);
    return ok;
}

static bal_status take_item(void *arg, bal_gidx i, const char *s)
{
    (void)i;
    return bal_h5_list_add(arg, s);
}

bal_status bal_h5_get_list(hid_t object, const char *name, bal_h5_list *list)
{
    bal_status st = BAL_OK;
    attribute a;

    if (!open_attribute(object, name, &a))
        return BAL_OK;
    if (a.count > 0 && H5Tget_class(a.type) == H5T_STRING)
        st = each_text(&a, take_item, list);
    close_attribute(&a);
    return st;
}

/* Whole numbers that were stored as floating point. */
static bool read_reals(hid_t id, int64_t *value, bal_size count)
{
    double *real = NULL;
    bool ok = !bal_failed(bal_alloc(&real, count, "an attribute")) &&
              H5Aread(id, H5T_NATIVE_DOUBLE, real) >= 0;

    for (bal_size i = 0; i < count && ok; i++) {
        ok = fabs(real[i]) < 9e15 && real[i] == floor(real[i]);
        if (ok)
            value[i] = (int64_t)real[i];
    }
    bal_free(&real);
    return ok;
}

bool bal_h5_get_ints(hid_t object, const char *name, int64_t *value,
                     bal_size count)
{
    attribute a;
    bool ok = false;

    if (!open_attribute(object, name, &a))
        return false;
    if (a.count == count && H5Tget_class(a.type) == H5T_INTEGER)
        ok = H5Aread(a.id, H5T_NATIVE_INT64, value) >= 0;
    else if (a.count == count && H5Tget_class(a.type) == H5T_FLOAT)
        ok = read_reals(a.id, value, count);
    close_attribute(&a);
    return ok;
}

static bal_status set(hid_t object, const char *name, hid_t type, hid_t space,
                      const void *value)
{
    hid_t a = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    bal_status st = BAL_OK;

    if (a < 0 || (H5Sget_simple_extent_npoints(space) > 0 &&
                  H5Awrite(a, type, value) < 0))
        st = bal_h5_fail(BAL_EIO, "write an attribute to", object);
    bal_h5_close(&a);
    return st;
}

bal_status bal_h5_set_text(hid_t object, const char *name, const char *value)
{
    hid_t type = bal_h5_text_type(), space = H5Screate(H5S_SCALAR);
    bal_status st = set(object, name, type, space, &value);

    H5Sclose(space);
    H5Tclose(type);
    return st;
}

bal_status bal_h5_set_list(hid_t object, const char *name,
                           const bal_h5_list *list)
{
    hid_t type = bal_h5_text_type();
    hid_t space = H5Screate_simple(1, &(hsize_t){(hsize_t)list->count}, NULL);
    bal_status st = set(object, name, type, space, list->item);

    H5Sclose(space);
    H5Tclose(type);
    return st;
}

bal_status bal_h5_set_ints(hid_t object, const char *name, const int64_t *value,
                           bal_size count)
{
    hid_t space = H5Screate_simple(1, &(hsize_t){(hsize_t)count}, NULL);
    bal_status st = set(object, name, H5T_NATIVE_INT64, space, value);

    H5Sclose(space);
    return st;
}

bal_status bal_h5_set_encoding(hid_t object, const char *type,
                               const char *version)
{
    bal_status st = bal_h5_set_text(object, "encoding-type", type);

    return bal_failed(st)
               ? st
               : bal_h5_set_text(object, "encoding-version", version);
}
