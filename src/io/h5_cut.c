/* Datasets with some of their rows, or columns, or both: read in pieces, of
 * which what is kept is written.  Compression stays; a chunk is never longer
 * than what is left. */
#include <string.h>

#include "balans/base/mem.h"
#include "h5_copy.h"

enum { BLOCK = 64 << 20 }; /* bytes in memory at a time */

typedef struct cutting {
    const bal_h5_cut *cut;
    hid_t from, to, type;
    int rank;
    hsize_t extent[H5S_MAX_RANK], kept[H5S_MAX_RANK]; /* before, after */
    size_t item;        /* bytes of what has no further dimension to cut */
    hsize_t step;       /* rows of a piece */
    char *all, *some;   /* [step rows]: as read; what is kept of them */
} cutting;

static bool cuts(const cutting *k, int axis)
{
    return (k->cut->axes >> axis & 1) != 0;
}

bool bal_h5_can_cut(hid_t dataset, const bal_h5_cut *cut)
{
    hsize_t extent[H5S_MAX_RANK] = {0};
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    int rank = space >= 0 ? H5Sget_simple_extent_dims(space, extent, NULL) : 0;
    bool can = type >= 0 && H5Tdetect_class(type, H5T_REFERENCE) <= 0;

    for (int i = 0; i < 2; i++)
        if ((cut->axes >> i & 1) != 0)
            can = can && i < rank && extent[i] == (hsize_t)cut->all;
    bal_h5_close(&type);
    bal_h5_close(&space);
    return can;
}

/* A link-creation list as the old dataset has it, with chunks that fit. */
static hid_t layout_for(const cutting *k)
{
    hsize_t chunk[H5S_MAX_RANK];
    hid_t dcpl = H5Dget_create_plist(k->from);
    bool fits = true;

    for (int i = 0; i < k->rank; i++)
        fits = fits && k->kept[i] > 0;
    if (!fits || dcpl < 0 || bal_h5_is_elsewhere(k->from) ||
        H5Pget_layout(dcpl) != H5D_CHUNKED) {
        bal_h5_close(&dcpl);
        return H5Pcreate(H5P_DATASET_CREATE);
    }
    H5Pget_chunk(dcpl, k->rank, chunk);
    for (int i = 0; i < k->rank; i++)
        chunk[i] = chunk[i] < k->kept[i] ? chunk[i] : k->kept[i];
    H5Pset_chunk(dcpl, k->rank, chunk);
    return dcpl;
}

