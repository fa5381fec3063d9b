/* ScaLAPACK and the BLACS, which have no C headers, and the grid of ranks while
 * they are at work. */
#ifndef BAL_LINALG_SCALAPACK_H
#define BAL_LINALG_SCALAPACK_H

#include "balans/linalg/grid.h"

int Csys2blacs_handle(MPI_Comm mpi);
void Cfree_blacs_system_handle(int handle);
void Cblacs_gridinit(int *context, const char *order, int rows, int columns);
void Cblacs_gridexit(int context);
void Cblacs_get(int context, int what, int *value);
void Cblacs_set(int context, int what, int *value);
void descinit_(int *descriptor, const int *m, const int *n, const int *mb,
               const int *nb, const int *row, const int *column,
               const int *context, const int *ld, int *info);
void pdsyevx_(const char *job, const char *range, const char *uplo,
              const int *n, double *a, const int *ia, const int *ja,
              const int *desca, const double *vl, const double *vu,
              const int *il, const int *iu, const double *abstol, int *m,
              int *nz, double *w, const double *orfac, double *z, const int *iz,
              const int *jz, const int *descz, double *work, const int *lwork,
              int *iwork, const int *liwork, int *ifail, int *iclustr,
              double *gap, int *info);
void pdsyevd_(const char *job, const char *uplo, const int *n, double *a,
              const int *ia, const int *ja, const int *desca, double *w,
              double *z, const int *iz, const int *jz, const int *descz,
              double *work, const int *lwork, int *iwork, const int *liwork,
              int *info);
void pdgemm_(const char *transa, const char *transb, const int *m, const int *n,
             const int *k, const double *alpha, const double *a, const int *ia,
             const int *ja, const int *desca, const double *b, const int *ib,
             const int *jb, const int *descb, const double *beta, double *c,
             const int *ic, const int *jc, const int *descc);

enum {
    BAL_DESCRIPTOR = 9,
    BAL_BLACS_REPEATABLE = 15, /* of Cblacs_get() and _set() */
};

typedef struct bal_blacs {
    int handle, context; /* of the communicator and the grid */
} bal_blacs;

/* Opens the grid, for sums over ranks in a fixed order: equal runs give equal
 * bits.  Collective, idle ranks too. */
bal_blacs bal_blacs_open(bal_comm *c, bal_grid g);

/* Collective. */
void bal_blacs_close(bal_blacs b, bal_grid g);

/* The descriptor of a matrix, on a rank that is not idle.  Local. */
void bal_blacs_describe(bal_blacs b, const bal_spread *a, int *descriptor);

#endif
