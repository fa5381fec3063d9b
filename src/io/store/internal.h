/** @file  What the parts of io/store share; not for others. */
#ifndef BAL_IO_STORE_INTERNAL_H
#define BAL_IO_STORE_INTERNAL_H

#include "balans/io/h5.h"
#include "balans/io/publish.h"
#include "balans/io/store.h"

struct bal_store {
    bal_comm *comm;
    const bal_store_kind *kind;
    char *path;            /* where its bytes are: the temporary name, if any */
    int fd;                /* this rank's, or -1 */
    bal_status failure;    /* BAL_EIO for writing, BAL_EINPUT for reading */
    bal_publish *publish;  /* writing, rank 0 */
    hid_t file;            /* writing, rank 0 */
    bal_size room;         /* writing: bytes asked for so far */
    bal_store_array *have; /* [keys] */
    bal_size keys;
    bal_size table; /* where the keys are in the file, bytes */
};

/** A store without a file.  Local.  Fails with BAL_ENOMEM. */
bal_status bal_store_new(bal_comm *c, const bal_store_kind *kind,
                         bal_status failure, bal_store **out);

/** Bytes of an element of a type other than text.  Local. */
bal_size bal_store_element(bal_store_type type);

/** Opens the file, once more if it is open, with flags of open(2).  Local. */
bal_status bal_store_reopen(bal_store *s, int flags);

/** Moves bytes at a place in the file, in blocks.  Local. */
bal_status bal_store_pull(const bal_store *s, bal_size at, bal_size bytes,
                          void *out);
bal_status bal_store_push(const bal_store *s, bal_size at, bal_size bytes,
                          const void *from);

/** "cannot read FILE: WHAT; WAY OUT" as BAL_EINPUT.  Local. */
bal_status bal_store_refuse(const bal_store *s, const char *what);

/** Reads all that is behind the seal and writes the seal.  Collective; leaves
 *  the file open for writing on rank 0. */
bal_verdict bal_store_seal(bal_store *s);

/** Reads all that is behind the seal and checks the seal.  Collective.  Sets
 *  keys and table.
 *  @param[out] bytes  of the file */
bal_verdict bal_store_verify(bal_store *s, bal_size *bytes);

#endif
