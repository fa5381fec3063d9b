/* Objects of one file in another: where each went, so that several names for
 * one object stay that, and references lead to the copies. */
#ifndef BAL_IO_H5_COPY_H
#define BAL_IO_H5_COPY_H

#include <stdbool.h>

#include "balans/io/h5.h"

/* What an object is known by as long as its file is open. */
typedef struct bal_h5_key {
    uint64_t file, address;
} bal_h5_key;

/* Objects, and the paths they have in the new file; a hash table with open
 * addressing. */
typedef struct bal_h5_seen {
    bal_h5_key *key; /* [slots] */
    char **path;     /* [slots], NULL where a slot is free */
    bal_size slots, count;
} bal_h5_seen;

/* A dataset, or an attribute of an object, that holds references. */
typedef struct bal_h5_pending {
    hid_t from, to;  /* open; equal ids do not occur twice */
    char *attribute; /* NULL for the values of a dataset */
} bal_h5_pending;

typedef struct bal_h5_copier {
    hid_t to; /* the new file */
    bal_h5_seen seen;
    bal_h5_key replaced; /* references to this object ... */
    const char *instead; /* ... lead to this path; NULL: there is none */
    bal_h5_pending *pending;
    bal_size pendings;
} bal_h5_copier;

/* Closes what was open; `seen` stays. */
void bal_h5_copier_finish(bal_h5_copier *c);

bal_status bal_h5_key_of(hid_t object, bal_h5_key *key);

/* Remembers an object, unless it is known; the path of one, or NULL. */
bal_status bal_h5_seen_add(bal_h5_seen *s, bal_h5_key key, const char *path);
const char *bal_h5_seen_find(const bal_h5_seen *s, bal_h5_key key);
void bal_h5_seen_finish(bal_h5_seen *s);

/* Copies all attributes but the one named `but` (NULL for none). */
bal_status bal_h5_copy_attributes(bal_h5_copier *c, hid_t from, hid_t to,
                                  const char *but);

/* Copies a dataset as the link `as` of `to`, with its attributes. */
bal_status bal_h5_copy_dataset(bal_h5_copier *c, hid_t from, hid_t to,
                               const char *as);

/* What is kept of an axis as long as `all`. */
typedef struct bal_h5_cut {
    unsigned axes;  /* 1: rows, 2: columns, 3: both */
    bal_size all, count;
    bool *is_kept;  /* [all], `count` of them true */
} bal_h5_cut;

/* Whether the axes to be cut are there and as long as they should be. */
bool bal_h5_can_cut(hid_t dataset, const bal_h5_cut *cut);

/* The same with what is kept of it; bal_h5_can_cut() it. */
bal_status bal_h5_cut_dataset(bal_h5_copier *c, hid_t from, hid_t to,
                              const char *as, const bal_h5_cut *cut);

/* Copies what holds references, once all objects have their places. */
bal_status bal_h5_copy_references(bal_h5_copier *c);

/* Whether all copies can be used by who opens the new file `to`, now that it is
 * closed.  BAL_EINPUT, naming the element and the file `from`. */
bal_status bal_h5_check_copies(const bal_h5_seen *s, const char *from,
                               const char *to);

#endif
