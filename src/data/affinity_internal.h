/** @file  What the files of data/affinity share; not for others. */
#ifndef BAL_DATA_AFFINITY_INTERNAL_H
#define BAL_DATA_AFFINITY_INTERNAL_H

#include "balans/data/affinity.h"

/** Without entries, and without room for runs.  Local.  Fails with
 *  BAL_ENOMEM; *out is then to be destroyed. */
bal_status bal_affinity_create(bal_size m, bal_size count,
                               const bal_size *start, const int32_t *batch,
                               bal_affinity **out);

/** first[b + 1] holds the count of block b; becomes where block b + 1 begins.
 *  Local. */
void bal_affinity_cumulate(bal_size *first, bal_size count);

/** Room for the entries that entry_first counts.  Local.  Fails with
 *  BAL_ENOMEM. */
bal_status bal_affinity_make_room(bal_affinity *a);

/** Where each of `threads` runs of landmarks first .. end - 1 begins,
 *  [threads + 1], so that all have about as many entries.  Local. */
void bal_affinity_cut(const bal_csr *rows, bal_size first, bal_size end,
                      int threads, bal_size *from);

/** Turns what threads count of each class, count [threads, classes], into where
 *  each puts its own, class by class and in the order of the threads; first
 *  [classes] is where the classes begin, and becomes where the next ones go.
 *  Local. */
void bal_affinity_place(bal_size *count, int threads, bal_size classes,
                        bal_size *first);

#endif
