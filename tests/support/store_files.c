#include "store_files.h"

#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/store.h"
#include "balans/par/agree.h"

enum {
    N = STORE_N,
    D = STORE_D,
    LONG = 3000, /* bytes of a text */
};

const bal_store_kind store_kind = {"balans test", 3, "make it anew"};
static const char *const name[] = {"a", "", "not \xff\xfe UTF-8", "\xc3\xa9"};

/* Longer than a line, and not UTF-8. */
static const char *long_text(void)
{
    static char text[LONG + 1];

    memset(text, 'x', LONG);
    text[LONG / 2] = '\xff';
    return text;
}

/* How the rows are shared out: equal runs, or all to one rank. */
static void find_run(const bal_comm *c, bal_size n, int owner, bal_size *first,
                     bal_size *count)
{
    *first = n * c->rank / c->size;
    *count = n * (c->rank + 1) / c->size - *first;
    if (owner >= 0) {
        *first = 0;
        *count = c->rank == owner ? n : 0;
    }
}

static uint8_t byte_at(bal_size i)
{
    return (uint8_t)(i * 31 + i / 251 + i / 65536);
}

static bal_status write_bytes(const bal_comm *c, const bal_store *s,
                              const bal_store_array *a)
{
    bal_size first, count;
    uint8_t *x = NULL;
    bal_status st;

    find_run(c, a->n, -1, &first, &count);
    BAL_TRY(bal_take(&x, count, "a test"));
    for (bal_size i = 0; i < count; i++)
        x[i] = byte_at(first + i);
    BAL_TRY(bal_store_write(s, a, first, count, x));
done:
    bal_free(&x);
    return st;
}

/* Each rank writes its rows in two calls, the later ones first. */
static bal_status write_rows(const bal_comm *c, const bal_store *s,
                             const bal_store_array *a)
{
    float x[N * D];
    bal_size first, count;
    bal_status st;

    find_run(c, N, -1, &first, &count);
    for (bal_size i = 0; i < count * D; i++)
        x[i] = (float)(first * D + i);
    BAL_TRY(bal_store_write(s, a, first + count / 2, count - count / 2,
                            x + count / 2 * D));
    BAL_TRY(bal_store_write(s, a, first, count / 2, x));
done:
    return st;
}

/* A matrix of 3 x 2 of each type of numbers; what they are does not matter. */
static const char pattern[] = "bytes of at most six numbers: 0123456789 abcdef";

static const char *key_of(int type)
{
    static char key[16];

    snprintf(key, sizeof key, "type%d", type);
    return key;
}

static bal_verdict put_types(bal_store *s)
{
    bal_verdict st;

    for (int t = 0; t < BAL_STORE_TEXT; t++)
        BAL_TRY(bal_store_put(s, key_of(t), (bal_store_type)t, 3, 2, pattern));
done:
    return st;
}

static bool types_are_right(bal_store *s)
{
    static const size_t size[BAL_STORE_TEXT] = {4, 8, 4, 8, 8, 2, 1};
    char got[sizeof pattern];

    for (int t = 0; t < BAL_STORE_TEXT; t++)
        if (bal_failed(
                bal_store_get(s, key_of(t), (bal_store_type)t, 3, 2, got)) ||
            memcmp(got, pattern, 6 * size[t]) != 0)
            return false;
    return true;
}

bal_verdict store_write(bal_comm *c, const char *path, bal_size bytes)
{
    const int64_t whole = INT64_MIN;
    const uint64_t seed = UINT64_MAX;
    const double number[] = {0.1, -0.0, 1e300};
    bal_store *s = NULL;
    bal_store_array rows, empty, many;
    const char *one = long_text();
    bal_verdict st;

    BAL_TRY(bal_store_create(c, path, true, &store_kind, &s));
    BAL_TRY(bal_store_put_texts(s, "identity", &one, 1));
    BAL_TRY(bal_store_make(s, "rows", BAL_STORE_F32, N, D, &rows));
    BAL_TRY(bal_store_put(s, "whole", BAL_STORE_I64, 1, 1, &whole));
    BAL_TRY(bal_store_put(s, "seed", BAL_STORE_U64, 1, 1, &seed));
    BAL_TRY(bal_store_make(s, "empty", BAL_STORE_I32, 0, D, &empty));
    BAL_TRY(bal_store_make(s, "many", BAL_STORE_U8, bytes, 1, &many));
    BAL_TRY(bal_agree(c, write_rows(c, s, &rows)));
    BAL_TRY(bal_agree(c, write_bytes(c, s, &many)));
    BAL_TRY(bal_store_put(s, "number", BAL_STORE_F64, 1, 3, number));
    BAL_TRY(bal_store_put_texts(s, "name", name, 4));
    BAL_TRY(bal_store_put_texts(s, "none", NULL, 0));
    BAL_TRY(put_types(s));
    BAL_TRY(bal_store_finish(&s));
done:
    bal_store_close(&s);
    return st;
}

