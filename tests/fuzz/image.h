/**
 * @file
 * Stores that were tampered with: the bytes change numbers in the table of keys
 * and values of a sound one, and the seal is made right again, so that what
 * looks behind it is tried.  All of it is local.
 */
#ifndef TEST_FUZZ_IMAGE_H
#define TEST_FUZZ_IMAGE_H

#include "balans/io/store.h"
#include "target.h"

/** A sound store in memory. */
typedef struct fuzz_image {
    const bal_store_kind *kind;
    char *at;
    bal_size bytes, keys, table;
} fuzz_image;

/** A new folder for the sound store; removed with what is in it. */
const char *fuzz_folder(void);
void fuzz_folder_remove(void);

/** Reads a store, which lives as long as the process; ends it on failure. */
void fuzz_image_read(fuzz_image *image, const char *path,
                     const bal_store_kind *kind);

/** Writes the store as the bytes have changed it.
 *  @return its path; valid until the next call */
const char *fuzz_image_change(const fuzz_image *image, fuzz_bytes *b);

#endif
