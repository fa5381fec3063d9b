/** @file  Which program this is. */
#ifndef BAL_APP_VERSION_H
#define BAL_APP_VERSION_H

/** The version, such as "0.1.0".  Local. */
const char *bal_version(void);

/** The commit it was built from, with "-dirty" where files were changed, or
 *  "unknown" outside a checkout.  Local. */
const char *bal_commit(void);

/** Compiler, kind of build and the builder's own flags.  Local. */
const char *bal_build(void);

#endif
