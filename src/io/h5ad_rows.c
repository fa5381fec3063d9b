/* Rows of the open matrix as float32.
 *
 * Sparse rows are summed up in float64 in a buffer of one row, entry by entry
 * in the order of the file, and then rounded: entries given twice add up, as
 * scipy has it.  Entries come in pieces of bounded size.
 * Memory: d + 2 PIECE numbers of 8 bytes beside the rows' pointers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "h5ad_internal.h"

enum { PIECE = 1 << 18 }; /* stored entries in memory at a time */

static bal_status take_name(void *arg, bal_gidx i, const char *s)
{
    (void)i;
    snprintf(arg, BAL_H5_TEXT_MAX, " ('%s')", s != NULL ? s : "");
    return BAL_OK;
}

/* " ('NAME')", or nothing where the features of the matrix have no names. */
static void name_feature(const bal_h5ad *f, bal_size col, char *text)
{
    char path[BAL_H5_PATH_MAX];
    bal_size dims[2];
    size_t bytes;
    hid_t var = bal_h5_find(f->file, "var"), values = H5I_INVALID_HID;

    text[0] = '\0';
    if (strncmp(f->info.name, "obsm/", 5) != 0 && bal_h5_is(var, H5I_GROUP) &&
        !bal_failed(bal_h5ad_index(var, path, sizeof path)))
        values = bal_h5ad_values(var, path);
    if (bal_h5_dims(values, dims) == 1 && col < dims[0] &&
        bal_h5_class(values, &bytes) == H5T_STRING)
        (void)bal_h5_read_texts(values, col, 1, take_name, text);
    bal_error_clear();
    bal_h5_close(&values);
    bal_h5_close(&var);
}

static bal_status not_finite(const bal_h5ad *f, bal_gidx row, bal_size col,
                             double value)
{
    char feature[BAL_H5_TEXT_MAX];

    name_feature(f, col, feature);
    if (isfinite(value))
        return BAL_FAIL(
            BAL_EINPUT,
            "cannot use '%s', matrix '%s': row %lld, feature %lld%s "
            "is %g, which float32 cannot hold",
            f->path, f->info.name, (long long)row, (long long)col, feature,
            value);
    return BAL_FAIL(BAL_EINPUT,
                    "cannot use '%s', matrix '%s': row %lld, feature %lld%s is "
                    "not finite (%s)",
                    f->path, f->info.name, (long long)row, (long long)col,
                    feature,
                    isnan(value) ? "nan"
                    : value > 0  ? "inf"
                                 : "-inf");
}

/* Of float32 bits, the exponent that infinities and NaNs have. */
static bool are_finite(const float *x, bal_size count)
{
    const uint32_t exponent = UINT32_C(0x7f800000);
    uint32_t bits, bad = 0;

    for (bal_size i = 0; i < count; i++) {
        memcpy(&bits, x + i, sizeof bits);
        bad |= (bits & exponent) == exponent;
    }
    return bad == 0;
}

/* Features of a row, and the column of the matrix that feature i is. */
static bal_size width_of(const bal_h5ad *f)
{
    return f->kept.d > 0 ? f->kept.d : f->info.d;
}

static bal_size column_of(const bal_h5ad *f, bal_size i)
{
    return f->kept.d > 0 ? f->kept.item[i] : i;
}

/* Reads whole rows, some at a time, and takes what is kept of them. */
static bal_status read_kept(bal_h5ad *f, bal_gidx first, bal_size count,
                            float *rows)
{
    enum { WIDE = 1 << 20 }; /* numbers in memory at a time */
    bal_size d = f->info.d, width = width_of(f);
    bal_size step = WIDE / d > 0 ? WIDE / d : 1;
    float *wide = NULL;
    bal_status st;

    step = step < count ? step : count;
    BAL_TRY(bal_alloc(&wide, step * d, "rows of the input"));
    for (bal_size i = 0; i < count; i += step) {
        bal_size now = count - i < step ? count - i : step;
        BAL_TRY(bal_h5_read(f->data, H5T_NATIVE_FLOAT, first + i, now, wide));
        for (bal_size k = 0; k < now * width; k++)
            rows[i * width + k] =
                wide[k / width * d + f->kept.item[k % width]];
    }
done:
    bal_free(&wide);
    return st;
}

static bal_status read_dense(bal_h5ad *f, bal_gidx first, bal_size count,
                             float *rows)
{
    bal_size d = width_of(f);
    bal_status st =
        f->kept.d > 0
            ? read_kept(f, first, count, rows)
            : bal_h5_read(f->data, H5T_NATIVE_FLOAT, first, count, rows);

    if (bal_failed(st) || are_finite(rows, count * d))
        return st;
    for (bal_size i = 0; i < count * d; i++) {
        bal_size col = column_of(f, i % d);
        double value;
        if (isfinite(rows[i]))
            continue;
        st = bal_h5_read_one(f->data, first + i / d, col, &value);
        return bal_failed(st) ? st : not_finite(f, first + i / d, col, value);
    }
    return BAL_OK;
}

/* The rows of a panel being summed up. */
typedef struct walk {
    bal_h5ad *f;
    const int64_t *ptr; /* [count + 1], of the panel */
    bal_gidx first;     /* row of the panel */
    bal_size row;       /* of the panel, being summed */
    double *sum;        /* [d], of the matrix */
    float *rows;        /* [count, d], of what is kept */
    int64_t *index;     /* [PIECE] */
    double *value;      /* [PIECE] */
} walk;

/* The input row being summed; a turned slab has those that count alone. */
static bal_gidx row_of(const walk *w)
{
    bal_gidx row = w->first + w->row;

    return w->f->info.storage == BAL_CSC ? bal_h5ad_input_row(w->f, row) : row;
}

