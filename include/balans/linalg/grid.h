/**
 * @file
 * Dense matrices spread over all ranks, and their eigenvectors (ScaLAPACK).
 *
 * Ranks form a grid of rows x columns, as square as their number allows:
 * floor(sqrt(size)) rows and as many columns as there are ranks for; the few
 * ranks left over, as for 5 or 7, stay idle, hold nothing, and take part in
 * every collective call all the same.  Matrices are cut into blocks of BAL_NB x
 * BAL_NB that go round the grid in both directions, so every rank holds a share
 * of n^2 / size.  Reference: Blackford et al., "ScaLAPACK Users' Guide", 1997.
 *
 * ScaLAPACK's results depend on the grid by rounding: on another number of
 * ranks the last bits differ.
 */
#ifndef BAL_LINALG_GRID_H
#define BAL_LINALG_GRID_H

#include "balans/base/status.h"
#include "balans/par/comm.h"

enum {
    BAL_NB = 64, ///< rows and columns of a block
};

typedef struct bal_grid {
    int rows, columns; ///< of the grid
    int row, column;   ///< of this rank; -1 on an idle one
} bal_grid;

/** One matrix; this rank's part is [columns_here, rows_here], column-major. */
typedef struct bal_spread {
    bal_grid grid;
    int rows, columns; ///< of the whole matrix
    int rows_here, columns_here;
    int ld; ///< distance between columns, at least 1
    double *at;
} bal_spread;

/** The grid of `size` ranks, seen by one of them; ranks go along its rows.
 *  Local. */
bal_grid bal_grid_of(int rank, int size);

/** Where row or column i of a matrix is kept: the grid row or column, and the
 *  index there.  `over` is the grid's number of rows or columns.  Local. */
static inline int bal_grid_owner(int64_t i, int over)
{
    return (int)(i / BAL_NB % over);
}
static inline int bal_grid_index(int64_t i, int over)
{
    return (int)(i / BAL_NB / over * BAL_NB + i % BAL_NB);
}

/** The row or column of the matrix that local index `here` of grid row or
 *  column `me` is.  Local. */
static inline int64_t bal_grid_global(int here, int me, int over)
{
    return ((int64_t)(here / BAL_NB) * over + me) * BAL_NB + here % BAL_NB;
}

/** Entries a rank holds of a rows x columns matrix, at most.  Local. */
bal_size bal_grid_share(bal_size rows, bal_size columns, int ranks);

/**
 * This rank's part of a zero matrix.
 *
 * Local.
 * @param[in] what  for the message
 * Fails with BAL_ENOMEM; with BAL_ERANGE if a share reaches 2^31 entries.
 */
bal_status bal_spread_init(bal_spread *a, bal_grid g, bal_size rows,
                           bal_size columns, const char *what);

/** Frees this rank's part.  Local. */
void bal_spread_finish(bal_spread *a);

/**
 * Finds the k largest eigenvalues of a symmetric matrix, and their vectors.
 *
 * Collective; a, spread over the ranks of c, is used up.
 * @param[in]  a       [n, n]; only its upper triangle (row <= column) is read
 * @param[in]  k       1 .. n
 * @param[out] value   [k], ascending, the same on every rank
 * @param[out] vector  [n, n], made with bal_spread_init(); column i < k belongs
 *                     to value[i]; the other columns are unspecified
 * Fails with BAL_ENOMEM, BAL_ERANGE; with BAL_ENUMERIC if the iteration does
 * not converge.
 * Cost: 4/3 n^3 / size flops and n^2 / size doubles of work space.
 */
bal_verdict bal_grid_eigh_largest(bal_comm *c, bal_spread *a, int k,
                                  double *value, bal_spread *vector);

#endif
