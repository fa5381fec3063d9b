/** @file  Queues over all ranks. */
#ifndef BAL_PAR_TICKET_H
#define BAL_PAR_TICKET_H

#include "balans/par/comm.h"

/** A place in a queue over all ranks: ascending (key, row); `pos` rides along.
 *  BAL_TICKET_NONE fills up. */
typedef struct bal_ticket {
    uint64_t key;
    bal_gidx row, pos;
} bal_ticket;
#define BAL_TICKET_NONE ((bal_ticket){UINT64_MAX, INT64_MAX, -1})

/** Below, at or above 0: a comes before b, is b, comes after b.  Local. */
int bal_ticket_order(const bal_ticket *a, const bal_ticket *b);

/** Merges queues: `list` becomes the first w of all ranks' tickets, in order.
 *  Collective.  Same on every rank: w.
 *  @param[in,out] list  [w], ascending, filled up with BAL_TICKET_NONE
 *  Cost: one allreduce of 24 w bytes. */
void bal_ticket_merge(bal_comm *c, bal_ticket *list, int w);

#endif
