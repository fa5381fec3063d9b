#define _POSIX_C_SOURCE 200809L
#include "balans/io/h5ad_out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/io/reserve.h"
#include "balans/par/agree.h"
#include "h5ad_internal.h"
#include "h5ad_out_internal.h"

enum {
    BLOCK = 1 << 29, /* bytes of a rank in one transfer */
    SPARE = 1 << 20, /* bytes for groups, attributes and values */
};

static const char suffix[] = ".partial";

struct bal_h5ad_out {
    bal_comm *comm;
    char *path, *partial, *folder;
    bool force;
    hid_t file;
    hid_t array; /* the latest array written to */
    char *array_path;
};

/* ---- Names and checks ---- */

static bal_status folder_of(const char *path, char **out)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    bal_status st = bal_alloc(out, (bal_size)len + 1, "a path");

    if (!bal_failed(st))
        memcpy(*out, slash == NULL ? "." : path, len);
    return st;
}

static bal_status with_suffix(const char *path, char **out)
{
    size_t len = strlen(path);
    bal_status st = bal_alloc(out, (bal_size)(len + sizeof suffix), "a path");

    if (!bal_failed(st)) {
        memcpy(*out, path, len);
        memcpy(*out + len, suffix, sizeof suffix);
    }
    return st;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

static bal_status check_target(const char *path, const char *partial,
                               const char *input, bool force)
{
    struct stat s;

    if (input != NULL && is_same_file(path, input))
        return BAL_FAIL(BAL_EIO,
                        "cannot write '%s': it is the input; choose another "
                        "name",
                        path);
    if (input != NULL && is_same_file(partial, input))
        return BAL_FAIL(BAL_EIO,
                        "cannot write '%s': the file grows as '%s', which is "
                        "the input; choose another name",
                        path, partial);
    if (stat(path, &s) != 0)
        return BAL_OK;
    if (S_ISDIR(s.st_mode))
        return BAL_FAIL(BAL_EIO, "cannot write '%s': it is a folder", path);
    if (!S_ISREG(s.st_mode))
        return BAL_FAIL(BAL_EIO, "cannot write '%s': it is not a file", path);
    if (!force)
        return BAL_FAIL(BAL_EIO,
                        "cannot write '%s': it exists; use --force to "
                        "overwrite it",
                        path);
    return BAL_OK;
}

static bal_status check_folder(const char *path, const char *folder)
{
    struct stat s;
    size_t len = strlen(path);

    if (len == 0 || path[len - 1] == '/')
        return BAL_FAIL(BAL_EIO, "cannot write '%s': it names a folder", path);
    if (stat(folder, &s) != 0 || !S_ISDIR(s.st_mode))
        return BAL_FAIL(BAL_EIO, "cannot write '%s': there is no folder '%s'",
                        path, folder);
    if (access(folder, W_OK | X_OK) != 0)
        return BAL_FAIL(BAL_EIO,
                        "cannot write '%s': folder '%s' is not writable (%s)",
                        path, folder, strerror(errno));
    return BAL_OK;
}

static bal_status check(const char *path, const char *input, bool force)
{
    char *folder = NULL, *partial = NULL;
    bal_status st;

    BAL_TRY(folder_of(path, &folder));
    BAL_TRY(with_suffix(path, &partial));
    BAL_TRY(check_folder(path, folder));
    BAL_TRY(check_target(path, partial, input, force));
done:
    bal_free(&folder);
    bal_free(&partial);
    return st;
}

bal_verdict bal_h5ad_out_check(bal_comm *c, const char *path,
                               const char *input_path, bool force)
{
    return bal_agree(c, c->rank == 0 ? check(path, input_path, force) : BAL_OK);
}

/* ---- Step 1 ---- */

static void discard(bal_h5ad_out **o)
{
    bal_free(&(*o)->path);
    bal_free(&(*o)->partial);
    bal_free(&(*o)->folder);
    bal_free(&(*o)->array_path);
    bal_free(o);
}

static bal_status prepare(bal_comm *c, const char *path, bool force,
                          bal_h5ad_out **out)
{
    bal_status st;

    BAL_TRY(bal_fault("create"));
    BAL_TRY(bal_alloc(out, 1, "the output file"));
    (*out)->comm = c;
    (*out)->force = force;
    (*out)->file = (*out)->array = H5I_INVALID_HID;
    BAL_TRY(bal_alloc(&(*out)->path, (bal_size)strlen(path) + 1, "a path"));
    strcpy((*out)->path, path);
    BAL_TRY(with_suffix(path, &(*out)->partial));
    BAL_TRY(folder_of(path, &(*out)->folder));
done:
    return st;
}

/* Closing writes, so it can fail for want of room on the disk. */
static bal_status close_file(hid_t *file, const char *path)
{
    char reason[BAL_H5_TEXT_MAX];
    herr_t err = H5Fflush(*file, H5F_SCOPE_GLOBAL);

    if (err < 0)
        bal_h5_reason(reason, sizeof reason);
    if (H5Fclose(*file) < 0 && err >= 0) {
        bal_h5_reason(reason, sizeof reason);
        err = -1;
    }
    *file = H5I_INVALID_HID;
    return err >= 0 ? BAL_OK
                    : BAL_FAIL(BAL_EIO, "cannot write '%s': %s", path, reason);
}

/* Bytes that the file will have, with something to spare; compression is not
 * counted on. */
static bal_size estimate(const bal_out_plan *plan)
{
    bal_size bytes = 0;

    if (plan->input != NULL) {
        const bal_matrix_info *info = &plan->input->info;
        bytes = plan->input->bytes;
        if (plan->keep_as == NULL && plan->replace != NULL &&
            strcmp(info->name, plan->replace) == 0)
            bytes -= info->file_bytes < bytes ? info->file_bytes : bytes;
    }
    for (bal_size i = 0; i < plan->arrays; i++)
        bytes += plan->array[i].n *
                 (plan->array[i].d > 0 ? plan->array[i].d : 1) *
                 bal_out_element_bytes(plan->array[i].element);
    for (bal_size i = 0; i < plan->csrs; i++)
        bytes += 12 * plan->csr[i].nnz;
    return bytes + bytes / 64 + SPARE;
}

/* By rank 0.  Space is reserved first, as HDF5 1.10 crashes when a disk is full
 * while it copies or closes; and again, because closing gives it back. */
static bal_status create_alone(const bal_h5ad_out *o, const bal_out_plan *plan)
{
    const char *input = plan->input != NULL ? bal_h5ad_path(plan->input) : NULL;
    hid_t file = H5I_INVALID_HID;
    bal_status st, closed;

    BAL_TRY(check(o->path, input, o->force));
    if (unlink(o->partial) != 0 && errno != ENOENT)
        return BAL_FAIL(BAL_EIO, "cannot replace '%s': %s", o->partial,
                        strerror(errno));
    BAL_TRY(bal_h5_open(o->partial, BAL_H5_CREATE, NULL, &file));
    BAL_TRY(bal_reserve(o->partial, estimate(plan)));
    if (plan->input != NULL)
        BAL_TRY(bal_out_copy(plan, file));
    BAL_TRY(bal_out_make(plan, file));
done:
    if (file >= 0) {
        closed = close_file(&file, o->partial);
        if (!bal_failed(st))
            st = closed;
        if (!bal_failed(st))
            st = bal_reserve(o->partial, estimate(plan));
        if (bal_failed(st))
            unlink(o->partial);
    }
    return st;
}

/* Whether this process can open the new file: on some hosts the folder may be
 * missing, and a collective opening must not fail on some ranks only. */
static bal_status check_access(const bal_h5ad_out *o)
{
    int fd = open(o->partial, O_RDWR);

    if (fd < 0)
        return BAL_FAIL(BAL_EIO, "cannot open '%s': %s", o->partial,
                        strerror(errno));
    close(fd);
    return BAL_OK;
}

bal_verdict bal_h5ad_out_create(bal_comm *c, const char *path,
                                const bal_out_plan *plan, bal_h5ad_out **out)
{
    bal_verdict st;
    bal_h5ad_out *o = NULL;
    bool made = false;

    *out = NULL;
    bal_h5_init();
    BAL_TRY(bal_agree(c, prepare(c, path, plan->force, &o)));
    /* The other ranks wait while rank 0 copies, at 10 MB/s or more. */
    bal_watch_grant(100 * (double)estimate(plan));
    BAL_TRY(bal_agree(c, c->rank == 0 ? create_alone(o, plan) : BAL_OK));
    made = true;
    BAL_TRY(bal_agree(c, check_access(o)));
    BAL_TRY(bal_agree(c, bal_h5_open(o->partial, BAL_H5_UPDATE, c, &o->file)));
    *out = o;
    o = NULL;
done:
    bal_watch_grant(0);
    if (made && o != NULL && c->rank == 0)
        unlink(o->partial);
    if (o != NULL)
        discard(&o);
    return st;
}

/* ---- Step 2 ---- */

static bal_status open_array(bal_h5ad_out *o, const char *path)
{
    bal_status st;

    if (o->array_path != NULL && strcmp(o->array_path, path) == 0)
        return BAL_OK;
    bal_h5_close(&o->array);
    bal_free(&o->array_path);
    o->array = H5Dopen2(o->file, path, H5P_DEFAULT);
    if (o->array < 0)
        return bal_h5_fail(BAL_EIO, "open an array of", o->file);
    st = bal_alloc(&o->array_path, (bal_size)strlen(path) + 1, "a path");
    if (!bal_failed(st))
        strcpy(o->array_path, path);
    return st;
}

/* Chunks that several ranks have rows of, and compression, want all ranks to
 * act together. Rows of a contiguous array are one run of the file for each
 * rank: going through the aggregators of a collective write only copies
 * them. */
static H5FD_mpio_xfer_t transfer_mode(hid_t array)
{
    hid_t dcpl = H5Dget_create_plist(array);
    bool chunked = H5Pget_layout(dcpl) == H5D_CHUNKED;

    H5Pclose(dcpl);
    return chunked ? H5FD_MPIO_COLLECTIVE : H5FD_MPIO_INDEPENDENT;
}

/* One transfer of `count` rows, or none, by all ranks. */
static bal_status transfer(const bal_h5ad_out *o, hid_t type, bal_gidx first,
                           bal_size count, const void *values)
{
    hid_t file = H5Dget_space(o->array), dxpl = H5Pcreate(H5P_DATASET_XFER);
    hsize_t extent[2] = {0, 1};
    int rank = H5Sget_simple_extent_dims(file, extent, NULL);
    hsize_t start[2] = {(hsize_t)first, 0};
    hsize_t size[2] = {(hsize_t)count, extent[1]};
    hid_t memory = H5Screate_simple(rank, size, NULL);
    bal_status st = BAL_OK;

    if (count > 0) {
        H5Sselect_hyperslab(file, H5S_SELECT_SET, start, NULL, size, NULL);
    } else {
        H5Sselect_none(file);
        H5Sselect_none(memory);
    }
    H5Pset_dxpl_mpio(dxpl, transfer_mode(o->array));
    if (H5Dwrite(o->array, type, memory, file, dxpl, values) < 0)
        st = bal_h5_fail(BAL_EIO, "write", o->array);
    H5Sclose(memory);
    H5Sclose(file);
    H5Pclose(dxpl);
    return st;
}

/* All ranks make the same number of transfers, whatever happened to them. */
static bal_verdict write_blocks(bal_h5ad_out *o, bal_gidx first, bal_size count,
                                const char *values)
{
    const char nothing[8] = {0};
    bal_status mine = bal_fault("write");
    bal_size dims[2], most;
    hid_t type = H5Dget_type(o->array);

    bal_h5_dims(o->array, dims);
    bal_size row = (bal_size)H5Tget_size(type) * dims[1];
    most = row > 0 && BLOCK / row > 0 ? BLOCK / row : 1;
    int64_t rounds = (count + most - 1) / most;
    bal_comm_max_i64(o->comm, &rounds, 1);
    bal_watch_grant_io((double)(rounds * most * row) * o->comm->size);
    for (int64_t i = 0; i < rounds; i++) {
        bal_size at = i * most, now = count - at < most ? count - at : most;
        if (now < 0 || bal_failed(mine))
            now = 0;
        bal_status st = transfer(o, type, now > 0 ? first + at : 0, now,
                                 now > 0 ? values + at * row : nothing);
        if (!bal_failed(mine))
            mine = st;
    }
    H5Tclose(type);
    bal_comm_count_io(o->comm, count * row);
    bal_verdict st = bal_agree(o->comm, mine);
    bal_watch_grant(0);
    return st;
}

bal_verdict bal_h5ad_out_write(bal_h5ad_out *o, const char *array,
                               bal_gidx first, bal_size count,
                               const void *values)
{
    bal_verdict st = bal_agree(o->comm, open_array(o, array));

    return bal_failed(st) ? st : write_blocks(o, first, count, values);
}

/* ---- Step 3 ---- */

static bal_status close_together(bal_h5ad_out *o)
{
    bal_status st = bal_fault("finish"), closed;

    bal_h5_close(&o->array);
    closed = close_file(&o->file, o->partial);
    return bal_failed(st) ? st : closed;
}

static bal_size size_of(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 ? (bal_size)s.st_size : 0;
}

static bal_status add_late(const bal_h5ad_out *o, json_t *late)
{
    hid_t file;
    bal_status st, closed;

    if (late == NULL)
        return BAL_OK;
    BAL_TRY(bal_reserve(o->partial, size_of(o->partial) + SPARE));
    BAL_TRY(bal_h5_open(o->partial, BAL_H5_UPDATE, NULL, &file));
    st = bal_out_make_dicts(file, "uns/balans");
    if (!bal_failed(st))
        st = bal_out_write_object(file, "uns/balans/run", late);
    closed = close_file(&file, o->partial);
    if (!bal_failed(st))
        st = closed;
done:
    return st;
}

static bal_status sync_path(const char *path, int flags)
{
    int fd = open(path, flags);
    int err = fd < 0 ? errno : fsync(fd) != 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    /* Some file systems do not sync folders; they do not need it either. */
    if (err == 0 || err == EINVAL || err == ENOTSUP)
        return BAL_OK;
    return BAL_FAIL(BAL_EIO, "cannot write '%s' to disk: %s", path,
                    strerror(err));
}

/* By rank 0. */
static bal_status publish(const bal_h5ad_out *o, json_t *late)
{
    bal_status st;

    BAL_TRY(add_late(o, late));
    BAL_TRY(bal_reserve_release(o->partial));
    BAL_TRY(sync_path(o->partial, O_RDWR));
    if (!o->force && access(o->path, F_OK) == 0)
        return BAL_FAIL(BAL_EIO,
                        "cannot rename '%s' to '%s': another program made "
                        "that file in the meantime",
                        o->partial, o->path);
    if (rename(o->partial, o->path) != 0)
        return BAL_FAIL(BAL_EIO, "cannot rename '%s' to '%s': %s", o->partial,
                        o->path, strerror(errno));
    BAL_TRY(sync_path(o->folder, O_RDONLY));
done:
    return st;
}

bal_verdict bal_h5ad_out_finish(bal_h5ad_out **o, json_t *late)
{
    bal_comm *c = (*o)->comm;
    bal_verdict st;

    bal_watch_grant_io((double)size_of((*o)->partial));
    BAL_TRY(bal_agree(c, close_together(*o)));
    BAL_TRY(bal_agree(c, c->rank == 0 ? publish(*o, late) : BAL_OK));
done:
    bal_watch_grant(0);
    if (bal_failed(st) && c->rank == 0)
        unlink((*o)->partial);
    discard(o);
    return st;
}

void bal_h5ad_out_discard(bal_h5ad_out **o)
{
    if (*o == NULL)
        return;
    bal_h5_close(&(*o)->array);
    bal_h5_close(&(*o)->file);
    if ((*o)->comm->rank == 0)
        unlink((*o)->partial);
    discard(o);
}
