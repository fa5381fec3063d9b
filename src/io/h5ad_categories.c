/* Categories, enumerations and masks of a column. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "h5ad_column.h"

/* ---- Masks ---- */

static bal_status bal_read_mask(const bal_request *q, hid_t dataset,
                                bal_size count, bool **out)
{
    size_t bytes;
    H5T_class_t class = bal_h5_class(dataset, &bytes);
    hid_t type = H5Dget_type(dataset);
    bal_status st = BAL_OK;

    if (bytes != 1 ||
        (class != H5T_ENUM && class != H5T_INTEGER && class != H5T_BITFIELD)) {
        st = bal_column_refuse(q, "its mask is not a vector of booleans");
    } else {
        unsigned char *mask = NULL;
        BAL_TRY(bal_alloc(&mask, count, "a mask"));
        st = bal_h5_read(dataset, type, 0, count, mask);
        if (!bal_failed(st))
            st = bal_alloc(out, count, "a mask");
        for (bal_size i = 0; i < count && !bal_failed(st); i++)
            (*out)[i] = mask[i] != 0;
        bal_free(&mask);
    }
done:
    H5Tclose(type);
    return st;
}

bal_status bal_check_mask(const bal_request *q, hid_t dataset)
{
    bool *mask = NULL;
    bal_status st = bal_read_mask(q, dataset, q->n, &mask);

    for (bal_size i = 0; i < q->n && !bal_failed(st); i++)
        if (mask[i])
            st = bal_column_missing(q, i);
    bal_free(&mask);
    return st;
}

/* ---- Enumerations ---- */

typedef struct member {
    int64_t value;
    int32_t code; /* -1 stands for no value */
} member;

typedef struct members {
    bal_table *t;
    member *at; /* [count], by value */
    bal_size count;
    bool *absent; /* [t->q->n], or NULL: every element must have a value */
} members;

static int by_value(const void *a, const void *b)
{
    const member *x = a, *y = b;

    return (x->value > y->value) - (x->value < y->value);
}

static bool is_logical(hid_t type, int count)
{
    bool yes = count > 0;

    for (int i = 0; i < count && yes; i++) {
        char *name = H5Tget_member_name(type, (unsigned)i);
        yes = name != NULL &&
              (strcmp(name, "FALSE") == 0 || strcmp(name, "TRUE") == 0 ||
               strcmp(name, "NA") == 0);
        H5free_memory(name);
    }
    return yes;
}

/* Values of unsigned members keep their bits. */
static bal_status take_member(hid_t type, unsigned i, bool logical,
                              bal_table *t, member *out)
{
    union {
        unsigned char bytes[16];
        int64_t value;
    } room = {{0}};
    hid_t base = H5Tget_super(type);
    hid_t wide = H5Tget_sign(base) == H5T_SGN_NONE ? H5T_NATIVE_UINT64
                                                   : H5T_NATIVE_INT64;
    char *name = H5Tget_member_name(type, i);
    bal_status st = BAL_OK;

    if (name == NULL || H5Tget_size(base) > sizeof room.bytes ||
        H5Tget_member_value(type, i, room.bytes) < 0 ||
        H5Tconvert(base, wide, 1, room.bytes, NULL, H5P_DEFAULT) < 0) {
        st = bal_column_refuse(t->q, "its enumeration cannot be read");
    } else {
        out->value = room.value;
        out->code = -1;
        if (strcmp(name, "NA") != 0)
            st = bal_table_look_up(
                t, !logical ? name : bal_bool_name(strcmp(name, "TRUE") == 0),
                &out->code);
    }
    H5free_memory(name);
    H5Tclose(base);
    return st;
}

static bal_status take_enumerated(void *arg, bal_gidx i, bal_number v)
{
    char why[128];
    const members *m = arg;
    const member key = {v.whole, 0};
    const member *hit =
        bsearch(&key, m->at, (size_t)m->count, sizeof key, by_value);

    if (hit == NULL) {
        snprintf(why, sizeof why,
                 "row %lld holds %lld, which its enumeration does not name",
                 (long long)i, (long long)v.whole);
        return bal_column_refuse(m->t->q, why);
    }
    m->t->code[i] = hit->code;
    if (hit->code < 0 && m->absent != NULL)
        m->absent[i] = true;
    else if (hit->code < 0)
        return bal_column_missing(m->t->q, i);
    return BAL_OK;
}

