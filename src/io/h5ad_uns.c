/* The tree of uns/balans goes through the helper as JSON text; affinities as
 * the dense matrix that is asked for. */
#include "balans/io/h5ad_uns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/report.h"
#include "balans/par/agree.h"
#include "h5ad_ask.h"
#include "h5ad_internal.h"

#define AFFINITY "uns/balans/affinity"

enum { ELEMENTS_MOST = 1 << 22, DEPTH_MOST = 8 };

/* ---- Values, in the helper ---- */

static bal_status add_text(void *arg, bal_gidx i, const char *s)
{
    (void)i;
    json_array_append_new(arg, bal_report_text(s != NULL ? s : ""));
    return BAL_OK;
}

static json_t *number(double real, int64_t whole, bool is_real)
{
    return is_real ? bal_report_real(real) : json_integer(whole);
}

/* A vector of [n], or rows of [d] where d > 0. */
static bal_status read_numbers(hid_t dataset, bool is_real, bal_size n,
                               bal_size d, json_t *to)
{
    bal_size width = d > 0 ? d : 1;
    double *real = NULL;
    int64_t *whole = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&real, is_real ? n * width : 0, "what a file says"));
    BAL_TRY(bal_alloc(&whole, is_real ? 0 : n * width, "what a file says"));
    BAL_TRY(bal_h5_read(dataset, is_real ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64,
                        0, n, is_real ? (void *)real : (void *)whole));
    for (bal_size i = 0; i < n; i++) {
        json_t *row = d > 0 ? json_array() : to;
        for (bal_size j = i * width; j < (i + 1) * width; j++)
            json_array_append_new(row, number(is_real ? real[j] : 0,
                                              is_real ? 0 : whole[j], is_real));
        if (d > 0)
            json_array_append_new(to, row);
    }
done:
    bal_free(&real);
    bal_free(&whole);
    return st;
}

static bool read_one(hid_t dataset, hid_t type, void *out)
{
    return H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0;
}

static json_t *scalar_text(hid_t dataset, hid_t type)
{
    char *text = NULL;
    json_t *v = NULL;

    if (H5Tis_variable_str(type) > 0) {
        if (read_one(dataset, type, &text))
            v = bal_report_text(text != NULL ? text : "");
        H5free_memory(text);
    } else if (!bal_failed(bal_alloc(&text, (bal_size)H5Tget_size(type) + 1,
                                     "a text"))) {
        if (read_one(dataset, type, text))
            v = bal_report_text(text);
        bal_free(&text);
    }
    return v;
}

/* h5py's booleans are enumerations of a byte. */
static json_t *read_scalar(hid_t dataset)
{
    hid_t type = H5Dget_type(dataset);
    H5T_class_t class = H5Tget_class(type);
    double real = 0;
    int64_t whole = 0;
    signed char flag = 0;
    json_t *v = NULL;

    if (class == H5T_STRING)
        v = scalar_text(dataset, type);
    else if (class == H5T_FLOAT && read_one(dataset, H5T_NATIVE_DOUBLE, &real))
        v = bal_report_real(real);
    else if (class == H5T_INTEGER &&
             read_one(dataset, H5T_NATIVE_INT64, &whole))
        v = json_integer(whole);
    else if (class == H5T_ENUM && H5Tget_size(type) == sizeof flag &&
             read_one(dataset, type, &flag))
        v = json_boolean(flag != 0);
    H5Tclose(type);
    return v;
}

/* `*out` stays NULL for what cannot be told as JSON. */
static bal_status read_dataset(hid_t dataset, json_t **out)
{
    bal_size dims[2];
    size_t bytes;
    int rank = bal_h5_dims(dataset, dims);
    H5T_class_t class = bal_h5_class(dataset, &bytes);
    bool is_text = class == H5T_STRING && rank == 1;
    bal_status st;

    if (rank == 0)
        *out = read_scalar(dataset);
    if (rank < 1 || rank > 2 || dims[0] > ELEMENTS_MOST ||
        dims[1] > ELEMENTS_MOST || dims[0] * dims[1] > ELEMENTS_MOST ||
        (!is_text && class != H5T_FLOAT && class != H5T_INTEGER))
        return BAL_OK;
    BAL_TRY(bal_h5ad_check_filters(dataset));
    BAL_TRY(bal_h5_check_chunks(dataset));
    BAL_TRY(bal_h5_check_sources(dataset));
    *out = json_array();
    if (is_text)
        st = bal_h5_read_texts(dataset, 0, dims[0], add_text, *out);
    else
        st = read_numbers(dataset, class == H5T_FLOAT, dims[0],
                          rank == 2 ? dims[1] : 0, *out);
done:
    return st;
}

