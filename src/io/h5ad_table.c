/* Values seen in a column, in a hash table with open addressing, and numbers as
 * they are read and named. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/data/labels.h"
#include "h5ad_column.h"

enum { PIECE = 1 << 16 }; /* values in memory at a time */

static const double exact = 9007199254740992.0; /* 2^53 */

/* ---- A table of values ---- */

static bal_size hash(const char *s)
{
    uint64_t h = 1469598103934665603u;

    for (; *s != '\0'; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211u;
    return (bal_size)(h >> 8);
}

static int32_t *find_slot(const bal_table *t, const char *s)
{
    bal_size mask = t->slots - 1, at = hash(s) & mask;

    while (t->slot[at] != 0 && strcmp(t->names.item[t->slot[at] - 1], s) != 0)
        at = (at + 1) & mask;
    return &t->slot[at];
}

static bal_status grow(bal_table *t)
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
bal_status bal_table_look_up(bal_table *t, const char *s, int32_t *code)
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

/* ---- Numbers as text ---- */

void bal_format_real(double v, bool narrow, char *text, size_t size)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, v);
        double back = strtod(text, NULL);
        if (isnan(v) || back == v || (narrow && (float)back == (float)v))
            return;
    }
}

const char *bal_bool_name(int64_t v)
{
    return v != 0 ? "True" : "False";
}

bool bal_is_whole(double v)
{
    return fabs(v) <= exact && v == floor(v);
}

bool bal_is_unsigned(hid_t dataset)
{
    hid_t type = H5Dget_type(dataset), base = type;

    if (H5Tget_class(type) == H5T_ENUM)
        base = H5Tget_super(type);
    bool yes =
        H5Tget_class(base) == H5T_INTEGER && H5Tget_sign(base) == H5T_SGN_NONE;
    if (base != type)
        H5Tclose(base);
    H5Tclose(type);
    return yes;
}

static hid_t memory_type(hid_t dataset, H5T_class_t class)
{
    if (class == H5T_FLOAT)
        return H5T_NATIVE_DOUBLE;
    return bal_is_unsigned(dataset) ? H5T_NATIVE_UINT64 : H5T_NATIVE_INT64;
}

bal_status bal_each_number(hid_t dataset, bal_size count,
                           bal_number_taker *take, void *arg)
{
    size_t bytes;
    hid_t type = memory_type(dataset, bal_h5_class(dataset, &bytes));
    bal_number *value = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&value, count < PIECE ? count : PIECE, "a column"));
    for (bal_size at = 0; at < count; at += PIECE) {
        bal_size now = count - at < PIECE ? count - at : PIECE;
        BAL_TRY(bal_h5_read(dataset, type, at, now, value));
        for (bal_size i = 0; i < now; i++)
            BAL_TRY(take(arg, at + i, value[i]));
    }
done:
    bal_free(&value);
    return st;
}