bal_status bal_read_enumerated(hid_t dataset, bal_table *t, bool *absent)
{
    hid_t type = H5Dget_type(dataset);
    int count = H5Tget_nmembers(type);
    bool logical = is_logical(type, count);
    members m = {.t = t, .count = count, .absent = absent};
    bal_status st;

    BAL_TRY(bal_alloc(&m.at, count > 0 ? count : 0, "an enumeration"));
    for (int i = 0; i < count; i++)
        BAL_TRY(take_member(type, (unsigned)i, logical, t, &m.at[i]));
    if (count > 0)
        qsort(m.at, (size_t)count, sizeof *m.at, by_value);
    BAL_TRY(bal_each_number(dataset, t->q->n, take_enumerated, &m));
done:
    bal_free(&m.at);
    H5Tclose(type);
    return st;
}

/* ---- Categories ---- */

typedef struct categories {
    bal_h5_list *names;
    bool *absent; /* [names] */
    bal_size count;
    bool real, narrow, whole, positive;
} categories;

/* As among values, the text NA beside others stands for none. */
static bal_status take_category_text(void *arg, bal_gidx i, const char *s)
{
    categories *c = arg;

    c->absent[i] = s == NULL || (c->count > 1 && strcmp(s, "NA") == 0);
    return bal_h5_list_add(c->names, s != NULL ? s : "");
}

static bal_status judge_category(void *arg, bal_gidx i, bal_number v)
{
    categories *c = arg;

    (void)i;
    c->whole = c->whole && (isnan(v.real) || bal_is_whole(v.real));
    return BAL_OK;
}

static bal_status take_category_number(void *arg, bal_gidx i, bal_number v)
{
    categories *c = arg;
    char text[64] = "";

    c->absent[i] = c->real && isnan(v.real);
    if (c->absent[i])
        return bal_h5_list_add(c->names, text);
    if (!c->real && c->positive)
        snprintf(text, sizeof text, "%llu", (unsigned long long)v.whole);
    else if (!c->real)
        snprintf(text, sizeof text, "%lld", (long long)v.whole);
    else if (c->whole)
        snprintf(text, sizeof text, "%lld", (long long)v.real);
    else
        bal_format_real(v.real, c->narrow, text, sizeof text);
    return bal_h5_list_add(c->names, text);
}

static bal_status read_category_numbers(hid_t dataset, bal_size count,
                                        size_t bytes, categories *c)
{
    bal_status st = BAL_OK;

    c->narrow = bytes <= sizeof(float);
    c->positive = bal_is_unsigned(dataset);
    c->whole = c->real;
    if (c->real)
        st = bal_each_number(dataset, count, judge_category, c);
    return bal_failed(st)
               ? st
               : bal_each_number(dataset, count, take_category_number, c);
}

/* The members of an enumeration, as the categories say them. */
static bal_status read_category_enum(const bal_request *q, hid_t dataset,
                                     bal_size count, categories *c)
{
    const bal_request whole = {q->path, q->column, q->what, count};
    bal_table t = {.q = &whole};
    bal_status st;

    BAL_TRY(bal_alloc(&t.code, count, "categories"));
    BAL_TRY(bal_read_enumerated(dataset, &t, c->absent));
    for (bal_size i = 0; i < count; i++)
        BAL_TRY(bal_h5_list_add(
            c->names, c->absent[i] ? "" : t.names.item[t.code[i]]));
done:
    bal_free(&t.code);
    bal_free(&t.slot);
    bal_h5_list_free(&t.names);
    return st;
}

bal_status bal_read_categories(const bal_request *q, const bal_parts *p,
                               bal_h5_list *names, bool **absent, bool *numeric)
{
    bal_size dims[2];
    size_t bytes;
    bool *mask = NULL;
    H5T_class_t class = bal_h5_class(p->categories, &bytes);
    categories c = {.names = names, .real = class == H5T_FLOAT};
    bal_status st;

    bal_h5_dims(p->categories, dims);
    BAL_TRY(bal_alloc(absent, dims[0], "categories"));
    c.absent = *absent;
    c.count = dims[0];
    *numeric = class == H5T_INTEGER || class == H5T_FLOAT;
    if (class == H5T_STRING)
        st = bal_h5_read_texts(p->categories, 0, dims[0], take_category_text,
                               &c);
    else if (*numeric)
        st = read_category_numbers(p->categories, dims[0], bytes, &c);
    else if (class == H5T_ENUM)
        st = read_category_enum(q, p->categories, dims[0], &c);
    else
        st = bal_column_refuse(q, "its categories are neither text nor "
                                  "numbers");
    if (bal_failed(st) || p->categories_mask < 0)
        goto done;
    BAL_TRY(bal_read_mask(q, p->categories_mask, dims[0], &mask));
    for (bal_size i = 0; i < dims[0]; i++)
        (*absent)[i] = (*absent)[i] || mask[i];
done:
    bal_free(&mask);
    return st;
}
