/* What the files h5ad*.c share: an open input file. */
#ifndef BAL_IO_H5AD_INTERNAL_H
#define BAL_IO_H5AD_INTERNAL_H

#include "balans/io/h5.h"
#include "balans/io/h5ad.h"
#include "balans/io/publish.h"

/* A CSC matrix turned round: the rows of this rank's slab. */
typedef struct bal_slab {
    bal_gidx first; /* input row */
    bal_size m;
    int64_t *ptr;  /* [m + 1] */
    int32_t *col;  /* [ptr[m]], ascending inside a row */
    double *value; /* [ptr[m]] */
} bal_slab;

/* The rows that count, where not all do. */
typedef struct bal_chosen {
    bal_size n;     /* over all ranks; 0: all rows */
    bal_gidx first; /* number of the first of this rank's */
    bal_size m;     /* this rank's */
    bal_gidx *row;  /* [m], input rows, ascending */
    bal_gidx *cut;  /* [ranks + 1], first input row of each rank */
} bal_chosen;

/* The features that count, where not all do. */
typedef struct bal_kept {
    bal_size d;    /* 0: all features */
    int64_t *item; /* [d], columns of the matrix, ascending */
} bal_kept;

struct bal_h5ad {
    bal_comm *comm;
    char *path;
    hid_t file;     /* open on all ranks */
    bal_size n;     /* length of obs */
    bal_file_mark mark; /* of the file, as this rank sees it */
    bal_size memory;    /* bytes that a chunk may take in memory */
    bal_chosen chosen;

    bool has_matrix; /* it is open ... */
    bool is_loaded;  /* ... and rows can be read */
    bal_matrix_info info;
    hid_t data;            /* the values, dense or stored entries */
    hid_t indices, indptr; /* sparse only */
    bal_kept kept;
    bal_slab slab;         /* BAL_CSC only, once loaded */
};

/* The member of a data frame that is its index, as a path below the frame. */
bal_status bal_h5ad_index(hid_t frame, char *path, size_t size);

/* The vector of values of a column or an index: the dataset itself, or the
 * member `values` or `codes` of the group that encodes it; H5I_INVALID_HID if
 * it is neither. */
hid_t bal_h5ad_values(hid_t frame, const char *path);

/* The columns of obs, in their order. */
bal_status bal_h5ad_list_columns(hid_t obs, bal_h5_list *list);

/* What is known of a matrix, from a file opened by this process alone. */
bal_status bal_h5ad_inspect(hid_t file, const char *path, bal_size n,
                            const char *name, bal_matrix_info *info);

/* The input row of row i of a matrix; the two differ where rows were chosen,
 * and then i is one of this rank's. */
bal_gidx bal_h5ad_input_row(const bal_h5ad *f, bal_gidx i);

/* The rank in whose slab an input row lies, and its place there, -1 where it is
 * not one of those that count; the latter for rows of this rank's slab. */
int bal_h5ad_owner(const bal_h5ad *f, bal_gidx row);
bal_size bal_h5ad_place(const bal_h5ad *f, bal_gidx row);
void bal_chosen_finish(bal_chosen *chosen);

/* Fills f->slab from the open CSC matrix.  Collective. */
bal_verdict bal_h5ad_turn_csc(bal_h5ad *f);
void bal_slab_finish(bal_slab *slab);

/* Whether this HDF5 can read a dataset's compression. */
bal_status bal_h5ad_check_filters(hid_t dataset);

/* Fails unless 0 <= p[0] <= p[1] ... <= p[count - 1] <= nnz. */
bal_status bal_h5ad_check_ptr(const bal_h5ad *f, const int64_t *p,
                              bal_size count, bal_gidx first);

#endif
