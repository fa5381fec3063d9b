/* The input's elements in the output, by the helper.
 *
 * Groups are made anew and walked link by link.  An object is copied once and
 * remembered: a further hard link to it becomes one to the copy, so circles
 * end.  Soft links stay as they are, unless they lead to what is replaced: then
 * what they led to is copied.  What external links lead to is copied.  Where
 * not all features are kept, what has an axis of features is cut. */
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/aside.h"
#include "balans/io/reserve.h"
#include "h5ad_ask.h"
#include "h5ad_internal.h"
#include "h5ad_out_cut.h"
#include "h5ad_out_internal.h"

enum { DEEPEST = 1000 }; /* groups inside groups */

typedef struct walker {
    const char *path, *replace, *keep_as;
    bal_array instead;  /* of what is replaced */
    bal_h5_list skip;   /* paths that are not copied */
    bal_h5_list column; /* new columns of obs */
    bal_h5_seen replaced;
    bal_h5_copier copier;
    bal_h5_cut cut; /* .all is 0 where all features are kept */
    int depth;
} walker;

static bal_status copy_members(walker *w, hid_t from, hid_t to,
                               const char *path);

/* ---- What is not copied ---- */

static bool is_skipped(const walker *w, const char *path)
{
    for (bal_size i = 0; i < w->skip.count; i++)
        if (strcmp(w->skip.item[i], path) == 0)
            return true;
    return false;
}

static bal_status note_replaced(walker *w, hid_t loc, const char *name,
                                bool inside)
{
    hid_t object = bal_h5_find(loc, name);
    bal_h5_list member = {0};
    bal_h5_key key;
    bal_status st = BAL_OK;

    if (object < 0)
        return BAL_OK;
    BAL_TRY(bal_h5_key_of(object, &key));
    BAL_TRY(bal_h5_seen_add(&w->replaced, key, name));
    if (inside && bal_h5_is(object, H5I_GROUP))
        BAL_TRY(bal_h5_members(object, &member));
    for (bal_size i = 0; i < member.count; i++)
        BAL_TRY(note_replaced(w, object, member.item[i], false));
done:
    bal_h5_list_free(&member);
    bal_h5_close(&object);
    return st;
}

/* Objects that are not copied, and the members of those that are groups. */
static bal_status find_replaced(walker *w, hid_t from)
{
    bal_status st = BAL_OK;

    for (bal_size i = 0; i < w->skip.count && !bal_failed(st); i++)
        st = note_replaced(w, from, w->skip.item[i], true);
    return st;
}

/* ---- Objects ---- */

static bal_status join(const char *path, const char *name, char **out)
{
    size_t size = strlen(path) + strlen(name) + 2;
    bal_status st = bal_alloc(out, (bal_size)size, "a path");

    if (!bal_failed(st))
        snprintf(*out, size, "%s%s%s", path, path[0] != '\0' ? "/" : "", name);
    return st;
}

/* Members and attributes keep the order that they are kept in. */
static bal_status make_like(hid_t from, hid_t to, const char *as, hid_t *group)
{
    hid_t old = H5Gget_create_plist(from), gcpl = H5Pcreate(H5P_GROUP_CREATE);
    unsigned links = 0, attributes = 0;
    bal_status st = BAL_OK;

    H5Pset_obj_track_times(gcpl, false);
    if (H5Pget_link_creation_order(old, &links) >= 0)
        H5Pset_link_creation_order(gcpl, links);
    if (H5Pget_attr_creation_order(old, &attributes) >= 0)
        H5Pset_attr_creation_order(gcpl, attributes);
    *group = H5Gcreate2(to, as, H5P_DEFAULT, gcpl, H5P_DEFAULT);
    if (*group < 0)
        st = bal_h5_fail(BAL_EIO, "make a group in", to);
    H5Pclose(gcpl);
    bal_h5_close(&old);
    return st;
}

static bal_status copy_group(walker *w, hid_t from, hid_t to, const char *as,
                             const char *path)
{
    bool frame = strcmp(path, "obs") == 0 || strcmp(path, "var") == 0;
    hid_t group = H5I_INVALID_HID;
    bal_status st;

    if (w->depth >= DEEPEST)
        return BAL_FAIL(BAL_EINPUT,
                        "cannot copy '%s', '%.200s...': its groups are nested "
                        "more than %d deep",
                        w->path, path, DEEPEST);
    w->depth++;
    BAL_TRY(make_like(from, to, as, &group));
    BAL_TRY(bal_h5_copy_attributes(&w->copier, from, group,
                                   frame ? "column-order" : NULL));
    if (frame)
        BAL_TRY(bal_out_copy_order(
            w->path, path, strcmp(path, "obs") == 0 ? &w->column : NULL, from,
            group));
    BAL_TRY(copy_members(w, from, group, path));
done:
    w->depth--;
    bal_h5_close(&group);
    return st;
}

