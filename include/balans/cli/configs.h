/**
 * @file
 * Where the configurations are that come with the program, such as `paper` and
 * `single-cell`.
 */
#ifndef BAL_CLI_CONFIGS_H
#define BAL_CLI_CONFIGS_H

#include <stddef.h>

#include "balans/base/status.h"

/**
 * The file that --config names: `given` itself where it has a slash or a dot,
 * else the installed configuration of that name.  Those are looked for beside
 * the program (../share/balans/configs, so that an installation may be moved),
 * where it was installed, and in the source tree it was built from.
 *
 * Local.  @param[out] path  [size] bytes
 * Fails with BAL_EUSAGE: there is none of that name (the message lists those
 * there are), or the path is longer than `size`.
 */
bal_status bal_configs_find(const char *given, char *path, size_t size);

#endif
