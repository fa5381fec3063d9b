/**
 * @file
 * The sparse matrix A of affinities, m landmarks by n points, as the sampler
 * makes it: row by row, of each the entries whose points this rank holds.
 */
#ifndef BAL_DATA_CSR_H
#define BAL_DATA_CSR_H

#include "balans/base/status.h"
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

#endif
