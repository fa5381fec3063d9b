/**
 * @file
 * The one table of options: one line for each says which commands take it, its
 * name, kind, default, range, unit and meaning.
 *
 * Reading the command line and YAML files, checking, --help, `balans params`,
 * configs/default.yaml and the provenance in the output are functions of this
 * table.  `commands` is always a set of bal_for: a line counts if one of them
 * takes it.  All functions are local.
 */
#ifndef BAL_APP_OPTIONS_H
#define BAL_APP_OPTIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "balans/app/params.h"
#include "balans/base/status.h"
#include "balans/io/config.h"

/** A command that takes options; sets of them are sums. */
typedef enum bal_for {
    BAL_FOR_CORRECT = 1,
    BAL_FOR_EVALUATE = 2,
    BAL_FOR_SIMULATE = 4,
    BAL_FOR_INFO = 8,
    BAL_FOR_PARAMS = 16,
    BAL_FOR_FIT = 32,
    BAL_FOR_APPLY = 64,
    BAL_FOR_REPORT = 128,
} bal_for;

/** Kind of a value, and the type of its member of bal_params. */
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

/** What --help puts together, under one heading each. */
typedef enum bal_group {
    BAL_GROUP_DATA = 0,
    BAL_GROUP_SPACE,
    BAL_GROUP_SAMPLING,
    BAL_GROUP_CORRECTION,
    BAL_GROUP_METRICS,
    BAL_GROUP_MIXTURE,
    BAL_GROUP_OUTPUT,
    BAL_GROUP_RESOURCES,
    BAL_GROUP_STOPPING,
    BAL_GROUP_RUN,
    BAL_GROUP_COUNT
} bal_group;

/** A line.  Two lines may have one name if no command takes both. */
typedef struct bal_option {
    const char *name;  ///< without dashes; NULL ends the table
    char letter;       ///< short form, 0 if none
    bal_group group;   ///< in --help
    unsigned commands; ///< those that take it
    unsigned required; ///< those of them that cannot do without
    bal_option_kind kind;
    size_t at;          ///< offset of the member in bal_params
    const char *preset; ///< default, as text; NULL for text that is not set
    const char *const
        *choice;         ///< BAL_OPTION_CHOICE: the names, NULL at the end
    double low, high;    ///< BAL_OPTION_INT, _REAL, _SIZE: the range
    bool above, below;   ///< whether `low`, `high` themselves are not allowed
    bool automatic;      ///< "auto" is allowed, and stored as 0
    bool result;         ///< the output depends on it: part of the provenance
    bool command_line;   ///< not allowed in files, not printed
    bool repeated;       ///< BAL_OPTION_TEXT: may be given again; the values
                         ///< are joined by line breaks
    bool list;           ///< BAL_OPTION_TEXT: several values are one text, with
                         ///< commas; a second mention is an error
    const char *operand; ///< in --help, such as "COLUMN"; NULL for a flag
    const char *unit;    ///< NULL if it has none
    const char *meaning; ///< one line, lower case, no full stop
} bal_option;


extern const bal_option bal_options[];

/** The line after `o` that counts, the first one for NULL; NULL at the end. */
const bal_option *bal_option_next(unsigned commands, const bal_option *o);

/** The same among those of one group, as help prints them. */
const bal_option *bal_option_next_in(unsigned commands, bal_group group,
                                     const bal_option *o);

/** The line of that name, or NULL. */
const bal_option *bal_option_find(unsigned commands, const char *name);

/** The name nearest to a mistyped one; NULL if none is near. */
const char *bal_option_nearest(unsigned commands, const char *name);

/**
 * Sets one value from text.
 * @param[in] again  whether the option was given before, and `text` is to be
 *                   added to that where the option is a repeated one
 * @param[in] who    who asks, for the message: "option '--pca'"
 * Fails with BAL_EUSAGE, saying what is allowed; the value is then untouched.
 */
bal_status bal_option_set(const bal_option *o, bal_params *p, const char *text,
                          bool again, const char *who);

/** Sets what a file says; every file may have all parameters of `correct`.
 *  Fails with BAL_EUSAGE, naming file, line and key. */
bal_status bal_options_configure(bal_params *p, const bal_config *file);

/** Whether all that is required is there.  Fails with BAL_EUSAGE. */
bal_status bal_options_complete(unsigned commands, const bal_params *p);

/** What is allowed, such as "an integer from 1 to 4095".  @return buf */
char *bal_option_allowed(const bal_option *o, char *buf, size_t size);

/** The value as text that bal_option_set() would take; "null" for text that is
 *  not set.  @return buf */
char *bal_option_value(const bal_option *o, const bal_params *p, char *buf,
                       size_t size);

/** Writes the values as YAML with unit, range and meaning as comments. */
void bal_options_print(unsigned commands, const bal_params *p, FILE *stream);

/** "Sampling" and so on. */
const char *bal_group_title(bal_group group);

/** What --help says of an option: its names and operand, as
 *  "-q, --quiet"; its meaning, what is allowed and the default.  @return buf */
char *bal_option_names(const bal_option *o, char *buf, size_t size);
char *bal_option_describe(const bal_option *o, unsigned commands, char *buf,
                          size_t size);

/** Writes the lines of --help, group by group. */
void bal_options_help(unsigned commands, FILE *stream);

/** The values the output depends on, under the options' names; NULL if memory
 *  ran out. */
json_t *bal_options_report(unsigned commands, const bal_params *p);

#endif
