/**
 * @file
 * The k-th smallest over the ranks that share a batch.
 *
 * Tiles being batch-major, a batch lies on a run of neighbouring ranks, and a
 * rank shares at most two with others: its first and its last.  Only those that
 * hold points of a batch search it, in a binomial tree.  Two batches that share
 * a rank are searched one after the other, all others at the same time: first
 * those with an even number among the shared ones, then the rest.
 *
 * For k up to BAL_SELECT_LISTS the lists of the k smallest are merged up the
 * tree; for larger k the bits of the k-th are found by counting, in three
 * turns: of non-negative floats the bit patterns are in the order of the
 * values. Source: algorithm.md, section 9.
 */
#ifndef BAL_PAR_SELECT_H
#define BAL_PAR_SELECT_H

#include "balans/base/status.h"
#include "balans/par/comm.h"
#include "balans/par/layout.h"

/** Up to this k lists are merged; above it values are counted. */
enum { BAL_SELECT_LISTS = 1024 };

/** A batch that this rank shares with others. */
typedef struct bal_share {
    bal_size batch;
    bal_size k;      ///< largest k asked for
    int phase;       ///< 0 or 1: when it is searched
    int members;     ///< ranks that hold points of it
    int me;          ///< this rank's number among them
    int *rank;       ///< [members], ascending
    bal_size *first; ///< [members + 1], points of the batch on members before
} bal_share;

typedef struct bal_select bal_select;

/** The batches this rank shares, at most two.  Local.  @return how many */
int bal_select_batches(const bal_layout *l, bal_size batch[2]);

/** Bytes for searches of `w` rows at a time, with the largest k of each shared
 *  batch.  Local. */
bal_size bal_select_memory(const bal_layout *l, const bal_size k[2], int w);

/**
 * Prepares searches of up to `w` rows at a time.  Local.
 * @param[in] k  [2] the largest k for each shared batch, the same on all ranks
 *               that share it
 * Fails with BAL_ENOMEM.
 */
bal_status bal_select_create(const bal_layout *l, const bal_size k[2], int w,
                             bal_select **out);

/** Local; NULL is fine. */
void bal_select_destroy(bal_select **s);

/** What is asked about one shared batch. */
typedef struct bal_query {
    const float *list; ///< this rank's k smallest of row i, ascending and
                       ///< >= 0, at list + i * stride
    bal_size stride;
    const bal_size *count; ///< how many there are, at count + i * skip; fewer
    bal_size skip;         ///< than k where the rank holds no more
    const bal_size *k;     ///< [w], 1 .. the largest, the ranks hold as many;
                           ///< the same on all ranks that share the batch
    float *kth;            ///< [w], the result, on all these ranks
} bal_query;

/**
 * Finds the k-th smallest of `w` rows in each of this rank's shared batches.
 *
 * Collective.  Same on every rank: w.
 * @param[in] query  for each shared batch, in the order of
 *                   bal_select_batches()
 * Cost, for each shared batch of k on g ranks: with lists 4 w k bytes up and
 * 4 w bytes down the tree to each of at most log2(g) ranks; counting, three
 * times 16 KiB w up and 16 w down.
 */
void bal_select_find(bal_comm *c, bal_select *s, int w,
                     const bal_query query[2]);

#endif
