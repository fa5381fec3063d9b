/**
 * @file
 * Files that appear under their name complete or not at all.
 *
 * A file grows under a temporary name beside its own, which no other run has:
 * NAME.HOST-PROCESS-N.partial.  When it is complete it is on disk, has been
 * looked at, and takes its name in one step.  Whoever made or changed a file of
 * that name since the beginning wins: this run then ends with an error, so that
 * of two runs that write one file one says so.
 *
 * One rank calls the local functions.  What a killed run leaves behind is not
 * touched by later ones.
 */
#ifndef BAL_IO_PUBLISH_H
#define BAL_IO_PUBLISH_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/base/types.h"
#include "balans/par/comm.h"

/** What tells a file from another, and from itself after a change. */
typedef struct bal_file_mark {
    bool there;
    int64_t device, inode;
    int64_t bytes;
    int64_t seconds, nanoseconds; ///< of the latest change of its content
} bal_file_mark;

/** The mark of the file that a path leads to; `there` is false if none.
 *  Local. */
bal_file_mark bal_file_look(const char *path);

/** Whether both are one file that has not changed.  Local.
 *  @param[in] devices  compare devices, too: false for marks of two hosts */
bool bal_file_same(const bal_file_mark *a, const bal_file_mark *b,
                   bool devices);

/** A file that a command reads or writes. */
typedef struct bal_named_file {
    const char *role; ///< such as "the input", for messages
    const char *path; ///< NULL for a file that this run does not have
    bool written;
} bal_named_file;

/**
 * Checks that no file that is written is another of the list: by device and
 * inode, and by its resolved name where it does not exist yet.  Local.
 * Fails with BAL_EUSAGE, naming both.
 */
bal_status bal_publish_apart(const bal_named_file *file, int count);

/**
 * Checks that `path` could be written, without writing: absent or `replace`, no
 * folder nor device, in a folder that is there and writable, and no other
 * running process of this host writes it.  Local.  Fails with BAL_EIO.
 */
bal_status bal_publish_check(const char *path, bool replace);

typedef struct bal_publish bal_publish;

/**
 * Checks as above and makes an empty file under the temporary name.  It is
 * removed when the program ends before it was published.  Local.
 * @param[out] out  ended by bal_publish_finish() or bal_publish_discard()
 * Fails with BAL_EIO, BAL_ENOMEM.
 */
bal_status bal_publish_begin(const char *path, bool replace, bal_publish **out);

/** The temporary name.  Local; borrowed. */
const char *bal_publish_temporary(const bal_publish *p);

/**
 * Tells every rank the temporary name.  Collective.
 * @param[in]  p     rank 0's; NULL elsewhere
 * @param[out] name  owned by the caller
 * Fails with BAL_ENOMEM.
 */
bal_verdict bal_publish_tell(bal_comm *c, const bal_publish *p, char **name);

/** Looks at a complete file, such as whether it can be opened. */
typedef bal_status bal_publish_test(const char *path);

/**
 * Writes the file to disk, lets `test` look at it (NULL: nobody does) and gives
 * it its name.  Local.  Sets `*p` to NULL in any case; after a failure there is
 * no file of that name but one that was there before.
 * Fails with BAL_EIO: the disk is full, or another program made or changed the
 * file in the meantime; or as `test` does.
 */
bal_status bal_publish_finish(bal_publish **p, bal_publish_test *test);

/** Removes the temporary file.  Local; NULL is fine; sets `*p` to NULL. */
void bal_publish_discard(bal_publish **p);

#endif
