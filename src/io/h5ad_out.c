#define _POSIX_C_SOURCE 200809L
#include "balans/io/h5ad_out.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/io/aside.h"
#include "balans/io/publish.h"
#include "balans/io/reserve.h"
#include "balans/par/agree.h"
#include "h5ad_internal.h"
#include "h5ad_out_internal.h"

enum {
    BLOCK = 1 << 29, /* bytes of a rank in one transfer */
    SPARE = 1 << 20, /* bytes for groups, attributes and values */
};

struct bal_h5ad_out {
    bal_comm *comm;
    bal_publish *file_name; /* on rank 0 */
    char *partial;          /* its temporary name */
    const bal_h5ad *input;  /* copied from, or NULL */
    bal_size copied;        /* bytes that the copy takes, about */
    hid_t file;
    hid_t array; /* the latest array written to */
    char *array_path;
};

static bal_status check(const char *path, const char *input, bool force)
{
    const bal_named_file file[] = {{"the input", input, false},
                                   {"the output", path, true}};
    bal_status st = bal_publish_apart(file, 2);

    return bal_failed(st) ? st : bal_publish_check(path, force);
}

bal_verdict bal_h5ad_out_check(bal_comm *c, const char *path,
                               const char *input_path, bool force)
{
    return bal_agree(c, c->rank == 0 ? check(path, input_path, force) : BAL_OK);
}

/* ---- Step 1 ---- */

static void discard(bal_h5ad_out **o)
{
    bal_publish_discard(&(*o)->file_name);
    bal_free(&(*o)->partial);
    bal_free(&(*o)->array_path);
    bal_free(o);
}

/* Bytes that the copy will have, with something to spare. */
static bal_size estimate_copy(const bal_out_source *source)
{
    const bal_matrix_info *info;
    bal_size bytes;

    if (source == NULL)
        return SPARE;
    info = &source->input->info;
    bytes = source->input->mark.bytes;
    if (source->keep_as == NULL && source->replace != NULL &&
        strcmp(info->name, source->replace) == 0)
        bytes -= info->file_bytes < bytes ? info->file_bytes : bytes;
    return bytes + bytes / 64 + SPARE;
}

static bal_status prepare(bal_comm *c, const char *path,
                          const bal_out_source *source, bool force,
                          bal_h5ad_out **out)
{
    const char *input = NULL;
    bal_status st;

    BAL_TRY(bal_fault("begin"));
    BAL_TRY(bal_alloc(out, 1, "the output file"));
    (*out)->comm = c;
    (*out)->copied = estimate_copy(source);
    (*out)->file = (*out)->array = H5I_INVALID_HID;
    if (source != NULL) {
        (*out)->input = source->input;
        input = bal_h5ad_path(source->input);
        BAL_TRY(bal_h5ad_unchanged(source->input));
    }
    if (c->rank == 0) {
        BAL_TRY(check(path, input, force));
        BAL_TRY(bal_publish_begin(path, force, &(*out)->file_name));
    }
done:
    return st;
}

/* Features of var that are kept, and of how many; 0 for all. */
static void pack_kept(const bal_h5ad *input, bal_pack *in)
{
    bool named = strncmp(input->info.name, "obsm/", 5) != 0;
    bal_size count = named ? input->kept.d : 0;

    bal_pack_int(in, count > 0 ? input->info.d : 0);
    bal_pack_int(in, count);
    for (bal_size i = 0; i < count; i++)
        bal_pack_int(in, input->kept.item[i]);
}

static void pack_source(const bal_h5ad_out *o, const bal_out_source *source,
                        bal_pack *in)
{
    bal_pack_text(in, bal_h5ad_path(source->input));
    bal_pack_text(in, o->partial);
    bal_pack_int(in, o->copied);
    bal_pack_text(in, source->replace);
    bal_pack_int(in, source->instead.element);
    bal_pack_int(in, source->instead.n);
    bal_pack_int(in, source->instead.d);
    bal_pack_int(in, source->instead.compress);
    bal_pack_text(in, source->keep_as);
    bal_pack_int(in, source->drops);
    for (bal_size i = 0; i < source->drops; i++)
        bal_pack_text(in, source->drop[i]);
    bal_pack_int(in, source->columns);
    for (bal_size i = 0; i < source->columns; i++)
        bal_pack_text(in, source->column[i]);
    pack_kept(source->input, in);
}

/* By rank 0; a copy by its helper. */
static bal_status make_file(const bal_h5ad_out *o, const bal_out_source *source)
{
    bal_pack in = {0}, out = {0};
    hid_t file = H5I_INVALID_HID;
    bal_status st;

    if (source == NULL) {
        BAL_TRY(bal_h5_open(o->partial, BAL_H5_CREATE, NULL, &file));
        BAL_TRY(bal_h5_finish(&file, o->partial));
        goto done;
    }
    pack_source(o, source, &in);
    BAL_TRY(bal_aside(BAL_ASIDE_COPY, bal_h5ad_path(source->input), o->copied,
                      &in, &out));
    BAL_TRY(bal_h5ad_unchanged(source->input));
done:
    bal_pack_finish(&in);
    bal_pack_finish(&out);
    return st;
}

