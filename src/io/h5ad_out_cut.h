/* What is cut of the elements that are copied; for h5ad_out_copy.c. */
#ifndef BAL_IO_H5AD_OUT_CUT_H
#define BAL_IO_H5AD_OUT_CUT_H

#include "balans/io/pack.h"
#include "h5_copy.h"

/* Features of var that are kept; cut->all is 0 where all are.  cut->is_kept is
 * the caller's. */
bal_status bal_out_unpack_cut(bal_pack *in, bal_h5_cut *cut);

/* Whether the element of that path has to be cut, and sets the axes.  One that
 * cannot be is `*left` out, with a warning.
 * @param[in] file  for the warning */
bool bal_out_has_to_cut(bal_h5_cut *cut, const char *file, hid_t object,
                        const char *path, bool *left);

#endif
