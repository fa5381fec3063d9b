/** @file  From what one rank found to what all ranks know. */
#ifndef BAL_PAR_AGREE_H
#define BAL_PAR_AGREE_H

#include "balans/base/status.h"
#include "balans/par/comm.h"

/**
 * Agrees on the outcome of something each rank did alone.
 *
 * Collective; `mine` may differ between ranks.
 * @return BAL_OK if every rank brought BAL_OK; else the status of the lowest
 *         rank that failed, whose recorded sentence replaces the local record
 *         on every rank
 * Cost: one allreduce of 8 bytes; after a failure one broadcast of the record.
 */
bal_verdict bal_agree(bal_comm *c, bal_status mine);

/**
 * A place at which long work may end before its time: fails with what c->ask
 * fails with on any rank, BAL_ESTOPPED.
 *
 * Collective; without communication where there is nobody to ask.
 */
bal_verdict bal_pause(bal_comm *c);

#endif
