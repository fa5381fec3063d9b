/* Matrices: what they are, without reading their values. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/par/agree.h"
#include "balans/par/layout.h"
#include "h5ad_ask.h"
#include "h5ad_internal.h"

static void name_filter(hid_t dcpl, unsigned i, char *name, size_t size,
                        H5Z_filter_t *id)
{
    static const struct {
        H5Z_filter_t id;
        const char *name;
    } known[] = {
        {H5Z_FILTER_DEFLATE, "gzip"},
        {H5Z_FILTER_SHUFFLE, "shuffle"},
        {H5Z_FILTER_FLETCHER32, "fletcher32"},
        {H5Z_FILTER_SZIP, "szip"},
        {32000, "lzf"},
        {32001, "blosc"},
        {32004, "lz4"},
        {32008, "bitshuffle"},
        {32015, "zstd"},
        {32026, "blosc2"},
    };
    unsigned flags, config;
    size_t values = 0;

    name[0] = '\0';
    *id = H5Pget_filter2(dcpl, i, &flags, &values, NULL, size, name, &config);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (known[k].id == *id)
            snprintf(name, size, "%s", known[k].name);
    if (name[0] == '\0')
        snprintf(name, size, "number %d", (int)*id);
}

bal_status bal_h5ad_check_filters(hid_t dataset)
{
    char name[BAL_H5_TEXT_MAX], path[BAL_H5_PATH_MAX], file[BAL_H5_PATH_MAX];
    hid_t dcpl = H5Dget_create_plist(dataset);
    int filters = H5Pget_nfilters(dcpl);
    bal_status st = BAL_OK;

    for (int i = 0; i < filters && !bal_failed(st); i++) {
        H5Z_filter_t id;
        name_filter(dcpl, (unsigned)i, name, sizeof name, &id);
        if (H5Zfilter_avail(id) > 0)
            continue;
        H5Fget_name(dataset, file, sizeof file);
        st = BAL_FAIL(BAL_EINPUT,
                      "cannot read '%s', '%s': this HDF5 lacks the compression "
                      "filter '%s' (%d); set HDF5_PLUGIN_PATH to where it is, "
                      "or write the file with gzip",
                      file, bal_h5_path(dataset, path, sizeof path), name,
                      (int)id);
    }
    H5Pclose(dcpl);
    return st;
}

static void describe_layout(hid_t dataset, bal_matrix_info *info)
{
    char name[BAL_H5_TEXT_MAX];
    hid_t dcpl = H5Dget_create_plist(dataset);
    int filters = H5Pget_nfilters(dcpl);
    hsize_t chunk[H5S_MAX_RANK] = {0};

    info->chunked = H5Pget_layout(dcpl) == H5D_CHUNKED;
    if (info->chunked)
        H5Pget_chunk(dcpl, H5S_MAX_RANK, chunk);
    info->chunk[0] = (bal_size)chunk[0];
    info->chunk[1] = (bal_size)chunk[1];
    for (int i = 0; i < filters; i++) {
        H5Z_filter_t id;
        size_t used = strlen(info->filters);
        name_filter(dcpl, (unsigned)i, name, sizeof name, &id);
        snprintf(info->filters + used, sizeof info->filters - used, "%s%s",
                 i > 0 ? ", " : "", name);
    }
    info->file_bytes += (bal_size)H5Dget_storage_size(dataset);
    H5Pclose(dcpl);
}

/* The type of the values; false where they are not numbers. */
static bool describe_type(hid_t dataset, bal_matrix_info *info)
{
    hid_t type = H5Dget_type(dataset);
    H5T_class_t class = H5Tget_class(type);
    int bits = (int)H5Tget_size(type) * 8;

    info->element_bytes = bits / 8;
    if (class == H5T_FLOAT)
        snprintf(info->element, sizeof info->element, "float%d", bits);
    else if (class == H5T_INTEGER)
        snprintf(info->element, sizeof info->element, "%sint%d",
                 H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "", bits);
    else
        snprintf(info->element, sizeof info->element, "bool");
    H5Tclose(type);
    return class == H5T_FLOAT || class == H5T_INTEGER || class == H5T_ENUM;
}

static bal_status refuse(const char *path, const char *name, const char *why)
{
    return BAL_FAIL(BAL_EINPUT, "cannot use '%s', matrix '%s': %s", path, name,
                    why);
}

static bal_status inspect_dense(hid_t dataset, const char *path,
                                bal_matrix_info *info)
{
    bal_size dims[2];

    if (bal_h5_dims(dataset, dims) != 2)
        return refuse(path, info->name, "it does not have two dimensions");
    if (!describe_type(dataset, info))
        return refuse(path, info->name, "its elements are not numbers");
    info->storage = BAL_DENSE;
    info->n = dims[0];
    info->d = dims[1];
    info->nnz = dims[0] * dims[1];
    describe_layout(dataset, info);
    bal_status st = bal_h5ad_check_filters(dataset);
    if (!bal_failed(st))
        st = bal_h5_check_chunks(dataset);
    return bal_failed(st) ? st : bal_h5_check_sources(dataset);
}

