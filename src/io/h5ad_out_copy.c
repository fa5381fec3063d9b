/* The input's elements in the output.
 *
 * Elements are copied whole by H5Ocopy(), which moves chunks as they are
 * stored.  A group is gone through member by member only where something in it
 * is replaced. */
#include <stdio.h>
#include <string.h>

#include "h5ad_out_internal.h"

bool bal_path_is_in(const char *inner, const char *path)
{
    size_t len = strlen(path);

    return strncmp(inner, path, len) == 0 &&
           (inner[len] == '\0' || inner[len] == '/');
}

const char *bal_out_column(const bal_array *a)
{
    return strncmp(a->path, "obs/", 4) == 0 && !a->is_member ? a->path + 4
                                                             : NULL;
}

/* The i-th path that is not copied; NULL after the last. */
static const char *skipped(const bal_out_plan *plan, bal_size i)
{
    if (i == 0)
        return plan->replace != NULL ? plan->replace : "uns/balans";
    if (i == 1)
        return "uns/balans";
    i -= 2;
    if (i < plan->arrays)
        return plan->array[i].path;
    i -= plan->arrays;
    return i < plan->csrs ? plan->csr[i].path : NULL;
}

bool bal_out_skips(const bal_out_plan *plan, const char *path)
{
    const char *skip;

    if (strcmp(path, "uns/balans") == 0 && plan->uns == NULL)
        return false;
    for (bal_size i = 0; (skip = skipped(plan, i)) != NULL; i++)
        if (strcmp(path, skip) == 0)
            return true;
    return false;
}

static bool holds_skipped(const bal_out_plan *plan, const char *path)
{
    const char *skip;

    for (bal_size i = 0; (skip = skipped(plan, i)) != NULL; i++)
        if (strcmp(skip, path) != 0 && bal_path_is_in(skip, path))
            return true;
    return false;
}

/* Links of all kinds become what they lead to.  References inside an element
 * are followed, or the categories of anndata 0.7 would be lost. */
static bal_status copy_element(hid_t from, const char *path, hid_t to,
                               const char *as)
{
    hid_t ocpypl = H5Pcreate(H5P_OBJECT_COPY);
    bal_status st = BAL_OK;

    H5Pset_copy_object(ocpypl, H5O_COPY_EXPAND_REFERENCE_FLAG |
                                   H5O_COPY_EXPAND_SOFT_LINK_FLAG |
                                   H5O_COPY_EXPAND_EXT_LINK_FLAG);
    if (H5Ocopy(from, path, to, as, ocpypl, H5P_DEFAULT) < 0) {
        char reason[BAL_H5_TEXT_MAX], file[BAL_H5_PATH_MAX];
        bal_h5_reason(reason, sizeof reason);
        H5Fget_name(from, file, sizeof file);
        st = BAL_FAIL(BAL_EIO, "cannot copy '%s' of '%s': %s", path, file,
                      reason);
    }
    H5Pclose(ocpypl);
    return st;
}

/* obs gets a new column-order, which may be larger than a group made by an old
 * library can hold.  So its members are moved into a new group; a group keeps
 * the identity of what is linked to it, and references stay right. */
static bal_status copy_obs(const bal_out_plan *plan, hid_t from, hid_t to)
{
    static const char aside[] = "obs.balans";
    char path[BAL_H5_PATH_MAX];
    bal_h5_list member = {0};
    hid_t old = H5I_INVALID_HID, group = H5I_INVALID_HID;
    bal_status st;

    BAL_TRY(copy_element(from, "obs", to, aside));
    BAL_TRY(bal_h5_make_group(to, "obs", &group));
    old = bal_h5_find(to, aside);
    BAL_TRY(bal_h5_copy_attributes(old, group, "column-order"));
    BAL_TRY(bal_h5_members(old, &member));
    for (bal_size i = 0; i < member.count; i++) {
        snprintf(path, sizeof path, "obs/%s", member.item[i]);
        if (!bal_out_skips(plan, path) &&
            H5Lmove(old, member.item[i], group, member.item[i], H5P_DEFAULT,
                    H5P_DEFAULT) < 0)
            BAL_TRY(bal_h5_fail(BAL_EIO, "move a column of", old));
    }
done:
    bal_h5_list_free(&member);
    bal_h5_close(&old);
    bal_h5_close(&group);
    if (H5Lexists(to, aside, H5P_DEFAULT) > 0)
        H5Ldelete(to, aside, H5P_DEFAULT);
    return st;
}

