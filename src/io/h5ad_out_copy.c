/* The input's elements in the output.
 *
 * Elements are copied whole by H5Ocopy(), which moves chunks as they are
 * stored.  A group is gone through member by member only where something in it
 * is replaced, or where H5Ocopy() cannot be trusted with it. */
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

/* The i-th path that is not copied, in `room` where it is a column; NULL after
 * the last. */
static const char *skipped(const bal_out_source *s, bal_size i, char *room)
{
    if (i == 0)
        return "uns/balans";
    if (i == 1)
        return s->replace != NULL ? s->replace : "uns/balans";
    i -= 2;
    if (i < s->drops)
        return s->drop[i];
    i -= s->drops;
    if (i >= s->columns)
        return NULL;
    snprintf(room, BAL_H5_PATH_MAX, "obs/%s", s->column[i]);
    return room;
}

bool bal_out_skips(const bal_out_source *s, const char *path)
{
    char room[BAL_H5_PATH_MAX];
    const char *skip;

    for (bal_size i = 0; (skip = skipped(s, i, room)) != NULL; i++)
        if (strcmp(path, skip) == 0)
            return true;
    return false;
}

static bool holds_skipped(const bal_out_source *plan, const char *path)
{
    char room[BAL_H5_PATH_MAX];
    const char *skip;

    for (bal_size i = 0; (skip = skipped(plan, i, room)) != NULL; i++)
        if (strcmp(skip, path) != 0 && bal_path_is_in(skip, path))
            return true;
    return false;
}

/* H5Ocopy() of HDF5 1.10 jumps to address 0 when an object has strings among
 * attributes that are stored densely, outside its header: more than 8 of them,
 * or one of nearly 64 KiB.  The attributes of such objects are copied here. */
static herr_t judge_attribute(hid_t object, const char *name,
                              const H5A_info_t *info, void *arg)
{
    enum { MOST = 8, LARGE = 1 << 15 };
    int *count = arg;

    (void)object;
    (void)name;
    return ++*count >= MOST || info->data_size >= LARGE;
}

static bool has_dense(hid_t object)
{
    int count = 0;

    return H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL,
                       judge_attribute, &count) > 0;
}

/* Whether there are such objects at or below `path`. */
static bal_status find_dense(hid_t from, const char *path, bool *found)
{
    hid_t object = bal_h5_find(from, path);
    bal_h5_list member = {0};
    bal_status st = BAL_OK;

    *found = object >= 0 && has_dense(object);
    if (!*found && bal_h5_is(object, H5I_GROUP))
        st = bal_h5_members(object, &member);
    for (bal_size i = 0; i < member.count && !*found && !bal_failed(st); i++)
        st = find_dense(object, member.item[i], found);
    bal_h5_list_free(&member);
    bal_h5_close(&object);
    return st;
}

/* Links of all kinds become what they lead to.  References inside an element
 * are followed, or the categories of anndata 0.7 would be lost. */