/* One member of a sparse matrix: a vector of numbers. */
static bal_status inspect_member(hid_t group, const char *member,
                                 const char *path, bal_matrix_info *info,
                                 bal_size *len)
{
    char why[BAL_H5_TEXT_MAX];
    bal_size dims[2];
    size_t bytes;
    hid_t dataset = bal_h5_find(group, member);
    bool is_data = strcmp(member, "data") == 0;
    bal_status st;

    snprintf(why, sizeof why, "its '%s' is not a vector of numbers", member);
    if (bal_h5_dims(dataset, dims) != 1)
        st = refuse(path, info->name, why);
    else if (is_data ? !describe_type(dataset, info)
                     : bal_h5_class(dataset, &bytes) != H5T_INTEGER)
        st = refuse(path, info->name, why);
    else
        st = bal_h5ad_check_filters(dataset);
    if (!bal_failed(st))
        st = bal_h5_check_sources(dataset);
    if (!bal_failed(st))
        st = bal_h5_check_chunks(dataset);
    if (!bal_failed(st) && is_data)
        describe_layout(dataset, info);
    else if (!bal_failed(st))
        info->file_bytes += (bal_size)H5Dget_storage_size(dataset);
    info->chunk[1] = 0;
    *len = dims[0];
    bal_h5_close(&dataset);
    return st;
}

/* Entries before the first pointer would belong to no row. */
static bal_status check_start(hid_t group, const char *path,
                              const bal_matrix_info *info)
{
    int64_t start = 0;
    hid_t indptr = bal_h5_find(group, "indptr");
    bal_status st = bal_h5_read(indptr, H5T_NATIVE_INT64, 0, 1, &start);

    bal_h5_close(&indptr);
    if (!bal_failed(st) && start != 0)
        st = refuse(path, info->name, "its 'indptr' does not begin with 0");
    return st;
}

static bal_status inspect_sparse(hid_t group, const char *path,
                                 bal_matrix_info *info)
{
    int64_t shape[2];
    bal_size data, indices, indptr, major;
    bal_status st;

    if ((!bal_h5_get_ints(group, "shape", shape, 2) &&
         !bal_h5_get_ints(group, "h5sparse_shape", shape, 2)) ||
        shape[0] < 0 || shape[1] < 0)
        return refuse(path, info->name, "it is sparse but has no shape");
    BAL_TRY(inspect_member(group, "data", path, info, &data));
    BAL_TRY(inspect_member(group, "indices", path, info, &indices));
    BAL_TRY(inspect_member(group, "indptr", path, info, &indptr));
    info->n = shape[0];
    info->d = shape[1];
    info->nnz = data;
    major = info->storage == BAL_CSR ? info->n : info->d;
    if (data != indices || indptr != major + 1)
        st = refuse(path, info->name,
                    "the lengths of its 'data', 'indices' and 'indptr' do not "
                    "fit its shape");
    else if (info->d > INT32_MAX)
        st = refuse(path, info->name, "it has more than 2147483647 columns");
    else
        st = check_start(group, path, info);
done:
    return st;
}

static bal_status inspect_group(hid_t group, const char *path,
                                bal_matrix_info *info)
{
    char kind[BAL_H5_TEXT_MAX];

    if (!bal_h5_get_text(group, "encoding-type", kind, sizeof kind))
        bal_h5_get_text(group, "h5sparse_format", kind, sizeof kind);
    if (strncmp(kind, "csr", 3) == 0)
        info->storage = BAL_CSR;
    else if (strncmp(kind, "csc", 3) == 0)
        info->storage = BAL_CSC;
    else if (strcmp(kind, "dataframe") == 0)
        return refuse(path, info->name,
                      "it is a data frame; store it as an array");
    else
        return refuse(path, info->name,
                      "it is neither an array nor a sparse matrix");
    return inspect_sparse(group, path, info);
}

static bal_status check_shape(const char *path, bal_size n,
                              const bal_matrix_info *info)
{
    if (info->n != n)
        return BAL_FAIL(BAL_EINPUT,
                        "cannot use '%s', matrix '%s': it has %lld rows, but "
                        "obs has %lld",
                        path, info->name, (long long)info->n, (long long)n);
    if (info->n == 0 || info->d == 0)
        return refuse(path, info->name,
                      info->n == 0 ? "it has no rows" : "it has no columns");
    return BAL_OK;
}

bal_status bal_h5ad_inspect(hid_t file, const char *path, bal_size n,
                            const char *name, bal_matrix_info *info)
{
    hid_t object = bal_h5_find(file, name);
    bal_status st;

    *info = (bal_matrix_info){0};
    snprintf(info->name, sizeof info->name, "%s", name);
    if (bal_h5_is(object, H5I_DATASET))
        st = inspect_dense(object, path, info);
    else if (bal_h5_is(object, H5I_GROUP))
        st = inspect_group(object, path, info);
    else
        st = refuse(path, name, "it is not an array");
    if (!bal_failed(st))
        st = check_shape(path, n, info);
    bal_h5_close(&object);
    return st;
}