static bal_status make(cutting *k, hid_t to, const char *as)
{
    hid_t space = H5Screate_simple(k->rank, k->kept, NULL);
    hid_t dcpl = layout_for(k);
    bal_status st = BAL_OK;

    H5Pset_obj_track_times(dcpl, false);
    k->to = H5Dcreate2(to, as, k->type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    if (k->to < 0)
        st = bal_h5_fail(BAL_EIO, "make a dataset in", to);
    bal_h5_close(&dcpl);
    bal_h5_close(&space);
    return st;
}

/* What is kept of `rows` rows from row `first` on.  @return rows kept */
static hsize_t pick(cutting *k, hsize_t first, hsize_t rows)
{
    hsize_t columns = k->rank > 1 ? k->extent[1] : 1, count = 0;
    hsize_t kept = k->rank > 1 ? k->kept[1] : 1;

    for (hsize_t i = 0; i < rows; i++) {
        const char *row = k->all + i * columns * k->item;
        char *out = k->some + count * kept * k->item;
        if (cuts(k, 0) && !k->cut->is_kept[first + i])
            continue;
        count++;
        if (!cuts(k, 1)) {
            memcpy(out, row, columns * k->item);
            continue;
        }
        for (hsize_t j = 0; j < columns; j++)
            if (k->cut->is_kept[j]) {
                memcpy(out, row + j * k->item, k->item);
                out += k->item;
            }
    }
    return count;
}

/* Rows `first` on of a dataset, and memory for them. */
static hid_t select_rows(hid_t space, const cutting *k, const hsize_t *extent,
                         hsize_t first, hsize_t rows)
{
    hsize_t start[H5S_MAX_RANK] = {first}, count[H5S_MAX_RANK];

    memcpy(count, extent, (size_t)k->rank * sizeof *count);
    count[0] = rows;
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    return H5Screate_simple(k->rank, count, NULL);
}

static bal_status move_rows(cutting *k, hid_t old, hid_t fresh, hsize_t first,
                            hsize_t rows, hsize_t *at)
{
    bool variable = H5Tdetect_class(k->type, H5T_VLEN) > 0 ||
                    H5Tis_variable_str(k->type) > 0;
    hid_t memory = select_rows(old, k, k->extent, first, rows);
    hid_t out = H5I_INVALID_HID;
    bal_status st = BAL_OK;
    hsize_t count;

    if (H5Dread(k->from, k->type, memory, old, H5P_DEFAULT, k->all) < 0) {
        st = bal_h5_fail(BAL_EINPUT, "read", k->from);
        bal_h5_close(&memory);
        return st;
    }
    count = pick(k, first, rows);
    if (count > 0) {
        out = select_rows(fresh, k, k->kept, *at, count);
        if (H5Dwrite(k->to, k->type, out, fresh, H5P_DEFAULT, k->some) < 0)
            st = bal_h5_fail(BAL_EIO, "write", k->to);
    }
    *at += count;
    if (variable)
        H5Dvlen_reclaim(k->type, memory, H5P_DEFAULT, k->all);
    bal_h5_close(&out);
    bal_h5_close(&memory);
    return st;
}

static bal_status move_all(cutting *k)
{
    hid_t old = H5Dget_space(k->from), fresh = H5Dget_space(k->to);
    hsize_t at = 0, rows;
    bal_status st = BAL_OK;

    for (hsize_t i = 0; i < k->extent[0] && !bal_failed(st); i += rows) {
        rows = k->extent[0] - i < k->step ? k->extent[0] - i : k->step;
        st = move_rows(k, old, fresh, i, rows, &at);
    }
    bal_h5_close(&fresh);
    bal_h5_close(&old);
    return st;
}

static bal_status damaged(void)
{
    return BAL_FAIL(BAL_EINPUT,
                    "cannot read values of the input: their shape is damaged");
}

static bal_status allot(cutting *k)
{
    hid_t space = H5Dget_space(k->from);
    hsize_t row;
    bal_status st;

    k->rank = H5Sget_simple_extent_dims(space, k->extent, NULL);
    bal_h5_close(&space);
    k->item = H5Tget_size(k->type);
    for (int i = 0; i < k->rank; i++) {
        k->kept[i] = cuts(k, i) ? (hsize_t)k->cut->count : k->extent[i];
        if (i > 1 && __builtin_mul_overflow(k->item, k->extent[i], &k->item))
            return damaged();
    }
    if (__builtin_mul_overflow(k->item, k->rank > 1 ? k->extent[1] : 1, &row))
        return damaged();
    k->step = row > 0 && row < BLOCK ? BLOCK / row : 1;
    k->step = k->step < k->extent[0] ? k->step : k->extent[0];
    st = bal_mem_alloc((void **)&k->all, (bal_size)k->step, (size_t)row,
                       "values of the input");
    if (!bal_failed(st))
        st = bal_mem_alloc((void **)&k->some, (bal_size)k->step, (size_t)row,
                           "values of the input");
    return st;
}

bal_status bal_h5_cut_dataset(bal_h5_copier *c, hid_t from, hid_t to,
                              const char *as, const bal_h5_cut *cut)
{
    cutting k = {.cut = cut, .from = from, .to = H5I_INVALID_HID};
    bal_status st;

    BAL_TRY(bal_h5_check_sources(from));
    BAL_TRY(bal_h5_check_chunks(from));
    k.type = H5Dget_type(from);
    BAL_TRY(allot(&k));
    BAL_TRY(make(&k, to, as));
    BAL_TRY(move_all(&k));
    BAL_TRY(bal_h5_copy_attributes(c, from, k.to, NULL));
done:
    bal_mem_free((void **)&k.all);
    bal_mem_free((void **)&k.some);
    bal_h5_close(&k.type);
    bal_h5_close(&k.to);
    return st;
}
