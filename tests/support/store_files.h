/** @file  A store with something of each type, and whether it is still that. */
#ifndef TEST_STORE_FILES_H
#define TEST_STORE_FILES_H

#include <stdbool.h>

#include "balans/io/store.h"

enum { STORE_N = 1003, STORE_D = 7 }; ///< of "rows", in float

extern const bal_store_kind store_kind;

/** Writes the store, with `bytes` rows of "many"; each rank has an equal run of
 *  rows.  Collective. */
bal_verdict store_write(bal_comm *c, const char *path, bal_size bytes);

/** Whether all of it can be read and is what was written.  Each rank reads an
 *  equal run of rows, or, from 0 on, rank `owner` all.  Collective. */
bool store_is_right(bal_comm *c, const char *path, int owner, bal_size bytes);

/** Whether this is so for "rows".  Local. */
bool store_rows_are_right(bal_comm *c, const bal_store *s, int owner);

#endif
