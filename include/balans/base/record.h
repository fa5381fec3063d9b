/**
 * @file
 * A small ordered tree of named values: what a run says about itself.
 *
 * One tree is written as uns/balans of the output file and as the JSON report,
 * so that the two cannot differ.  All functions are local.  A record whose
 * memory ran out keeps what it has and says so through bal_record_status().
 */
#ifndef BAL_BASE_RECORD_H
#define BAL_BASE_RECORD_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/base/types.h"

typedef enum bal_kind {
    BAL_KIND_TEXT,  ///< one string
    BAL_KIND_INT,   ///< one int64
    BAL_KIND_REAL,  ///< one double
    BAL_KIND_FLAG,  ///< one boolean
    BAL_KIND_INTS,  ///< [count] int64
    BAL_KIND_REALS, ///< [count] double
    BAL_KIND_NODE,  ///< a record
} bal_kind;

typedef struct bal_record bal_record;

/** One entry, in the order of insertion; `next` is NULL at the end. */
typedef struct bal_entry {
    char *key;
    bal_kind kind;
    char *text;        ///< BAL_KIND_TEXT
    int64_t integer;   ///< BAL_KIND_INT; 0 or 1 for BAL_KIND_FLAG
    double real;       ///< BAL_KIND_REAL
    bal_size count;    ///< length of the arrays
    int64_t *integers; ///< BAL_KIND_INTS, [count]
    double *reals;     ///< BAL_KIND_REALS, [count]
    bal_record *node;  ///< BAL_KIND_NODE
    struct bal_entry *next;
} bal_entry;

/** A new empty record, owned by the caller; NULL if memory ran out (all other
 *  functions accept NULL and do nothing). */
bal_record *bal_record_create(void);

/** Frees the record and everything in it; sets `*r` to NULL. */
void bal_record_destroy(bal_record **r);

/** Each adds an entry, or replaces the one of that key in its place; everything
 *  is copied. */
void bal_record_text(bal_record *r, const char *key, const char *value);
void bal_record_int(bal_record *r, const char *key, int64_t value);
void bal_record_real(bal_record *r, const char *key, double value);
void bal_record_flag(bal_record *r, const char *key, bool value);
void bal_record_ints(bal_record *r, const char *key, const int64_t *value,
                     bal_size count);
void bal_record_reals(bal_record *r, const char *key, const double *value,
                      bal_size count);

/** The record below `key`, made if it is not there; owned by `r`. */
bal_record *bal_record_node(bal_record *r, const char *key);

/** A new record at the end, for a key the caller knows to be new: where there
 *  are thousands, looking for it would take long. */
bal_record *bal_record_append(bal_record *r, const char *key);

/** The first entry, NULL if there is none.  Borrowed. */
const bal_entry *bal_record_first(const bal_record *r);

/** The entry of that key, or NULL.  Borrowed. */
const bal_entry *bal_record_find(const bal_record *r, const char *key);

/** BAL_ENOMEM if anything was lost in this record or below, else BAL_OK. */
bal_status bal_record_status(const bal_record *r);

#endif
