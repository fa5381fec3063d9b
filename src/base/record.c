#include "balans/base/record.h"

#include <string.h>

#include "balans/base/mem.h"

struct bal_record {
    bal_entry *first;
    bal_entry *late;   ///< an entry near the end, or NULL
    bal_status status; ///< BAL_ENOMEM once an entry of it was lost
};

static const char purpose[] = "the record of the run";

bal_record *bal_record_create(void)
{
    bal_record *r;

    if (bal_failed(bal_alloc(&r, 1, purpose)))
        return NULL;
    return r;
}

/* Empties an entry but for its key and its place in the list. */
static void clear(bal_entry *e)
{
    bal_free(&e->text);
    bal_free(&e->integers);
    bal_free(&e->reals);
    bal_record_destroy(&e->node);
    e->integer = 0;
    e->real = 0;
    e->count = 0;
}

void bal_record_destroy(bal_record **r)
{
    if (*r == NULL)
        return;
    for (bal_entry *e = (*r)->first, *next; e != NULL; e = next) {
        next = e->next;
        clear(e);
        bal_free(&e->key);
        bal_free(&e);
    }
    bal_free(r);
}

static void *copy(const void *from, bal_size count, size_t size)
{
    void *to;

    if (bal_failed(bal_mem_alloc(&to, count, size, purpose)))
        return NULL;
    if (count > 0)
        memcpy(to, from, (size_t)count * size);
    return to;
}

static char *copy_text(const char *s)
{
    return copy(s, (bal_size)strlen(s) + 1, 1);
}

/* The link that points to the entry of that key, or the one at the end. */
static bal_entry **find_link(bal_record *r, const char *key)
{
    bal_entry **at = &r->first;

    while (*at != NULL && strcmp((*at)->key, key) != 0)
        at = &(*at)->next;
    return at;
}

/* The entry behind the link, empty, of the given kind; NULL if memory ran out.
 */
static bal_entry *fill_link(bal_record *r, bal_entry **at, const char *key,
                            bal_kind kind)
{
    if (*at == NULL) {
        bal_entry *e = copy(&(bal_entry){0}, 1, sizeof *e);
        if (e != NULL)
            e->key = copy_text(key);
        if (e == NULL || e->key == NULL) {
            bal_free(&e);
            r->status = BAL_ENOMEM;
            return NULL;
        }
        *at = e;
    }
    clear(*at);
    (*at)->kind = kind;
    return *at;
}

/* The entry of that key, or a new one. */
static bal_entry *place(bal_record *r, const char *key, bal_kind kind)
{
    return r == NULL ? NULL : fill_link(r, find_link(r, key), key, kind);
}

/* An entry whose contents could not be had is taken out again, so that what is
 * there can be trusted. */
static void drop(bal_record *r, const char *key)
{
    bal_entry **at = find_link(r, key), *e = *at;

    r->late = NULL;
    *at = e->next;
    clear(e);
    bal_free(&e->key);
    bal_free(&e);
    r->status = BAL_ENOMEM;
}

void bal_record_text(bal_record *r, const char *key, const char *value)
{
    bal_entry *e = place(r, key, BAL_KIND_TEXT);

    if (e == NULL)
        return;
    e->text = copy_text(value);
    if (e->text == NULL)
        drop(r, key);
}

void bal_record_int(bal_record *r, const char *key, int64_t value)
{
    bal_entry *e = place(r, key, BAL_KIND_INT);

    if (e != NULL)
        e->integer = value;
}

void bal_record_real(bal_record *r, const char *key, double value)
{
    bal_entry *e = place(r, key, BAL_KIND_REAL);

    if (e != NULL)
        e->real = value;
}

void bal_record_flag(bal_record *r, const char *key, bool value)
{
    bal_entry *e = place(r, key, BAL_KIND_FLAG);

    if (e != NULL)
        e->integer = value ? 1 : 0;
}

void bal_record_ints(bal_record *r, const char *key, const int64_t *value,
                     bal_size count)
{
    bal_entry *e = place(r, key, BAL_KIND_INTS);

    if (e == NULL)
        return;
    e->count = count;
    e->integers = copy(value, count, sizeof *value);
    if (e->integers == NULL)
        drop(r, key);
}

void bal_record_reals(bal_record *r, const char *key, const double *value,
                      bal_size count)
{
    bal_entry *e = place(r, key, BAL_KIND_REALS);

    if (e == NULL)
        return;
    e->count = count;
    e->reals = copy(value, count, sizeof *value);
    if (e->reals == NULL)
        drop(r, key);
}

bal_record *bal_record_node(bal_record *r, const char *key)
{
    if (r == NULL)
        return NULL;
    bal_entry *e = *find_link(r, key);
    if (e != NULL && e->kind == BAL_KIND_NODE)
        return e->node;
    e = place(r, key, BAL_KIND_NODE);
    if (e == NULL)
        return NULL;
    e->node = bal_record_create();
    if (e->node == NULL) {
        drop(r, key);
        return NULL;
    }
    return e->node;
}

bal_record *bal_record_append(bal_record *r, const char *key)
{
    if (r == NULL)
        return NULL;
    bal_entry **at = r->late != NULL ? &r->late->next : &r->first;
    while (*at != NULL)
        at = &(*at)->next;
    bal_entry *e = fill_link(r, at, key, BAL_KIND_NODE);
    if (e == NULL)
        return NULL;
    r->late = e;
    e->node = bal_record_create();
    if (e->node == NULL)
        drop(r, key);
    return r->late != NULL ? e->node : NULL;
}

const bal_entry *bal_record_first(const bal_record *r)
{
    return r != NULL ? r->first : NULL;
}

const bal_entry *bal_record_find(const bal_record *r, const char *key)
{
    const bal_entry *e = bal_record_first(r);

    while (e != NULL && strcmp(e->key, key) != 0)
        e = e->next;
    return e;
}

bal_status bal_record_status(const bal_record *r)
{
    bal_status st = r != NULL ? r->status : BAL_ENOMEM;

    for (const bal_entry *e = bal_record_first(r); e != NULL; e = e->next)
        if (e->kind == BAL_KIND_NODE && !bal_failed(st))
            st = bal_record_status(e->node);
    return st;
}
