#define _GNU_SOURCE
#include "balans/io/h5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "balans/base/mem.h"
#include "balans/io/lzf.h"

void bal_h5_init(void)
{
    /* Raw values beside a file are found from wherever the program runs. */
    (void)setenv("HDF5_EXTFILE_PREFIX", "${ORIGIN}", 0);
    H5open();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    bal_lzf_register();
}

typedef struct description {
    char *buf;
    size_t size;
} description;

static herr_t take_innermost(unsigned n, const H5E_error2_t *e, void *arg)
{
    description *d = arg;

    if (n == 0 && e->desc != NULL)
        snprintf(d->buf, d->size, "%s", e->desc);
    return 0;
}

char *bal_h5_reason(char *buf, size_t size)
{
    description d = {buf, size};

    snprintf(buf, size, "no details");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_innermost, &d);
    return buf;
}

char *bal_h5_path(hid_t object, char *buf, size_t size)
{
    ssize_t len = H5Iget_name(object, buf, size);

    if (len <= 0)
        snprintf(buf, size, "?");
    else if (buf[0] == '/' && buf[1] != '\0')
        memmove(buf, buf + 1, strlen(buf));
    return buf;
}

bal_status bal_h5_fail(bal_status st, const char *doing, hid_t object)
{
    char reason[BAL_H5_TEXT_MAX], path[BAL_H5_PATH_MAX];
    char file[BAL_H5_PATH_MAX];

    bal_h5_reason(reason, sizeof reason);
    if (H5Fget_name(object, file, sizeof file) < 0)
        snprintf(file, sizeof file, "?");
    bal_h5_path(object, path, sizeof path);
    return BAL_FAIL(st, "cannot %s '%s', '%s': %s", doing, file, path, reason);
}

/* Locks are not asked for: file systems without them, or mounted read-only, are
 * common where the data are, and what is written has a name that no other run
 * knows.  H5F_LIBVER_V18 lets attributes grow beyond 64 KiB, and every reader
 * of today knows it. */
static hid_t access_list(bal_h5_mode mode, const bal_comm *c)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);

    if (mode != BAL_H5_READ)
        H5Pset_libver_bounds(fapl, H5F_LIBVER_V18, H5F_LIBVER_V110);
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(fapl, false, true);
#endif
    H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG);
    if (c != NULL)
        H5Pset_fapl_mpio(fapl, c->mpi, MPI_INFO_NULL);
    return fapl;
}

/* Without the times of the root group, equal content is equal bytes. */
static hid_t creation_list(bal_h5_mode mode)
{
    hid_t fcpl = H5Pcreate(H5P_FILE_CREATE);

    if (mode == BAL_H5_CREATE_BEHIND)
        H5Pset_userblock(fcpl, BAL_H5_USER_BLOCK);
    H5Pset_obj_track_times(fcpl, false);
    return fcpl;
}

bal_status bal_h5_open(const char *path, bal_h5_mode mode, const bal_comm *c,
                       hid_t *out)
{
    bool creates = mode == BAL_H5_CREATE || mode == BAL_H5_CREATE_BEHIND;
    char reason[BAL_H5_TEXT_MAX];
    hid_t fapl, fcpl;

    bal_h5_init();
    fapl = access_list(mode, c);
    fcpl = creation_list(mode);
    if (creates)
        *out = H5Fcreate(path, H5F_ACC_TRUNC, fcpl, fapl);
    else
        *out = H5Fopen(
            path, mode == BAL_H5_READ ? H5F_ACC_RDONLY : H5F_ACC_RDWR, fapl);
    if (*out < 0)
        bal_h5_reason(reason, sizeof reason);
    H5Pclose(fcpl);
    H5Pclose(fapl);
    if (*out >= 0)
        return BAL_OK;
    *out = H5I_INVALID_HID;
    return BAL_FAIL(mode == BAL_H5_READ ? BAL_EINPUT : BAL_EIO,
                    "cannot %s '%s': %s", creates ? "create" : "open", path,
                    reason);
}

/* A file that cannot be written cannot be closed either, and HDF5 1.10 crashes
 * at its own end over files that it could not close.  So what its serial driver
 * still has to write goes into a file in memory. */
void bal_h5_abandon(hid_t *file)
{
#ifdef __linux__
    hid_t fapl = *file >= 0 ? H5Fget_access_plist(*file) : H5I_INVALID_HID;
    int nowhere = memfd_create("a file that is given up", MFD_CLOEXEC);
    void *handle;

    if (fapl >= 0 && nowhere >= 0 && H5Pget_driver(fapl) == H5FD_SEC2 &&
        H5Fget_vfd_handle(*file, fapl, &handle) >= 0)
        (void)dup2(nowhere, *(int *)handle);
    if (nowhere >= 0)
        close(nowhere);
    if (fapl >= 0)
        H5Pclose(fapl);
#endif
    bal_h5_close(file);
}

bal_status bal_h5_finish(hid_t *file, const char *path)
{
    char reason[BAL_H5_TEXT_MAX];
    herr_t err = H5Fflush(*file, H5F_SCOPE_GLOBAL);

    if (err < 0) {
        bal_h5_reason(reason, sizeof reason);
        bal_h5_abandon(file);
    } else if (H5Fclose(*file) < 0) {
        bal_h5_reason(reason, sizeof reason);
        err = -1;
    }
    *file = H5I_INVALID_HID;
    return err >= 0 ? BAL_OK
                    : BAL_FAIL(BAL_EIO, "cannot write '%s': %s", path, reason);
}

