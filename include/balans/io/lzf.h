/**
 * @file
 * The LZF filter, for reading: h5py offers it and anndata files use it, but
 * HDF5 itself does not bring it.
 */
#ifndef BAL_IO_LZF_H
#define BAL_IO_LZF_H

#include <stdbool.h>
#include <stddef.h>

/** Tells HDF5 of the filter, unless it knows one under that number.  Local. */
void bal_lzf_register(void);

/**
 * Unpacks `bytes` bytes of LZF.  Local.
 * @param[out] to    [room]
 * @param[out] size  bytes unpacked; with false, 0 where the input is damaged
 *                   and else more than `room`, which was not enough
 * @return whether all of it is in `to`
 */
bool bal_lzf_decode(const unsigned char *from, size_t bytes, unsigned char *to,
                    size_t room, size_t *size);

#endif
