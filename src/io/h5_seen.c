#include <string.h>

#include "balans/base/mem.h"
#include "h5_copy.h"

bal_status bal_h5_key_of(hid_t object, bal_h5_key *key)
{
#if H5_VERSION_GE(1, 12, 0)
    H5O_info2_t info;
    herr_t error = H5Oget_info3(object, &info, H5O_INFO_BASIC);
    if (error >= 0)
        memcpy(&key->address, &info.token, sizeof key->address);
#else
    H5O_info_t info;
    herr_t error = H5Oget_info(object, &info);
    if (error >= 0)
        key->address = (uint64_t)info.addr;
#endif
    if (error < 0)
        return bal_h5_fail(BAL_EINPUT, "read", object);
    key->file = (uint64_t)info.fileno;
    return BAL_OK;
}

static bal_size slot_of(const bal_h5_seen *s, bal_h5_key key)
{
    uint64_t h =
        (key.address + key.file * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;
    bal_size at = (bal_size)(h >> 16) & (s->slots - 1);

    while (s->path[at] != NULL &&
           (s->key[at].file != key.file || s->key[at].address != key.address))
        at = (at + 1) & (s->slots - 1);
    return at;
}

static bal_status grow(bal_h5_seen *s)
{
    bal_h5_seen larger = {.slots = s->slots > 0 ? 2 * s->slots : 64,
                          .count = s->count};
    bal_status st;

    BAL_TRY(bal_alloc(&larger.key, larger.slots, "a table of objects"));
    BAL_TRY(bal_alloc(&larger.path, larger.slots, "a table of objects"));
    for (bal_size i = 0; i < s->slots; i++) {
        if (s->path[i] == NULL)
            continue;
        bal_size at = slot_of(&larger, s->key[i]);
        larger.key[at] = s->key[i];
        larger.path[at] = s->path[i];
    }
    bal_free(&s->key);
    bal_free(&s->path);
    *s = larger;
    larger = (bal_h5_seen){0};
done:
    bal_free(&larger.key);
    bal_free(&larger.path);
    return st;
}

bal_status bal_h5_seen_add(bal_h5_seen *s, bal_h5_key key, const char *path)
{
    bal_status st = BAL_OK;

    if (2 * (s->count + 1) > s->slots)
        st = grow(s);
    if (bal_failed(st))
        return st;
    bal_size at = slot_of(s, key);
    if (s->path[at] != NULL)
        return BAL_OK;
    st = bal_alloc(&s->path[at], (bal_size)strlen(path) + 1, "a path");
    if (bal_failed(st))
        return st;
    strcpy(s->path[at], path);
    s->key[at] = key;
    s->count++;
    return BAL_OK;
}

const char *bal_h5_seen_find(const bal_h5_seen *s, bal_h5_key key)
{
    return s->slots > 0 ? s->path[slot_of(s, key)] : NULL;
}

void bal_h5_seen_finish(bal_h5_seen *s)
{
    for (bal_size i = 0; i < s->slots; i++)
        bal_free(&s->path[i]);
    bal_free(&s->key);
    bal_free(&s->path);
    *s = (bal_h5_seen){0};
}