static bool values_are_right(bal_store *s)
{
    const double number[] = {0.1, -0.0, 1e300};
    int64_t whole = 0;
    uint64_t seed = 0;
    double got[3] = {0};

    return !bal_failed(
               bal_store_get(s, "whole", BAL_STORE_I64, 1, 1, &whole)) &&
           !bal_failed(bal_store_get(s, "seed", BAL_STORE_U64, 1, 1, &seed)) &&
           !bal_failed(bal_store_get(s, "number", BAL_STORE_F64, 1, 3, got)) &&
           whole == INT64_MIN && seed == UINT64_MAX &&
           memcmp(got, number, sizeof got) == 0;
}

static bool texts_are_right(bal_store *s)
{
    char **one = NULL, **names = NULL, **none = NULL;
    bal_size n[3] = {1, BAL_STORE_ANY, BAL_STORE_ANY};
    bool right = !bal_failed(bal_store_get_texts(s, "identity", &n[0], &one)) &&
                 !bal_failed(bal_store_get_texts(s, "name", &n[1], &names)) &&
                 !bal_failed(bal_store_get_texts(s, "none", &n[2], &none)) &&
                 n[1] == 4 && n[2] == 0 && strcmp(one[0], long_text()) == 0;

    for (int i = 0; i < 4 && right; i++)
        right = strcmp(names[i], name[i]) == 0;
    bal_free(&one);
    bal_free(&names);
    bal_free(&none);
    return right;
}

bool store_rows_are_right(bal_comm *c, const bal_store *s, int owner)
{
    float x[N * D];
    bal_store_array a;
    bal_size first, count;

    find_run(c, N, owner, &first, &count);
    if (bal_failed(bal_store_find(s, "rows", BAL_STORE_F32, N, D, &a)) ||
        bal_failed(bal_store_read(s, &a, first, count, x)))
        return false;
    for (bal_size i = 0; i < count * D; i++)
        if (x[i] != (float)(first * D + i))
            return false;
    return true;
}

static bool bytes_are_right(bal_comm *c, const bal_store *s, int owner,
                            bal_size bytes)
{
    bal_store_array a;
    bal_size first, count;
    uint8_t *x = NULL;
    bool right;

    find_run(c, bytes, owner, &first, &count);
    right =
        !bal_failed(bal_store_find(s, "many", BAL_STORE_U8, bytes, 1, &a)) &&
        !bal_failed(bal_take(&x, count, "a test")) &&
        !bal_failed(bal_store_read(s, &a, first, count, x));
    for (bal_size i = 0; i < count && right; i++)
        right = x[i] == byte_at(first + i);
    bal_free(&x);
    return right;
}

bool store_is_right(bal_comm *c, const char *path, int owner, bal_size bytes)
{
    bal_store *s = NULL;
    bal_store_array a;
    bool right;

    bal_error_clear();
    if (bal_failed(bal_store_open(c, path, &store_kind, &s)))
        return false;
    right = values_are_right(s);
    right = types_are_right(s) && right;
    right = texts_are_right(s) && right;
    right = right && store_rows_are_right(c, s, owner) &&
            bytes_are_right(c, s, owner, bytes) &&
            !bal_failed(bal_store_find(s, "empty", BAL_STORE_I32, 0, D, &a)) &&
            !bal_failed(bal_store_read(s, &a, 0, 0, NULL)) &&
            !bal_store_has(s, "nothing");
    bal_store_close(&s);
    return right;
}
