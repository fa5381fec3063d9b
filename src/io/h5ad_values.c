/* A column of obs that names groups, turned into codes by a table of the values
 * seen.
 *
 * What R writes has its own signs of missing values, which are no groups: the
 * smallest integer, -128 among logicals, a member NA of an enumeration, and the
 * text NA (Source: rhdf5, hdf5r). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/aside.h"
#include "h5ad_column.h"

bal_status bal_column_missing(const bal_request *q, bal_gidx row)
{
    return BAL_FAIL(BAL_EINPUT,
                    "cannot use '%s', %s column '%.200s': row %lld has no "
                    "value; fill in or remove such rows",
                    q->path, q->what, q->column, (long long)row);
}

/* ---- Codes ---- */

typedef struct codes {
    bal_table *t;
    bool real, positive;
    int first;
} codes;

static bal_status refuse_code(const codes *c, bal_gidx row, const char *code)
{
    char why[160];

    snprintf(why, sizeof why,
             "row %lld has the code %s, but there %s %lld categor%s",
             (long long)row, code, c->t->names.count == 1 ? "is" : "are",
             (long long)c->t->names.count,
             c->t->names.count == 1 ? "y" : "ies");
    return bal_column_refuse(c->t->q, why);
}

static bal_status take_code(void *arg, bal_gidx i, bal_number v)
{
    const codes *c = arg;
    char text[64];
    int64_t code;

    if (c->real && isnan(v.real))
        return bal_column_missing(c->t->q, i);
    if (c->real && !bal_is_whole(v.real)) {
        bal_format_real(v.real, false, text, sizeof text);
        return refuse_code(c, i, text);
    }
    code = c->real ? (int64_t)v.real : v.whole;
    if (code < c->first && !c->positive)
        return bal_column_missing(c->t->q, i);
    if ((uint64_t)code - (uint64_t)c->first >= (uint64_t)c->t->names.count) {
        snprintf(text, sizeof text, c->positive ? "%llu" : "%lld",
                 (unsigned long long)code);
        return refuse_code(c, i, text);
    }
    c->t->code[i] = (int32_t)(code - c->first);
    return c->t->absent[c->t->code[i]] ? bal_column_missing(c->t->q, i)
                                       : BAL_OK;
}

static bal_status read_codes(const bal_parts *p, H5T_class_t class,
                             bal_table *t)
{
    codes c = {.t = t, .real = class == H5T_FLOAT, .first = p->first_code};

    if (class != H5T_INTEGER && class != H5T_FLOAT && class != H5T_ENUM)
        return bal_column_refuse(t->q, "its codes are not numbers");
    c.positive = bal_is_unsigned(p->values);
    return bal_each_number(p->values, t->q->n, take_code, &c);
}

/* ---- Values ---- */

static bal_status take_text(void *arg, bal_gidx i, const char *s)
{
    bal_table *t = arg;

    return s != NULL ? bal_table_look_up(t, s, &t->code[i])
                     : bal_column_missing(t->q, i);
}

/* Text NA among others is how R writes that there is no value. */
static bal_status check_texts(const bal_table *t)
{
    int32_t na = -1;

    for (bal_size i = 0; i < t->names.count && na < 0; i++)
        if (strcmp(t->names.item[i], "NA") == 0)
            na = (int32_t)i;
    if (na >= 0 && t->names.count == 1)
        bal_aside_warn("%s column '%.200s' of '%s' holds nothing but the text "
                       "'NA'",
                       t->q->what, t->q->column, t->q->path);
    if (na < 0 || t->names.count == 1)
        return BAL_OK;
    for (bal_size i = 0; i < t->q->n; i++)
        if (t->code[i] == na)
            return bal_column_missing(t->q, i);
    return BAL_OK;
}

static bal_status read_texts(hid_t dataset, bal_table *t)
{
    bal_status st = bal_h5_read_texts(dataset, 0, t->q->n, take_text, t);

    return bal_failed(st) ? st : check_texts(t);
}

typedef struct integers {
    bal_table *t;
    bool positive, logical;
    int64_t none; /* R's missing value; 0 = it has none */
} integers;

static bal_status take_integer(void *arg, bal_gidx i, bal_number v)
{
    const integers *c = arg;
    char text[32];

    if (c->none != 0 && v.whole == c->none)
        return bal_column_missing(c->t->q, i);
    snprintf(text, sizeof text, c->positive ? "%llu" : "%lld",
             (unsigned long long)v.whole);
    return bal_table_look_up(c->t, c->logical ? bal_bool_name(v.whole) : text,
                             &c->t->code[i]);
}

