/* What a run adds to the output: groups, arrays still to be filled, values. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "h5ad_out_internal.h"

enum { CHUNK = 1 << 20 }; /* bytes, about */

static bal_status make_dict(hid_t to, const char *path)
{
    hid_t group;
    bal_status st = bal_h5_make_group(to, path, &group);

    if (bal_failed(st))
        return st;
    st = bal_h5_set_encoding(group, "dict", "0.1.0");
    bal_h5_close(&group);
    return st;
}

bal_status bal_out_make_dicts(hid_t to, const char *path)
{
    char part[BAL_H5_PATH_MAX];
    size_t len = strlen(path);
    bal_status st = BAL_OK;

    for (size_t i = 1; i <= len && !bal_failed(st); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (!bal_h5_has(to, part))
            st = make_dict(to, part);
    }
    return st;
}

/* ---- Records ---- */

static bal_status write_value(hid_t to, const char *path, hid_t type,
                              hid_t space, const void *value,
                              const char *encoding)
{
    hid_t dataset;
    bal_status st = bal_h5_make_dataset(to, path, type, space, &dataset);

    if (bal_failed(st))
        return st;
    if (H5Sget_simple_extent_npoints(space) > 0 &&
        H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) < 0)
        st = bal_h5_fail(BAL_EIO, "write", dataset);
    else
        st = bal_h5_set_encoding(dataset, encoding, "0.2.0");
    bal_h5_close(&dataset);
    return st;
}

static bal_status write_scalar(hid_t to, const char *path, hid_t type,
                               const void *value, const char *encoding)
{
    hid_t space = H5Screate(H5S_SCALAR);
    bal_status st = write_value(to, path, type, space, value, encoding);

    H5Sclose(space);
    return st;
}

/* A vector of n, or with d > 0 a matrix. */
static bal_status write_array(hid_t to, const char *path, hid_t type,
                              const void *value, bal_size n, bal_size d,
                              const char *encoding)
{
    hsize_t extent[2] = {(hsize_t)n, (hsize_t)d};
    hid_t space = H5Screate_simple(d > 0 ? 2 : 1, extent, NULL);
    bal_status st = write_value(to, path, type, space, value, encoding);

    H5Sclose(space);
    return st;
}

static bal_status write_with(hid_t to, const char *path, hid_t type,
                             const void *value, const char *encoding)
{
    bal_status st = write_scalar(to, path, type, value, encoding);

    H5Tclose(type);
    return st;
}

static double real_of(const json_t *v)
{
    return json_is_null(v) ? NAN : json_number_value(v);
}

static bal_status write_integers(hid_t to, const char *path, const json_t *list)
{
    bal_size count = (bal_size)json_array_size(list);
    int64_t *value;
    bal_status st = bal_alloc(&value, count, "the report");

    for (bal_size i = 0; i < count && !bal_failed(st); i++)
        value[i] = json_integer_value(json_array_get(list, (size_t)i));
    if (!bal_failed(st))
        st = write_array(to, path, H5T_NATIVE_INT64, value, count, 0, "array");
    bal_free(&value);
    return st;
}

static bal_status write_reals(hid_t to, const char *path, const json_t *list)
{
    bal_size count = (bal_size)json_array_size(list);
    double *value;
    bal_status st = bal_alloc(&value, count, "the report");

    for (bal_size i = 0; i < count && !bal_failed(st); i++)
        value[i] = real_of(json_array_get(list, (size_t)i));
    if (!bal_failed(st))
        st = write_array(to, path, H5T_NATIVE_DOUBLE, value, count, 0, "array");
    bal_free(&value);
    return st;
}

static bal_status write_texts(hid_t to, const char *path, const json_t *list)
{
    bal_size count = (bal_size)json_array_size(list);
    const char **value;
    hid_t type = bal_h5_text_type();
    bal_status st = bal_alloc(&value, count, "the report");

    for (bal_size i = 0; i < count && !bal_failed(st); i++)
        value[i] = json_string_value(json_array_get(list, (size_t)i));
    if (!bal_failed(st))
        st = write_array(to, path, type, value, count, 0, "string-array");
    bal_free(&value);
    H5Tclose(type);
    return st;
}

