/** @file  What a checkpoint holds; for keep.c and its parts alone. */
#ifndef BAL_APP_KEEP_STORE_H
#define BAL_APP_KEEP_STORE_H

#include "balans/io/store.h"
#include "keep.h"

enum { BAL_IDENTITY_MOST = 16384 }; ///< bytes, with the end

extern const bal_store_kind bal_keeper_kind;

/** Fails with BAL_EINPUT unless what a checkpoint says is right.  Local. */
bal_status bal_keeper_check(const bal_keeper *k, bool right);

/** Writes the state of the run.  Collective.  Fails with BAL_EIO, BAL_ENOMEM;
 *  the checkpoint is then what it was. */
bal_verdict bal_keeper_write(bal_keeper *k, const bal_sample_state *state);

/** Reads it into k->from, k->pass, k->blending, k->points and k->passed.
 *  Collective.  Fails with BAL_EINPUT if the file is damaged or the checkpoint
 *  of another run, naming the first difference; with BAL_ENOMEM. */
bal_verdict bal_keeper_read(bal_keeper *k);

/** The part of it that is A.  Collective.  Fail as the store does. */
bal_verdict bal_keeper_write_affinity(bal_store *s, bal_comm *c,
                                      const bal_csr *rows,
                                      const bal_order *order);
bal_verdict bal_keeper_read_affinity(bal_store *s, bal_keeper *k);

#endif
