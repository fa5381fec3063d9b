/* Datasets are copied by H5Ocopy(), which moves chunks as they are stored, but
 * without their attributes: H5Ocopy() of HDF5 1.10 jumps to address 0 when an
 * object has strings among attributes that are stored densely.  Values in other
 * files become values of this one.  What holds references waits until all
 * objects have their places; one to what is not copied leads nowhere. */
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/aside.h"
#include "h5_copy.h"

enum { BLOCK = 1 << 24 }; /* bytes of values in memory at a time, about */

void bal_h5_copier_finish(bal_h5_copier *c)
{
    for (bal_size i = 0; i < c->pendings; i++) {
        bal_h5_close(&c->pending[i].from);
        bal_h5_close(&c->pending[i].to);
        bal_free(&c->pending[i].attribute);
    }
    bal_free(&c->pending);
    c->pendings = 0;
}

static bal_status postpone(bal_h5_copier *c, hid_t from, hid_t to,
                           const char *attribute)
{
    bal_h5_pending p = {from, to, NULL};
    bal_status st;

    BAL_TRY(bal_resize(&c->pending, c->pendings + 1, "references"));
    if (attribute != NULL) {
        BAL_TRY(
            bal_alloc(&p.attribute, (bal_size)strlen(attribute) + 1, "a name"));
        strcpy(p.attribute, attribute);
    }
    H5Iinc_ref(from);
    H5Iinc_ref(to);
    c->pending[c->pendings++] = p;
done:
    return st;
}

/* ---- Values in memory ---- */

/* All values of a dataset or an attribute; freed with drop_values(). */
typedef struct values {
    hid_t type, space;
    void *at;
    bal_size count;
    bool is_read;
} values;

static bal_status open_values(hid_t type, hid_t space, values *v)
{
    hssize_t count = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;

    *v = (values){.type = type, .space = space};
    if (type < 0 || count < 0)
        return BAL_FAIL(BAL_EINPUT, "cannot read values of the input: their "
                                    "type or shape is damaged");
    v->count = (bal_size)count;
    return bal_mem_alloc(&v->at, v->count, H5Tget_size(type),
                         "values of the input");
}

static void drop_values(values *v)
{
    bool variable = v->type >= 0 && (H5Tdetect_class(v->type, H5T_VLEN) > 0 ||
                                     H5Tdetect_class(v->type, H5T_STRING) > 0);

    if (v->is_read && v->count > 0 && variable)
        H5Dvlen_reclaim(v->type, v->space, H5P_DEFAULT, v->at);
    bal_mem_free(&v->at);
    bal_h5_close(&v->type);
    bal_h5_close(&v->space);
}

/* ---- References ---- */

/* The path of what a reference leads to, or NULL. */
static const char *target_of(const bal_h5_copier *c, hid_t from,
                             H5R_type_t kind, const void *ref)
{
    hid_t object = H5Rdereference2(from, H5P_DEFAULT, kind, ref);
    const char *path = NULL;
    bal_h5_key key;

    if (object >= 0 && !bal_failed(bal_h5_key_of(object, &key))) {
        path = bal_h5_seen_find(&c->seen, key);
        if (path == NULL && key.file == c->replaced.file &&
            key.address == c->replaced.address)
            path = c->instead;
    }
    bal_error_clear();
    bal_h5_close(&object);
    return path;
}

static void rewrite_one(const bal_h5_copier *c, hid_t from, hid_t type,
                        void *at)
{
    bool region = H5Tequal(type, H5T_STD_REF_DSETREG) > 0;
    H5R_type_t kind = region ? H5R_DATASET_REGION : H5R_OBJECT;
    const char *path = target_of(c, from, kind, at);
    hid_t space = H5I_INVALID_HID;

    if (region && path != NULL)
        space = H5Rget_region(from, kind, at);
    memset(at, 0, H5Tget_size(type));
    if (path != NULL)
        (void)H5Rcreate(at, c->to, path, kind, space);
    bal_h5_close(&space);
}

