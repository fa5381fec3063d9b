/* Values of datasets, in blocks. */
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/io/h5.h"

enum { TEXTS = 1 << 15 }; /* strings in memory at a time */

/* A selection of rows in the file and the memory that takes them. */
static bal_status read_block(hid_t dataset, hid_t type, bal_gidx first,
                             bal_size count, void *out)
{
    hid_t file = H5Dget_space(dataset);
    hsize_t extent[H5S_MAX_RANK] = {0, 1};
    int rank = H5Sget_simple_extent_dims(file, extent, NULL);
    hsize_t start[2] = {(hsize_t)first, 0};
    hsize_t size[2] = {(hsize_t)count, extent[1]};
    hid_t memory = H5Screate_simple(rank == 2 ? 2 : 1, size, NULL);
    bal_status st = BAL_OK;

    if (H5Sselect_hyperslab(file, H5S_SELECT_SET, start, NULL, size, NULL) <
            0 ||
        H5Dread(dataset, type, memory, file, H5P_DEFAULT, out) < 0)
        st = bal_h5_fail(BAL_EINPUT, "read", dataset);
    H5Sclose(memory);
    H5Sclose(file);
    return st;
}

bal_status bal_h5_read(hid_t dataset, hid_t type, bal_gidx first,
                       bal_size count, void *out)
{
    bal_size dims[2], rows;
    size_t in_file, in_memory = H5Tget_size(type);

    bal_h5_dims(dataset, dims);
    bal_h5_class(dataset, &in_file);
    size_t row = (in_file > in_memory ? in_file : in_memory) * (size_t)dims[1];
    rows = row > 0 ? BAL_H5_BLOCK / (bal_size)row : count;
    if (rows < 1)
        rows = 1;
    for (bal_size i = 0; i < count; i += rows) {
        bal_size now = count - i < rows ? count - i : rows;
        char *at = (char *)out + (size_t)i * in_memory * (size_t)dims[1];
        bal_status st = read_block(dataset, type, first + i, now, at);
        if (bal_failed(st))
            return st;
        bal_alive();
    }
    return BAL_OK;
}

bal_status bal_h5_read_one(hid_t dataset, bal_gidx row, bal_size col,
                           double *out)
{
    hid_t file = H5Dget_space(dataset), memory = H5Screate(H5S_SCALAR);
    hsize_t at[2] = {(hsize_t)row, (hsize_t)col};
    bal_status st = BAL_OK;

    H5Sselect_elements(file, H5S_SELECT_SET, 1, at);
    if (H5Dread(dataset, H5T_NATIVE_DOUBLE, memory, file, H5P_DEFAULT, out) < 0)
        st = bal_h5_fail(BAL_EINPUT, "read", dataset);
    H5Sclose(memory);
    H5Sclose(file);
    return st;
}

/* HDF5 converts strings neither between fixed and variable length nor between
 * character sets, so memory takes them as the file has them. */
static hid_t text_memory_type(hid_t dataset, size_t *bytes)
{
    hid_t file = H5Dget_type(dataset), type = H5Tcopy(H5T_C_S1);

    *bytes = H5Tis_variable_str(file) > 0 ? 0 : H5Tget_size(file) + 1;
    H5Tset_size(type, *bytes > 0 ? *bytes : H5T_VARIABLE);
    H5Tset_cset(type, H5Tget_cset(file));
    H5Tclose(file);
    return type;
}

static bal_status take_variable(hid_t dataset, hid_t type, bal_gidx first,
                                bal_size count, void *room, bal_h5_taker take,
                                void *arg)
{
    char **text = room;
    bal_status st = bal_h5_read(dataset, type, first, count, text);

    if (bal_failed(st))
        return st;
    for (bal_size i = 0; i < count && !bal_failed(st); i++)
        st = take(arg, first + i, text[i]);
    hid_t space = H5Screate_simple(1, &(hsize_t){(hsize_t)count}, NULL);
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, text);
    H5Sclose(space);
    return st;
}

static bal_status take_fixed(hid_t dataset, hid_t type, bal_gidx first,
                             bal_size count, void *room, bal_h5_taker take,
                             void *arg)
{
    char *text = room;
    size_t bytes = H5Tget_size(type);
    bal_status st = bal_h5_read(dataset, type, first, count, text);

    for (bal_size i = 0; i < count && !bal_failed(st); i++)
        st = take(arg, first + i, text + (size_t)i * bytes);
    return st;
}

bal_status bal_h5_read_texts(hid_t dataset, bal_gidx first, bal_size count,
                             bal_h5_taker take, void *arg)
{
    size_t bytes;
    hid_t type = text_memory_type(dataset, &bytes);
    bal_size most = TEXTS;
    void *room = NULL;
    bal_status st;

    if (bytes > 0 && most * (bal_size)bytes > BAL_H5_BLOCK)
        most = BAL_H5_BLOCK / (bal_size)bytes + 1;
    if (most > count)
        most = count;
    st = bal_mem_alloc(&room, most, bytes > 0 ? bytes : sizeof(char *),
                       "strings of the input");
    for (bal_size i = 0; i < count && !bal_failed(st); i += most) {
        bal_size now = count - i < most ? count - i : most;
        st = (bytes > 0 ? take_fixed : take_variable)(dataset, type, first + i,
                                                      now, room, take, arg);
    }
    bal_mem_free(&room);
    H5Tclose(type);
    return st;
}