bal_status bal_h5_test(const char *path)
{
    hid_t file;
    bal_status st = bal_h5_open(path, BAL_H5_READ, NULL, &file);

    bal_h5_close(&file);
    return st;
}

void bal_h5_close(hid_t *id)
{
    if (*id >= 0) {
        if (H5Iget_type(*id) == H5I_FILE)
            H5Fclose(*id);
        else
            H5Idec_ref(*id);
    }
    *id = H5I_INVALID_HID;
}

/* H5Lexists() wants all groups on the way to exist. */
bool bal_h5_has(hid_t loc, const char *path)
{
    char part[BAL_H5_PATH_MAX];
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof part || path[0] == '/')
        return false;
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (strcmp(part, ".") == 0 || H5Lexists(loc, part, H5P_DEFAULT) <= 0 ||
            H5Oexists_by_name(loc, part, H5P_DEFAULT) <= 0)
            return false;
    }
    return true;
}

hid_t bal_h5_find(hid_t loc, const char *path)
{
    if (!bal_h5_has(loc, path))
        return H5I_INVALID_HID;
    return H5Oopen(loc, path, H5P_DEFAULT);
}

bool bal_h5_is(hid_t object, H5I_type_t type)
{
    return object >= 0 && H5Iget_type(object) == type;
}

int bal_h5_dims(hid_t dataset, bal_size dims[2])
{
    hsize_t extent[H5S_MAX_RANK];
    int rank = -1;

    dims[0] = dims[1] = 1;
    if (!bal_h5_is(dataset, H5I_DATASET))
        return -1;
    hid_t space = H5Dget_space(dataset);
    if (H5Sget_simple_extent_type(space) != H5S_NULL)
        rank = H5Sget_simple_extent_dims(space, extent, NULL);
    H5Sclose(space);
    for (int i = 0; i < rank && i < 2; i++)
        dims[i] = (bal_size)extent[i];
    return rank;
}

H5T_class_t bal_h5_class(hid_t dataset, size_t *bytes)
{
    hid_t type = H5Dget_type(dataset);
    H5T_class_t class = H5Tget_class(type);

    *bytes = H5Tget_size(type);
    H5Tclose(type);
    return class;
}

bal_status bal_h5_list_add(bal_h5_list *list, const char *item)
{
    bal_size len = (bal_size)strlen(item) + 1;
    bal_status st = BAL_OK;

    if (list->count == 0 || (list->count & (list->count - 1)) == 0)
        st = bal_resize(&list->item, list->count > 0 ? 2 * list->count : 1,
                        "a list of names");
    if (bal_failed(st))
        return st;
    st = bal_alloc(&list->item[list->count], len, "a name");
    if (bal_failed(st))
        return st;
    memcpy(list->item[list->count++], item, (size_t)len);
    return BAL_OK;
}

void bal_h5_list_free(bal_h5_list *list)
{
    for (bal_size i = 0; i < list->count; i++)
        bal_free(&list->item[i]);
    bal_free(&list->item);
    list->count = 0;
}

typedef struct listing {
    bal_h5_list *list;
    bal_status status;
} listing;

static herr_t take_link(hid_t group, const char *name, const H5L_info_t *info,
                        void *arg)
{
    listing *l = arg;

    (void)group;
    (void)info;
    l->status = bal_h5_list_add(l->list, name);
    return bal_failed(l->status) ? -1 : 0;
}

bal_status bal_h5_members(hid_t group, bal_h5_list *list)
{
    listing l = {list, BAL_OK};

    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, take_link, &l) >= 0)
        return BAL_OK;
    return bal_failed(l.status) ? l.status
                                : bal_h5_fail(BAL_EINPUT, "read", group);
}

bal_status bal_h5_make_group(hid_t loc, const char *path, hid_t *out)
{
    hid_t gcpl = H5Pcreate(H5P_GROUP_CREATE);

    H5Pset_obj_track_times(gcpl, false);
    *out = H5Gcreate2(loc, path, H5P_DEFAULT, gcpl, H5P_DEFAULT);
    if (*out >= 0) {
        H5Pclose(gcpl);
        return BAL_OK;
    }
    bal_status st = bal_h5_fail(BAL_EIO, "make a group in", loc);
    H5Pclose(gcpl);
    return st;
}

bal_status bal_h5_make_dataset(hid_t loc, const char *path, hid_t type,
                               hid_t space, hid_t *out)
{
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);

    H5Pset_obj_track_times(dcpl, false);
    *out = H5Dcreate2(loc, path, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    if (*out >= 0) {
        H5Pclose(dcpl);
        return BAL_OK;
    }
    bal_status st = bal_h5_fail(BAL_EIO, "make a dataset in", loc);
    H5Pclose(dcpl);
    return st;
}

hid_t bal_h5_text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

hid_t bal_h5_bool_type(void)
{
    hid_t type = H5Tenum_create(H5T_STD_I8LE);

    H5Tenum_insert(type, "FALSE", &(signed char){0});
    H5Tenum_insert(type, "TRUE", &(signed char){1});
    return type;
}
