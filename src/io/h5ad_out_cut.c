/* The axes of features of an output, where not all features are kept: whose
 * values have which, and what is done where they cannot be cut. */
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/aside.h"
#include "h5ad_out_cut.h"

bal_status bal_out_unpack_cut(bal_pack *in, bal_h5_cut *cut)
{
    bal_status st;

    cut->all = bal_unpack_int(in);
    cut->count = bal_unpack_int(in);
    st = bal_alloc(&cut->is_kept, cut->all, "the features that are kept");
    for (bal_size i = 0; i < cut->count && !bal_failed(st); i++) {
        int64_t item = bal_unpack_int(in);
        if (item >= 0 && item < cut->all)
            cut->is_kept[item] = true;
    }
    return bal_failed(st) ? st : bal_pack_status(in);
}

static bool starts(const char *path, const char *with)
{
    return strncmp(path, with, strlen(with)) == 0;
}

/* Whether it is the levels of a column of var, not a column of that name. */
static bool are_levels(const char *path)
{
    const char *name = strrchr(path, '/');

    return starts(path, "var/__categories/") ||
           (starts(path, "var/") && name != strchr(path, '/') &&
            strcmp(name, "/categories") == 0);
}

/* The axes of features that what has this path may have. */
static unsigned axes_of(const char *path)
{
    if (strcmp(path, "X") == 0 || starts(path, "layers/"))
        return 2;
    if (starts(path, "varp/"))
        return 3;
    if (are_levels(path))
        return 0;
    return starts(path, "var/") || starts(path, "varm/") ? 1 : 0;
}

/* Frames and their columns are groups of what can be cut. */
static bool is_matrix(hid_t group, const char *path)
{
    char type[BAL_H5_TEXT_MAX];

    if (starts(path, "var/"))
        return false;
    bal_h5_get_text(group, "encoding-type", type, sizeof type);
    return !starts(path, "varm/") || strcmp(type, "csr_matrix") == 0 ||
           strcmp(type, "csc_matrix") == 0;
}

bool bal_out_has_to_cut(bal_h5_cut *cut, const char *file, hid_t object,
                        const char *path, bool *left)
{
    unsigned axes = cut->all > 0 ? axes_of(path) : 0;
    bool group = axes != 0 && bal_h5_is(object, H5I_GROUP);

    cut->axes = axes;
    *left = false;
    if (axes == 0 || (group && !is_matrix(object, path)))
        return false;
    *left = group || !bal_h5_can_cut(object, cut);
    /* A column may hold what is not one value a feature. */
    if (*left && !group && starts(path, "var/"))
        return *left = false;
    if (*left)
        bal_aside_warn("'%.300s' of '%s' cannot be cut to the features that "
                       "are kept, and is left out",
                       path, file);
    return !*left;
}
