/**
 * @file
 * AnnData files, written: a copy of the input with elements replaced or added,
 * or a new file.
 *
 * The file grows under a temporary name and gets its own when it is complete
 * (io/publish.h):
 *   1. begin, before the work: the name is claimed, and rank 0 copies all that
 *      is copied, so that what cannot be copied is known at once;
 *   2. create: rank 0 makes groups, attributes, strings and empty arrays with
 *      HDF5's serial driver (which alone can write variable-length strings),
 *      then all ranks open the file through MPI-IO;
 *   3. write: all ranks call together and fill the arrays, contiguous ones by
 *      independent transfers, chunked ones by collective transfers;
 *   4. finish: all close; rank 0 adds what is known only at the end, and gives
 *      the file its name.
 *
 * Source: interface.md ("The output file"); users.md, section C1.
 */
#ifndef BAL_IO_H5AD_OUT_H
#define BAL_IO_H5AD_OUT_H

#include <jansson.h>
#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/io/h5ad.h"
#include "balans/par/comm.h"

typedef enum bal_element {
    BAL_F32 = 0,
    BAL_F64,
    BAL_I32,
    BAL_I64,
    BAL_I16,
    BAL_I8,
} bal_element;

/** An array to be made in step 2 and filled in step 3; encoding array 0.2.0
 *  (none for the members of a sparse matrix). */
typedef struct bal_array {
    const char *path;    ///< such as "X" or "obs/balans_coverage"
    bal_element element;
    bal_size n, d;       ///< shape [n, d]; d = 0 for a vector of n
    bool compress;       ///< chunked, shuffled and gzipped; else contiguous
    bool is_member;      ///< part of an encoded group: no encoding of its own
} bal_array;

/** A sparse matrix whose members data (float32), indices (int64) and indptr
 *  (int64) are to be filled; encoding csr_matrix 0.1.0. */
typedef struct bal_csr_array {
    const char *path; ///< such as "uns/balans/affinity"
    bal_size n, d, nnz;
} bal_csr_array;

/** A column of obs that names groups, of a new file; its codes are to be filled
 *  as the array "obs/NAME/codes"; encoding categorical 0.2.0, not ordered. */
typedef struct bal_categorical {
    const char *name;
    bal_element element;   ///< of the codes: BAL_I8, BAL_I16 or BAL_I32
    char *const *category; ///< [categories], the name of each; used on rank 0
    bal_size categories;
} bal_categorical;

/** What is copied of an input: all but what follows, and `uns/balans`.  Where
 *  bal_h5ad_keep() has left out features of var, they are left out of var, X,
 *  layers, varm and varp; what is sparse there cannot be cut, and is left out
 *  with a warning. */
typedef struct bal_out_source {
    bal_h5ad *input;
    const char *replace;       ///< matrix that an array of that path replaces;
                               ///< NULL if none
    bal_array instead;         ///< that array, for references to the matrix;
                               ///< zeroed: they lead nowhere
    const char *keep_as;       ///< where to copy it instead, or NULL
    const char *const *drop;   ///< [drops], more elements not to be copied
    bal_size drops;
    const char *const *column; ///< [columns], names of new columns of obs, that
    bal_size columns;          ///< replace old ones and enter their order
} bal_out_source;

/** All that step 2 has to know. */
typedef struct bal_out_plan {
    const bal_array *array;   ///< [arrays]
    bal_size arrays;
    const bal_csr_array *csr; ///< [csrs]
    bal_size csrs;
    const bal_categorical *column; ///< [columns]; new files only, which get the
    bal_size columns;         ///< indices "0", "1", ... and "f0", "f1", ...
    json_t *uns;              ///< an object: becomes uns/balans; NULL if none;
                              ///< used on rank 0
} bal_out_plan;

typedef struct bal_h5ad_out bal_h5ad_out;

/**
 * Checks that `path` can be written: absent or `force`, not the input (nor a
 * link to it), its folder there and writable, and no other run at it.
 * Collective.  To be called before any work, so that hours are not lost; writes
 * nothing.  Fails with BAL_EIO; with BAL_EUSAGE if it is the input.
 */
bal_verdict bal_h5ad_out_check(bal_comm *c, const char *path,
                               const char *input_path, bool force);

/**
 * Step 1.  Collective.  Same on every rank: path, source, force.
 * @param[in] source  NULL for a new file
 * @param[in] force   overwrite an existing file
 * @param[out] out    ended by bal_h5ad_out_finish() or bal_h5ad_out_discard()
 * Fails as bal_h5ad_out_check() does; with BAL_EIO; with BAL_EINPUT if
 * `keep_as` exists already or an element cannot be copied.
 */
bal_verdict bal_h5ad_out_begin(bal_comm *c, const char *path,
                               const bal_out_source *source, bool force,
                               bal_h5ad_out **out);

/** Step 2.  Collective.  Same on every rank: all of `plan` but uns.  Fails with
 *  BAL_EIO. */
bal_verdict bal_h5ad_out_create(bal_h5ad_out *o, const bal_out_plan *plan);

/**
 * Step 3.  Writes elements first .. first + count - 1 of the first dimension of
 * the array (a member of a sparse matrix is named "GROUP/data" and so on).
 *
 * Collective; each rank gives its own run, which may be empty; runs do not
 * overlap.  Same on every rank: array path.
 * @param[in] values  [count] or [count, d], of the array's element type
 * Fails with BAL_EIO.
 */
bal_verdict bal_h5ad_out_write(bal_h5ad_out *o, const char *array,
                               bal_gidx first, bal_size count,
                               const void *values);

/** Step 4.  `late` (an object, rank 0; NULL if none) becomes uns/balans/run.
 *  Collective.  Sets `*o` to NULL in any case; on failure no file is left.
 *  Fails with BAL_EIO; with BAL_EINPUT if the input has changed since it was
 *  opened. */
bal_verdict bal_h5ad_out_finish(bal_h5ad_out **o, json_t *late);

/** Gives the file up: closes and removes it.  Collective; NULL is
 *  fine; sets `*o` to NULL. */
void bal_h5ad_out_discard(bal_h5ad_out **o);

#endif
