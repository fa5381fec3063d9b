/* Datasets whose values lie in other files.  Where one of those is gone, HDF5
 * gives fill values without a word. */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "balans/base/mem.h"
#include "balans/io/h5.h"

enum { DEEPEST = 8 }; /* virtual datasets of virtual datasets */

static bal_status fail_gone(hid_t dataset, const char *source, const char *why)
{
    char path[BAL_H5_TEXT_MAX], file[BAL_H5_PATH_MAX];

    if (H5Fget_name(dataset, file, sizeof file) < 0)
        snprintf(file, sizeof file, "?");
    return BAL_FAIL(BAL_EINPUT,
                    "cannot read '%s', '%s': its values are in '%.300s', %s",
                    file, bal_h5_path(dataset, path, sizeof path), source, why);
}

/* The name of a file as it is found from the file of `dataset`: as it is, or in
 * the same folder; NULL if there is none, else the caller's. */
static char *find_source(hid_t dataset, const char *source)
{
    ssize_t len = H5Fget_name(dataset, NULL, 0);
    char *path = NULL;

    if (len < 0 ||
        bal_failed(bal_alloc(
            &path, (bal_size)len + (bal_size)strlen(source) + 2, "a path")))
        return NULL;
    H5Fget_name(dataset, path, (size_t)len + 1);
    char *slash = strrchr(path, '/');
    strcpy(source[0] == '/' || slash == NULL ? path : slash + 1, source);
    if (access(path, R_OK) != 0)
        strcpy(path, source);
    if (access(path, R_OK) != 0)
        bal_free(&path);
    return path;
}

static bal_status check(hid_t dataset, int depth);

static bal_status check_virtual_part(hid_t dataset, const char *source,
                                     const char *inside, int depth)
{
    hid_t file = H5I_INVALID_HID, part;
    bool same = strcmp(source, ".") == 0;
    bal_status st = BAL_OK;

    /* A name with a number to be filled in stands for a growing set. */
    if (strchr(source, '%') != NULL || strchr(inside, '%') != NULL)
        return BAL_OK;
    char *path = same ? NULL : find_source(dataset, source);
    if (!same && path == NULL)
        return fail_gone(dataset, source, "which is not there");
    file = same ? H5Iget_file_id(dataset)
                : H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    part = file >= 0 ? bal_h5_find(file, inside + (inside[0] == '/'))
                     : H5I_INVALID_HID;
    if (!bal_h5_is(part, H5I_DATASET))
        st = fail_gone(dataset, source,
                       file < 0 ? "which cannot be opened"
                                : "which lacks the dataset");
    else
        st = check(part, depth + 1);
    bal_h5_close(&part);
    if (file >= 0)
        H5Idec_ref(file);
    bal_free(&path);
    return st;
}

/* A text that HDF5 hands out by `get`, into memory of its size. */
typedef ssize_t getter(hid_t list, size_t i, char *name, size_t size);

static bal_status get_text(hid_t list, size_t i, getter *get, char **out)
{
    ssize_t len = get(list, i, NULL, 0);
    bal_status st =
        len < 0 ? BAL_FAIL(BAL_EINPUT, "cannot read where the values of a "
                                       "virtual dataset are")
                : bal_alloc(out, (bal_size)len + 1, "a path");

    if (!bal_failed(st))
        get(list, i, *out, (size_t)len + 1);
    return st;
}

static bal_status check_virtual(hid_t dataset, hid_t dcpl, int depth)
{
    size_t parts = 0;
    bal_status st = BAL_OK;

    if (H5Pget_virtual_count(dcpl, &parts) < 0)
        return bal_h5_fail(BAL_EINPUT, "read", dataset);
    for (size_t i = 0; i < parts && !bal_failed(st); i++) {
        char *source = NULL, *inside = NULL;
        st = get_text(dcpl, i, H5Pget_virtual_filename, &source);
        if (!bal_failed(st))
            st = get_text(dcpl, i, H5Pget_virtual_dsetname, &inside);
        if (!bal_failed(st))
            st = check_virtual_part(dataset, source, inside, depth);
        bal_free(&source);
        bal_free(&inside);
    }
    return st;
}

/* One file of raw values, of which `rest` bytes are not found yet.  HDF5 takes
 * what lies beyond its end for zeros. */
static bal_status check_raw(hid_t dataset, hid_t dcpl, unsigned i,
                            hsize_t *rest)
{
    char source[BAL_H5_PATH_MAX] = "";
    struct stat file;
    off_t at = 0;
    hsize_t bytes = 0;

    if (H5Pget_external(dcpl, i, sizeof source - 1, source, &at, &bytes) < 0)
        return bal_h5_fail(BAL_EINPUT, "read", dataset);
    char *path = find_source(dataset, source);
    if (path == NULL || stat(path, &file) != 0) {
        bal_free(&path);
        return fail_gone(dataset, source, "which is not there");
    }
    bal_free(&path);
    bytes = bytes < *rest ? bytes : *rest;
    *rest -= bytes;
    if (at < 0 || file.st_size < at || (hsize_t)(file.st_size - at) < bytes)
        return fail_gone(dataset, source, "which is too short for them");
    return BAL_OK;
}

static bal_status check_external(hid_t dataset, hid_t dcpl, int files)
{
    hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    hssize_t count = space >= 0 ? H5Sget_simple_extent_npoints(space) : 0;
    hsize_t rest = (hsize_t)(count > 0 ? count : 0);
    bal_status st = BAL_OK;

    if (type < 0 ||
        __builtin_mul_overflow(rest, (hsize_t)H5Tget_size(type), &rest))
        st = fail_gone(dataset, "other files", "and cannot be that many");
    for (int i = 0; i < files && !bal_failed(st); i++)
        st = check_raw(dataset, dcpl, (unsigned)i, &rest);
    bal_h5_close(&space);
    bal_h5_close(&type);
    return st;
}

static bal_status check(hid_t dataset, int depth)
{
    hid_t dcpl = H5Dget_create_plist(dataset);
    int files;
    bal_status st = BAL_OK;

    if (dcpl < 0)
        return bal_h5_fail(BAL_EINPUT, "read", dataset);
    files = H5Pget_external_count(dcpl);
    if (depth > DEEPEST)
        st = fail_gone(dataset, "itself", "in a circle");
    else if (H5Pget_layout(dcpl) == H5D_VIRTUAL)
        st = check_virtual(dataset, dcpl, depth);
    else if (files > 0)
        st = check_external(dataset, dcpl, files);
    H5Pclose(dcpl);
    return st;
}

bal_status bal_h5_check_sources(hid_t dataset)
{
    return check(dataset, 0);
}

bool bal_h5_is_elsewhere(hid_t dataset)
{
    hid_t dcpl = H5Dget_create_plist(dataset);
    bool yes =
        H5Pget_layout(dcpl) == H5D_VIRTUAL || H5Pget_external_count(dcpl) > 0;

    H5Pclose(dcpl);
    return yes;
}
