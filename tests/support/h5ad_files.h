/**
 * @file
 * A folder for the files of a test, and small AnnData files written by HDF5
 * alone, so that nothing needs Python.
 */
#ifndef TEST_H5AD_FILES_H
#define TEST_H5AD_FILES_H

#include <hdf5.h>
#include <stdbool.h>

#include "balans/par/comm.h"

/** Makes a new folder on rank 0 and tells all; removes it.  Collective. */
void files_begin(const bal_comm *c);
void files_end(const bal_comm *c);

/** FOLDER/NAME; SOURCE ROOT/NAME.  Valid until the fourth next call. */
const char *files_path(const char *name);
const char *files_source(const char *name);

/** A file of real data, or NULL where it is not.  Collective. */
const char *files_real(const bal_comm *c, const char *name);

/** Runs a command of the shell on rank 0; whether it went well, on all.
 *  Collective. */
bool files_run(const bal_comm *c, const char *command);

/** Writes the files of support/make_h5ad.py into the folder; whether Python
 *  could.  Collective. */
bool files_make(const bal_comm *c);

/* What follows is for one rank alone. */

/** A new file with obs of n rows (index cell0 ...), var of d rows (feature0
 *  ...), both without columns. */
hid_t files_create(const char *name, int n, int d);

/** The names of obs' columns. */
void files_columns(hid_t file, const char *const *name, int count);

void files_text(hid_t object, const char *name, const char *value);
void files_encoding(hid_t object, const char *type);

/** A dataset of numbers; `extent` of 1 or 2; chunk 0 is contiguous. */
void files_numbers(hid_t file, const char *path, hid_t type,
                   const double *value, int rank, const hsize_t *extent,
                   hsize_t chunk);

/** A vector of strings, of fixed length if `fixed`. */
void files_texts(hid_t file, const char *path, const char *const *value,
                 int count, bool fixed);

/** A group with an encoding. */
void files_group(hid_t file, const char *path, const char *encoding);

/** A categorical of n codes. */
void files_categorical(hid_t file, const char *path, const char *const *name,
                       int names, const int *code, int n);

/** A sparse matrix, encoded as "csr_matrix" or "csc_matrix". */
void files_sparse(hid_t file, const char *path, const char *encoding,
                  const int64_t shape[2], const double *data,
                  const double *indices, const double *indptr, int nnz,
                  int pointers);

#endif
