/**
 * @file
 * Stores: files of keyed values and arrays, written and read by all ranks
 * together, on any number of them.  Checkpoints and models are stores.
 *
 * A store is an HDF5 file with one contiguous dataset for each key, and one,
 * "table of keys", of where they are.  Its user block of 512 bytes, the *seal*,
 * holds the kind of store, versions, the size of the file and a checksum of all
 * bytes behind the seal.  Rank 0 alone speaks HDF5, and only to write; rows go
 * between ranks and datasets by plain independent transfers, so no opening is
 * collective and nothing depends on the number of ranks.  To open a store is to
 * read it once, in stripes: the caller sees no byte before the checksum is
 * right, and HDF5 never sees a damaged file.
 *
 * Writing: create; put, make and write, in any order; finish.  Reading: open;
 * get, find and read; close.  Numbers have the byte order of the
 * machine; a machine of the other takes the file for damaged.
 */
#ifndef BAL_IO_STORE_H
#define BAL_IO_STORE_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/base/types.h"
#include "balans/par/comm.h"

enum {
    BAL_STORE_KEY = 64, ///< longest key, with its end
    BAL_STORE_ANY = -1, ///< any number of rows or columns
};

/** What a store is for.  It lives as long as its stores. */
typedef struct bal_store_kind {
    const char *name;    ///< such as "balans model"; below 64 bytes
    int64_t version;     ///< of its keys; no other is read
    const char *way_out; ///< ends messages, such as "fit it anew"
} bal_store_kind;

typedef enum bal_store_type {
    BAL_STORE_F32 = 0,
    BAL_STORE_F64,
    BAL_STORE_I32,
    BAL_STORE_I64,
    BAL_STORE_U64,
    BAL_STORE_U16,
    BAL_STORE_U8,
    BAL_STORE_TEXT, ///< bytes of equal length, the rest 0
    BAL_STORE_TYPES
} bal_store_type;

/** A matrix in a store, row-major; plain bytes. */
typedef struct bal_store_array {
    char key[BAL_STORE_KEY];
    int64_t type;  ///< a bal_store_type
    bal_size n, d; ///< rows of all ranks, elements of a row; d 1: a vector
    bal_size row;  ///< bytes of a row
    bal_size at;   ///< of the first row in the file, bytes
} bal_store_array;

typedef struct bal_store bal_store;

/**
 * Begins a store; the file grows under a temporary name.
 *
 * Collective; the same on every rank: `path`, `kind`.
 * @param[in]  replace  whether there may be a file of that name
 * @param[out] out      ended by bal_store_finish() or bal_store_close()
 * Fails with BAL_EIO, BAL_ENOMEM.
 */
bal_verdict bal_store_create(bal_comm *c, const char *path, bool replace,
                             const bal_store_kind *kind, bal_store **out);

/**
 * Writes what every rank has: n x d elements of a type other than text, or
 * `count` texts of any bytes but 0.
 *
 * Collective; everything is the same on every rank.
 * @param[in] key  not empty, without '/', new
 * Fails with BAL_EIO, BAL_ENOMEM, BAL_ERANGE.
 */
bal_verdict bal_store_put(bal_store *s, const char *key, bal_store_type type,
                          bal_size n, bal_size d, const void *values);
bal_verdict bal_store_put_texts(bal_store *s, const char *key,
                                const char *const *text, bal_size count);

/**
 * Makes room for an array of n >= 0 rows of d >= 1 elements of a type other
 * than text.  Rows that nobody writes are 0.
 *
 * Collective; everything is the same on every rank.
 * @param[out] a  for bal_store_write()
 * Fails with BAL_EIO, at once where the disk has no room for it; with
 * BAL_ERANGE.
 */
bal_verdict bal_store_make(bal_store *s, const char *key, bal_store_type type,
                           bal_size n, bal_size d, bal_store_array *a);

/**
 * The same for the rows of all ranks one after the other, of which this rank
 * has `count`.  Collective; `count` may differ between ranks.
 * @param[out] first  number of this rank's first row
 */
bal_verdict bal_store_make_pieces(bal_store *s, const char *key,
                                  bal_store_type type, bal_size count,
                                  bal_size d, bal_store_array *a,
                                  bal_size *first);

/**
 * Writes rows first .. first + count - 1.  Local; each row is written by one
 * rank, in any order and any number of calls.  Fails with BAL_EIO, which the
 * caller agrees on before bal_store_finish().
 */
bal_status bal_store_write(const bal_store *s, const bal_store_array *a,
                           bal_size first, bal_size count, const void *rows);

/**
 * Completes the store: all bytes to disk, the seal, the name.
 *
 * Collective.  Sets `*s` to NULL in any case; after a failure there is no file
 * of that name but one that was there before.  Fails with BAL_EIO, BAL_ENOMEM.
 * Cost: reads the file once, each rank its stripe.
 */
bal_verdict bal_store_finish(bal_store **s);

/**
 * Opens a store and verifies every byte of it.
 *
 * Collective; the same on every rank: `path`, `kind`.
 * @param[out] out  ended by bal_store_close()
 * Fails with BAL_EINPUT: there is no such file, or it is of another kind,
 * version or format, truncated or damaged; with BAL_ENOMEM.
 * Cost: reads the file once, each rank its stripe.
 */
bal_verdict bal_store_open(bal_comm *c, const char *path,
                           const bal_store_kind *kind, bal_store **out);

/** Whether a file begins as stores do, of whatever kind.  Local. */
bool bal_store_looks(const char *path);

/** Whether there is a key, in an open store.  Local; the same on every rank. */
bool bal_store_has(const bal_store *s, const char *key);

/**
 * Finds an array, for bal_store_read(), and checks its type and shape.  Local;
 * the same on every rank.
 * @param[in] n, d  what they must be, or BAL_STORE_ANY
 * Fails with BAL_EINPUT.
 */
bal_status bal_store_find(const bal_store *s, const char *key,
                          bal_store_type type, bal_size n, bal_size d,
                          bal_store_array *a);

/** Reads rows first .. first + count - 1, whoever wrote them.  Local.  Fails
 *  with BAL_EINPUT. */
bal_status bal_store_read(const bal_store *s, const bal_store_array *a,
                          bal_size first, bal_size count, void *rows);

/** Gives every rank exactly n x d elements.  Collective; the same on every
 *  rank: key, type, n, d.  Fails with BAL_EINPUT. */
bal_verdict bal_store_get(bal_store *s, const char *key, bal_store_type type,
                          bal_size n, bal_size d, void *values);

/**
 * Gives every rank texts.  Collective; the same on every rank: key, count.
 * @param[in,out] count  what it must be, or BAL_STORE_ANY; what it is
 * @param[out]    text   [count], in one piece: bal_free() of it frees all
 * Fails with BAL_EINPUT, BAL_ENOMEM.
 */
bal_verdict bal_store_get_texts(bal_store *s, const char *key, bal_size *count,
                                char ***text);

/**
 * Copies the arrays whose keys begin so, with `as` in its place.
 *
 * Collective; the same on every rank: all arguments.  Rank 0 reads and writes.
 * @param[in] from  open, or not finished and written by rank 0 alone
 * @param[in] to    not finished
 * Fails as reading and writing do.
 */
bal_verdict bal_store_copy(const bal_store *from, const char *beginning,
                           bal_store *to, const char *as);

/** Ends the use of a store; of one that is not finished, nothing is left.
 *  Local; NULL is fine; sets `*s` to NULL. */
void bal_store_close(bal_store **s);

#endif
