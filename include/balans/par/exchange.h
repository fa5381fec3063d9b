/** @file  Records from every rank to every rank. */
#ifndef BAL_PAR_EXCHANGE_H
#define BAL_PAR_EXCHANGE_H

#include <stddef.h>

#include "balans/base/status.h"
#include "balans/par/comm.h"

/**
 * Sends send_count[r] records of `size` bytes to each rank r, taken in turn
 * from `send`, and receives what the others send to this one.
 *
 * Collective.  Same on every rank: `size`.
 * @param[in]  send        the records, ordered by destination
 * @param[in]  send_count  [comm size]
 * @param[out] recv        new array, ordered by source; owned by the caller,
 *                         freed with bal_free()
 * @param[out] recv_count  [comm size], allocated by the caller
 * Fails with BAL_ENOMEM; with BAL_ERANGE if a rank sends or receives 2^31
 * records or more at once.
 */
bal_verdict bal_exchange(bal_comm *c, const void *send,
                         const bal_size *send_count, size_t size, void **recv,
                         bal_size *recv_count);

#endif
