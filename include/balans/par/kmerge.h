/**
 * @file
 * The k smallest over all ranks, from the k smallest of each.
 * Source: algorithm.md, section 9.
 */
#ifndef BAL_PAR_KMERGE_H
#define BAL_PAR_KMERGE_H

#include "balans/par/comm.h"

/** Up to this k lists are merged; above it values are counted. */
enum { BAL_KMERGE_MOST = 1024 };

/**
 * Merges lists: row i becomes the k smallest of all ranks' rows i, ascending.
 *
 * Collective.  Same on every rank: rows, k.
 * @param[in,out] list  [rows, k], ascending, padded with +infinity
 * @param[in]     k     1 .. BAL_KMERGE_MOST
 * Cost: one allreduce of 4 rows k bytes, in a tree.
 */
void bal_kmerge(bal_comm *c, float *list, bal_size rows, int k);

enum { BAL_KRADIX_WORK = 2048 + 2 }; ///< int64 of work space for a row

/**
 * Finds for each row i the k[i]-th smallest of all ranks' values, by counting
 * bit patterns: of non-negative floats they are in the order of the values.
 *
 * Collective.  Same on every rank: rows, k.
 * @param[in]  value  [rows], arrays of this rank, each of count[i] values >= 0
 * @param[in]  k      [rows], from 1; the ranks together hold at least k[i]
 *                    (otherwise the row's result means nothing)
 * @param      work   [rows, BAL_KRADIX_WORK], overwritten
 * @param[out] kth    [rows]
 * Cost: three allreduces of 16 KiB a row, whatever k.
 */
void bal_kradix(bal_comm *c, const float *const *value, const bal_size *count,
                const bal_size *k, bal_size rows, int64_t *work, float *kth);

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
