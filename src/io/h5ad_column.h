/* What h5ad_columns.c, h5ad_values.c and h5ad_labels.c share: one column of
 * obs. */
#ifndef BAL_IO_H5AD_COLUMN_H
#define BAL_IO_H5AD_COLUMN_H

#include "h5ad_internal.h"

/* What is asked for; also for messages. */
typedef struct bal_request {
    const char *path, *column, *what;
    bal_size n; /* rows of obs */
} bal_request;

/* The parts of a column, open; H5I_INVALID_HID where there is none. */
typedef struct bal_parts {
    hid_t values; /* or codes, where there are categories */
    hid_t mask;
    hid_t categories, categories_mask;
    bool has_categories;
    int first_code; /* the code of the first category */
} bal_parts;

/* A column as read. */
typedef struct bal_column {
    bal_h5_list names;
    int32_t *code; /* [n], indices into names */
    bool numeric;  /* the names are numbers */
} bal_column;

bal_status bal_parts_open(hid_t file, const bal_request *q, bal_parts *p);
void bal_parts_close(bal_parts *p);

/* Reads all of a column; by one process. */
bal_status bal_column_read(hid_t file, const bal_request *q, bal_column *out);
void bal_column_finish(bal_column *c);

/* Fails with a sentence about the column. */
bal_status bal_column_refuse(const bal_request *q, const char *why);

/* Fails with a sentence about a row without a value. */
bal_status bal_column_missing(const bal_request *q, bal_gidx row);

/* ---- Values ---- */

/* Values seen so far, and where to find them. */
typedef struct bal_table {
    const bal_request *q;
    bal_h5_list names;
    int32_t *slot; /* [slots], index of a name + 1, or 0 */
    bal_size slots;
    int32_t *code;      /* [n] */
    const bool *absent; /* [names] of categories that stand for no value */
} bal_table;

/* The code of a value, new or seen. */
bal_status bal_table_look_up(bal_table *t, const char *s, int32_t *code);

typedef union bal_number {
    int64_t whole;
    double real;
} bal_number;

/* Calls back with each number of a vector, a double where the file has floating
 * point, else an integer. */
typedef bal_status bal_number_taker(void *arg, bal_gidx i, bal_number v);
bal_status bal_each_number(hid_t dataset, bal_size count,
                           bal_number_taker *take, void *arg);

bool bal_is_unsigned(hid_t dataset);

/* Whether it is a whole number that no other rounds to. */
bool bal_is_whole(double v);

/* The fewest digits that give the number back. */
void bal_format_real(double v, bool narrow, char *text, size_t size);
const char *bal_bool_name(int64_t v);

/* Turns a vector of an enumeration into codes of its members' names.  A member
 * NA has none: it fails with the row, or marks it in absent [n]. */
bal_status bal_read_enumerated(hid_t dataset, bal_table *t, bool *absent);

/* The names of the categories, and which of them stand for no value. */
bal_status bal_read_categories(const bal_request *q, const bal_parts *p,
                               bal_h5_list *names, bool **absent,
                               bool *numeric);

/* Fails where the mask of the column says that a value is missing. */
bal_status bal_check_mask(const bal_request *q, hid_t dataset);

#endif
