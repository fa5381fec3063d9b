/* Columns of obs that name groups.
 *
 * Rank 0 finds out how the column is encoded and tells the others; each rank
 * reads its slab.  Categories are read by every rank, codes by slab; other
 * columns are turned into codes by a table of the values seen, a hash table
 * with open addressing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/layout.h"
#include "h5ad_internal.h"

/* Values seen so far, and where to find them. */
typedef struct table {
    bal_h5_list names;
    int32_t *slot; /* [slots], index of a name + 1, or 0 */
    bal_size slots;
    int32_t *code; /* [slab rows] */
    bal_gidx first;
} table;

static bal_status missing(const bal_request *q, bal_gidx row)
{
    return BAL_FAIL(BAL_EINPUT,
                    "cannot use '%s', %s column '%s': row %lld has no value; "
                    "fill in or remove such rows",
                    q->f->path, q->what, q->column, (long long)row);
}

/* ---- A table of values ---- */

static bal_size hash(const char *s)
{
    uint64_t h = 1469598103934665603u;

    for (; *s != '\0'; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211u;
    return (bal_size)(h >> 8);
}

static int32_t *find_slot(const table *t, const char *s)
{
    bal_size mask = t->slots - 1, at = hash(s) & mask;

    while (t->slot[at] != 0 && strcmp(t->names.item[t->slot[at] - 1], s) != 0)
        at = (at + 1) & mask;
    return &t->slot[at];
}

static bal_status grow(table *t)
{
    bal_size slots = t->slots > 0 ? 2 * t->slots : 64;

    bal_free(&t->slot);
    t->slots = 0;
    bal_status st = bal_alloc(&t->slot, slots, "a table of labels");
    if (bal_failed(st))
        return st;
    t->slots = slots;
    for (bal_size i = 0; i < t->names.count; i++)
        *find_slot(t, t->names.item[i]) = (int32_t)i + 1;
    return BAL_OK;
}

/* One more name than may be is kept: whoever unites the tables says so. */
static bal_status look_up(table *t, const char *s, int32_t *code)
{
    bal_status st = BAL_OK;
    int32_t *slot;

    if (2 * (t->names.count + 1) > t->slots)
        st = grow(t);
    if (bal_failed(st))
        return st;
    slot = find_slot(t, s);
    if (*slot == 0 && t->names.count <= BAL_LABELS_MOST) {
        st = bal_h5_list_add(&t->names, s);
        if (!bal_failed(st))
            *slot = (int32_t)t->names.count;
    }
    *code = *slot > 0 ? *slot - 1 : 0;
    return st;
}

static bal_status take_value(void *arg, bal_gidx i, const char *s)
{
    table *t = arg;

    return look_up(t, s, &t->code[i - t->first]);
}

/* ---- Reading a slab ---- */

/* The fewest digits that give the number back. */
static void format_real(double v, bool narrow, char *text, size_t size)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, v);
        double back = strtod(text, NULL);
        if (isnan(v) || back == v || (narrow && (float)back == (float)v))
            return;
    }
}

static const char *bool_name(int64_t v)
{
    return v != 0 ? "True" : "False";
}

typedef struct reals {
    double *value;
    bal_size count;
    bool narrow, whole;
} reals;

static void judge(reals *r)
{
    r->whole = true;
    for (bal_size i = 0; i < r->count; i++)
        if (!(fabs(r->value[i]) < 9e15) || r->value[i] != floor(r->value[i]))
            r->whole = false;
}

static bal_status list_reals(hid_t dataset, bal_size count, size_t bytes,
                             bal_h5_list *names)
{
    char text[64];
    reals r = {.count = count, .narrow = bytes <= sizeof(float)};
    bal_status st;

    BAL_TRY(bal_alloc(&r.value, count, "categories"));
    BAL_TRY(bal_h5_read(dataset, H5T_NATIVE_DOUBLE, 0, count, r.value));
    judge(&r);
    for (bal_size i = 0; i < count; i++) {
        if (r.whole)
            snprintf(text, sizeof text, "%lld", (long long)r.value[i]);
        else
            format_real(r.value[i], r.narrow, text, sizeof text);
        BAL_TRY(bal_h5_list_add(names, text));
    }
done:
    bal_free(&r.value);
    return st;
}

static bal_status list_integers(hid_t dataset, bal_size count, bool is_bool,
                                bal_h5_list *names)
{
    char text[32];
    int64_t *value = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&value, count, "categories"));
    BAL_TRY(bal_h5_read(dataset, H5T_NATIVE_INT64, 0, count, value));
    for (bal_size i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%lld", (long long)value[i]);
        BAL_TRY(bal_h5_list_add(names, is_bool ? bool_name(value[i]) : text));
    }
done:
    bal_free(&value);
    return st;
}

static bal_status take_category(void *arg, bal_gidx i, const char *s)
{
    (void)i;
    return bal_h5_list_add(arg, s);
}

static bal_status read_categories(const bal_h5ad *f, const bal_column *col,
                                  bal_h5_list *names, bool *numeric)
{
    bal_size dims[2];
    size_t bytes;
    hid_t dataset = bal_h5_find(f->file, col->categories);
    bal_status st;

    if (bal_h5_dims(dataset, dims) != 1)
        return BAL_FAIL(BAL_EINPUT, "cannot read '%s', '%s': it is gone",
                        f->path, col->categories);
    H5T_class_t class = bal_h5_class(dataset, &bytes);
    *numeric = class == H5T_INTEGER || class == H5T_FLOAT;
    if (class == H5T_STRING)
        st = bal_h5_read_texts(dataset, 0, dims[0], take_category, names);
    else if (class == H5T_FLOAT)
        st = list_reals(dataset, dims[0], bytes, names);
    else
        st = list_integers(dataset, dims[0], class == H5T_ENUM, names);
    bal_h5_close(&dataset);
    return st;
}

