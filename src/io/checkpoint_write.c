/* Rank 0 makes the file with all its datasets and writes what every rank knows;
 * then all open it and each writes its runs of rows, independently of the
 * others.  The name changes hands when the bytes are on disk. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/io/checkpoint.h"
#include "balans/io/h5.h"
#include "balans/io/reserve.h"
#include "balans/par/agree.h"
#include "checkpoint_internal.h"

enum { NAME = 4096, ENTRIES = 1 << 20 };

typedef struct writer {
    bal_comm *comm;
    const bal_checkpoint *what;
    char partial[NAME];
    int64_t *block; /* [size, B_COUNT] */
    hid_t file;
} writer;

static bal_status name_partial(const char *path, char *out)
{
    int len = snprintf(out, NAME, "%s.partial", path);

    if (len < NAME)
        return BAL_OK;
    return BAL_FAIL(BAL_EIO, "cannot write '%s': the name is too long", path);
}

static bal_status fail_system(const char *doing, const char *path)
{
    return BAL_FAIL(BAL_EIO, "cannot %s checkpoint '%s': %s", doing, path,
                    strerror(errno));
}

/* ---- Rank 0 ---- */

static bal_status make(const writer *w, const char *name, hid_t type,
                       bal_size rows, bal_size columns)
{
    hsize_t size[2] = {(hsize_t)rows, (hsize_t)columns};
    hid_t space = H5Screate_simple(columns > 0 ? 2 : 1, size, NULL);
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);

    /* Room is there before ranks write on their own. */
    H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER);
    hid_t dataset =
        H5Dcreate2(w->file, name, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    bal_status st =
        dataset < 0 ? bal_h5_fail(BAL_EIO, "write", w->file) : BAL_OK;
    bal_h5_close(&dataset);
    H5Pclose(dcpl);
    H5Sclose(space);
    return st;
}

static bal_status make_all(const writer *w)
{
    bal_status st;
    const int64_t *last = w->block + (w->comm->size - 1) * B_COUNT;
    const bal_checkpoint *k = w->what;
    bal_size m = k->sampler.a->m, entries = last[B_ENTRY] + last[B_ENTRIES];
    bal_size n = k->sampler.a->layout->n;
    bal_size curve = k->sampler.report.curve_count;

    BAL_TRY(make(w, "blocks", H5T_STD_I64LE, w->comm->size, B_COUNT));
    BAL_TRY(make(w, "curve_landmarks", H5T_STD_I64LE, curve, 0));
    BAL_TRY(make(w, "curve_covered", H5T_STD_I64LE, curve, 0));
    BAL_TRY(make(w, "landmarks", H5T_STD_I64LE, m, 0));
    BAL_TRY(make(w, "counts", H5T_STD_I64LE, w->comm->size * m, 0));
    BAL_TRY(make(w, "columns", H5T_STD_I32LE, entries, 0));
    BAL_TRY(make(w, "values", H5T_IEEE_F32LE, entries, 0));
    if (k->sampler.report.scale != NULL)
        BAL_TRY(make(w, "scales", H5T_IEEE_F32LE, m,
                     k->sampler.a->layout->batches));
    if (k->x != NULL)
        BAL_TRY(make(w, "x", H5T_IEEE_F32LE, n, k->x->d));
    if (k->z != NULL)
        BAL_TRY(make(w, "z", H5T_IEEE_F32LE, n, k->z->d));
done:
    return st;
}

static bal_status set_numbers(const writer *w)
{
    const bal_sample_state *s = &w->what->sampler;
    const int64_t number[N_COUNT] = {
        [N_FORMAT] = BAL_CHECKPOINT_FORMAT,
        [N_POINTS] = s->a->layout->n,
        [N_PASS] = w->what->pass,
        [N_STAGE] = s->stage,
        [N_BLOCK] = s->block,
        [N_WIDTH] = s->width,
        [N_QUIET] = s->quiet,
        [N_FULL] = s->full,
        [N_LANDMARKS] = s->report.landmarks,
        [N_EXTENDED] = s->report.extended,
        [N_FILLED] = s->report.filled,
        [N_ROWS] = s->report.rows,
        [N_OVERSHOOT] = s->report.overshoot,
        [N_REPEATS] = s->report.repeats,
        [N_IN_FLIGHT] = s->report.in_flight,
        [N_CURVE] = s->report.curve_count,
        [N_A_ROWS] = s->a->m,
        [N_BLOCKS] = w->comm->size,
        [N_SCALES] = s->report.scale != NULL,
    };

    return bal_h5_set_ints(w->file, "numbers", number, N_COUNT);
}

