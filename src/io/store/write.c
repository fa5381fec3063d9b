/* Rank 0 makes each dataset, contiguous and with its room, and tells where it
 * is; every rank writes its rows there itself, past HDF5.  Rank 0's HDF5 keeps
 * no data of datasets, so neither sees a stale byte of the other. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/io/reserve.h"
#include "balans/par/agree.h"
#include "internal.h"

enum {
    SPARE = 1 << 18, /* bytes of HDF5's own in a file */
    HEAD = 1 << 12,  /* and for each key, at most */
};

/* By rank 0. */
static bal_status begin(bal_store *s, const char *path, bool replace)
{
    bal_status st = bal_publish_begin(path, replace, &s->publish);

    if (bal_failed(st))
        return st;
    return bal_h5_open(bal_publish_temporary(s->publish), BAL_H5_CREATE_BEHIND,
                       NULL, &s->file);
}

bal_verdict bal_store_create(bal_comm *c, const char *path, bool replace,
                             const bal_store_kind *kind, bal_store **out)
{
    bal_store *s = NULL;
    bal_verdict st;

    *out = NULL;
    BAL_TRY(bal_agree(c, bal_store_new(c, kind, BAL_EIO, &s)));
    BAL_TRY(bal_agree(c, bal_fault("keep")));
    BAL_TRY(bal_agree(c, c->rank == 0 ? begin(s, path, replace) : BAL_OK));
    BAL_TRY(bal_publish_tell(c, s->publish, &s->path));
    BAL_TRY(bal_agree(c, bal_store_reopen(s, O_RDWR)));
    s->room = SPARE;
    *out = s;
    s = NULL;
done:
    bal_store_close(&s);
    return st;
}

/* ---- Arrays ---- */

static hid_t make_type(int64_t type, bal_size width)
{
    const hid_t number[BAL_STORE_TEXT] = {
        [BAL_STORE_F32] = H5T_NATIVE_FLOAT,
        [BAL_STORE_F64] = H5T_NATIVE_DOUBLE,
        [BAL_STORE_I32] = H5T_NATIVE_INT32,
        [BAL_STORE_I64] = H5T_NATIVE_INT64,
        [BAL_STORE_U64] = H5T_NATIVE_UINT64,
        [BAL_STORE_U16] = H5T_NATIVE_UINT16,
        [BAL_STORE_U8] = H5T_NATIVE_UINT8,
    };
    hid_t made = H5Tcopy(type == BAL_STORE_TEXT ? H5T_C_S1 : number[type]);

    if (type != BAL_STORE_TEXT)
        return made;
    H5Tset_size(made, (size_t)width);
    H5Tset_strpad(made, H5T_STR_NULLPAD);
    H5Tset_cset(made, H5T_CSET_UTF8);
    return made;
}

/* By rank 0.  Room on the disk comes first, as HDF5 1.10 crashes when a disk is
 * full while it closes. */
static bal_status place(const bal_store *s, bal_store_array *a)
{
    hsize_t size[2] = {(hsize_t)a->n, (hsize_t)a->d};
    bal_status st = bal_reserve(s->path, s->room);

    if (bal_failed(st))
        return st;
    hid_t type = make_type(a->type, a->row / a->d);
    hid_t space = H5Screate_simple(a->d == 1 ? 1 : 2, size, NULL);
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(dcpl, false);
    H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER);
    hid_t dataset = H5Dcreate2(s->file, a->key, type, space, H5P_DEFAULT, dcpl,
                               H5P_DEFAULT);
    haddr_t at = a->n > 0 ? H5Dget_offset(dataset) : BAL_H5_USER_BLOCK;
    if (dataset < 0 || at == HADDR_UNDEF)
        st = bal_h5_fail(BAL_EIO, "write", s->file);
    a->at = (bal_size)at;
    bal_h5_close(&dataset);
    H5Pclose(dcpl);
    H5Sclose(space);
    H5Tclose(type);
    return st;
}

/* `width` is the size of an element. */
static bal_verdict make(bal_store *s, const char *key, bal_store_type type,
                        bal_size width, bal_size n, bal_size d,
                        bal_store_array *a)
{
    size_t len = strlen(key);
    bal_status mine = BAL_OK;
    bal_verdict st;

    BAL_REQUIRE(len > 0 && len < BAL_STORE_KEY && strchr(key, '/') == NULL);
    BAL_REQUIRE(n >= 0 && d >= 1);
    *a = (bal_store_array){.type = type, .n = n, .d = d};
    memcpy(a->key, key, len);
    if (__builtin_mul_overflow(d, width, &a->row) ||
        __builtin_mul_overflow(n, a->row, &a->at) ||
        __builtin_add_overflow(s->room + HEAD, a->at, &s->room))
        mine = BAL_FAIL(BAL_ERANGE, "cannot write '%s', '%s': it is too large",
                        s->path, key);
    else if (s->comm->rank == 0)
        mine = place(s, a);
    bal_watch_grant_io((double)s->room);
    if (!bal_failed(mine))
        mine = bal_resize(&s->have, s->keys + 1, "a table of keys");
    st = bal_agree(s->comm, mine);
    if (bal_failed(st))
        return st;
    bal_comm_bcast(s->comm, &a->at, (bal_size)sizeof a->at, 0);
    s->have[s->keys++] = *a;
    return st;
}

bal_verdict bal_store_make(bal_store *s, const char *key, bal_store_type type,
                           bal_size n, bal_size d, bal_store_array *a)
{
    return make(s, key, type, bal_store_element(type), n, d, a);
}