static bal_status append_columns(const bal_out_plan *plan, hid_t from, hid_t to)
{
    bal_h5_list order = {0};
    hid_t old = bal_h5_find(from, "obs"), group = bal_h5_find(to, "obs");
    bal_status st;

    BAL_TRY(bal_h5_get_list(old, "column-order", &order));
    for (bal_size i = 0; i < plan->arrays; i++) {
        const char *name = bal_out_column(&plan->array[i]);
        bal_size at = 0;
        while (name != NULL && at < order.count &&
               strcmp(order.item[at], name) != 0)
            at++;
        if (name != NULL && at == order.count)
            BAL_TRY(bal_h5_list_add(&order, name));
    }
    BAL_TRY(bal_h5_set_list(group, "column-order", &order));
done:
    bal_h5_list_free(&order);
    bal_h5_close(&group);
    bal_h5_close(&old);
    return st;
}

static bool adds_columns(const bal_out_plan *plan)
{
    for (bal_size i = 0; i < plan->arrays; i++)
        if (bal_out_column(&plan->array[i]) != NULL)
            return true;
    return false;
}

static bal_status copy_members(const bal_out_plan *plan, hid_t from,
                               const char *prefix, hid_t to);

/* A group of which some member is replaced: its attributes, and its other
 * members one by one. */
static bal_status copy_inside(const bal_out_plan *plan, hid_t from,
                              const char *path, hid_t to)
{
    hid_t old = bal_h5_find(from, path), group = H5I_INVALID_HID;
    bal_status st;

    BAL_TRY(bal_h5_make_group(to, path, &group));
    BAL_TRY(bal_h5_copy_attributes(old, group, NULL));
    BAL_TRY(copy_members(plan, from, path, to));
done:
    bal_h5_close(&group);
    bal_h5_close(&old);
    return st;
}

static bool is_group(hid_t file, const char *path)
{
    hid_t object = bal_h5_find(file, path);
    bool yes = bal_h5_is(object, H5I_GROUP);

    bal_h5_close(&object);
    return yes;
}

static bal_status copy_member(const bal_out_plan *plan, hid_t from,
                              const char *path, hid_t to)
{
    if (bal_out_skips(plan, path) || !bal_h5_has(from, path))
        return BAL_OK;
    if (strcmp(path, "obs") == 0 && adds_columns(plan)) {
        bal_status st = copy_obs(plan, from, to);
        return bal_failed(st) ? st : append_columns(plan, from, to);
    }
    if (holds_skipped(plan, path) && is_group(from, path))
        return copy_inside(plan, from, path, to);
    return copy_element(from, path, to, path);
}

static bal_status copy_members(const bal_out_plan *plan, hid_t from,
                               const char *prefix, hid_t to)
{
    char path[BAL_H5_PATH_MAX];
    bal_h5_list member = {0};
    hid_t group = prefix[0] == '\0' ? H5Gopen2(from, "/", H5P_DEFAULT)
                                    : bal_h5_find(from, prefix);
    bal_status st = bal_h5_members(group, &member);

    for (bal_size i = 0; i < member.count && !bal_failed(st); i++) {
        snprintf(path, sizeof path, "%s%s%s", prefix,
                 prefix[0] == '\0' ? "" : "/", member.item[i]);
        st = copy_member(plan, from, path, to);
    }
    bal_h5_list_free(&member);
    bal_h5_close(&group);
    return st;
}

static bal_status keep(const bal_out_plan *plan, hid_t from, hid_t to)
{
    char parent[BAL_H5_PATH_MAX];
    bal_status st;

    if (bal_h5_has(from, plan->keep_as))
        return BAL_FAIL(BAL_EINPUT,
                        "cannot keep the original as '%s': '%s' has one "
                        "already; rename it there or drop --keep-original",
                        plan->keep_as, bal_h5ad_path(plan->input));
    snprintf(parent, sizeof parent, "%s", plan->keep_as);
    char *slash = strrchr(parent, '/');
    if (slash != NULL) {
        *slash = '\0';
        st = bal_out_make_dicts(to, parent);
        if (bal_failed(st))
            return st;
    }
    return copy_element(from, plan->replace, to, plan->keep_as);
}

bal_status bal_out_copy(const bal_out_plan *plan, hid_t to)
{
    hid_t from, root = H5I_INVALID_HID, fresh = H5I_INVALID_HID;
    bal_status st =
        bal_h5_open(bal_h5ad_path(plan->input), BAL_H5_READ, NULL, &from);

    if (bal_failed(st))
        return st;
    root = H5Gopen2(from, "/", H5P_DEFAULT);
    fresh = H5Gopen2(to, "/", H5P_DEFAULT);
    BAL_TRY(bal_h5_copy_attributes(root, fresh, NULL));
    BAL_TRY(copy_members(plan, from, "", to));
    if (plan->keep_as != NULL && plan->replace != NULL)
        BAL_TRY(keep(plan, from, to));
done:
    bal_h5_close(&fresh);
    bal_h5_close(&root);
    bal_h5_close(&from);
    return st;
}
