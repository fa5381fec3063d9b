/**
 * @file
 * HDF5 behind short calls: files, existence, attributes, strings, blocks.
 *
 * For the modules of `io` only.  HDF5's own error stack is silent; what it says
 * innermost becomes part of our sentence.  Identifiers are HDF5's; those handed
 * out are closed with bal_h5_close().  All functions are local but
 * bal_h5_open() on a communicator.
 */
#ifndef BAL_IO_H5_H
#define BAL_IO_H5_H

#include <hdf5.h>
#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/par/comm.h"

enum {
    BAL_H5_PATH_MAX = 1024, ///< longest path inside a file, with its end
    BAL_H5_TEXT_MAX = 256,  ///< longest short attribute, with its end
    BAL_H5_BLOCK = 1 << 28, ///< bytes of one independent transfer, at most
    BAL_H5_USER_BLOCK = 512, ///< bytes at the beginning that are not HDF5's
};

typedef enum bal_h5_mode {
    BAL_H5_READ = 0,
    BAL_H5_CREATE, ///< what the file holds is lost
    BAL_H5_CREATE_BEHIND, ///< the same, behind a user block
    BAL_H5_UPDATE,
} bal_h5_mode;

/** Silences HDF5 and registers the filters it lacks; any number of times. */
void bal_h5_init(void);

/** HDF5's innermost description of the latest failure.  To be called before any
 *  other call of HDF5.  @return buf */
char *bal_h5_reason(char *buf, size_t size);

/** Records "cannot DOING 'FILE', dataset 'PATH': REASON" and returns `st`;
 *  directly after the call that failed.  @param[in] object  any open object */
bal_status bal_h5_fail(bal_status st, const char *doing, hid_t object);

/** The path of an object inside its file, without the leading slash.
 *  @return buf */
char *bal_h5_path(hid_t object, char *buf, size_t size);

/**
 * Opens or creates a file: by the calling process alone with `c` NULL, else
 * collectively through MPI-IO.
 * Fails with BAL_EINPUT for BAL_H5_READ, else with BAL_EIO.
 */
bal_status bal_h5_open(const char *path, bal_h5_mode mode, const bal_comm *c,
                       hid_t *out);

/** Writes out and closes a file that was written; `*file` is H5I_INVALID_HID
 *  afterwards.  Closing writes, so it fails with BAL_EIO on a full disk.
 *  @param[in] path  for the message */
bal_status bal_h5_finish(hid_t *file, const char *path);

/** Whether a file can be opened as HDF5: what bal_publish_finish() asks. */
bal_status bal_h5_test(const char *path);

/** Closes a file that is given up, without writing to it any more. */
void bal_h5_abandon(hid_t *file);

/** Closes anything and sets `*id` to H5I_INVALID_HID, which is fine, too. */
void bal_h5_close(hid_t *id);

/** Whether a link of that path leads to an object; relative paths only. */
bool bal_h5_has(hid_t loc, const char *path);

/** The object there, or H5I_INVALID_HID; and whether it is of that type. */
hid_t bal_h5_find(hid_t loc, const char *path);
bool bal_h5_is(hid_t object, H5I_type_t type);

/** Number of dimensions; `dims` gets the first two, 1 where there is none; -1
 *  for what has no dimensions. */
int bal_h5_dims(hid_t dataset, bal_size dims[2]);

/** Class of a dataset's elements, and their size in bytes. */
H5T_class_t bal_h5_class(hid_t dataset, size_t *bytes);

/** A list of strings in memory.  Freed with bal_h5_list_free(). */
typedef struct bal_h5_list {
    char **item;
    bal_size count;
} bal_h5_list;
bal_status bal_h5_list_add(bal_h5_list *list, const char *item);
void bal_h5_list_free(bal_h5_list *list);

/** Names of the links of a group, by name. */
bal_status bal_h5_members(hid_t group, bal_h5_list *list);

/** A string attribute into `buf`; false, and "", if there is none. */
bool bal_h5_get_text(hid_t object, const char *name, char *buf, size_t size);

/** An attribute that is an array of strings.  An empty array of any type and an
 *  absent attribute give an empty list. */
bal_status bal_h5_get_list(hid_t object, const char *name, bal_h5_list *list);

/** An attribute of exactly `count` whole numbers; false if there is none. */
bool bal_h5_get_ints(hid_t object, const char *name, int64_t *value,
                     bal_size count);

/** Sets attributes, as h5py does; BAL_EIO. */
bal_status bal_h5_set_text(hid_t object, const char *name, const char *value);
bal_status bal_h5_set_list(hid_t object, const char *name,
                           const bal_h5_list *list);
bal_status bal_h5_set_ints(hid_t object, const char *name, const int64_t *value,
                           bal_size count);

/** Sets encoding-type and encoding-version. */
bal_status bal_h5_set_encoding(hid_t object, const char *type,
                               const char *version);

/** A group, or a dataset, without times, in parents that exist. */
bal_status bal_h5_make_group(hid_t loc, const char *path, hid_t *out);
bal_status bal_h5_make_dataset(hid_t loc, const char *path, hid_t type,
                               hid_t space, hid_t *out);

/** New types, to be closed: a variable-length UTF-8 string; h5py's boolean. */
hid_t bal_h5_text_type(void);
hid_t bal_h5_bool_type(void);

/**
 * Reads elements first .. first + count - 1 of the first dimension, whole rows
 * of them if there are two, in blocks, converted to `type`.  BAL_EINPUT.
 */
bal_status bal_h5_read(hid_t dataset, hid_t type, bal_gidx first,
                       bal_size count, void *out);

/** Whether the values of a dataset lie in other files (virtual, external); and
 *  fails with BAL_EINPUT, naming it, if one of those is not there. */
bool bal_h5_is_elsewhere(hid_t dataset);
bal_status bal_h5_check_sources(hid_t dataset);

/** One element of a matrix as double. */
bal_status bal_h5_read_one(hid_t dataset, bal_gidx row, bal_size col,
                           double *out);

/** Hands the strings first .. first + count - 1 of a vector to `take`, in
 *  order, until it fails; NULL where the file has none.  BAL_EINPUT. */
typedef bal_status (*bal_h5_taker)(void *arg, bal_gidx i, const char *s);
bal_status bal_h5_read_texts(hid_t dataset, bal_gidx first, bal_size count,
                             bal_h5_taker take, void *arg);

#endif