static bal_status read_object(hid_t loc, const char *name, int depth,
                              json_t **out);

static bal_status read_group(hid_t group, int depth, json_t **out)
{
    char encoding[BAL_H5_TEXT_MAX];
    bal_h5_list member = {0};
    bal_status st = BAL_OK;

    bal_h5_get_text(group, "encoding-type", encoding, sizeof encoding);
    if (strstr(encoding, "_matrix") != NULL) {
        *out = json_true();
        return BAL_OK;
    }
    if (depth == DEPTH_MOST)
        return BAL_OK;
    *out = json_object();
    st = bal_h5_members(group, &member);
    for (bal_size i = 0; i < member.count && !bal_failed(st); i++) {
        json_t *v = NULL;
        st = read_object(group, member.item[i], depth + 1, &v);
        if (v != NULL)
            bal_report_add(*out, member.item[i], v);
    }
    bal_h5_list_free(&member);
    return st;
}

static bal_status read_object(hid_t loc, const char *name, int depth,
                              json_t **out)
{
    hid_t object = bal_h5_find(loc, name);
    bal_status st = BAL_OK;

    *out = NULL;
    if (bal_h5_is(object, H5I_GROUP))
        st = read_group(object, depth, out);
    else if (bal_h5_is(object, H5I_DATASET))
        st = read_dataset(object, out);
    bal_h5_close(&object);
    return st;
}

bal_status bal_work_value(bal_pack *in, bal_pack *out)
{
    const char *file_name = bal_unpack_text(in), *path = bal_unpack_text(in);
    hid_t file = H5I_INVALID_HID;
    json_t *v = NULL;
    char *text = NULL;
    bal_status st;

    bal_aside_at(path);
    BAL_TRY(bal_h5_open(file_name, BAL_H5_READ, NULL, &file));
    BAL_TRY(read_object(file, path, 0, &v));
    if (v != NULL)
        text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    bal_pack_text(out, text);
done:
    free(text);
    json_decref(v);
    bal_h5_close(&file);
    return st;
}

bal_verdict bal_h5ad_value(bal_h5ad *f, const char *path, json_t **out)
{
    bal_pack in = {0}, answer = {0};
    const char *text;
    bal_verdict st;

    *out = NULL;
    bal_pack_text(&in, f->path);
    bal_pack_text(&in, path);
    BAL_TRY(bal_ask(f->comm, BAL_ASIDE_VALUE, f->path, f->mark.bytes, &in,
                    &answer));
    text = bal_unpack_text(&answer);
    if (text == NULL)
        goto done;
    *out = json_loads(text, JSON_DECODE_ANY, NULL);
    BAL_TRY(bal_agree(f->comm, bal_report_status(*out)));
done:
    bal_pack_finish(&in);
    bal_pack_finish(&answer);
    return st;
}

/* ---- Affinities ---- */

typedef struct place {
    int64_t row;
    bal_size at; /* among those asked for */
} place;

static int by_row(const void *a, const void *b)
{
    int64_t x = ((const place *)a)->row, y = ((const place *)b)->row;

    return (x > y) - (x < y);
}

/* The members of A, open, and the row at hand. */
typedef struct sparse {
    hid_t data, indices, indptr;
    bal_size rows, nnz;
    int64_t *column;
    float *value;
} sparse;

static bal_status open_sparse(hid_t file, sparse *a)
{
    bal_size dims[3][2];
    bool right;
    bal_status st;

    a->data = bal_h5_find(file, AFFINITY "/data");
    a->indices = bal_h5_find(file, AFFINITY "/indices");
    a->indptr = bal_h5_find(file, AFFINITY "/indptr");
    right = bal_h5_dims(a->data, dims[0]) == 1 &&
            bal_h5_dims(a->indices, dims[1]) == 1 &&
            bal_h5_dims(a->indptr, dims[2]) == 1 && dims[0][0] == dims[1][0] &&
            dims[2][0] > 0;
    if (!right)
        return BAL_FAIL(BAL_EINPUT, "cannot read '" AFFINITY "': it is not "
                                    "what 'balans correct' writes");
    a->nnz = dims[0][0];
    a->rows = dims[2][0] - 1;
    BAL_TRY(bal_h5_check_chunks(a->data));
    BAL_TRY(bal_h5_check_chunks(a->indices));
    BAL_TRY(bal_h5_check_chunks(a->indptr));
done:
    return st;
}