static bal_verdict look(bal_h5ad *f, const char *name, bal_matrix_info *info)
{
    bal_pack in = {0}, out = {0};
    bal_verdict st;

    bal_pack_text(&in, f->path);
    bal_pack_text(&in, name);
    bal_pack_int(&in, f->n);
    st = bal_ask(f->comm, BAL_ASIDE_MATRIX, f->path, f->mark.bytes, &in, &out);
    if (!bal_failed(st))
        memcpy(info, out.at, sizeof *info);
    bal_pack_finish(&in);
    bal_pack_finish(&out);
    return st;
}

static void close_matrix(bal_h5ad *f)
{
    bal_h5_close(&f->data);
    bal_h5_close(&f->indices);
    bal_h5_close(&f->indptr);
    bal_slab_finish(&f->slab);
    bal_free(&f->kept.item);
    f->kept.d = 0;
    f->has_matrix = f->is_loaded = false;
}

/* Bytes of a chunk in memory, and of the chunks side by side that a few rows
 * lie in; 0 where no chunk is ever unpacked. */
static void chunk_bytes(hid_t dataset, double *one, double *row)
{
    hid_t dcpl = H5Dget_create_plist(dataset), type = H5Dget_type(dataset);
    hsize_t chunk[H5S_MAX_RANK] = {0};
    bal_size dims[2];

    *one = *row = 0;
    if (H5Pget_layout(dcpl) == H5D_CHUNKED && H5Pget_nfilters(dcpl) > 0) {
        int rank = H5Pget_chunk(dcpl, H5S_MAX_RANK, chunk);
        double width = rank > 1 ? (double)chunk[1] : 1;
        bal_h5_dims(dataset, dims);
        *one = (double)chunk[0] * width * (double)H5Tget_size(type);
        *row = rank > 1 ? *one * ceil((double)dims[1] / width) : 2 * *one;
    }
    H5Tclose(type);
    H5Pclose(dcpl);
}

/* A sweep in pieces smaller than a chunk must not unpack the chunk again for
 * each: the cache holds the chunks of a few rows, within reason, and one chunk
 * in any case. */
static bal_status open_cached(const bal_h5ad *f, const char *path, hid_t *out)
{
    enum { LEAST = 1 << 20, MOST = 1 << 28 };
    char need[32], have[32];
    double one, row;
    hid_t dapl;

    *out = H5Dopen2(f->file, path, H5P_DEFAULT);
    if (*out < 0)
        return refuse(f->path, f->info.name, "it cannot be opened");
    chunk_bytes(*out, &one, &row);
    if (!(one > 0))
        return BAL_OK;
    if (one > (double)f->memory)
        return BAL_FAIL(BAL_EINPUT,
                        "cannot read '%s', '%s': its compressed chunks are %s "
                        "each, and %s are allowed; use a larger "
                        "--memory-per-rank, or write it in smaller chunks",
                        f->path, path,
                        bal_bytes(need, sizeof need, (bal_size)one),
                        bal_bytes(have, sizeof have, f->memory));
    row = row > MOST ? MOST : row < LEAST ? LEAST : row;
    H5Dclose(*out);
    dapl = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(dapl, H5D_CHUNK_CACHE_NSLOTS_DEFAULT,
                       (size_t)(row > one ? row : one), 1.0);
    *out = H5Dopen2(f->file, path, dapl);
    H5Pclose(dapl);
    return *out >= 0 ? BAL_OK
                     : refuse(f->path, f->info.name, "it cannot be opened");
}

static bal_status open_here(bal_h5ad *f)
{
    static const char *const member[] = {"data", "indices", "indptr"};
    hid_t *id[] = {&f->data, &f->indices, &f->indptr};
    char path[BAL_H5_PATH_MAX];
    bool dense = f->info.storage == BAL_DENSE;
    bal_status st;

    for (int i = 0; i < (dense ? 1 : 3); i++) {
        snprintf(path, sizeof path, dense ? "%s" : "%s/%s", f->info.name,
                 member[i]);
        st = open_cached(f, path, id[i]);
        if (bal_failed(st))
            return st;
    }
    return BAL_OK;
}

bal_verdict bal_h5ad_matrix_open(bal_h5ad *f, const char *name,
                                 bal_matrix_info *info)
{
    bal_comm *c = f->comm;
    bal_verdict st;

    close_matrix(f);
    BAL_TRY(look(f, name, &f->info));
    BAL_TRY(bal_agree(c, open_here(f)));
    f->has_matrix = true;
    *info = f->info;
    if (f->chosen.n > 0)
        info->n = f->chosen.n;
done:
    if (bal_failed(st))
        close_matrix(f);
    return st;
}

bal_verdict bal_h5ad_matrix_load(bal_h5ad *f)
{
    bal_verdict st = {BAL_OK};

    BAL_REQUIRE(f->has_matrix);
    if (!f->is_loaded && f->info.storage == BAL_CSC)
        st = bal_h5ad_turn_csc(f);
    if (bal_failed(st))
        bal_slab_finish(&f->slab);
    else
        f->is_loaded = true;
    return st;
}
