/**
 * @file
 * What a run says about itself, as JSON values.
 *
 * One tree is written as uns/balans of the output file and as the JSON report,
 * so that the two cannot differ.  The values are jansson's own; what is here
 * adds what JSON does not have.  A function that makes a value returns NULL if
 * memory ran out; json_pack() hands that on: a tree is complete or NULL.
 */
#ifndef BAL_IO_REPORT_H
#define BAL_IO_REPORT_H

#include <jansson.h>
#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/base/types.h"
#include "balans/par/comm.h"

/** A string; a byte that is not part of UTF-8 becomes U+FFFD.  Local. */
json_t *bal_report_text(const char *bytes);

/** A number; null where it is not finite, as JSON knows no such number.
 *  Local. */
json_t *bal_report_real(double v);

/** An array of [count] strings, as by bal_report_text().  Local. */
json_t *bal_report_texts(char *const *v, bal_size count);

/** Arrays of [count] numbers.  Local. */
json_t *bal_report_ints(const int64_t *v, bal_size count);
json_t *bal_report_reals(const double *v, bal_size count);

/**
 * Adds an entry whose key comes from data: made UTF-8 as by bal_report_text(),
 * and with U+FFFD behind it where the object has that key already, so that no
 * entry takes the place of another.  Local.
 * @param value  taken over, also on failure; may be NULL, which is one
 * @return whether it was added
 */
bool bal_report_add(json_t *object, const char *key, json_t *value);

/** The object if `all` of its entries were added, else NULL, and it is freed.
 *  Local. */
json_t *bal_report_whole(json_t *object, bool all);

/** BAL_ENOMEM, with a sentence, for a tree that is NULL.  Local. */
bal_status bal_report_status(const json_t *r);

/**
 * Writes a tree as JSON; the file appears complete or not at all.
 *
 * Collective.  Same on every rank: path.
 * @param[in] r  used on rank 0; NULL counts as out of memory
 * Fails with BAL_EIO, BAL_ENOMEM.
 */
bal_verdict bal_report_write(bal_comm *c, const char *path, const json_t *r);

#endif
