/**
 * @file
 * One categorical column of obs: which value each input row has.
 *
 * A rank holds the codes of its slab (the input rows from bal_slab_first() on);
 * the table of names is the same on every rank.
 */
#ifndef BAL_DATA_LABELS_H
#define BAL_DATA_LABELS_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/par/comm.h"

typedef struct bal_labels {
    bal_size n;      ///< input rows, over all ranks
    bal_gidx first;  ///< first input row of this rank's slab
    bal_size m;      ///< rows of the slab
    int32_t *code;   ///< [m], 0 .. count - 1
    bal_size count;  ///< different values that occur
    char **name;     ///< [count], ascending: numbers by value, text by bytes
    bal_size *size;  ///< [count], rows of each over all ranks, at least 1
} bal_labels;

/**
 * Makes one table out of what each rank found in its slab: values that occur
 * nowhere are dropped, equal ones become one, and the rest are sorted.
 *
 * Collective.  Same on every rank: n, numeric, what.
 * @param[in] name      [names], this rank's values, may differ between ranks
 * @param[in] code      [slab rows], indices into `name`; taken over and
 *                      rewritten on success, still the caller's on failure
 * @param[in] numeric   whether the names are decimal numbers, sorted by value
 * @param[in] what      for messages, such as "batch column 'plate'"
 * Fails with BAL_ENOMEM; with BAL_EINPUT for more than BAL_LABELS_MOST values.
 */
bal_verdict bal_labels_unify(bal_comm *c, bal_size n, char *const *name,
                             bal_size names, int32_t *code, bool numeric,
                             const char *what, bal_labels **out);
enum { BAL_LABELS_MOST = 1000000 };

/**
 * The labels of some of the rows, n of them over all ranks: a table of those
 * values of `l` that occur, in its order.
 *
 * Collective.  Same on every rank: n.
 * @param[in] code  [slab rows of n], as in `l`; taken over and rewritten on
 *                  success, still the caller's on failure
 * Fails with BAL_ENOMEM.
 */
bal_verdict bal_labels_subset(bal_comm *c, const bal_labels *l, bal_size n,
                              int32_t *code, bal_labels **out);

/** Local; NULL is fine. */
void bal_labels_destroy(bal_labels **l);

#endif
