/**
 * @file
 * AnnData files, read: the encodings of anndata 0.7 and of 0.8 and later.
 *
 * Rank 0 looks at the structure and tells the others; then every rank opens the
 * file by itself, with HDF5's serial driver, and reads what it needs, so that
 * trouble in one rank's part cannot leave the others waiting inside HDF5, and
 * virtual and external datasets are read like others.  The file is never opened
 * for writing.
 *
 * Source: users.md, section C1 (the format and its traps).
 */
#ifndef BAL_IO_H5AD_H
#define BAL_IO_H5AD_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/data/labels.h"
#include "balans/par/comm.h"

typedef struct bal_h5ad bal_h5ad;

typedef enum bal_storage {
    BAL_DENSE = 0,
    BAL_CSR,
    BAL_CSC,
} bal_storage;

/** What is known of a matrix without reading its values. */
typedef struct bal_matrix_info {
    char name[256];      ///< as asked for: "X", "layers/a", "obsm/b"
    bal_storage storage;
    bal_size n, d;       ///< rows, columns
    bal_size nnz;        ///< stored entries; n d where dense
    int element_bytes;   ///< of one stored value
    char element[16];    ///< "float32", "int64", ...
    bool chunked;
    bal_size chunk[2];   ///< where chunked; chunk[1] is 0 where sparse
    char filters[64];    ///< "" or names such as "gzip"
    bal_size file_bytes; ///< that its values occupy in the file
} bal_matrix_info;

/**
 * Opens an input file.  Collective.  Same on every rank: path.
 * @param[out] out  closed by bal_h5ad_close()
 * Fails with BAL_EINPUT: missing, a folder, not HDF5, truncated, not AnnData
 * (no obs or var, or obs older than anndata 0.7), naming the file.
 */
bal_verdict bal_h5ad_open(bal_comm *c, const char *path, bal_h5ad **out);

/** Allows compressed chunks of a matrix as many bytes in memory, 1 GiB if
 *  nobody says; for bal_h5ad_matrix_open().  Local. */
void bal_h5ad_allow(bal_h5ad *f, bal_size memory);

/** Closes it and sets `*f` to NULL; NULL is fine.  Local. */
void bal_h5ad_close(bal_h5ad **f);

/** Whether the file of that name is still the one that was opened, unchanged:
 *  device, inode, size and time of change.  Local.  Fails with BAL_EINPUT. */
bal_status bal_h5ad_unchanged(const bal_h5ad *f);

/** Number of observations (the length of obs), and the file's name.  Local. */
bal_size bal_h5ad_rows(const bal_h5ad *f);
const char *bal_h5ad_path(const bal_h5ad *f);

/** Size of the file in bytes.  Local. */
bal_size bal_h5ad_file_bytes(const bal_h5ad *f);

/**
 * Opens a matrix and describes it, without reading its values.  Collective.
 * Same on every rank: name ("X", "layers/NAME", "obsm/NAME").
 * @param[out] info  filled in
 * Fails with BAL_EINPUT: no such matrix (the message lists those there are),
 * not two-dimensional, not numeric, a number of rows other than that of obs,
 * a compression filter this HDF5 lacks, a compressed chunk larger than what
 * bal_h5ad_allow() allows; BAL_ENOMEM.
 */
bal_verdict bal_h5ad_matrix_open(bal_h5ad *f, const char *name,
                                 bal_matrix_info *info);

/**
 * Prepares the open matrix for reading by rows: a CSC matrix is read whole and
 * turned round, into this rank's slab.  Does nothing if it has been done.
 * Collective.  Fails with BAL_EINPUT: an index or pointer of a CSC matrix out
 * of range; BAL_EIO; BAL_ENOMEM.
 */
bal_verdict bal_h5ad_matrix_load(bal_h5ad *f);

/**
 * Makes some of the file's rows, in its order, all that there are: from now on
 * row i of a matrix is the i-th of them, and they are cut into slabs by
 * bal_slab_first(n).  No other row is read, but those of a CSC matrix, or kept.
 *
 * Collective, before bal_h5ad_matrix_load(), once.  Same on every rank: n.
 * @param[in] n    rows chosen, over all ranks, at least 1
 * @param[in] row  [slab rows of n], ascending; taken over
 * Fails with BAL_ENOMEM.
 */
bal_verdict bal_h5ad_choose(bal_h5ad *f, bal_size n, bal_gidx *row);

/**
 * Makes some features of the open matrix, in its order, all that it has: from
 * now on rows have these alone, and where they are named by var, an output made
 * of the file has no others (io/h5ad_out.h).  What the others hold may be
 * anything.
 *
 * Local.  Same on every rank: all arguments.
 * @param[in] d     features kept, at least 1
 * @param[in] item  [d] columns of the matrix, ascending
 * Fails with BAL_ENOMEM.
 */
bal_status bal_h5ad_keep(bal_h5ad *f, bal_size d, const bal_size *item);

/** Names of all matrices of the file ("X", "layers/...", "obsm/...") that could
 *  be opened.  Collective.  `*name` is [*count], freed with
 *  bal_h5ad_names_free(). */
bal_verdict bal_h5ad_matrices(bal_h5ad *f, char ***name, bal_size *count);
void bal_h5ad_names_free(char ***name, bal_size count);

/** Names of the columns of obs, in their order.  Collective.  `*name` is
 *  [*count], freed with bal_h5ad_names_free(). */
bal_verdict bal_h5ad_columns(bal_h5ad *f, char ***name, bal_size *count);

/** Names of the features of the open matrix, [d], freed with
 *  bal_h5ad_names_free(): the index of var, or "0", "1", ... for a matrix of
 *  obsm.  Collective.  Fails with BAL_EINPUT where var does not name them, with
 *  BAL_ENOMEM. */
bal_verdict bal_h5ad_features(bal_h5ad *f, char ***name);

/**
 * Reads rows of the open and loaded matrix as float32.
 *
 * Local: an independent transfer, of any size; ranks may ask for different
 * rows, or none.
 * @param[in]  first  input row; with `count` rows inside this rank's slab
 * @param[out] rows   [count, d]
 * Fails with BAL_EINPUT, naming the first row and feature of the panel that
 * is not finite (or not finite in float32), or an index out of range in a
 * sparse matrix; BAL_EIO; BAL_ENOMEM.
 */
bal_status bal_h5ad_read_rows(bal_h5ad *f, bal_gidx first, bal_size count,
                              float *rows);

/**
 * Reads a column of obs that names groups: categorical, string array, integer,
 * boolean, each also nullable, an enumeration, or whole floating-point numbers.
 * Values that occur nowhere are dropped.
 *
 * Collective.  Same on every rank: column, what ("batch", "label": for
 * messages).
 * Fails with BAL_EINPUT: no such column (the message lists those there are), a
 * value missing or a code without category (naming the first row), a number
 * that is not whole, and, but for "obs", another value in each row.
 */
bal_verdict bal_h5ad_labels(bal_h5ad *f, const char *column, const char *what,
                            bal_labels **out);

#endif