/* Rewrites the references inside one value of a type. */
static void rewrite(const bal_h5_copier *c, hid_t from, hid_t type, void *value)
{
    H5T_class_t class = H5Tget_class(type);
    char *at = value;

    if (class == H5T_REFERENCE) {
        rewrite_one(c, from, type, value);
    } else if (class == H5T_COMPOUND) {
        for (int i = 0; i < H5Tget_nmembers(type); i++) {
            hid_t member = H5Tget_member_type(type, (unsigned)i);
            rewrite(c, from, member,
                    at + H5Tget_member_offset(type, (unsigned)i));
            H5Tclose(member);
        }
    } else if (class == H5T_ARRAY || class == H5T_VLEN) {
        hid_t base = H5Tget_super(type);
        size_t bytes = H5Tget_size(base);
        const hvl_t *list = value;
        size_t count =
            class == H5T_VLEN ? list->len : H5Tget_size(type) / bytes;
        if (class == H5T_VLEN)
            at = list->p;
        for (size_t i = 0; i < count; i++)
            rewrite(c, from, base, at + i * bytes);
        H5Tclose(base);
    }
}

static void rewrite_all(const bal_h5_copier *c, hid_t from, values *v)
{
    size_t bytes = H5Tget_size(v->type);

    for (bal_size i = 0; i < v->count; i++)
        rewrite(c, from, v->type, (char *)v->at + (size_t)i * bytes);
}

static bal_status copy_values(const bal_h5_copier *c, const bal_h5_pending *p)
{
    values v;
    bal_status st =
        open_values(H5Dget_type(p->from), H5Dget_space(p->from), &v);

    if (bal_failed(st) || v.count == 0)
        goto done;
    if (H5Dread(p->from, v.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, v.at) < 0) {
        st = bal_h5_fail(BAL_EINPUT, "read", p->from);
        goto done;
    }
    v.is_read = true;
    rewrite_all(c, p->from, &v);
    if (H5Dwrite(p->to, v.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, v.at) < 0)
        st = bal_h5_fail(BAL_EIO, "write", p->to);
done:
    drop_values(&v);
    return st;
}

/* ---- Attributes ---- */

static bal_status copy_attribute(const bal_h5_copier *c, hid_t from, hid_t to,
                                 const char *name)
{
    hid_t old = H5Aopen(from, name, H5P_DEFAULT), fresh = H5I_INVALID_HID;
    values v = {H5I_INVALID_HID, H5I_INVALID_HID, NULL, 0, false};
    bal_status st = BAL_OK;

    if (old < 0)
        return bal_h5_fail(BAL_EINPUT, "read an attribute of", from);
    BAL_TRY(open_values(H5Aget_type(old), H5Aget_space(old), &v));
    if (v.count > 0 && H5Aread(old, v.type, v.at) < 0) {
        st = bal_h5_fail(BAL_EINPUT, "read an attribute of", from);
        goto done;
    }
    v.is_read = v.count > 0;
    if (H5Tdetect_class(v.type, H5T_REFERENCE) > 0)
        rewrite_all(c, from, &v);
    fresh = H5Acreate2(to, name, v.type, v.space, H5P_DEFAULT, H5P_DEFAULT);
    if (fresh < 0 || (v.count > 0 && H5Awrite(fresh, v.type, v.at) < 0))
        st = bal_h5_fail(BAL_EIO, "write an attribute to", to);
done:
    drop_values(&v);
    bal_h5_close(&fresh);
    bal_h5_close(&old);
    return st;
}

static bool holds_references(hid_t from, const char *attribute)
{
    hid_t a = H5Aopen(from, attribute, H5P_DEFAULT);
    hid_t type = a >= 0 ? H5Aget_type(a) : H5I_INVALID_HID;
    bool holds = type >= 0 && H5Tdetect_class(type, H5T_REFERENCE) > 0;

    bal_h5_close(&type);
    bal_h5_close(&a);
    return holds;
}