bal_verdict bal_h5ad_out_begin(bal_comm *c, const char *path,
                               const bal_out_source *source, bool force,
                               bal_h5ad_out **out)
{
    bal_verdict st;
    bal_h5ad_out *o = NULL;

    *out = NULL;
    bal_h5_init();
    BAL_TRY(bal_agree(c, prepare(c, path, source, force, &o)));
    BAL_TRY(bal_publish_tell(c, o->file_name, &o->partial));
    /* The other ranks wait while rank 0 copies, at 10 MB/s or more. */
    bal_watch_grant(100 * (double)o->copied);
    BAL_TRY(bal_agree(c, c->rank == 0 ? make_file(o, source) : BAL_OK));
    *out = o;
    o = NULL;
done:
    bal_watch_grant(0);
    if (o != NULL)
        discard(&o);
    return st;
}

/* ---- Step 2 ---- */

static bal_size size_of(const char *path)
{
    bal_file_mark mark = bal_file_look(path);

    return mark.bytes;
}

/* Bytes that the file will have; compression is not counted on. */
static bal_size estimate(const bal_h5ad_out *o, const bal_out_plan *plan)
{
    bal_size bytes = size_of(o->partial);

    for (bal_size i = 0; i < plan->arrays; i++)
        bytes += plan->array[i].n *
                 (plan->array[i].d > 0 ? plan->array[i].d : 1) *
                 bal_out_element_bytes(plan->array[i].element);
    for (bal_size i = 0; i < plan->csrs; i++)
        bytes += 12 * plan->csr[i].nnz;
    return bytes + bytes / 64 + SPARE;
}

/* By rank 0.  Space is reserved again at the end, because closing gives it
 * back. */
static bal_status make_alone(const bal_h5ad_out *o, const bal_out_plan *plan)
{
    hid_t file = H5I_INVALID_HID;
    bal_size bytes = estimate(o, plan);
    bal_status st, closed;

    BAL_TRY(bal_reserve(o->partial, bytes));
    BAL_TRY(bal_h5_open(o->partial, BAL_H5_UPDATE, NULL, &file));
    BAL_TRY(bal_out_make(plan, o->input == NULL, file));
done:
    if (file >= 0) {
        closed = bal_h5_finish(&file, o->partial);
        if (!bal_failed(st))
            st = closed;
        if (!bal_failed(st))
            st = bal_reserve(o->partial, bytes);
    }
    return st;
}

/* Whether this process can open the new file: on some hosts the folder may be
 * missing, and a collective opening must not fail on some ranks only. */
static bal_status check_access(const bal_h5ad_out *o)
{
    hid_t file;
    int fd = open(o->partial, O_RDWR);

    if (fd < 0)
        return BAL_FAIL(BAL_EIO, "cannot open '%s': %s", o->partial,
                        strerror(errno));
    close(fd);
    bal_status st = bal_h5_open(o->partial, BAL_H5_READ, NULL, &file);
    bal_h5_close(&file);
    return st;
}

/* Closing is collective, too: where only some have the file open, they would
 * wait for the others for ever, now or when MPI is finalized. */
static bal_verdict open_together(bal_h5ad_out *o)
{
    bal_status mine =
        bal_h5_open(o->partial, BAL_H5_UPDATE, o->comm, &o->file);

    if (!bal_failed(mine))
        mine = bal_fault("join");
    bal_verdict st = bal_agree(o->comm, mine);
    if (bal_failed(st)) {
        o->file = H5I_INVALID_HID;
        o->comm->torn = true;
    }
    return st;
}

bal_verdict bal_h5ad_out_create(bal_h5ad_out *o, const bal_out_plan *plan)
{
    bal_comm *c = o->comm;
    bal_verdict st;

    BAL_TRY(bal_agree(c, bal_fault("create")));
    bal_watch_grant(10 * (double)o->copied);
    BAL_TRY(bal_agree(c, c->rank == 0 ? make_alone(o, plan) : BAL_OK));
    BAL_TRY(bal_agree(c, check_access(o)));
    BAL_TRY(open_together(o));
done:
    bal_watch_grant(0);
    return st;
}

/* ---- Step 3 ---- */

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

/* ---- Step 4 ---- */

static bal_status close_together(bal_h5ad_out *o)
{
    bal_status st = bal_fault("finish"), closed;

    bal_h5_close(&o->array);
    closed = bal_h5_finish(&o->file, o->partial);
    return bal_failed(st) ? st : closed;
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
    closed = bal_h5_finish(&file, o->partial);
    if (!bal_failed(st))
        st = closed;
done:
    return st;
}

/* By rank 0. */
static bal_status publish(bal_h5ad_out *o, json_t *late)
{
    bal_status st;

    BAL_TRY(add_late(o, late));
    BAL_TRY(bal_reserve_release(o->partial));
    if (o->input != NULL)
        BAL_TRY(bal_h5ad_unchanged(o->input));
    BAL_TRY(bal_publish_finish(&o->file_name, bal_h5_test));
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
    discard(o);
    return st;
}

void bal_h5ad_out_discard(bal_h5ad_out **o)
{
    if (*o == NULL)
        return;
    bal_h5_close(&(*o)->array);
    bal_h5_close(&(*o)->file);
    discard(o);
}
