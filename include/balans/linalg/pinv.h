/**
 * @file
 * The pseudo-inverse of a symmetric matrix spread over all ranks (ScaLAPACK),
 * kept as its factors.
 *
 *     W = Q L Q^T,   W^+ = Q_k L_k^-1 Q_k^T
 *
 * over the eigenvalues that are positive and above rcond times the largest:
 * what is negative is dropped, so W^+ belongs to the positive part of W.
 *
 * Results depend on the process grid, and so on the number of ranks, by
 * rounding; an eigenvalue that is rcond times the largest to the last bit may
 * be kept on one number of ranks and dropped on another.
 * Reference: Tisseur and Dongarra, "A parallel divide and conquer algorithm for
 * the symmetric eigenvalue problem on distributed memory architectures", 1999.
 */
#ifndef BAL_LINALG_PINV_H
#define BAL_LINALG_PINV_H

#include "balans/base/status.h"
#include "balans/linalg/grid.h"
#include "balans/par/comm.h"

typedef struct bal_pinv {
    bal_grid grid;
    bal_size m;        ///< rows and columns of W
    bal_size kept;     ///< k, eigenvalues kept
    bal_size negative; ///< eigenvalues below 0
    double *value;     ///< [m], ascending, the same on every rank
    bal_spread w;      ///< until it is solved
    bal_spread vector; ///< [m, m]; column i belongs to value[i]
} bal_pinv;

/** Most bytes a rank holds for it: about 32 m^2 / ranks while it is solved.
 *  Local. */
bal_size bal_pinv_memory(bal_size m, int ranks);

/** Bytes a rank holds once it is solved.  Local. */
bal_size bal_pinv_memory_after(bal_size m, int ranks);

/**
 * A zero matrix.
 *
 * Collective.  Same on every rank: m, at least 1.
 * @param[in]  memory  bytes this rank may use
 * @param[out] out     owned by the caller
 * Fails with BAL_ENOMEM, also where bal_pinv_memory() exceeds `memory`; with
 * BAL_ERANGE where a rank's share exceeds ScaLAPACK's 32-bit integers.  Both
 * name the sizes, before anything is computed.
 */
bal_verdict bal_pinv_create(bal_comm *c, bal_size m, bal_size memory,
                            bal_pinv **out);

/** Local; NULL is fine. */
void bal_pinv_destroy(bal_pinv **p);

/** The rank that keeps W_ij and W_ji.  Local. */
int bal_pinv_owner(const bal_pinv *p, bal_size i, bal_size j);

/** Adds v to W_ij and, off the diagonal, to W_ji; on the owner only.  Local. */
void bal_pinv_add(bal_pinv *p, bal_size i, bal_size j, double v);

/**
 * Decomposes W, which is used up.
 *
 * Collective.  Same on every rank: rcond, in [0, 1).
 * Fails with BAL_ENOMEM; with BAL_ENUMERIC if the solver does not converge.
 * Cost: about 4 m^3 / ranks flops.
 */
bal_verdict bal_pinv_solve(bal_comm *c, bal_pinv *p, double rcond);

/**
 * b = W^+ b.
 *
 * Collective.
 * @param[in,out] b  [m, width], row-major, the same on every rank; the same
 *                   bits on every rank on return
 * Fails with BAL_ENOMEM, BAL_ERANGE; b is then unspecified.
 * Cost: 4 m k width / ranks flops, one reduction of 8 m width bytes, and as
 * many bytes of memory for the grid's copies, bal_pinv_apply_memory().
 */
bal_verdict bal_pinv_apply(bal_comm *c, const bal_pinv *p, double *b,
                           bal_size width);

/** Most bytes a rank needs to apply it to `width` columns.  Local. */
bal_size bal_pinv_apply_memory(bal_size m, bal_size width, int ranks);

#endif