static bal_status read_row(sparse *a, int64_t landmark, bal_size *count)
{
    int64_t ptr[2];
    bal_status st;

    if (landmark < 0 || landmark >= a->rows)
        return BAL_FAIL(BAL_EINPUT,
                        "cannot read '" AFFINITY "': it has "
                        "%lld rows",
                        (long long)a->rows);
    BAL_TRY(bal_h5_read(a->indptr, H5T_NATIVE_INT64, landmark, 2, ptr));
    if (ptr[0] < 0 || ptr[1] < ptr[0] || ptr[1] > a->nnz)
        return BAL_FAIL(BAL_EINPUT,
                        "cannot read '" AFFINITY "': row %lld has no entries "
                        "%lld to %lld",
                        (long long)landmark, (long long)ptr[0],
                        (long long)ptr[1]);
    *count = ptr[1] - ptr[0];
    BAL_TRY(bal_resize(&a->column, *count + 1, "a row of affinities"));
    BAL_TRY(bal_resize(&a->value, *count + 1, "a row of affinities"));
    BAL_TRY(
        bal_h5_read(a->indices, H5T_NATIVE_INT64, ptr[0], *count, a->column));
    BAL_TRY(bal_h5_read(a->data, H5T_NATIVE_FLOAT, ptr[0], *count, a->value));
done:
    return st;
}

static bal_status pick(sparse *a, bal_size count, const int64_t *landmark,
                       const place *sorted, float *out)
{
    bal_size entries = 0;
    bal_status st = BAL_OK;

    for (bal_size i = 0; i < count; i++) {
        BAL_TRY(read_row(a, landmark[i], &entries));
        for (bal_size j = 0; j < entries; j++) {
            const place key = {.row = a->column[j]};
            const place *p =
                bsearch(&key, sorted, (size_t)count, sizeof key, by_row);
            if (p != NULL)
                out[i * count + p->at] = a->value[j];
        }
    }
done:
    return st;
}

bal_status bal_work_entries(bal_pack *in, bal_pack *out)
{
    const char *path = bal_unpack_text(in);
    bal_size count = bal_unpack_int(in);
    const char *landmarks = bal_unpack_bytes(in, 8 * count);
    const char *rows = bal_unpack_bytes(in, 8 * count);
    int64_t *landmark = NULL;
    hid_t file = H5I_INVALID_HID;
    sparse a = {.data = file, .indices = file, .indptr = file};
    place *sorted = NULL;
    float *dense = NULL;
    bal_status st;

    bal_aside_at(AFFINITY);
    BAL_TRY(bal_alloc(&landmark, count, "landmarks"));
    BAL_TRY(bal_alloc(&sorted, count, "landmarks"));
    BAL_TRY(bal_alloc(&dense, count * count, "affinities of landmarks"));
    memcpy(landmark, landmarks, 8 * (size_t)count);
    for (bal_size i = 0; i < count; i++) {
        memcpy(&sorted[i].row, rows + 8 * i, 8);
        sorted[i].at = i;
    }
    qsort(sorted, (size_t)count, sizeof *sorted, by_row);
    BAL_TRY(bal_h5_open(path, BAL_H5_READ, NULL, &file));
    BAL_TRY(open_sparse(file, &a));
    BAL_TRY(pick(&a, count, landmark, sorted, dense));
    bal_pack_bytes(out, dense, count * count * (bal_size)sizeof *dense);
done:
    bal_free(&landmark);
    bal_free(&sorted);
    bal_free(&dense);
    bal_free(&a.column);
    bal_free(&a.value);
    bal_h5_close(&a.data);
    bal_h5_close(&a.indices);
    bal_h5_close(&a.indptr);
    bal_h5_close(&file);
    return st;
}

bal_verdict bal_h5ad_entries(bal_h5ad *f, bal_size count,
                             const int64_t *landmark, const int64_t *row,
                             float *a)
{
    bal_size bytes = count * count * (bal_size)sizeof *a;
    bal_pack in = {0}, answer = {0};
    bal_verdict st;

    bal_pack_text(&in, f->path);
    bal_pack_int(&in, count);
    bal_pack_bytes(&in, landmark, count * 8);
    bal_pack_bytes(&in, row, count * 8);
    BAL_TRY(bal_ask(f->comm, BAL_ASIDE_ENTRIES, f->path, f->mark.bytes, &in,
                    &answer));
    memcpy(a, bal_unpack_bytes(&answer, bytes), (size_t)bytes);
done:
    bal_pack_finish(&in);
    bal_pack_finish(&answer);
    return st;
}