static herr_t take_name(hid_t object, const char *name, const H5A_info_t *info,
                        void *arg)
{
    (void)object;
    (void)info;
    return bal_failed(bal_h5_list_add(arg, name)) ? -1 : 0;
}

bal_status bal_h5_copy_attributes(bal_h5_copier *c, hid_t from, hid_t to,
                                  const char *but)
{
    bal_h5_list name = {0};
    bal_status st = BAL_OK;

    if (H5Aiterate2(from, H5_INDEX_NAME, H5_ITER_INC, NULL, take_name, &name) <
        0)
        st = bal_h5_fail(BAL_EINPUT, "read the attributes of", from);
    for (bal_size i = 0; i < name.count && !bal_failed(st); i++) {
        if (but != NULL && strcmp(name.item[i], but) == 0)
            continue;
        st = holds_references(from, name.item[i])
                 ? postpone(c, from, to, name.item[i])
                 : copy_attribute(c, from, to, name.item[i]);
    }
    bal_h5_list_free(&name);
    return st;
}

bal_status bal_h5_copy_references(bal_h5_copier *c)
{
    char path[BAL_H5_TEXT_MAX];
    bal_status st = BAL_OK;

    for (bal_size i = 0; i < c->pendings && !bal_failed(st); i++) {
        const bal_h5_pending *p = &c->pending[i];
        bal_aside_at(bal_h5_path(p->from, path, sizeof path));
        st = p->attribute != NULL
                 ? copy_attribute(c, p->from, p->to, p->attribute)
                 : copy_values(c, p);
    }
    return st;
}

/* ---- Datasets ---- */

/* Whole rows of the first dimension at a time. */
static bal_status copy_rows(hid_t from, hid_t to, hid_t type, hid_t space)
{
    hsize_t extent[H5S_MAX_RANK], start[H5S_MAX_RANK] = {0};
    int rank = H5Sget_simple_extent_dims(space, extent, NULL);
    hsize_t bytes = H5Tget_size(type), rows, total = rank > 0 ? extent[0] : 1;
    void *at = NULL;
    bal_status st = BAL_OK;

    for (int i = 1; i < rank; i++)
        bytes *= extent[i];
    rows = bytes > 0 && bytes < BLOCK ? BLOCK / bytes : 1;
    for (hsize_t i = 0; i < total && bytes > 0 && !bal_failed(st); i += rows) {
        if (rank > 0) {
            start[0] = i;
            extent[0] = total - i < rows ? total - i : rows;
            H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent,
                                NULL);
        }
        hid_t memory = rank > 0 ? H5Screate_simple(rank, extent, NULL)
                                : H5Screate(H5S_SCALAR);
        hssize_t count = H5Sget_simple_extent_npoints(memory);
        st =
            bal_mem_alloc(&at, count, H5Tget_size(type), "values of the input");
        if (!bal_failed(st) &&
            H5Dread(from, type, memory, space, H5P_DEFAULT, at) < 0)
            st = bal_h5_fail(BAL_EINPUT, "read", from);
        else if (!bal_failed(st) &&
                 H5Dwrite(to, type, memory, space, H5P_DEFAULT, at) < 0)
            st = bal_h5_fail(BAL_EIO, "write", to);
        if (!bal_failed(st) && H5Tdetect_class(type, H5T_VLEN) > 0)
            H5Dvlen_reclaim(type, memory, H5P_DEFAULT, at);
        bal_mem_free(&at);
        H5Sclose(memory);
    }
    return st;
}

/* A dataset of that type and shape, with values now or, for references, later.
 */
