/* Attributes and labels: the bytes say what a column of obs is made of, in a
 * file in memory, so that the code that reads it is tried and not HDF5's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "h5ad_column.h"
#include "target.h"

enum { MOST = 12, TEXT = 6 };

static const char *const words[] = {"",    "a",   "NA",   "b",
                                    "nan", "1",   "True", "a/b",
                                    "\xff", "1.0", "None", "-1"};

/* ---- Types and values ---- */

static hid_t make_enum(fuzz_bytes *b)
{
    static hid_t *const base[] = {&H5T_STD_I8LE_g, &H5T_STD_U8LE_g,
                                  &H5T_STD_I32BE_g, &H5T_STD_U64LE_g};
    const uint8_t kind = fuzz_byte(b) % 4;
    const size_t size[] = {1, 1, 4, 8};
    hid_t type = H5Tenum_create(*base[kind]);
    int members = fuzz_byte(b) % 5;

    for (int i = 0; i < members; i++) {
        uint8_t value[8];
        for (size_t k = 0; k < size[kind]; k++)
            value[k] = fuzz_byte(b);
        H5Tenum_insert(type, words[fuzz_byte(b) % 12], value);
    }
    return type;
}

static hid_t make_text(bool variable, fuzz_bytes *b)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, variable ? H5T_VARIABLE : 1u + fuzz_byte(b) % TEXT);
    H5Tset_cset(type, (fuzz_byte(b) & 1) != 0 ? H5T_CSET_UTF8 : H5T_CSET_ASCII);
    H5Tset_strpad(type, (H5T_str_t)(fuzz_byte(b) % 3));
    return type;
}

static hid_t make_type(fuzz_bytes *b)
{
    static hid_t *const plain[] = {
        &H5T_STD_I8LE_g,   &H5T_STD_I16LE_g,  &H5T_STD_I32LE_g,
        &H5T_STD_I64LE_g,  &H5T_STD_U8LE_g,   &H5T_STD_U16BE_g,
        &H5T_STD_U32LE_g,  &H5T_STD_U64LE_g,  &H5T_IEEE_F32LE_g,
        &H5T_IEEE_F64BE_g, &H5T_STD_REF_OBJ_g};
    const uint8_t kind = fuzz_byte(b) % 14;

    if (kind < 11)
        return H5Tcopy(*plain[kind]);
    return kind == 11 ? make_enum(b) : make_text(kind == 12, b);
}

/* One dimension, mostly. */
static hid_t make_space(fuzz_bytes *b, hsize_t count)
{
    const uint8_t kind = fuzz_byte(b);
    const hsize_t dims[2] = {count, 1 + kind % 3u};

    if (kind > 250)
        return H5Screate(H5S_NULL);
    if (kind > 244)
        return H5Screate(H5S_SCALAR);
    return H5Screate_simple(kind > 238 ? 2 : 1, dims, NULL);
}

/* Few different values, most of them small. */
static void fill(void *values, size_t bytes, hid_t type, fuzz_bytes *b)
{
    uint8_t *at = values;
    const char **text = values;

    if (H5Tis_variable_str(type) > 0) {
        for (size_t i = 0; i < bytes / sizeof *text; i++) {
            const uint8_t w = fuzz_byte(b) % 13;
            text[i] = w < 12 ? words[w] : NULL;
        }
        return;
    }
    for (size_t i = 0; i < bytes; i += H5Tget_size(type)) {
        const uint8_t way = fuzz_byte(b);
        for (size_t k = 0; k < H5Tget_size(type); k++)
            at[i + k] = way < 64 ? (k == 0 ? way % 4 : 0) : fuzz_byte(b);
    }
}

/* ---- Objects ---- */

/* What the attribute or dataset `id` holds. */
static void put(hid_t id, hid_t type, hid_t space, bool attribute,
                fuzz_bytes *b)
{
    hssize_t count = H5Sget_simple_extent_npoints(space);
    size_t bytes = (size_t)(count > 0 ? count : 0) * H5Tget_size(type);
    void *values = calloc(bytes + 8, 1);

    if (values != NULL && id >= 0 && count > 0 &&
        H5Tequal(type, H5T_STD_REF_OBJ) <= 0) {
        fill(values, bytes, type, b);
        if (attribute)
            H5Awrite(id, type, values);
        else
            H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    }
    free(values);
}

static void make_attribute(hid_t loc, const char *name, fuzz_bytes *b)
{
    hid_t type = make_type(b), space = make_space(b, fuzz_byte(b) % 4);
    hid_t id = H5Acreate2(loc, name, type, space, H5P_DEFAULT, H5P_DEFAULT);

    put(id, type, space, true, b);
    if (id >= 0)
        H5Aclose(id);
    H5Sclose(space);
    H5Tclose(type);
}

static hid_t make_vector(hid_t loc, const char *name, hsize_t count,
                         fuzz_bytes *b)
{
    hid_t type = make_type(b), space = make_space(b, count);
    hid_t id = H5Dcreate2(loc, name, type, space, H5P_DEFAULT, H5P_DEFAULT,
                          H5P_DEFAULT);

    put(id, type, space, false, b);
    H5Sclose(space);
    H5Tclose(type);
    return id;
}