/* With some room for HDF5's own. */
static bal_size estimate(const writer *w)
{
    enum { SPARE = 1 << 18 };
    const bal_checkpoint *k = w->what;
    const int64_t *last = w->block + (w->comm->size - 1) * B_COUNT;
    bal_size n = k->sampler.a->layout->n, m = k->sampler.a->m;
    bal_size scales =
        k->sampler.report.scale != NULL ? k->sampler.a->layout->batches : 0;
    bal_size moved =
        (k->x != NULL ? k->x->d : 0) + (k->z != NULL ? k->z->d : 0);

    return SPARE + 8 * (last[B_ENTRY] + last[B_ENTRIES]) +
           8 * m * (w->comm->size + 1) + 4 * m * scales +
           16 * k->sampler.report.curve_count + 4 * n * moved;
}

/* Space is reserved, as HDF5 1.10 crashes when a disk is full while it closes;
 * and again, because closing gives it back. */
static bal_status create(writer *w)
{
    bal_status st;

    if (unlink(w->partial) != 0 && errno != ENOENT)
        return fail_system("replace", w->partial);
    BAL_TRY(bal_h5_open(w->partial, BAL_H5_CREATE, NULL, &w->file));
    BAL_TRY(bal_reserve(w->partial, estimate(w)));
    BAL_TRY(bal_h5_set_text(w->file, "what", "checkpoint of balans correct"));
    BAL_TRY(bal_h5_set_text(w->file, "identity", w->what->identity));
    BAL_TRY(set_numbers(w));
    BAL_TRY(make_all(w));
done:
    bal_h5_close(&w->file);
    return bal_failed(st) ? st : bal_reserve(w->partial, estimate(w));
}

static bal_status sync_name(const char *path, int flags)
{
    int fd = open(path, flags);
    int error = fd < 0 || fsync(fd) != 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    errno = error;
    if (error == 0 || error == EINVAL || error == ENOTSUP)
        return BAL_OK;
    return fail_system("write to disk", path);
}

static bal_status publish(const writer *w, const char *path)
{
    char folder[NAME];
    bal_status st = bal_reserve_release(w->partial);

    if (!bal_failed(st))
        st = sync_name(w->partial, O_RDWR);
    if (bal_failed(st))
        return st;
    if (rename(w->partial, path) != 0)
        return fail_system("rename to", path);
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        snprintf(folder, sizeof folder, ".");
    else
        slash[slash == folder] = '\0';
    return sync_name(folder, O_RDONLY);
}

/* ---- All ranks ---- */

/* Rows first .. first + count - 1 of a dataset. */
static bal_status put(const writer *w, const char *name, hid_t type,
                      bal_size first, bal_size count, const void *values)
{
    hsize_t extent[2] = {0, 1};
    hid_t dataset = H5Dopen2(w->file, name, H5P_DEFAULT);
    bal_status st = BAL_OK;

    if (dataset < 0)
        return bal_h5_fail(BAL_EIO, "write", w->file);
    hid_t file = H5Dget_space(dataset);
    int rank = H5Sget_simple_extent_dims(file, extent, NULL);
    bal_size row = (bal_size)(extent[1] * H5Tget_size(type));
    bal_size step = row > 0 ? BAL_H5_BLOCK / row + 1 : count;
    for (bal_size i = 0; i < count && row > 0 && !bal_failed(st); i += step) {
        bal_size now = count - i < step ? count - i : step;
        hsize_t start[2] = {(hsize_t)(first + i), 0};
        hsize_t size[2] = {(hsize_t)now, extent[1]};
        hid_t memory = H5Screate_simple(rank, size, NULL);
        H5Sselect_hyperslab(file, H5S_SELECT_SET, start, NULL, size, NULL);
        if (H5Dwrite(dataset, type, memory, file, H5P_DEFAULT,
                     (const char *)values + (size_t)(i * row)) < 0)
            st = bal_h5_fail(BAL_EIO, "write", dataset);
        H5Sclose(memory);
        bal_comm_count_io(w->comm, now * row);
    }
    H5Sclose(file);
    bal_h5_close(&dataset);
    return st;
}

