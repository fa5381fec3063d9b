/** @file  The landmarks of a pass: what rows they are, and A in both orders. */
#ifndef BAL_APP_LANDMARKS_H
#define BAL_APP_LANDMARKS_H

#include "passes.h"

/** Names the landmarks and makes A by tile and by block from its rows.
 *
 *  Collective.
 *  @param[in]     memory  bytes of work space
 *  @param[in,out] bytes   most bytes that A has taken; raised
 *  Fails with BAL_ENOMEM, BAL_ERANGE. */
bal_verdict bal_landmarks_arrange(bal_comm *c, const bal_csr *a,
                                  bal_size memory, int threads,
                                  const bal_points *points, bal_landmarks *k,
                                  bal_size *bytes);

/** Frees what they hold; landmarks that were zeroed are fine.  Local. */
void bal_landmarks_finish(bal_landmarks *k);

#endif