static bal_status read_codes(const bal_request *q, hid_t dataset, bal_size m,
                             table *t)
{
    bal_status st =
        bal_h5_read(dataset, H5T_NATIVE_INT32, t->first, m, t->code);

    for (bal_size i = 0; i < m && !bal_failed(st); i++) {
        if (t->code[i] < 0)
            st = missing(q, t->first + i);
        else if (t->code[i] >= t->names.count)
            st = bal_column_refuse(q, "a code has no category");
    }
    return st;
}

static bal_status read_integers(hid_t dataset, bal_size m, bool is_bool,
                                bool is_unsigned, table *t)
{
    enum { PIECE = 1 << 16 };
    char text[32];
    int64_t *value = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&value, m < PIECE ? m : PIECE, "a column of obs"));
    for (bal_size i = 0; i < m; i++) {
        bal_size left = m - i;
        if (i % PIECE == 0)
            BAL_TRY(bal_h5_read(
                dataset, is_unsigned ? H5T_NATIVE_UINT64 : H5T_NATIVE_INT64,
                t->first + i, left < PIECE ? left : PIECE, value));
        int64_t v = value[i % PIECE];
        if (is_unsigned)
            snprintf(text, sizeof text, "%llu", (unsigned long long)v);
        else
            snprintf(text, sizeof text, "%lld", (long long)v);
        BAL_TRY(look_up(t, is_bool ? bool_name(v) : text, &t->code[i]));
    }
done:
    bal_free(&value);
    return st;
}

static bal_status check_mask(const bal_request *q, const bal_column *col,
                             bal_gidx first, bal_size m)
{
    signed char *mask = NULL;
    hid_t dataset = bal_h5_find(q->f->file, col->mask);
    hid_t type = dataset >= 0 ? H5Dget_type(dataset) : H5I_INVALID_HID;
    bal_status st = BAL_OK;

    if (type < 0 || H5Tget_size(type) != 1) {
        st = bal_column_refuse(q, "its mask is not a vector of booleans");
    } else {
        BAL_TRY(bal_alloc(&mask, m, "a column of obs"));
        BAL_TRY(bal_h5_read(dataset, type, first, m, mask));
    }
    for (bal_size i = 0; i < m && !bal_failed(st); i++)
        if (mask[i] != 0)
            st = missing(q, first + i);
done:
    bal_free(&mask);
    bal_h5_close(&type);
    bal_h5_close(&dataset);
    return st;
}

static bal_status read_values(const bal_request *q, const bal_column *col,
                              bal_size m, table *t, bool *numeric)
{
    size_t bytes;
    hid_t dataset = bal_h5_find(q->f->file, col->values);
    bal_status st;

    if (dataset < 0)
        return bal_column_refuse(q, "it cannot be opened");
    H5T_class_t class = bal_h5_class(dataset, &bytes);
    if (col->categories[0] != '\0') {
        st = read_codes(q, dataset, m, t);
    } else if (class == H5T_STRING) {
        *numeric = false;
        st = bal_h5_read_texts(dataset, t->first, m, take_value, t);
    } else {
        hid_t type = H5Dget_type(dataset);
        *numeric = class == H5T_INTEGER;
        st = read_integers(dataset, m, !*numeric,
                           *numeric && H5Tget_sign(type) == H5T_SGN_NONE, t);
        H5Tclose(type);
    }
    bal_h5_close(&dataset);
    return st;
}

static bal_status read_slab(const bal_request *q, const bal_column *col,
                            bal_size m, table *t, bool *numeric)
{
    bal_status st;

    BAL_TRY(bal_fault("batches"));
    BAL_TRY(bal_alloc(&t->code, m, "the labels"));
    if (col->mask[0] != '\0')
        BAL_TRY(check_mask(q, col, t->first, m));
    if (col->categories[0] != '\0')
        BAL_TRY(read_categories(q->f, col, &t->names, numeric));
    BAL_TRY(read_values(q, col, m, t, numeric));
done:
    return st;
}

bal_verdict bal_h5ad_labels(bal_h5ad *f, const char *name, const char *what,
                            bal_labels **out)
{
    char title[BAL_H5_TEXT_MAX];
    bal_comm *c = f->comm;
    bal_request q = {f, name, what};
    bal_column col = {{0}, {0}, {0}};
    table t = {.first = bal_slab_first(f->n, c->rank, c->size)};
    bal_size m = bal_slab_first(f->n, c->rank + 1, c->size) - t.first;
    bool numeric = false;
    bal_verdict st;

    *out = NULL;
    snprintf(title, sizeof title, "%s column '%s'", what, name);
    BAL_TRY(bal_agree(c, c->rank == 0 ? bal_column_look(&q, &col) : BAL_OK));
    bal_comm_bcast(c, &col, sizeof col, 0);
    BAL_TRY(bal_agree(c, read_slab(&q, &col, m, &t, &numeric)));
    bal_comm_count_io(c, m * (bal_size)sizeof *t.code);
    BAL_TRY(bal_labels_unify(c, f->n, t.names.item, t.names.count, t.code,
                             numeric, title, out));
    t.code = NULL;
done:
    bal_free(&t.code);
    bal_free(&t.slot);
    bal_h5_list_free(&t.names);
    return st;
}
