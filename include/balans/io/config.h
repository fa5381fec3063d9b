/**
 * @file
 * Configuration files: one YAML mapping of names to single values.
 *
 *     neighbors: 0.1%     # a comment
 *     save-affinity: true
 *
 * What the names mean is not known here; values stay text.
 */
#ifndef BAL_IO_CONFIG_H
#define BAL_IO_CONFIG_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/base/types.h"
#include "balans/par/comm.h"

typedef struct bal_setting {
    char *key;
    char *value;   ///< as written, without quotes
    bool quoted;   ///< it was in quotes, hence is text and not a number
    bal_size line; ///< of the key in the file, from 1
} bal_setting;

typedef struct bal_config {
    char *path;
    bal_setting *at; ///< [count], in the order of the file
    bal_size count;  ///< 0 for a file with nothing but comments
} bal_config;

/**
 * Reads a file: rank 0 opens it and sends its text to the others.
 *
 * Collective.  Same on every rank: path.
 * @param[out] out  owned by the caller
 * Fails with BAL_EUSAGE: the file cannot be read, is longer than
 * BAL_CONFIG_MOST bytes, is not YAML, or not one mapping of names to single
 * values, or holds a name twice - naming file, line and key; BAL_ENOMEM.
 */
bal_verdict bal_config_read(bal_comm *c, const char *path, bal_config **out);
enum { BAL_CONFIG_MOST = 1 << 20 };

/**
 * The same for text in memory; `path` is for messages and copied.
 *
 * Local.  Fails like bal_config_read().
 */
bal_status bal_config_parse(const char *path, const char *text, bal_size length,
                            bal_config **out);

/** Local; NULL is fine. */
void bal_config_destroy(bal_config **f);

#endif