typedef struct pack {
    int32_t *column;
    float *value;
    bal_size filled, at; /* entries here, and where they go */
} pack;

static bal_status flush(const writer *w, pack *p)
{
    bal_status st;

    BAL_TRY(put(w, "columns", H5T_NATIVE_INT32, p->at, p->filled, p->column));
    BAL_TRY(put(w, "values", H5T_NATIVE_FLOAT, p->at, p->filled, p->value));
    p->at += p->filled;
    p->filled = 0;
done:
    return st;
}

static bal_status add_row(const writer *w, const bal_csr_row *row, pack *p)
{
    bal_status st = BAL_OK;

    for (bal_size e = 0; e < row->count && !bal_failed(st);) {
        bal_size room = ENTRIES - p->filled, left = row->count - e;
        bal_size now = left < room ? left : room;
        memcpy(p->column + p->filled, row->index + e,
               (size_t)now * sizeof *p->column);
        memcpy(p->value + p->filled, row->value + e,
               (size_t)now * sizeof *p->value);
        p->filled += now;
        e += now;
        if (p->filled == ENTRIES)
            st = flush(w, p);
    }
    return st;
}

static bal_status put_entries(const writer *w)
{
    bal_status st;
    const bal_csr *a = w->what->sampler.a;
    pack p = {.at = w->block[w->comm->rank * B_COUNT + B_ENTRY]};

    BAL_TRY(bal_alloc(&p.column, ENTRIES, "the checkpoint"));
    BAL_TRY(bal_alloc(&p.value, ENTRIES, "the checkpoint"));
    for (bal_size i = 0; i < a->m; i++)
        BAL_TRY(add_row(w, &a->row[i], &p));
    BAL_TRY(flush(w, &p));
done:
    bal_free(&p.column);
    bal_free(&p.value);
    return st;
}

static bal_status put_rows(const writer *w)
{
    bal_status st;
    const bal_csr *a = w->what->sampler.a;
    int64_t *number = NULL;

    BAL_TRY(bal_alloc(&number, a->m, "the checkpoint"));
    for (bal_size i = 0; i < a->m; i++)
        number[i] = a->row[i].count;
    BAL_TRY(
        put(w, "counts", H5T_NATIVE_INT64, w->comm->rank * a->m, a->m, number));
    for (bal_size i = 0; i < a->m; i++)
        number[i] = a->row[i].landmark;
    if (w->comm->rank == 0)
        BAL_TRY(put(w, "landmarks", H5T_NATIVE_INT64, 0, a->m, number));
    BAL_TRY(bal_fault("fill"));
    BAL_TRY(put_entries(w));
done:
    bal_free(&number);
    return st;
}

static bal_status put_shard(const writer *w, const char *name,
                            const bal_shard *s)
{
    if (s == NULL)
        return BAL_OK;
    return put(w, name, H5T_NATIVE_FLOAT, s->layout->rank_first[w->comm->rank],
               s->m, s->at);
}

static bal_status put_all(const writer *w)
{
    bal_status st;
    const bal_sample_report *r = &w->what->sampler.report;

    if (w->comm->rank == 0) {
        BAL_TRY(put(w, "blocks", H5T_NATIVE_INT64, 0, w->comm->size, w->block));
        BAL_TRY(put(w, "curve_landmarks", H5T_NATIVE_INT64, 0, r->curve_count,
                    r->curve_landmarks));
        BAL_TRY(put(w, "curve_covered", H5T_NATIVE_INT64, 0, r->curve_count,
                    r->curve_covered));
        if (r->scale != NULL)
            BAL_TRY(put(w, "scales", H5T_NATIVE_FLOAT, 0, w->what->sampler.a->m,
                        r->scale));
    }
    BAL_TRY(put_rows(w));
    BAL_TRY(put_shard(w, "x", w->what->x));
    BAL_TRY(put_shard(w, "z", w->what->z));
done:
    return st;
}

