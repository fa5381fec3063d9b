/**
 * @file
 * AnnData files, written: a copy of the input with elements replaced or added,
 * or a new file.
 *
 * The file grows as PATH.partial and gets its name when it is complete:
 *   1. create: rank 0 copies and makes groups, attributes, strings and empty
 *      arrays with HDF5's serial driver (which alone can write variable-length
 *      strings), then all ranks open the file through MPI-IO;
 *   2. write: all ranks call together and fill the arrays, contiguous ones by
 *      independent transfers, chunked ones by collective transfers;
 *   3. finish: all close; rank 0 adds what is known only at the end, syncs the
 *      file to disk and renames it.
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

/** An array to be made in step 1 and filled in step 2; encoding array 0.2.0
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

/** All that step 1 has to know. */
typedef struct bal_out_plan {
    bal_h5ad *input;          ///< copied from; NULL for a new file
    const char *replace;      ///< element of the input not to be copied, as it
                              ///< will be one of `array`; NULL if none
    const char *keep_as;      ///< where to copy it instead, or NULL
    const char *const *drop;  ///< [drops], more elements not to be copied
    bal_size drops;
    const bal_array *array;   ///< [arrays]
    bal_size arrays;
    const bal_csr_array *csr; ///< [csrs]
    bal_size csrs;
    const bal_categorical *column; ///< [columns]; new files only, which get the
    bal_size columns;         ///< indices "0", "1", ... and "f0", "f1", ...
    json_t *uns;              ///< an object: becomes uns/balans (replacing an
                              ///< old one); NULL if none; used on rank 0
    bool force;               ///< overwrite an existing file
} bal_out_plan;

typedef struct bal_h5ad_out bal_h5ad_out;

/**
 * Checks that `path` can be written: absent or `force`, not the input (nor a
 * link to it), its folder there and writable.  Collective.  To be called before
 * any work, so that hours are not lost; writes nothing.  Fails with BAL_EIO.
 */
bal_verdict bal_h5ad_out_check(bal_comm *c, const char *path,
                               const char *input_path, bool force);

/**
 * Step 1.  Collective.  Same on every rank: all of `plan` but uns.  A new
 * column "obs/NAME" among the arrays is entered in obs' column-order.  Elements
 * of an earlier run under the paths of `array` and `csr` are replaced.
 * Fails with BAL_EIO; with BAL_EINPUT if `keep_as` exists already.
 */
bal_verdict bal_h5ad_out_create(bal_comm *c, const char *path,
                                const bal_out_plan *plan, bal_h5ad_out **out);

/**
 * Step 2.  Writes elements first .. first + count - 1 of the first dimension of
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

/** Step 3.  `late` (an object, rank 0; NULL if none) becomes uns/balans/run.
 *  Collective.  Sets `*o` to NULL in any case; on failure no file is left.
 *  Fails with BAL_EIO. */
bal_verdict bal_h5ad_out_finish(bal_h5ad_out **o, json_t *late);

/** Gives the file up: closes and removes PATH.partial.  Collective; NULL is
 *  fine; sets `*o` to NULL. */
void bal_h5ad_out_discard(bal_h5ad_out **o);

#endif