static void add_vector(hid_t loc, const char *name, hsize_t count,
                       fuzz_bytes *b)
{
    hid_t id = make_vector(loc, name, count, b);

    if (fuzz_byte(b) % 4 == 1)
        make_attribute(id, "rhdf5-NA.OK", b);
    if (id >= 0)
        H5Dclose(id);
}

static hid_t make_group(hid_t loc, const char *name)
{
    return H5Gcreate2(loc, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}

/* Codes that refer to categories, to themselves, or to nothing. */
static void add_reference(hid_t obs, hid_t codes, fuzz_bytes *b)
{
    static const char *const to[] = {"cats", "c", "__categories/c"};
    hsize_t count = 1 + fuzz_byte(b) % 2;
    hobj_ref_t ref[2] = {0, 0};
    hid_t space = H5Screate_simple(1, &count, NULL);
    hid_t a = H5Acreate2(codes, "categories", H5T_STD_REF_OBJ, space,
                         H5P_DEFAULT, H5P_DEFAULT);

    H5Rcreate(&ref[0], obs, to[fuzz_byte(b) % 3], H5R_OBJECT, -1);
    if (a >= 0) {
        H5Awrite(a, H5T_STD_REF_OBJ, ref);
        H5Aclose(a);
    }
    H5Sclose(space);
}

static void add_codes(hid_t obs, hsize_t n, fuzz_bytes *b)
{
    const uint8_t how = fuzz_byte(b);
    hid_t codes = make_vector(obs, "c", n, b), all;

    if ((how & 1) != 0)
        add_vector(obs, "cats", fuzz_byte(b) % MOST, b);
    if ((how & 2) != 0) {
        all = make_group(obs, "__categories");
        add_vector(all, "c", fuzz_byte(b) % MOST, b);
        H5Gclose(all);
    }
    if ((how & 4) != 0)
        add_reference(obs, codes, b);
    else if ((how & 8) != 0)
        make_attribute(codes, "categories", b);
    if (codes >= 0)
        H5Dclose(codes);
}

static void add_group(hid_t obs, hsize_t n, fuzz_bytes *b)
{
    static const char *const member[] = {"codes", "categories", "values",
                                         "mask", "levels"};
    const uint8_t which = fuzz_byte(b), nested = fuzz_byte(b);
    hid_t group = make_group(obs, "c"), inner;

    for (int i = 0; i < 5; i++) {
        const bool rows = i == 0 || i == 2 || i == 3;
        if ((which >> i & 1) == 0)
            continue;
        if ((nested >> i & 1) == 0 || nested > 127) {
            add_vector(group, member[i], rows ? n : fuzz_byte(b) % MOST, b);
            continue;
        }
        inner = make_group(group, member[i]);
        add_vector(inner, "values", rows ? n : fuzz_byte(b) % MOST, b);
        if ((which & 32) != 0)
            add_vector(inner, "mask", rows ? n : fuzz_byte(b) % MOST, b);
        H5Gclose(inner);
    }
    H5Gclose(group);
}

static hid_t make_file(void)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), file;

    H5Pset_fapl_core(fapl, 1 << 16, false);
    file = H5Fcreate("fuzz.h5ad", H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    H5Pclose(fapl);
    return file;
}

static void fill_file(hid_t file, hsize_t n, fuzz_bytes *b)
{
    const uint8_t how = fuzz_byte(b);
    hid_t obs = make_group(file, "obs");

    if ((how & 1) != 0)
        make_attribute(obs, "column-order", b);
    if ((how & 2) != 0)
        make_attribute(obs, "_index", b);
    if ((how & 4) != 0)
        add_group(obs, n, b);
    else
        add_codes(obs, n, b);
    H5Gclose(obs);
}

/* ---- What is tried ---- */

static void read_attributes(hid_t obs)
{
    char text[5];
    int64_t whole[2];
    bal_h5_list list = {0};

    (void)bal_h5_get_text(obs, "_index", text, sizeof text);
    (void)bal_h5_get_ints(obs, "column-order", whole, 2);
    (void)bal_h5ad_list_columns(obs, &list);
    bal_h5_list_free(&list);
}

/* What was read names a category for each row. */
static void read_column(hid_t file, bal_size n)
{
    const bal_request q = {"fuzz.h5ad", "c", "batch", n};
    bal_column c = {0};

    if (!bal_failed(bal_column_read(file, &q, &c)))
        for (bal_size i = 0; i < n; i++) {
            fuzz_insist(c.code[i] >= 0 && c.code[i] < c.names.count);
            fuzz_insist(c.names.item[c.code[i]] != NULL);
        }
    else
        fuzz_insist(bal_error_get()->code != BAL_EINTERNAL);
    bal_column_finish(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes b = {data, size};
    hsize_t n = fuzz_byte(&b) % MOST;
    bal_size held = bal_mem_held();
    hid_t file, obs;

    bal_h5_init();
    file = make_file();
    fill_file(file, n, &b);
    obs = bal_h5_find(file, "obs");
    read_attributes(obs);
    bal_h5_close(&obs);
    bal_error_clear();
    read_column(file, (bal_size)n);
    bal_error_clear();
    fuzz_insist(H5Fget_obj_count(file, H5F_OBJ_ALL) == 1);
    H5Fclose(file);
    fuzz_insist(bal_mem_held() == held);
    return 0;
}