static bal_status copy_type(hid_t from, hid_t to, const char *as)
{
    if (H5Ocopy(from, ".", to, as, H5P_DEFAULT, H5P_DEFAULT) >= 0)
        return BAL_OK;
    return bal_h5_fail(BAL_EINPUT, "copy", from);
}

/* A further name of an object that has its place. */
static bal_status link_again(const walker *w, const char *known, hid_t to,
                             const char *as)
{
    if (H5Lcreate_hard(w->copier.to, known, to, as, H5P_DEFAULT, H5P_DEFAULT) >=
        0)
        return BAL_OK;
    return bal_h5_fail(BAL_EIO, "make a link in", to);
}

/* Copies an open object as the link `as` of `to`, which has the path `path`. */
static bal_status copy_object(walker *w, hid_t object, hid_t to, const char *as,
                              const char *path)
{
    const char *known;
    bool cut, left;
    bal_h5_key key;
    bal_status st;

    BAL_TRY(bal_h5_key_of(object, &key));
    cut = bal_out_has_to_cut(&w->cut, w->path, object, path, &left);
    if (left)
        goto done;
    known = bal_h5_seen_find(&w->copier.seen, key);
    if (known != NULL)
        return link_again(w, known, to, as);
    BAL_TRY(bal_h5_seen_add(&w->copier.seen, key, path));
    if (cut)
        st = bal_h5_cut_dataset(&w->copier, object, to, as, &w->cut);
    else if (bal_h5_is(object, H5I_GROUP))
        st = copy_group(w, object, to, as, path);
    else if (bal_h5_is(object, H5I_DATASET))
        st = bal_h5_copy_dataset(&w->copier, object, to, as);
    else
        st = copy_type(object, to, as);
done:
    return st;
}

/* ---- Links ---- */

static bal_status fail_element(const walker *w, const char *path)
{
    char reason[BAL_H5_TEXT_MAX];

    bal_h5_reason(reason, sizeof reason);
    return BAL_FAIL(BAL_EINPUT, "cannot copy '%.300s' of '%s': %s", path,
                    w->path, reason);
}

/* A link whose text is `size` bytes, as it is. */
static bal_status copy_link(const walker *w, hid_t from, hid_t to,
                            const char *name, const char *path,
                            const H5L_info_t *info)
{
    const char *file = NULL, *inside = NULL;
    char *text = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&text, (bal_size)info->u.val_size + 1, "a link"));
    if (H5Lget_val(from, name, text, info->u.val_size, H5P_DEFAULT) < 0) {
        st = fail_element(w, path);
    } else if (info->type == H5L_TYPE_SOFT) {
        if (H5Lcreate_soft(text, to, name, H5P_DEFAULT, H5P_DEFAULT) < 0)
            st = bal_h5_fail(BAL_EIO, "make a link in", to);
    } else if (H5Lunpack_elink_val(text, info->u.val_size, NULL, &file,
                                   &inside) < 0) {
        st = fail_element(w, path);
    } else if (H5Lcreate_external(file, inside, to, name, H5P_DEFAULT,
                                  H5P_DEFAULT) < 0) {
        st = bal_h5_fail(BAL_EIO, "make a link in", to);
    }
done:
    bal_free(&text);
    return st;
}

/* What becomes of a soft or external link; `object` is what it leads to, or
 * none. */
static bal_status follow(walker *w, hid_t from, hid_t to, const char *name,
                         const char *path, const H5L_info_t *info)
{
    hid_t object = H5Oopen(from, name, H5P_DEFAULT);
    bal_h5_key key;
    bal_status st;

    if (object < 0) {
        bal_aside_warn("'%.300s' of '%s' is a link that leads nowhere; it is "
                       "kept as it is",
                       path, w->path);
        return copy_link(w, from, to, name, path, info);
    }
    BAL_TRY(bal_h5_key_of(object, &key));
    if (info->type == H5L_TYPE_SOFT &&
        bal_h5_seen_find(&w->replaced, key) == NULL)
        st = copy_link(w, from, to, name, path, info);
    else
        st = copy_object(w, object, to, name, path);
done:
    bal_h5_close(&object);
    return st;
}

