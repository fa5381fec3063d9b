/**
 * @file
 * Options described by a table: one line for each says its name, kind, default,
 * range, unit and meaning.
 *
 * Reading the command line and YAML files, checking, --help, printing and the
 * provenance in the output are functions of such a table and of the object that
 * holds the values, any struct.  A table ends with a line without a name.  All
 * functions are local.
 */
#ifndef BAL_APP_OPTIONS_H
#define BAL_APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "balans/base/record.h"
#include "balans/base/status.h"
#include "balans/io/config.h"

/** Kind of a value, and the type of its member in the object. */
typedef enum bal_option_kind {
    BAL_OPTION_TEXT = 0,  ///< char *, owned; NULL while not set
    BAL_OPTION_INT,       ///< int64_t
    BAL_OPTION_SEED,      ///< uint64_t
    BAL_OPTION_REAL,      ///< double
    BAL_OPTION_FLAG,      ///< bool
    BAL_OPTION_CHOICE,    ///< int, index into `choice`
    BAL_OPTION_NEIGHBORS, ///< bal_neighbors
    BAL_OPTION_SIZE,      ///< int64_t, bytes
} bal_option_kind;

typedef struct bal_option {
    const char *name; ///< without dashes; NULL ends the table
    char letter;      ///< short form, 0 if none
    bal_option_kind kind;
    size_t at;          ///< offset of the member in the object
    const char *preset; ///< default, as text; NULL for text that is not set
    const char *const
        *choice;         ///< BAL_OPTION_CHOICE: the names, NULL at the end
    double low, high;    ///< BAL_OPTION_INT, _REAL, _SIZE: the range
    bool above, below;   ///< whether `low`, `high` themselves are not allowed
    size_t given;        ///< offset of a bool that the command line sets if it
                         ///< gives the option; 0 if nobody asks
    bool automatic;      ///< "auto" is allowed, and stored as 0
    bool result;         ///< the output depends on it: part of the provenance
    bool command_line;   ///< not allowed in files, not printed
    bool required;       ///< for --help
    bool repeated;       ///< BAL_OPTION_TEXT: may be given again; the values
                         ///< are joined by line breaks
    const char *operand; ///< in --help, such as "COLUMN"; NULL for a flag
    const char *unit;    ///< NULL if it has none
    const char *meaning; ///< one line, lower case, no full stop
} bal_option;

/** Gives every value its default; the object must be zeroed or destroyed.
 *  Fails with BAL_ENOMEM. */
bal_status bal_options_default(const bal_option *table, void *object);

/** Frees what the object owns and zeroes those members. */
void bal_options_destroy(const bal_option *table, void *object);

/** The line of that name, or NULL. */
const bal_option *bal_option_find(const bal_option *table, const char *name);

/** The name in the table nearest to a mistyped one; NULL if none is near. */
const char *bal_option_nearest(const bal_option *table, const char *name);

/**
 * Sets one value from text.
 * @param[in] who  who asks, for the message: "option '--pca'"
 * Fails with BAL_EUSAGE, saying what is allowed; the value is then untouched.
 */
bal_status bal_option_set(const bal_option *o, void *object, const char *text,
                          const char *who);

/** Sets what a file says.  Fails with BAL_EUSAGE, naming file, line and key. */
bal_status bal_options_configure(const bal_option *table, void *object,
                                 const bal_config *file);

/** What is allowed, such as "an integer from 1 to 4095".  @return buf */
char *bal_option_allowed(const bal_option *o, char *buf, size_t size);

/** The value as text that bal_option_set() would take; "null" for text that is
 *  not set.  @return buf */
char *bal_option_value(const bal_option *o, const void *object, char *buf,
                       size_t size);

/** Writes the values as YAML with unit, range and meaning as comments. */
void bal_options_print(const bal_option *table, const void *object,
                       FILE *stream);

/** Writes the lines of --help. */
void bal_options_help(const bal_option *table, FILE *stream);

/** Adds the values the output depends on, under the options' names. */
void bal_options_record(const bal_option *table, const void *object,
                        bal_record *r);

#endif
