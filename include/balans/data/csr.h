/**
 * @file
 * The sparse matrix A of affinities, m landmarks by n points: of each row, the
 * entries whose points this rank holds.
 */
#ifndef BAL_DATA_CSR_H
#define BAL_DATA_CSR_H

#include "balans/base/status.h"
#include "balans/data/shard.h"
#include "balans/par/comm.h"
#include "balans/par/layout.h"

/** This rank's entries of one row; the arrays are owned. */
typedef struct bal_csr_row {
    bal_gidx landmark; ///< its position, the same on every rank
    bal_size count;    ///< entries of this rank, may be 0
    bal_lidx *index;   ///< [count], local indices, ascending
    float *value;      ///< [count], affinities in (0, 1]
} bal_csr_row;

/** Rows in canonical order: the same rows on every rank. */
typedef struct bal_csr {
    const bal_layout *layout; ///< borrowed
    bal_size m;               ///< rows
    bal_size room;            ///< rows for which `row` has room
    bal_csr_row *row;         ///< [m], their arrays inside the chunks
    char **chunk;             ///< [chunks], the memory of the rows
    bal_size chunks;
    bal_size bytes; ///< in all chunks
    char *next;     ///< where the next row goes, with room for `left` bytes
    bal_size left;
} bal_csr;

/** Room for `count` entries, not set, and BAL_LANES more, in an empty row.
 *  Local.  Fails with BAL_ENOMEM. */
bal_status bal_csr_row_create(bal_csr_row *row, bal_size count);

/** Frees a row's arrays; an empty row is fine.  Local. */
void bal_csr_row_finish(bal_csr_row *row);

/** No rows.  Local.  `layout` is borrowed.  Fails with BAL_ENOMEM. */
bal_status bal_csr_create(const bal_layout *layout, bal_csr **out);

/** Frees it and its rows.  Local; NULL is fine. */
void bal_csr_destroy(bal_csr **a);

/** Adds a copy of a row at the end and frees its arrays (`*row` becomes empty).
 *  Local.  Fails with BAL_ENOMEM; the row is then untouched. */
bal_status bal_csr_push(bal_csr *a, bal_csr_row *row);

/** Entries of this rank in all rows.  Local. */
bal_size bal_csr_entries(const bal_csr *a);

/** Entries of every row over all ranks, [m].  Collective. */
void bal_csr_row_sizes(bal_comm *c, const bal_csr *a, int64_t *size);

/** Column sums: c_j = sum over the rows in order of a_ij, in double; [m] of the
 *  layout.  Local. */
void bal_csr_column_sums(const bal_csr *a, double *sum);

/** A run of whole rows of A on one rank, columns numbered by input row. */
typedef struct bal_csr_run {
    bal_size rows;    ///< rows of this rank's run
    bal_size entries; ///< in them
    bal_gidx *column; ///< [entries], input rows, ascending within each row
    float *value;     ///< [entries]
} bal_csr_run;

/**
 * Collects rows first .. first + count - 1 with all their entries: each rank
 * gets the run bal_slab_first() cuts out for it.
 *
 * Collective.  Same on every rank: first, count.
 * @param[out] run  its arrays are freed with bal_csr_run_finish()
 * Fails with BAL_ENOMEM, BAL_ERANGE.
 * Cost: one exchange of 16 bytes an entry, sorting of the entries.
 */
bal_verdict bal_csr_collect(bal_comm *c, const bal_csr *a,
                            const bal_route *route, bal_size first,
                            bal_size count, bal_csr_run *run);

/** Local. */
void bal_csr_run_finish(bal_csr_run *run);

#endif