/* Rows of numbers, all of one length. */
static bal_status write_rows(hid_t to, const char *path, const json_t *list)
{
    bal_size n = (bal_size)json_array_size(list);
    bal_size d = (bal_size)json_array_size(json_array_get(list, 0));
    double *value;
    bal_status st = bal_alloc(&value, n * d, "the report");

    for (bal_size i = 0; i < n * d && !bal_failed(st); i++)
        value[i] = real_of(json_array_get(json_array_get(list, (size_t)(i / d)),
                                          (size_t)(i % d)));
    if (!bal_failed(st))
        st = write_array(to, path, H5T_NATIVE_DOUBLE, value, n, d, "array");
    bal_free(&value);
    return st;
}

static bal_status write_list(hid_t to, const char *path, const json_t *list)
{
    const json_t *first = json_array_get(list, 0);

    if (json_is_string(first))
        return write_texts(to, path, list);
    if (json_is_array(first))
        return write_rows(to, path, list);
    return json_is_integer(first) ? write_integers(to, path, list)
                                  : write_reals(to, path, list);
}

static bal_status write_json(hid_t to, const char *path, json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        return write_with(to, path, bal_h5_text_type(),
                          &(const char *){json_string_value(v)}, "string");
    case JSON_INTEGER:
        return write_scalar(to, path, H5T_NATIVE_INT64,
                            &(int64_t){json_integer_value(v)},
                            "numeric-scalar");
    case JSON_REAL:
    case JSON_NULL:
        return write_scalar(to, path, H5T_NATIVE_DOUBLE, &(double){real_of(v)},
                            "numeric-scalar");
    case JSON_TRUE:
    case JSON_FALSE:
        return write_with(to, path, bal_h5_bool_type(),
                          &(signed char){json_is_true(v)}, "numeric-scalar");
    case JSON_ARRAY:
        return write_list(to, path, v);
    case JSON_OBJECT:
        break;
    }
    return bal_out_write_object(to, path, v);
}

bal_status bal_out_write_object(hid_t to, const char *path, json_t *object)
{
    char below[BAL_H5_PATH_MAX];
    const char *key;
    json_t *value;
    bal_status st = bal_out_make_dicts(to, path);

    json_object_foreach(object, key, value)
    {
        snprintf(below, sizeof below, "%s/%s", path, key);
        if (!bal_failed(st))
            st = write_json(to, below, value);
    }
    return st;
}

/* ---- Arrays ---- */

const char *bal_out_column(const bal_array *a)
{
    return strncmp(a->path, "obs/", 4) == 0 && !a->is_member ? a->path + 4
                                                             : NULL;
}

static hid_t file_type(bal_element element)
{
    switch (element) {
    case BAL_F64:
        return H5T_IEEE_F64LE;
    case BAL_I32:
        return H5T_STD_I32LE;
    case BAL_I64:
        return H5T_STD_I64LE;
    case BAL_I16:
        return H5T_STD_I16LE;
    case BAL_I8:
        return H5T_STD_I8LE;
    case BAL_F32:
        break;
    }
    return H5T_IEEE_F32LE;
}

bal_size bal_out_element_bytes(bal_element element)
{
    return (bal_size)H5Tget_size(file_type(element));
}

/* Whole rows where one fits a chunk. */
static void set_chunks(hid_t dcpl, const bal_array *a)
{
    bal_size size = (bal_size)H5Tget_size(file_type(a->element));
    bal_size d = a->d > 0 ? a->d : 1;
    bal_size wide = CHUNK / size < d ? CHUNK / size : d;
    bal_size tall = CHUNK / (size * wide);
    hsize_t chunk[2] = {(hsize_t)(tall < a->n ? tall : a->n), (hsize_t)wide};

    H5Pset_chunk(dcpl, a->d > 0 ? 2 : 1, chunk);
    H5Pset_shuffle(dcpl);
    H5Pset_deflate(dcpl, 1);
}

/* Space is taken at once, as parallel writing wants it; filling it would write
 * everything twice. */