static bal_status copy_hard(walker *w, hid_t from, hid_t to, const char *name,
                            const char *path)
{
    hid_t object = H5Oopen(from, name, H5P_DEFAULT);
    bal_status st;

    if (object < 0)
        return fail_element(w, path);
    st = copy_object(w, object, to, name, path);
    bal_h5_close(&object);
    return st;
}

static bal_status copy_member(walker *w, hid_t from, hid_t to, const char *name,
                              const char *group)
{
    char *path = NULL;
    H5L_info_t info;
    bal_status st;

    BAL_TRY(join(group, name, &path));
    if (is_skipped(w, path))
        goto done;
    bal_aside_at(path);
    if (H5Lget_info(from, name, &info, H5P_DEFAULT) < 0)
        st = fail_element(w, path);
    else if (info.type == H5L_TYPE_HARD)
        st = copy_hard(w, from, to, name, path);
    else if (info.type == H5L_TYPE_SOFT || info.type == H5L_TYPE_EXTERNAL)
        st = follow(w, from, to, name, path, &info);
    else
        bal_aside_warn("'%.300s' of '%s' is a link of a kind that is not "
                       "known, and left out",
                       path, w->path);
done:
    bal_free(&path);
    return st;
}

static herr_t take_link(hid_t group, const char *name, const H5L_info_t *info,
                        void *arg)
{
    (void)group;
    (void)info;
    return bal_failed(bal_h5_list_add(arg, name)) ? -1 : 0;
}

/* The names of a group's links, in the order in which they were made where the
 * group knows that. */
static bal_status list_links(hid_t group, bal_h5_list *list)
{
    hid_t gcpl = H5Gget_create_plist(group);
    unsigned order = 0;
    H5_index_t by = H5_INDEX_NAME;

    if (gcpl >= 0 && H5Pget_link_creation_order(gcpl, &order) >= 0 &&
        (order & H5P_CRT_ORDER_TRACKED) != 0)
        by = H5_INDEX_CRT_ORDER;
    bal_h5_close(&gcpl);
    if (H5Literate(group, by, H5_ITER_INC, NULL, take_link, list) >= 0)
        return BAL_OK;
    return bal_h5_fail(BAL_EINPUT, "read", group);
}

static bal_status copy_members(walker *w, hid_t from, hid_t to,
                               const char *path)
{
    bal_h5_list member = {0};
    bal_status st = list_links(from, &member);

    for (bal_size i = 0; i < member.count && !bal_failed(st); i++)
        st = copy_member(w, from, to, member.item[i], path);
    bal_h5_list_free(&member);
    return st;
}

/* ---- The file ---- */

static bal_status keep(walker *w, hid_t from)
{
    char parent[BAL_H5_PATH_MAX];
    hid_t object = bal_h5_find(from, w->replace);
    bal_status st = BAL_OK;

    if (bal_h5_has(from, w->keep_as)) {
        st = BAL_FAIL(BAL_EINPUT,
                      "cannot keep the original as '%s': '%s' has one already; "
                      "rename it there or drop --keep-original",
                      w->keep_as, w->path);
        goto done;
    }
    snprintf(parent, sizeof parent, "%s", w->keep_as);
    char *slash = strrchr(parent, '/');
    if (slash != NULL) {
        *slash = '\0';
        BAL_TRY(bal_out_make_dicts(w->copier.to, parent));
    }
    bal_aside_at(w->replace);
    st = copy_object(w, object, w->copier.to, w->keep_as, w->keep_as);
done:
    bal_h5_close(&object);
    return st;
}

/* Makes the array that replaces the matrix where references may lead to it. */
static bal_status make_instead(walker *w, hid_t from)
{
    bool may_lead = w->instead.n > 0 && w->copier.pendings > 0;
    hid_t object = may_lead ? bal_h5_find(from, w->replace) : H5I_INVALID_HID;
    bal_status st = BAL_OK;

    if (object < 0)
        return st;
    BAL_TRY(bal_h5_key_of(object, &w->copier.replaced));
    BAL_TRY(bal_out_make_array(w->copier.to, &w->instead));
    w->copier.instead = w->replace;
done:
    bal_h5_close(&object);
    return st;
}

