/* Linear probing in a table that is at most half full; the hash is the product
 * with the golden ratio (Knuth, The Art of Computer Programming, 6.4). */
#include "places.h"

#include <string.h>

#include "balans/base/mem.h"

static bal_size room_for(bal_size count)
{
    bal_size room = 64;

    while (room < 2 * count)
        room *= 2;
    return room;
}

bal_size bal_places_memory(bal_size count)
{
    return room_for(count) * (bal_size)(sizeof(bal_gidx) + sizeof(bal_size));
}

bal_status bal_places_create(bal_places *p, bal_size count)
{
    bal_status st;
    bal_size room = room_for(count);

    *p = (bal_places){0};
    BAL_TRY(bal_alloc(&p->key, room, "landmarks"));
    BAL_TRY(bal_alloc(&p->place, room, "landmarks"));
    p->room = room;
done:
    return st;
}

void bal_places_finish(bal_places *p)
{
    bal_free(&p->key);
    bal_free(&p->place);
    *p = (bal_places){0};
}

void bal_places_clear(bal_places *p)
{
    memset(p->key, 0, (size_t)p->room * sizeof *p->key);
    p->count = 0;
}

/* Where the position is, or would be put. */
static bal_size slot_of(const bal_places *p, bal_gidx pos)
{
    uint64_t hash = (uint64_t)pos * UINT64_C(0x9E3779B97F4A7C15);
    bal_size at = (bal_size)(hash >> 32) & (p->room - 1);

    while (p->key[at] != 0 && p->key[at] != pos + 1)
        at = (at + 1) & (p->room - 1);
    return at;
}

bal_size bal_places_find(const bal_places *p, bal_gidx pos)
{
    bal_size at = slot_of(p, pos);

    return p->key[at] != 0 ? p->place[at] : -1;
}

static bal_status grow(bal_places *p)
{
    bal_places more;
    bal_status st = bal_places_create(&more, p->room);

    if (bal_failed(st)) {
        bal_places_finish(&more);
        return st;
    }
    for (bal_size i = 0; i < p->room; i++)
        if (p->key[i] != 0) {
            bal_size at = slot_of(&more, p->key[i] - 1);
            more.key[at] = p->key[i];
            more.place[at] = p->place[i];
        }
    more.count = p->count;
    bal_places_finish(p);
    *p = more;
    return st;
}

bal_status bal_places_set(bal_places *p, bal_gidx pos, bal_size place)
{
    bal_status st = BAL_OK;

    if (2 * p->count >= p->room)
        st = grow(p);
    if (bal_failed(st))
        return st;
    bal_size at = slot_of(p, pos);
    p->count += p->key[at] == 0;
    p->key[at] = pos + 1;
    p->place[at] = place;
    return st;
}
