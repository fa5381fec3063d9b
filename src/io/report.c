#include "balans/io/report.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/publish.h"
#include "balans/par/agree.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

enum { REPLACEMENT_BYTES = sizeof REPLACEMENT - 1 };

/* Bytes of the character that `s` starts with, 0 if it starts with none:
 * jansson takes a piece of text exactly if it is UTF-8. */
static size_t character(const char *s)
{
    for (size_t bytes = 1; bytes <= 4 && s[bytes - 1] != '\0'; bytes++) {
        json_t *piece = json_stringn(s, bytes);
        json_decref(piece);
        if (piece != NULL)
            return bytes;
    }
    return 0;
}

json_t *bal_report_text(const char *bytes)
{
    json_t *text = json_string(bytes);
    char *valid;
    size_t used = 0;

    if (text != NULL ||
        bal_failed(bal_alloc(&valid,
                             (bal_size)(REPLACEMENT_BYTES * strlen(bytes) + 1),
                             "the report")))
        return text;
    while (*bytes != '\0') {
        size_t now = character(bytes);
        memcpy(valid + used, now > 0 ? bytes : REPLACEMENT,
               now > 0 ? now : REPLACEMENT_BYTES);
        used += now > 0 ? now : REPLACEMENT_BYTES;
        bytes += now > 0 ? now : 1;
    }
    text = json_stringn(valid, used);
    bal_free(&valid);
    return text;
}

json_t *bal_report_texts(char *const *v, bal_size count)
{
    json_t *list = json_array();
    bool all = list != NULL;

    for (bal_size i = 0; i < count && all; i++)
        all = json_array_append_new(list, bal_report_text(v[i])) == 0;
    return bal_report_whole(list, all);
}

json_t *bal_report_real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

json_t *bal_report_ints(const int64_t *v, bal_size count)
{
    json_t *list = json_array();
    bool all = list != NULL;

    for (bal_size i = 0; i < count && all; i++)
        all = json_array_append_new(list, json_integer(v[i])) == 0;
    return bal_report_whole(list, all);
}

json_t *bal_report_reals(const double *v, bal_size count)
{
    json_t *list = json_array();
    bool all = list != NULL;

    for (bal_size i = 0; i < count && all; i++)
        all = json_array_append_new(list, bal_report_real(v[i])) == 0;
    return bal_report_whole(list, all);
}

bool bal_report_add(json_t *object, const char *key, json_t *value)
{
    json_t *name = bal_report_text(key);

    while (name != NULL &&
           json_object_get(object, json_string_value(name)) != NULL) {
        json_t *longer =
            json_sprintf("%s" REPLACEMENT, json_string_value(name));
        json_decref(name);
        name = longer;
    }
    if (name == NULL) {
        json_decref(value);
        return false;
    }
    int lost = json_object_set_new(object, json_string_value(name), value);
    json_decref(name);
    return lost == 0;
}

json_t *bal_report_whole(json_t *object, bool all)
{
    if (all)
        return object;
    json_decref(object);
    return NULL;
}

bal_status bal_report_status(const json_t *r)
{
    return r != NULL ? BAL_OK
                     : BAL_FAIL(BAL_ENOMEM, "cannot write what the run has to "
                                            "say about itself: out of memory");
}

static bal_status write_file(const char *path, const json_t *r)
{
    bal_publish *file = NULL;
    bal_status st;

    BAL_TRY(bal_report_status(r));
    BAL_TRY(bal_publish_begin(path, true, &file));
    if (json_dump_file(r, bal_publish_temporary(file), JSON_INDENT(2)) != 0)
        BAL_TRY(BAL_FAIL(BAL_EIO, "cannot write the report '%s': %s", path,
                         strerror(errno)));
    BAL_TRY(bal_publish_finish(&file, NULL));
done:
    bal_publish_discard(&file);
    return st;
}

bal_verdict bal_report_write(bal_comm *c, const char *path, const json_t *r)
{
    return bal_agree(c, c->rank == 0 ? write_file(path, r) : BAL_OK);
}
