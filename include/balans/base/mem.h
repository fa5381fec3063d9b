/**
 * @file
 * Memory that is checked, aligned to BAL_ALIGN bytes, zeroed and counted.
 *
 * Every long-lived array of the program comes from here, so that the peak can
 * be held against the memory formula and a leak shows at exit.  Large arrays
 * that are freed are kept for later ones, within the peak so far: the process
 * never has more than the most that it held at one time.
 */
#ifndef BAL_BASE_MEM_H
#define BAL_BASE_MEM_H

#include <stddef.h>

#include "balans/base/status.h"
#include "balans/base/types.h"

/** Allocates `count` zeroed elements of `size` bytes; `*out` is NULL on failure
 *  and a valid pointer (to free) also for count 0.  Local.
 *  @param what  what it is for, for the message, such as "the shard of X"
 *  Fails with BAL_ENOMEM, also when count * size does not fit. */
bal_status bal_mem_alloc(void **out, bal_size count, size_t size,
                         const char *what);

/** The same, but what the elements hold is not said: for arrays that are filled
 *  at once.  Local. */
bal_status bal_mem_take(void **out, bal_size count, size_t size,
                        const char *what);

/** Gives freed memory that the C library keeps back to the system; at the end
 *  of a phase.  Local. */
void bal_mem_trim(void);

/** Grows or shrinks an array, keeping its contents up to the smaller size; new
 *  elements are not set.  Local.  On failure `*p` is untouched. */
bal_status bal_mem_resize(void **p, bal_size count, size_t size,
                          const char *what);

/** Frees `*p` and sets it to NULL; NULL is fine.  Local. */
void bal_mem_free(void **p);

/** Bytes held now, and the most held at any time.  Local. */
bal_size bal_mem_held(void);
bal_size bal_mem_peak(void);

/** Highest resident set of this process so far in bytes, as the system counts
 *  it.  Local. */
bal_size bal_mem_rss_peak(void);

#define bal_alloc(p, count, what) \
    bal_mem_alloc((void **)(p), (count), sizeof **(p), (what))
#define bal_take(p, count, what) \
    bal_mem_take((void **)(p), (count), sizeof **(p), (what))
#define bal_resize(p, count, what) \
    bal_mem_resize((void **)(p), (count), sizeof **(p), (what))
#define bal_free(p) bal_mem_free((void **)(p))

#endif
