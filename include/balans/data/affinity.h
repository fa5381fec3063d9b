/**
 * @file
 * The sparse matrix A of affinities in the order in which it is used: by blocks
 * of points, and in each block landmark by landmark.
 *
 * A is computed row by row (data/csr).  Held by tile it serves the distance
 * space, held by block of the file the profiles; in both a sweep over blocks
 * (data/blocks) reads it from front to end.  The entries of a landmark in a
 * block are ordered by (batch, row), so those of one batch follow one another.
 *
 * Memory: 6 bytes an entry, 8 for each landmark that a block has entries of.
 * Source: architecture.md, "The way of the data".
 */
#ifndef BAL_DATA_AFFINITY_H
#define BAL_DATA_AFFINITY_H

#include "balans/base/status.h"
#include "balans/data/blocks.h"
#include "balans/data/csr.h"
#include "balans/data/route.h"
#include "balans/par/comm.h"

/** The entries of one landmark in one block. */
typedef struct bal_run {
    int32_t landmark; ///< its number
    int32_t end;      ///< one past its last entry, counted from the block's
} bal_run;

typedef struct bal_affinity {
    bal_size m;              ///< landmarks
    bal_size count;          ///< blocks of this rank
    bal_size *run_first;     ///< [count + 1]
    bal_run *run;            ///< ascending by landmark in each block
    bal_size *entry_first;   ///< [count + 1]
    uint16_t *row;           ///< the point of each entry: a row of the block
    float *value;            ///< the affinity, in (0, 1]
    const int32_t *batch;    ///< [rows of this rank] of each point; borrowed
    const bal_size *start;   ///< [count + 1] first row of each block; borrowed
} bal_affinity;

/** A by tile.  Local.  `order` is borrowed.  Fails with BAL_ENOMEM, BAL_ERANGE.
 *  Cost: two passes over the entries. */
bal_status bal_affinity_by_tile(const bal_csr *a, const bal_order *order,
                                int threads, bal_affinity **out);

/**
 * A by block of the file.
 *
 * Collective.  `x` lends its blocks, `order` its batches.
 * @param[in] memory  bytes of work space for entries on their way
 * Fails with BAL_ENOMEM, BAL_ERANGE.
 * Cost: 12 bytes an entry are exchanged, landmark by landmark.
 */
bal_verdict bal_affinity_by_block(bal_comm *c, const bal_csr *a,
                                  const bal_order *order, const bal_blocks *x,
                                  bal_size memory, int threads,
                                  bal_affinity **out);

/** Local; NULL is fine. */
void bal_affinity_destroy(bal_affinity **a);

/** Entries of this rank, and the most in a block.  Local. */
bal_size bal_affinity_entries(const bal_affinity *a);
bal_size bal_affinity_most(const bal_affinity *a);

/** Entries of run r, which is of block b: from the first to before the end.
 *  Local. */
static inline bal_size bal_run_first(const bal_affinity *a, bal_size b,
                                     bal_size r)
{
    return a->entry_first[b] + (r > a->run_first[b] ? a->run[r - 1].end : 0);
}

static inline bal_size bal_run_end(const bal_affinity *a, bal_size b,
                                   bal_size r)
{
    return a->entry_first[b] + a->run[r].end;
}

/** The first run of block b of landmark l or a later one.  Local.  Cost: log of
 *  the block's runs. */
bal_size bal_affinity_run_from(const bal_affinity *a, bal_size b, bal_size l);

/** Column sums: c_j = sum over landmarks in order of a_lj, in double; [rows of
 *  this rank].  Local. */
void bal_affinity_coverage(const bal_affinity *a, double *sum);

/** A run of whole rows of A on one rank, columns numbered by input row. */
typedef struct bal_affinity_rows {
    bal_size rows;    ///< rows of this rank's run
    bal_size entries; ///< in them
    bal_gidx *column; ///< [entries], input rows, ascending within each row
    float *value;     ///< [entries]
} bal_affinity_rows;

/** Entries of every row over all ranks, [m].  Collective. */
void bal_affinity_row_sizes(bal_comm *c, const bal_affinity *a, int64_t *size);

/**
 * Collects rows first .. first + count - 1 of A by block with all their
 * entries: each rank gets the run that bal_share_first() cuts out for it.
 *
 * Collective.  Same on every rank: first, count.
 * @param[in]  row  input row of this rank's first point
 * @param[out] out  its arrays are freed with bal_affinity_rows_finish()
 * Fails with BAL_ENOMEM, BAL_ERANGE.
 * Cost: a pass over the runs of A, one exchange of 16 bytes an entry.
 */
bal_verdict bal_affinity_collect(bal_comm *c, const bal_affinity *a,
                                 bal_gidx row, bal_size first, bal_size count,
                                 bal_affinity_rows *out);

/** Local. */
void bal_affinity_rows_finish(bal_affinity_rows *r);

#endif