bal_verdict bal_store_make_pieces(bal_store *s, const char *key,
                                  bal_store_type type, bal_size count,
                                  bal_size d, bal_store_array *a,
                                  bal_size *first)
{
    int64_t n = count;

    bal_comm_exscan_i64(s->comm, &n, 1, first);
    bal_comm_sum_i64(s->comm, &n, 1);
    return bal_store_make(s, key, type, n, d, a);
}

bal_status bal_store_write(const bal_store *s, const bal_store_array *a,
                           bal_size first, bal_size count, const void *rows)
{
    bal_status st = bal_fault("fill");

    BAL_REQUIRE(first >= 0 && count >= 0 && count <= a->n - first);
    if (bal_failed(st))
        return st;
    return bal_store_push(s, a->at + first * a->row, count * a->row, rows);
}

/* ---- Values ---- */

static bal_verdict put(bal_store *s, const char *key, bal_store_type type,
                       bal_size width, bal_size n, bal_size d,
                       const void *values)
{
    bal_store_array a;
    bal_verdict st = make(s, key, type, width, n, d, &a);

    if (bal_failed(st))
        return st;
    return bal_agree(s->comm, s->comm->rank == 0
                                  ? bal_store_write(s, &a, 0, n, values)
                                  : BAL_OK);
}

bal_verdict bal_store_put(bal_store *s, const char *key, bal_store_type type,
                          bal_size n, bal_size d, const void *values)
{
    return put(s, key, type, bal_store_element(type), n, d, values);
}

bal_verdict bal_store_put_texts(bal_store *s, const char *key,
                                const char *const *text, bal_size count)
{
    size_t width = 1, len;
    char *all = NULL;
    bal_verdict st;

    for (bal_size i = 0; i < count; i++) {
        len = strlen(text[i]);
        width = len > width ? len : width;
    }
    BAL_TRY(bal_agree(s->comm, bal_mem_alloc((void **)&all, count, width,
                                             "texts of a store")));
    for (bal_size i = 0; i < count; i++)
        memcpy(all + (size_t)i * width, text[i], strlen(text[i]));
    BAL_TRY(put(s, key, BAL_STORE_TEXT, (bal_size)width, count, 1, all));
done:
    bal_free(&all);
    return st;
}

/* ---- Copies ---- */

/* By rank 0, in pieces. */
static bal_status copy_rows(const bal_store *from, const bal_store_array *a,
                            const bal_store *to, const bal_store_array *b)
{
    enum { PIECE = 16 << 20 };
    bal_size step = PIECE / a->row > 0 ? PIECE / a->row : 1;
    char *rows = NULL;
    bal_status st;

    step = step < a->n ? step : a->n;
    BAL_TRY(bal_mem_alloc((void **)&rows, step, (size_t)a->row,
                          "rows of a store"));
    for (bal_size i = 0, count; i < a->n; i += count) {
        count = a->n - i < step ? a->n - i : step;
        BAL_TRY(bal_store_read(from, a, i, count, rows));
        BAL_TRY(bal_store_write(to, b, i, count, rows));
    }
done:
    bal_free(&rows);
    return st;
}

bal_verdict bal_store_copy(const bal_store *from, const char *beginning,
                           bal_store *to, const char *as)
{
    bal_size keys = from->keys;
    size_t length = strlen(beginning);
    char key[2 * BAL_STORE_KEY];
    bal_store_array fresh;
    bal_verdict st = {BAL_OK};

    for (bal_size i = 0; i < keys; i++) {
        const bal_store_array *a = &from->have[i];
        if (strncmp(a->key, beginning, length) != 0)
            continue;
        snprintf(key, sizeof key, "%s%s", as, a->key + length);
        BAL_TRY(make(to, key, (bal_store_type)a->type, a->row / a->d, a->n,
                     a->d, &fresh));
        BAL_TRY(bal_agree(to->comm, to->comm->rank == 0
                                        ? copy_rows(from, a, to, &fresh)
                                        : BAL_OK));
    }
done:
    return st;
}

/* ---- The end ---- */

static bal_verdict put_table(bal_store *s)
{
    bal_size bytes = s->keys * (bal_size)sizeof *s->have;
    bal_store_array a;
    bal_verdict st;

    BAL_TRY(make(s, "table of keys", BAL_STORE_U8, 1, bytes, 1, &a));
    BAL_TRY(bal_agree(s->comm, s->comm->rank == 0
                                   ? bal_store_push(s, a.at, bytes, s->have)
                                   : BAL_OK));
    s->keys--;
    s->table = a.at;
done:
    return st;
}

/* Some file systems tell only now that there was no room. */
static bal_status sync_rows(const bal_store *s)
{
    bal_status st = bal_fault("publish");

    if (bal_failed(st) || fsync(s->fd) == 0 || errno == EINVAL ||
        errno == ENOTSUP)
        return st;
    return BAL_FAIL(BAL_EIO, "cannot write '%s' to disk: %s", s->path,
                    strerror(errno));
}

/* By rank 0. */
static bal_status close_file(bal_store *s)
{
    bal_status st = bal_h5_finish(&s->file, s->path);

    return bal_failed(st) ? st : bal_reserve_release(s->path);
}

bal_verdict bal_store_finish(bal_store **store)
{
    bal_store *s = *store;
    bal_comm *c = s->comm;
    bal_verdict st;

    BAL_TRY(put_table(s));
    BAL_TRY(bal_agree(c, sync_rows(s)));
    BAL_TRY(bal_agree(c, c->rank == 0 ? close_file(s) : BAL_OK));
    BAL_TRY(bal_agree(c, bal_store_reopen(s, O_RDONLY)));
    BAL_TRY(bal_store_seal(s));
    BAL_TRY(bal_agree(c, c->rank == 0 ? bal_publish_finish(&s->publish, NULL)
                                      : BAL_OK));
done:
    bal_store_close(store);
    return st;
}
