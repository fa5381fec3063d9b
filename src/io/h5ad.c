#define _POSIX_C_SOURCE 200809L
#include "balans/io/h5ad.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "h5ad_internal.h"

bal_status bal_h5ad_index(hid_t frame, char *path, size_t size)
{
    char name[BAL_H5_PATH_MAX];

    if (!bal_h5_get_text(frame, "_index", path, size))
        snprintf(path, size, "_index");
    if (bal_h5_has(frame, path))
        return BAL_OK;
    snprintf(name, sizeof name, "%s", path);
    return BAL_FAIL(BAL_EINPUT, "its index '%s' is missing", name);
}

hid_t bal_h5ad_values(hid_t frame, const char *path)
{
    hid_t object = bal_h5_find(frame, path), member;

    if (!bal_h5_is(object, H5I_GROUP))
        return object;
    member = bal_h5_find(object, "values");
    if (member < 0)
        member = bal_h5_find(object, "codes");
    bal_h5_close(&object);
    return member;
}

/* The length of obs is that of its index. */
static bal_status measure(hid_t file, const char *path, bal_size *n)
{
    char index[BAL_H5_PATH_MAX];
    bal_size dims[2];
    hid_t obs = bal_h5_find(file, "obs"), values = H5I_INVALID_HID;
    bal_status st = BAL_OK;

    if (bal_h5_is(obs, H5I_DATASET))
        st = BAL_FAIL(BAL_EINPUT,
                      "cannot use '%s': its 'obs' is stored as anndata did "
                      "before 0.7; read and write the file once with a current "
                      "anndata",
                      path);
    else if (!bal_h5_is(obs, H5I_GROUP) || !bal_h5_has(file, "var"))
        st = BAL_FAIL(BAL_EINPUT,
                      "cannot use '%s': it is not an AnnData file, as it has "
                      "no '%s'",
                      path, obs < 0 ? "obs" : "var");
    if (bal_failed(st))
        goto done;
    if (!bal_h5_get_text(obs, "_index", index, sizeof index))
        snprintf(index, sizeof index, "_index");
    values = bal_h5ad_values(obs, index);
    if (bal_h5_dims(values, dims) != 1)
        st = BAL_FAIL(BAL_EINPUT,
                      "cannot use '%s': the index '%s' of its 'obs' is not "
                      "there or not a vector",
                      path, index);
    *n = dims[0];
done:
    bal_h5_close(&values);
    bal_h5_close(&obs);
    return st;
}

static const char *because(int error)
{
    switch (error) {
    case ENOENT:
        return "there is no such file";
    case EACCES:
        return "permission denied";
    default:
        return strerror(error);
    }
}

/* Whether this process can read the file at all. */
static bal_status check_access(const char *path, bal_size *bytes)
{
    struct stat s;

    if (stat(path, &s) != 0)
        return BAL_FAIL(BAL_EINPUT, "cannot open '%s': %s", path,
                        because(errno));
    if (S_ISDIR(s.st_mode))
        return BAL_FAIL(BAL_EINPUT, "cannot open '%s': it is a folder", path);
    if (!S_ISREG(s.st_mode))
        return BAL_FAIL(BAL_EINPUT, "cannot open '%s': it is not a file", path);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return BAL_FAIL(BAL_EINPUT, "cannot open '%s': %s", path,
                        because(errno));
    close(fd);
    *bytes = (bal_size)s.st_size;
    return BAL_OK;
}

/* Rank 0 looks first, alone, so that most trouble is known before anybody takes
 * part in anything. */
static bal_status look(const char *path, int64_t head[2])
{
    hid_t file;
    bal_status st = check_access(path, &head[1]);

    if (bal_failed(st))
        return st;
    bal_h5_init();
    if (H5Fis_hdf5(path) <= 0)
        return BAL_FAIL(BAL_EINPUT, "cannot open '%s': it is not an HDF5 file",
                        path);
    st = bal_h5_open(path, BAL_H5_READ, NULL, &file);
    if (bal_failed(st))
        return st;
    st = measure(file, path, &head[0]);
    bal_h5_close(&file);
    return st;
}

static void discard(bal_h5ad **f)
{
    if (*f == NULL)
        return;
    bal_free(&(*f)->path);
    bal_free(f);
}

static bal_status prepare(bal_comm *c, const char *path, const int64_t head[2],
                          bal_h5ad **out)
{
    bal_size here;
    bal_status st;

    BAL_TRY(bal_fault("open"));
    BAL_TRY(check_access(path, &here));
    BAL_TRY(bal_alloc(out, 1, "the input file"));
    BAL_TRY(bal_alloc(&(*out)->path, (bal_size)strlen(path) + 1, "a path"));
    strcpy((*out)->path, path);
    (*out)->comm = c;
    (*out)->n = head[0];
    (*out)->bytes = head[1];
    (*out)->file = H5I_INVALID_HID;
    (*out)->data = (*out)->indices = (*out)->indptr = H5I_INVALID_HID;
done:
    return st;
}

bal_verdict bal_h5ad_open(bal_comm *c, const char *path, bal_h5ad **out)
{
    bal_verdict st;
    bal_h5ad *f = NULL;
    int64_t head[2] = {0, 0};

    *out = NULL;
    BAL_TRY(bal_agree(c, c->rank == 0 ? look(path, head) : BAL_OK));
    bal_comm_bcast(c, head, sizeof head, 0);
    BAL_TRY(bal_agree(c, prepare(c, path, head, &f)));
    BAL_TRY(bal_agree(c, bal_h5_open(path, BAL_H5_READ, c, &f->file)));
    *out = f;
    f = NULL;
done:
    discard(&f);
    return st;
}

void bal_h5ad_close(bal_h5ad **f)
{
    if (*f == NULL)
        return;
    bal_slab_finish(&(*f)->slab);
    bal_h5_close(&(*f)->data);
    bal_h5_close(&(*f)->indices);
    bal_h5_close(&(*f)->indptr);
    bal_h5_close(&(*f)->file);
    discard(f);
}

bal_size bal_h5ad_rows(const bal_h5ad *f)
{
    return f->n;
}

const char *bal_h5ad_path(const bal_h5ad *f)
{
    return f->path;
}

bal_size bal_h5ad_file_bytes(const bal_h5ad *f)
{
    return f->bytes;
}
