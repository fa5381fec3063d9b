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
#include "h5ad_ask.h"
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
static bal_status check_access(const char *path)
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
    return BAL_OK;
}

/* What rank 0 knows of the file. */
typedef struct head {
    bal_size n;
    bal_file_mark mark;
} head;

bal_status bal_work_look(bal_pack *in, bal_pack *out)
{
    const char *path = bal_unpack_text(in);
    hid_t file = H5I_INVALID_HID;
    bal_size n = 0;
    bal_status st;

    bal_aside_at("obs");
    bal_h5_init();
    if (H5Fis_hdf5(path) <= 0)
        return BAL_FAIL(BAL_EINPUT, "cannot open '%s': it is not an HDF5 file",
                        path);
    BAL_TRY(bal_h5_open(path, BAL_H5_READ, NULL, &file));
    BAL_TRY(measure(file, path, &n));
    bal_pack_int(out, n);
done:
    bal_h5_close(&file);
    return st;
}

/* Rank 0's helper looks first, so that most trouble is known before anybody
 * takes part in anything. */
static bal_status look(const char *path, head *h)
{
    bal_pack in = {0}, out = {0};
    bal_status st;

    BAL_TRY(check_access(path));
    h->mark = bal_file_look(path);
    bal_pack_text(&in, path);
    BAL_TRY(bal_aside(BAL_ASIDE_LOOK, path, h->mark.bytes, &in, &out));
    h->n = bal_unpack_int(&out);
done:
    bal_pack_finish(&in);
    bal_pack_finish(&out);
    return st;
}

/* Hosts number devices as they like. */
static bal_status check_same(const char *path, const bal_file_mark *theirs,
                             const bal_file_mark *mine)
{
    if (bal_file_same(theirs, mine, false))
        return BAL_OK;
    return BAL_FAIL(BAL_EINPUT,
                    "cannot open '%s': this rank finds another file there than "
                    "rank 0; wait until all hosts see the same",
                    path);
}

static bal_status prepare(bal_comm *c, const char *path, const head *h,
                          bal_h5ad **out)
{
    bal_status st;

    BAL_TRY(bal_fault("open"));
    BAL_TRY(check_access(path));
    BAL_TRY(bal_alloc(out, 1, "the input file"));
    BAL_TRY(bal_alloc(&(*out)->path, (bal_size)strlen(path) + 1, "a path"));
    strcpy((*out)->path, path);
    (*out)->comm = c;
    (*out)->memory = INT64_C(1) << 30;
    (*out)->n = h->n;
    (*out)->mark = bal_file_look(path);
    (*out)->file = H5I_INVALID_HID;
    (*out)->data = (*out)->indices = (*out)->indptr = H5I_INVALID_HID;
    BAL_TRY(check_same(path, &h->mark, &(*out)->mark));
    BAL_TRY(bal_h5_open(path, BAL_H5_READ, NULL, &(*out)->file));
done:
    return st;
}

bal_verdict bal_h5ad_open(bal_comm *c, const char *path, bal_h5ad **out)
{
    bal_verdict st;
    bal_h5ad *f = NULL;
    head h = {0};

    *out = NULL;
    BAL_TRY(bal_agree(c, c->rank == 0 ? look(path, &h) : BAL_OK));
    bal_comm_bcast(c, &h, (bal_size)sizeof h, 0);
    BAL_TRY(bal_agree(c, prepare(c, path, &h, &f)));
    *out = f;
    f = NULL;
done:
    bal_h5ad_close(&f);
    return st;
}

bal_status bal_h5ad_unchanged(const bal_h5ad *f)
{
    bal_file_mark now = bal_file_look(f->path);

    if (bal_file_same(&now, &f->mark, true))
        return BAL_OK;
    return BAL_FAIL(BAL_EINPUT,
                    "cannot use '%s': it was %s while the run was on; start "
                    "again with a file that stays as it is",
                    f->path, now.there ? "replaced or changed" : "removed");
}

void bal_h5ad_close(bal_h5ad **f)
{
    if (*f == NULL)
        return;
    bal_slab_finish(&(*f)->slab);
    bal_chosen_finish(&(*f)->chosen);
    bal_free(&(*f)->kept.item);
    bal_h5_close(&(*f)->data);
    bal_h5_close(&(*f)->indices);
    bal_h5_close(&(*f)->indptr);
    bal_h5_close(&(*f)->file);
    bal_free(&(*f)->path);
    bal_free(f);
}

void bal_h5ad_allow(bal_h5ad *f, bal_size memory)
{
    f->memory = memory;
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
    return f->mark.bytes;
}