/* obs and var first, so that they have their own names. */
static bal_status copy_root(walker *w, hid_t from, hid_t to)
{
    static const char *const first[] = {"obs", "var"};
    bal_h5_list member = {0};
    bal_h5_key key;
    bal_status st;

    BAL_TRY(bal_h5_key_of(from, &key));
    BAL_TRY(bal_h5_seen_add(&w->copier.seen, key, "/"));
    BAL_TRY(bal_h5_copy_attributes(&w->copier, from, to, NULL));
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        BAL_TRY(copy_member(w, from, to, first[i], ""));
    BAL_TRY(list_links(from, &member));
    for (bal_size i = 0; i < member.count; i++)
        if (strcmp(member.item[i], first[0]) != 0 &&
            strcmp(member.item[i], first[1]) != 0)
            BAL_TRY(copy_member(w, from, to, member.item[i], ""));
    if (w->keep_as != NULL && w->replace != NULL)
        BAL_TRY(keep(w, from));
    BAL_TRY(make_instead(w, from));
    BAL_TRY(bal_h5_copy_references(&w->copier));
done:
    bal_h5_list_free(&member);
    return st;
}

static bal_status copy_file(walker *w)
{
    hid_t file = H5I_INVALID_HID, from = H5I_INVALID_HID, to = H5I_INVALID_HID;
    bal_status st;

    BAL_TRY(bal_h5_open(w->path, BAL_H5_READ, NULL, &file));
    from = H5Gopen2(file, "/", H5P_DEFAULT);
    to = H5Gopen2(w->copier.to, "/", H5P_DEFAULT);
    BAL_TRY(find_replaced(w, from));
    BAL_TRY(copy_root(w, from, to));
done:
    bal_h5_copier_finish(&w->copier);
    bal_h5_close(&to);
    bal_h5_close(&from);
    bal_h5_close(&file);
    return st;
}

static bal_status list_skipped(walker *w)
{
    char *path = NULL;
    bal_status st;

    BAL_TRY(bal_h5_list_add(&w->skip, "uns/balans"));
    if (w->replace != NULL)
        BAL_TRY(bal_h5_list_add(&w->skip, w->replace));
    for (bal_size i = 0; i < w->column.count; i++) {
        BAL_TRY(join("obs", w->column.item[i], &path));
        BAL_TRY(bal_h5_list_add(&w->skip, path));
        bal_free(&path);
    }
done:
    bal_free(&path);
    return st;
}

static bal_status unpack(bal_pack *in, walker *w, const char **target,
                         bal_size *reserve)
{
    bal_status st;

    w->path = bal_unpack_text(in);
    *target = bal_unpack_text(in);
    *reserve = bal_unpack_int(in);
    w->replace = bal_unpack_text(in);
    w->instead = (bal_array){
        .path = w->replace,
        .element = (bal_element)bal_unpack_int(in),
    };
    w->instead.n = bal_unpack_int(in);
    w->instead.d = bal_unpack_int(in);
    w->instead.compress = bal_unpack_int(in) != 0;
    w->keep_as = bal_unpack_text(in);
    BAL_TRY(bal_unpack_list(in, &w->skip));
    BAL_TRY(bal_unpack_list(in, &w->column));
    BAL_TRY(bal_out_unpack_cut(in, &w->cut));
    BAL_TRY(list_skipped(w));
done:
    return st;
}

/* Space is reserved first, as HDF5 1.10 crashes when a disk is full while it
 * copies or closes. */
bal_status bal_work_copy(bal_pack *in, bal_pack *out)
{
    walker w = {.depth = 0, .copier = {.to = H5I_INVALID_HID}};
    const char *target = NULL;
    bal_size reserve = 0;
    bal_status st, closed;

    (void)out;
    BAL_TRY(unpack(in, &w, &target, &reserve));
    BAL_TRY(bal_h5_open(target, BAL_H5_CREATE, NULL, &w.copier.to));
    BAL_TRY(bal_reserve(target, reserve));
    BAL_TRY(copy_file(&w));
done:
    if (w.copier.to >= 0) {
        closed = bal_h5_finish(&w.copier.to, target);
        if (!bal_failed(st))
            st = closed;
        if (!bal_failed(st))
            st = bal_h5_check_copies(&w.copier.seen, w.path, target);
    }
    bal_h5_seen_finish(&w.copier.seen);
    bal_h5_seen_finish(&w.replaced);
    bal_h5_list_free(&w.skip);
    bal_h5_list_free(&w.column);
    bal_free(&w.cut.is_kept);
    return st;
}