bal_status bal_out_make_array(hid_t to, const bal_array *a)
{
    char parent[BAL_H5_PATH_MAX];
    hsize_t extent[2] = {(hsize_t)a->n, (hsize_t)a->d};
    hid_t dcpl, space, dataset;
    bal_status st = BAL_OK;

    if (bal_h5_has(to, a->path)) /* as references lead to it */
        return BAL_OK;
    snprintf(parent, sizeof parent, "%s", a->path);
    char *slash = strrchr(parent, '/');
    if (slash != NULL) {
        *slash = '\0';
        st = bal_out_make_dicts(to, parent);
    }
    if (bal_failed(st))
        return st;
    dcpl = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(dcpl, false);
    H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER);
    if (a->compress && a->n > 0)
        set_chunks(dcpl, a);
    space = H5Screate_simple(a->d > 0 ? 2 : 1, extent, NULL);
    dataset = H5Dcreate2(to, a->path, file_type(a->element), space, H5P_DEFAULT,
                         dcpl, H5P_DEFAULT);
    if (dataset < 0)
        st = bal_h5_fail(BAL_EIO, "make an array in", to);
    else if (!a->is_member)
        st = bal_h5_set_encoding(dataset, "array", "0.2.0");
    bal_h5_close(&dataset);
    H5Sclose(space);
    H5Pclose(dcpl);
    return st;
}

static bal_status make_member(hid_t to, const bal_csr_array *a,
                              const char *name, bal_element element,
                              bal_size count)
{
    char path[BAL_H5_PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", a->path, name);
    return bal_out_make_array(to, &(bal_array){.path = path,
                                               .element = element,
                                               .n = count,
                                               .is_member = true});
}

static bal_status make_csr(hid_t to, const bal_csr_array *a)
{
    char parent[BAL_H5_PATH_MAX];
    hid_t group = H5I_INVALID_HID;
    bal_status st = BAL_OK;

    snprintf(parent, sizeof parent, "%s", a->path);
    char *slash = strrchr(parent, '/');
    if (slash != NULL) {
        *slash = '\0';
        BAL_TRY(bal_out_make_dicts(to, parent));
    }
    BAL_TRY(bal_h5_make_group(to, a->path, &group));
    BAL_TRY(bal_h5_set_encoding(group, "csr_matrix", "0.1.0"));
    BAL_TRY(bal_h5_set_ints(group, "shape", (int64_t[]){a->n, a->d}, 2));
    BAL_TRY(make_member(to, a, "data", BAL_F32, a->nnz));
    BAL_TRY(make_member(to, a, "indices", BAL_I64, a->nnz));
    BAL_TRY(make_member(to, a, "indptr", BAL_I64, a->n + 1));
done:
    bal_h5_close(&group);
    return st;
}

/* ---- All of it ---- */

/* The root says what the file is, whatever wrote the input. */
static bal_status encode_root(hid_t to)
{
    hid_t root = H5Gopen2(to, "/", H5P_DEFAULT);
    bal_status st;

    if (H5Aexists(root, "encoding-type") > 0)
        H5Adelete(root, "encoding-type");
    if (H5Aexists(root, "encoding-version") > 0)
        H5Adelete(root, "encoding-version");
    st = bal_h5_set_encoding(root, "anndata", "0.1.0");
    bal_h5_close(&root);
    return st;
}

static bal_status make_mappings(hid_t to)
{
    static const char *const name[] = {"layers", "obsm", "varm",
                                       "obsp",   "varp", "uns"};
    bal_status st = BAL_OK;

    for (size_t i = 0; i < sizeof name / sizeof *name && !bal_failed(st); i++)
        st = bal_out_make_dicts(to, name[i]);
    return st;
}

bal_status bal_out_make(const bal_out_plan *plan, bool is_new, hid_t to)
{
    bal_status st;

    BAL_TRY(encode_root(to));
    BAL_TRY(make_mappings(to));
    if (is_new)
        BAL_TRY(bal_out_make_frames(plan, to));
    if (plan->uns != NULL)
        BAL_TRY(bal_out_write_object(to, "uns/balans", plan->uns));
    for (bal_size i = 0; i < plan->arrays; i++)
        BAL_TRY(bal_out_make_array(to, &plan->array[i]));
    for (bal_size i = 0; i < plan->csrs; i++)
        BAL_TRY(make_csr(to, &plan->csr[i]));
done:
    return st;
}