static bool has_text(hid_t dataset, const char *name, const char *value)
{
    char text[BAL_H5_TEXT_MAX];

    return bal_h5_get_text(dataset, name, text, sizeof text) &&
           strcmp(text, value) == 0;
}

typedef struct range {
    int64_t low; /* the least value but -128 ... */
    int64_t high;
    bool has_none; /* ... and whether that occurs */
} range;

static bal_status find_range(void *arg, bal_gidx i, bal_number v)
{
    range *r = arg;

    (void)i;
    if (v.whole == INT8_MIN)
        r->has_none = true;
    else if (v.whole < r->low)
        r->low = v.whole;
    if (v.whole > r->high)
        r->high = v.whole;
    return BAL_OK;
}

/* Bytes that are 0, 1 and -128 are R's logicals, whether they say so or not. */
static bal_status judge_bytes(hid_t dataset, integers *c)
{
    range r = {0, 0, false};
    bal_status st;

    c->logical = has_text(dataset, "storage.mode", "logical") ||
                 has_text(dataset, "storage-mode", "logical");
    st = bal_each_number(dataset, c->t->q->n, find_range, &r);
    if (r.low >= 0 && r.high <= 1 && r.has_none)
        c->logical = true;
    if (c->logical)
        c->none = INT8_MIN;
    return st;
}

static bal_status read_integers(hid_t dataset, size_t bytes, bal_table *t,
                                bool *numeric)
{
    integers c = {.t = t, .positive = bal_is_unsigned(dataset)};
    bool is_r = H5Aexists(dataset, "rhdf5-NA.OK") > 0 ||
                H5Aexists(dataset, "rhdf5-NA-OK") > 0;
    bal_status st = BAL_OK;

    if (!c.positive && bytes == 1)
        st = judge_bytes(dataset, &c);
    else if (!c.positive && bytes == 4)
        c.none = INT32_MIN;
    else if (!c.positive && bytes == 8 && is_r)
        c.none = INT64_MIN;
    *numeric = !c.logical;
    return bal_failed(st) ? st
                          : bal_each_number(dataset, t->q->n, take_integer, &c);
}

/* Whole numbers are names like any; a fraction is a measurement. */
static bal_status take_real(void *arg, bal_gidx i, bal_number v)
{
    bal_table *t = arg;
    char text[64], why[192];

    if (isnan(v.real))
        return bal_column_missing(t->q, i);
    if (!bal_is_whole(v.real)) {
        bal_format_real(v.real, false, text, sizeof text);
        snprintf(
            why, sizeof why,
            "row %lld holds %s, which is no whole number; store what names "
            "groups as strings, integers or a categorical",
            (long long)i, text);
        return bal_column_refuse(t->q, why);
    }
    snprintf(text, sizeof text, "%lld", (long long)v.real);
    return bal_table_look_up(t, text, &t->code[i]);
}

static bal_status read_values(const bal_parts *p, bal_table *t, bool *numeric)
{
    size_t bytes;
    H5T_class_t class = bal_h5_class(p->values, &bytes);

    if (p->has_categories)
        return read_codes(p, class, t);
    *numeric = class == H5T_INTEGER || class == H5T_FLOAT;
    switch ((int)class) {
    case H5T_STRING:
        return read_texts(p->values, t);
    case H5T_ENUM:
        return bal_read_enumerated(p->values, t, NULL);
    case H5T_INTEGER:
        return read_integers(p->values, bytes, t, numeric);
    case H5T_FLOAT:
        return bal_each_number(p->values, t->q->n, take_real, t);
    default:
        return bal_column_refuse(t->q, "its values do not name groups");
    }
}

bal_status bal_column_read(hid_t file, const bal_request *q, bal_column *out)
{
    bal_table t = {.q = q};
    bal_parts p;
    bool *absent = NULL;
    bal_status st;

    *out = (bal_column){0};
    BAL_TRY(bal_parts_open(file, q, &p));
    BAL_TRY(bal_alloc(&t.code, q->n, "the labels"));
    if (p.mask >= 0)
        BAL_TRY(bal_check_mask(q, p.mask));
    if (p.has_categories)
        BAL_TRY(bal_read_categories(q, &p, &t.names, &absent, &out->numeric));
    t.absent = absent;
    BAL_TRY(read_values(&p, &t, &out->numeric));
    out->names = t.names;
    out->code = t.code;
    t.names = (bal_h5_list){0};
    t.code = NULL;
done:
    bal_parts_close(&p);
    bal_free(&absent);
    bal_free(&t.slot);
    bal_free(&t.code);
    bal_h5_list_free(&t.names);
    return st;
}

void bal_column_finish(bal_column *c)
{
    bal_free(&c->code);
    bal_h5_list_free(&c->names);
}