/* What each rank's block holds and where its entries start. */
static bal_verdict find_blocks(writer *w)
{
    const bal_csr *a = w->what->sampler.a;
    const bal_layout *l = a->layout;
    int64_t mine[B_COUNT] = {l->rank_first[l->rank], l->m, 0,
                             bal_csr_entries(a)};
    bal_verdict st = bal_agree(
        w->comm,
        bal_alloc(&w->block, (bal_size)B_COUNT * w->comm->size, "the blocks"));

    if (bal_failed(st))
        return st;
    bal_comm_gather_i64(w->comm, mine, B_COUNT, w->block);
    for (int r = 1; r < w->comm->size; r++)
        w->block[r * B_COUNT + B_ENTRY] =
            w->block[(r - 1) * B_COUNT + B_ENTRY] +
            w->block[(r - 1) * B_COUNT + B_ENTRIES];
    return st;
}

static bal_verdict fill(writer *w)
{
    bal_verdict st;
    bal_status mine;

    st = bal_agree(w->comm,
                   bal_h5_open(w->partial, BAL_H5_UPDATE, w->comm, &w->file));
    if (bal_failed(st))
        return st;
    mine = put_all(w);
    if (H5Fflush(w->file, H5F_SCOPE_LOCAL) < 0 && !bal_failed(mine))
        mine = bal_h5_fail(BAL_EIO, "write", w->file);
    bal_h5_close(&w->file);
    return bal_agree(w->comm, mine);
}

bal_verdict bal_checkpoint_write(bal_comm *c, const char *path,
                                 const bal_checkpoint *what)
{
    bal_verdict st;
    writer w = {.comm = c, .what = what, .file = H5I_INVALID_HID};
    bal_status mine = bal_fault("keep");

    if (!bal_failed(mine))
        mine = name_partial(path, w.partial);
    BAL_TRY(bal_agree(c, mine));
    BAL_TRY(find_blocks(&w));
    bal_watch_grant_io((double)estimate(&w));
    BAL_TRY(bal_agree(c, c->rank == 0 ? create(&w) : BAL_OK));
    BAL_TRY(fill(&w));
    BAL_TRY(bal_agree(c, bal_fault("publish")));
    BAL_TRY(bal_agree(c, c->rank == 0 ? publish(&w, path) : BAL_OK));
done:
    bal_watch_grant(0);
    if (bal_failed(st) && c->rank == 0)
        unlink(w.partial);
    bal_free(&w.block);
    return st;
}

static bal_status check_here(const char *path, bool there)
{
    char partial[NAME];
    bal_status st = name_partial(path, partial);

    if (bal_failed(st))
        return st;
    if (there && access(path, R_OK) != 0)
        return fail_system("read", path);
    int fd = open(partial, O_CREAT | O_WRONLY, 0666);
    if (fd < 0)
        return fail_system("write", partial);
    close(fd);
    unlink(partial);
    return BAL_OK;
}

bal_verdict bal_checkpoint_check(bal_comm *c, const char *path, bool *there)
{
    int64_t found = c->rank == 0 && access(path, F_OK) == 0;
    bal_verdict st =
        bal_agree(c, c->rank == 0 ? check_here(path, found != 0) : BAL_OK);

    bal_comm_bcast(c, &found, (bal_size)sizeof found, 0);
    *there = found != 0;
    return st;
}

void bal_checkpoint_remove(bal_comm *c, const char *path)
{
    char partial[NAME];

    if (c->rank == 0) {
        (void)unlink(path);
        if (!bal_failed(name_partial(path, partial)))
            (void)unlink(partial);
    }
    bal_comm_barrier(c);
}
