/* What the files h5ad_out*.c share. */
#ifndef BAL_IO_H5AD_OUT_INTERNAL_H
#define BAL_IO_H5AD_OUT_INTERNAL_H

#include "balans/io/h5.h"
#include "balans/io/h5ad_out.h"

/* Name of the column of obs that an array is, or NULL. */
const char *bal_out_column(const bal_array *a);

/* Makes what the plan adds: groups, empty arrays, values; the frames of a new
 * file. */
bal_status bal_out_make(const bal_out_plan *plan, bool is_new, hid_t to);

/* Makes obs and var of a new file, with the columns that are categorical. */
bal_status bal_out_make_frames(const bal_out_plan *plan, hid_t to);

/* Copies the list of columns of the data frame `path` of a file, without those
 * that are not there, with a warning, and with new ones (NULL: none) at the
 * end. */
bal_status bal_out_copy_order(const char *file, const char *path,
                              const bal_h5_list *added, hid_t from, hid_t to);

/* Makes an array still to be filled, in dicts made as needed, unless it was
 * made before. */
bal_status bal_out_make_array(hid_t to, const bal_array *a);

bal_size bal_out_element_bytes(bal_element element);

/* Makes the group of that path and those it lies in, as far as they are not
 * there, each encoded as a dict. */
bal_status bal_out_make_dicts(hid_t to, const char *path);

/* Writes an object as the group `path` of `to`, with its encoding: null as NaN,
 * an array as integers if it starts with one, else as reals. */
bal_status bal_out_write_object(hid_t to, const char *path, json_t *object);

#endif