static bal_status finish_row(walk *w)
{
    bal_size d = width_of(w->f);
    float *row = w->rows + w->row * d;

    for (bal_size j = 0; j < d; j++) {
        bal_size col = column_of(w->f, j);
        row[j] = (float)w->sum[col];
        if (!isfinite(row[j]))
            return not_finite(w->f, row_of(w), col, w->sum[col]);
    }
    memset(w->sum, 0, (size_t)w->f->info.d * sizeof *w->sum);
    w->row++;
    return BAL_OK;
}

/* Entries at .. at + len - 1 of the matrix, or of the turned slab. */
static bal_status fetch(walk *w, int64_t at, bal_size len)
{
    const bal_slab *s = &w->f->slab;
    bal_status st;

    if (w->f->info.storage == BAL_CSC) {
        for (bal_size i = 0; i < len; i++) {
            w->index[i] = s->col[at + i];
            w->value[i] = s->value[at + i];
        }
        return BAL_OK;
    }
    st = bal_h5_read(w->f->indices, H5T_NATIVE_INT64, at, len, w->index);
    return bal_failed(st)
               ? st
               : bal_h5_read(w->f->data, H5T_NATIVE_DOUBLE, at, len, w->value);
}

static bal_status add_piece(walk *w, int64_t at, bal_size len)
{
    bal_size d = w->f->info.d;
    bal_status st = fetch(w, at, len);

    for (bal_size i = 0; i < len && !bal_failed(st); i++) {
        while (at + i >= w->ptr[w->row + 1] && !bal_failed(st))
            st = finish_row(w);
        if (bal_failed(st))
            break;
        if (w->index[i] < 0 || w->index[i] >= d)
            return BAL_FAIL(BAL_EINPUT,
                            "cannot use '%s', matrix '%s': row %lld has an "
                            "entry in column %lld of %lld",
                            w->f->path, w->f->info.name,
                            (long long)row_of(w),
                            (long long)w->index[i], (long long)d);
        w->sum[w->index[i]] += w->value[i];
    }
    return st;
}

static bal_status add_up(walk *w, bal_size count)
{
    bal_size most = w->ptr[count] - w->ptr[0];
    bal_status st;

    if (most > PIECE)
        most = PIECE;
    BAL_TRY(bal_alloc(&w->sum, w->f->info.d, "a sparse row"));
    BAL_TRY(bal_alloc(&w->index, most, "sparse entries"));
    BAL_TRY(bal_alloc(&w->value, most, "sparse entries"));
    for (int64_t at = w->ptr[0]; at < w->ptr[count]; at += most) {
        bal_size left = w->ptr[count] - at;
        BAL_TRY(add_piece(w, at, left < most ? left : most));
    }
    while (w->row < count)
        BAL_TRY(finish_row(w));
done:
    bal_free(&w->value);
    bal_free(&w->index);
    bal_free(&w->sum);
    return st;
}

bal_status bal_h5ad_check_ptr(const bal_h5ad *f, const int64_t *p,
                              bal_size count, bal_gidx first)
{
    for (bal_size i = 0; i < count; i++)
        if (p[i] < (i > 0 ? p[i - 1] : 0) || p[i] > f->info.nnz)
            return BAL_FAIL(BAL_EINPUT,
                            "cannot use '%s', matrix '%s': element %lld of its "
                            "'indptr' is out of order or out of range",
                            f->path, f->info.name, (long long)(first + i));
    return BAL_OK;
}

static bal_status read_csr(bal_h5ad *f, bal_gidx first, bal_size count,
                           float *rows)
{
    walk w = {.f = f, .first = first, .rows = rows};
    int64_t *ptr = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&ptr, count + 1, "pointers of sparse rows"));
    BAL_TRY(bal_h5_read(f->indptr, H5T_NATIVE_INT64, first, count + 1, ptr));
    BAL_TRY(bal_h5ad_check_ptr(f, ptr, count + 1, first));
    w.ptr = ptr;
    BAL_TRY(add_up(&w, count));
done:
    bal_free(&ptr);
    return st;
}

static bal_status read_turned(bal_h5ad *f, bal_gidx first, bal_size count,
                              float *rows)
{
    walk w = {.f = f, .first = first, .rows = rows};

    BAL_REQUIRE(first >= f->slab.first &&
                first + count <= f->slab.first + f->slab.m);
    w.ptr = f->slab.ptr + (first - f->slab.first);
    return add_up(&w, count);
}

/* Input rows of a matrix that is read row by row. */
static bal_status read_run(bal_h5ad *f, bal_gidx first, bal_size count,
                           float *rows)
{
    bal_comm_count_io(f->comm, (bal_size)((double)f->info.file_bytes *
                                          (double)count / (double)f->n));
    return f->info.storage == BAL_DENSE ? read_dense(f, first, count, rows)
                                        : read_csr(f, first, count, rows);
}

bal_status bal_h5ad_read_rows(bal_h5ad *f, bal_gidx first, bal_size count,
                              float *rows)
{
    bal_status st = bal_fault("read");

    BAL_REQUIRE(f->is_loaded);
    if (bal_failed(st) || count == 0)
        return st;
    if (f->info.storage == BAL_CSC)
        return read_turned(f, first, count, rows);
    for (bal_size i = 0, run; i < count && !bal_failed(st); i += run) {
        bal_gidx row = bal_h5ad_input_row(f, first + i);
        run = f->chosen.n > 0 ? 1 : count;
        while (i + run < count &&
               bal_h5ad_input_row(f, first + i + run) == row + run)
            run++;
        st = read_run(f, row, run, rows + i * width_of(f));
    }
    return st;
}
