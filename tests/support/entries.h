/**
 * @file
 * A made-up matrix A over the points of tests/support/points.h: sparse rows,
 * an empty one, a full one.
 */
#ifndef TEST_ENTRIES_H
#define TEST_ENTRIES_H

#include "balans/data/csr.h"

enum {
    ENTRIES_ROWS = 23,
    ENTRIES_EMPTY = 4, /* the row without entries */
    ENTRIES_FULL = 5,  /* the row with all */
};

/** The entry of a row at a position, 0 where there is none.  Local. */
float entries_value(bal_size row, bal_gidx pos);

/** This rank's entries of a row.  Local. */
bal_size entries_here(const bal_layout *l, bal_size row);

/** A; the landmark of row i is i * 3.  Local; ends the program on failure. */
bal_csr *entries_create(const bal_layout *l);

#endif
