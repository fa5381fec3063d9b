#include "balans/io/report.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/par/agree.h"

static json_t *object_of(const bal_record *r);

/* JSON has no infinities and no NaN. */
static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *integers(const bal_entry *e)
{
    json_t *list = json_array();

    for (bal_size i = 0; i < e->count; i++)
        json_array_append_new(list, json_integer(e->integers[i]));
    return list;
}

static json_t *reals(const bal_entry *e)
{
    json_t *list = json_array();

    for (bal_size i = 0; i < e->count; i++)
        json_array_append_new(list, number(e->reals[i]));
    return list;
}

static json_t *value_of(const bal_entry *e)
{
    switch (e->kind) {
    case BAL_KIND_TEXT:
        return json_string(e->text);
    case BAL_KIND_INT:
        return json_integer(e->integer);
    case BAL_KIND_REAL:
        return number(e->real);
    case BAL_KIND_FLAG:
        return json_boolean(e->integer != 0);
    case BAL_KIND_INTS:
        return integers(e);
    case BAL_KIND_REALS:
        return reals(e);
    case BAL_KIND_NODE:
        return object_of(e->node);
    }
    return json_null();
}

static json_t *object_of(const bal_record *r)
{
    json_t *object = json_object();

    for (const bal_entry *e = bal_record_first(r); e != NULL; e = e->next)
        json_object_set_new(object, e->key, value_of(e));
    return object;
}

static bal_status write_file(const char *path, const bal_record *r)
{
    char partial[4096];
    json_t *object = object_of(r);
    bal_status st = BAL_OK;

    snprintf(partial, sizeof partial, "%s.partial", path);
    if (object == NULL ||
        json_dump_file(object, partial, JSON_INDENT(2)) != 0 ||
        rename(partial, path) != 0) {
        st = BAL_FAIL(BAL_EIO, "cannot write the report '%s': %s", path,
                      strerror(errno));
        (void)remove(partial);
    }
    json_decref(object);
    return st;
}

bal_verdict bal_report_write(bal_comm *c, const char *path,
                             const bal_record *r)
{
    return bal_agree(c, c->rank == 0 ? write_file(path, r) : BAL_OK);
}