static bal_status copy_anew(bal_h5_copier *c, hid_t from, hid_t to,
                            const char *as, bool refers, hid_t *fresh)
{
    hid_t type = H5Dget_type(from), space = H5Dget_space(from);
    hsize_t extent[H5S_MAX_RANK];
    bool simple = H5Sget_simple_extent_type(space) == H5S_SIMPLE;
    hid_t shape =
        simple
            ? H5Screate_simple(H5Sget_simple_extent_dims(space, extent, NULL),
                               extent, NULL)
            : H5Scopy(space);
    bal_status st = bal_h5_make_dataset(to, as, type, shape, fresh);

    if (!bal_failed(st) && refers)
        st = postpone(c, from, *fresh, NULL);
    else if (!bal_failed(st) && H5Sget_simple_extent_type(space) != H5S_NULL)
        st = copy_rows(from, *fresh, type, space);
    bal_h5_close(&shape);
    bal_h5_close(&space);
    bal_h5_close(&type);
    return st;
}

static bal_status copy_as_stored(hid_t from, hid_t to, const char *as,
                                 hid_t *fresh)
{
    hid_t ocpypl = H5Pcreate(H5P_OBJECT_COPY);
    bal_status st = BAL_OK;

    H5Pset_copy_object(ocpypl, H5O_COPY_WITHOUT_ATTR_FLAG);
    if (H5Ocopy(from, ".", to, as, ocpypl, H5P_DEFAULT) < 0)
        st = bal_h5_fail(BAL_EINPUT, "copy", from);
    H5Pclose(ocpypl);
    if (!bal_failed(st))
        *fresh = H5Oopen(to, as, H5P_DEFAULT);
    return st;
}

bal_status bal_h5_copy_dataset(bal_h5_copier *c, hid_t from, hid_t to,
                               const char *as)
{
    hid_t type = H5Dget_type(from), fresh = H5I_INVALID_HID;
    bool refers = type >= 0 && H5Tdetect_class(type, H5T_REFERENCE) > 0;
    bal_status st;

    bal_h5_close(&type);
    if (refers || bal_h5_is_elsewhere(from)) {
        BAL_TRY(bal_h5_check_sources(from));
        BAL_TRY(copy_anew(c, from, to, as, refers, &fresh));
    } else {
        BAL_TRY(bal_h5_check_chunks(from));
        BAL_TRY(copy_as_stored(from, to, as, &fresh));
    }
    BAL_TRY(bal_h5_copy_attributes(c, from, fresh, NULL));
done:
    bal_h5_close(&fresh);
    return st;
}

/* ---- Afterwards ---- */

/* H5Ocopy() of a damaged header gives one that only the process that copied it
 * can use, as it has it in memory. */
static bool can_be_used(hid_t file, const char *path)
{
    hid_t object = H5Oopen(file, path, H5P_DEFAULT);
    bool good = object >= 0;

    if (bal_h5_is(object, H5I_DATASET)) {
        hid_t type = H5Dget_type(object), space = H5Dget_space(object);
        hid_t plist = H5Dget_create_plist(object);
        good = type >= 0 && space >= 0 && plist >= 0;
        bal_h5_close(&plist);
        bal_h5_close(&space);
        bal_h5_close(&type);
    }
    bal_h5_close(&object);
    return good;
}

bal_status bal_h5_check_copies(const bal_h5_seen *s, const char *from,
                               const char *to)
{
    hid_t file = H5I_INVALID_HID;
    bal_status st = bal_h5_open(to, BAL_H5_READ, NULL, &file);

    for (bal_size i = 0; i < s->slots && !bal_failed(st); i++) {
        if (s->path[i] == NULL)
            continue;
        bal_aside_at(s->path[i]);
        if (!can_be_used(file, s->path[i]))
            st = BAL_FAIL(BAL_EINPUT,
                          "cannot copy '%s' of '%s': it is damaged; write the "
                          "file anew from its source",
                          s->path[i], from);
    }
    bal_h5_close(&file);
    return st;
}
