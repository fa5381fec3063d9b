/**
 * @file
 * Numbers out of text, and text out of lists, for messages and options.
 */
#ifndef BAL_BASE_TEXT_H
#define BAL_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "balans/base/status.h"
#include "balans/base/types.h"

/** Parses all of `s` as a decimal integer / a finite real number / a 64-bit
 *  unsigned integer / a size such as 512M, 2G, 1.5GiB (powers of 1024).  Local.
 *  @return whether it was one; `*out` is set only then */
bool bal_parse_int(const char *s, int64_t *out);
bool bal_parse_real(const char *s, double *out);
bool bal_parse_u64(const char *s, uint64_t *out);
bool bal_parse_size(const char *s, bal_size *out);

/** Writes "a, b, c" into `buf`, cut with ", ..." where it does not fit; "none"
 *  for an empty list.  Local.  @return buf */
char *bal_join(char *buf, size_t size, char *const *item, bal_size count);

/** The name of [count] that is nearest to a mistyped one, by letters inserted,
 *  left out or replaced; NULL if none is near.  Local. */
const char *bal_nearest(const char *given, const char *const *name,
                        size_t count);

/** Writes a number of bytes for people, such as "1.5 GiB".  Local.
 *  @return buf */
char *bal_bytes(char *buf, size_t size, bal_size bytes);

/** The last part of a path: the name of the file.  Local.  Borrowed. */
const char *bal_path_name(const char *path);

/** The folder of a file, "." where the path names none.  Local.  `*out` is
 *  owned by the caller.  Fails with BAL_ENOMEM. */
bal_status bal_path_folder(const char *path, char **out);

#endif