static bal_status copy_object(hid_t from, const char *path, hid_t to,
                              const char *as, unsigned flags)
{
    hid_t ocpypl = H5Pcreate(H5P_OBJECT_COPY);
    bal_status st = BAL_OK;

    H5Pset_copy_object(ocpypl, flags | H5O_COPY_EXPAND_REFERENCE_FLAG |
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

/* A dataset with dense attributes. */
static bal_status copy_dataset(hid_t from, const char *path, hid_t to,
                               const char *as)
{
    hid_t old = bal_h5_find(from, path), fresh = H5I_INVALID_HID;
    bal_status st = copy_object(from, path, to, as, H5O_COPY_WITHOUT_ATTR_FLAG);

    if (!bal_failed(st)) {
        fresh = bal_h5_find(to, as);
        st = bal_h5_copy_attributes(old, fresh, NULL);
    }
    bal_h5_close(&fresh);
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

static bal_status copy_members(const bal_out_source *plan, hid_t from,
                               const char *prefix, hid_t to, const char *as);

/* A group, member by member: some are replaced, or something has dense
 * attributes.  All attributes but the one named `but`. */
static bal_status copy_inside(const bal_out_source *plan, hid_t from,
                              const char *path, hid_t to, const char *as,
                              const char *but)
{
    hid_t old = bal_h5_find(from, path), group = H5I_INVALID_HID;
    bal_status st;

    BAL_TRY(bal_h5_make_group(to, as, &group));
    BAL_TRY(bal_h5_copy_attributes(old, group, but));
    BAL_TRY(copy_members(plan, from, path, to, as));
done:
    bal_h5_close(&group);
    bal_h5_close(&old);
    return st;
}

/* `plan` is NULL where nothing is replaced. */
static bal_status copy_element(const bal_out_source *plan, hid_t from,
                               const char *path, hid_t to, const char *as)
{
    bool dense;
    bal_status st = find_dense(from, path, &dense);

    if (bal_failed(st))
        return st;
    if (is_group(from, path) &&
        (dense || (plan != NULL && holds_skipped(plan, path))))
        return copy_inside(plan, from, path, to, as, NULL);
    return dense ? copy_dataset(from, path, to, as)
                 : copy_object(from, path, to, as, 0);
}

/* obs gets a new column-order, which may be larger than a group made by an old
 * library can hold.  So its members are moved into a new group; an object keeps
 * its identity when links to it change, and references stay right. */
static bal_status move_obs(const bal_out_source *plan, hid_t from, hid_t to)
{
    static const char aside[] = "obs.balans";
    char path[BAL_H5_PATH_MAX];
    bal_h5_list member = {0};
    hid_t old = H5I_INVALID_HID, group = H5I_INVALID_HID;
    bal_status st;

    BAL_TRY(copy_object(from, "obs", to, aside, 0));
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
    H5Ldelete(to, aside, H5P_DEFAULT);
done:
    bal_h5_list_free(&member);
    bal_h5_close(&old);
    bal_h5_close(&group);
    return st;
}

static bal_status copy_obs(const bal_out_source *plan, hid_t from, hid_t to)
{
    bool dense;
    bal_status st = find_dense(from, "obs", &dense);

    if (bal_failed(st))
        return st;
    return dense ? copy_inside(plan, from, "obs", to, "obs", "column-order")
                 : move_obs(plan, from, to);
}

static bal_status append_columns(const bal_out_source *plan, hid_t from,
                                 hid_t to)
{
    bal_h5_list order = {0};
    hid_t old = bal_h5_find(from, "obs"), group = bal_h5_find(to, "obs");
    bal_status st;

    BAL_TRY(bal_h5_get_list(old, "column-order", &order));
    for (bal_size i = 0; i < plan->columns; i++) {
        bal_size at = 0;
        while (at < order.count && strcmp(order.item[at], plan->column[i]) != 0)
            at++;
        if (at == order.count)
            BAL_TRY(bal_h5_list_add(&order, plan->column[i]));
    }
    BAL_TRY(bal_h5_set_list(group, "column-order", &order));
done:
    bal_h5_list_free(&order);
    bal_h5_close(&group);
    bal_h5_close(&old);
    return st;
}

static bal_status copy_member(const bal_out_source *plan, hid_t from,
                              const char *path, hid_t to, const char *as)
{
    if (!bal_h5_has(from, path) || (plan != NULL && bal_out_skips(plan, path)))
        return BAL_OK;
    if (plan != NULL && strcmp(path, "obs") == 0 && plan->columns > 0) {
        bal_status st = copy_obs(plan, from, to);
        return bal_failed(st) ? st : append_columns(plan, from, to);
    }
    return copy_element(plan, from, path, to, as);
}

/* What `prefix` holds of `from`, below `as` of `to`. */
static bal_status copy_members(const bal_out_source *plan, hid_t from,
                               const char *prefix, hid_t to, const char *as)
{
    char path[BAL_H5_PATH_MAX], target[BAL_H5_PATH_MAX];
    const char *slash = prefix[0] == '\0' ? "" : "/";
    bal_h5_list member = {0};
    hid_t group = prefix[0] == '\0' ? H5Gopen2(from, "/", H5P_DEFAULT)
                                    : bal_h5_find(from, prefix);
    bal_status st = bal_h5_members(group, &member);

    for (bal_size i = 0; i < member.count && !bal_failed(st); i++) {
        snprintf(path, sizeof path, "%s%s%s", prefix, slash, member.item[i]);
        snprintf(target, sizeof target, "%s%s%s", as, slash, member.item[i]);
        st = copy_member(plan, from, path, to, target);
    }
    bal_h5_list_free(&member);
    bal_h5_close(&group);
    return st;
}

static bal_status keep(const bal_out_source *plan, hid_t from, hid_t to)
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
    return copy_element(NULL, from, plan->replace, to, plan->keep_as);
}

bal_status bal_out_copy(const bal_out_source *plan, hid_t to)
{
    hid_t from, root = H5I_INVALID_HID, fresh = H5I_INVALID_HID;
    bal_status st =
        bal_h5_open(bal_h5ad_path(plan->input), BAL_H5_READ, NULL, &from);

    if (bal_failed(st))
        return st;
    root = H5Gopen2(from, "/", H5P_DEFAULT);
    fresh = H5Gopen2(to, "/", H5P_DEFAULT);
    BAL_TRY(bal_h5_copy_attributes(root, fresh, NULL));
    BAL_TRY(copy_members(plan, from, "", to, ""));
    if (plan->keep_as != NULL && plan->replace != NULL)
        BAL_TRY(keep(plan, from, to));
done:
    bal_h5_close(&fresh);
    bal_h5_close(&root);
    bal_h5_close(&from);
    return st;
}
