#include "balans/base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* The size of each block stands in front of it, in a header of one alignment
 * unit, so that freeing can uncount it. */
typedef struct header {
    size_t bytes;
} header;

_Static_assert(sizeof(header) <= BAL_ALIGN, "the header fits one unit");

static _Atomic int64_t held;
static _Atomic int64_t peak;

static void count(int64_t bytes)
{
    int64_t now = atomic_fetch_add(&held, bytes) + bytes;
    int64_t top = atomic_load(&peak);

    while (now > top && !atomic_compare_exchange_weak(&peak, &top, now))
        ;
}

static header *header_of(void *p)
{
    return (header *)(void *)((char *)p - BAL_ALIGN);
}

static bal_status no_memory(bal_size n, size_t size, const char *what)
{
    return BAL_FAIL(BAL_ENOMEM,
                    "cannot get %.1f MiB for %s; use more ranks on more hosts, "
                    "or a smaller --memory-per-rank",
                    (double)n * (double)size / 1048576.0, what);
}

/* Bytes of the whole block, rounded up so that aligned_alloc() accepts them; 0
 * if they cannot be counted. */
static size_t block_bytes(bal_size n, size_t size)
{
    size_t bytes;

    if (n < 0 || __builtin_mul_overflow((size_t)n, size, &bytes) ||
        bytes > SIZE_MAX - 2 * BAL_ALIGN)
        return 0;
    return (bytes + 2 * BAL_ALIGN - 1) / BAL_ALIGN * BAL_ALIGN;
}

/* Large blocks come from calloc() so that their pages stay untouched until they
 * are used; it gives 16-byte alignment only, hence the shift. */
bal_status bal_mem_alloc(void **out, bal_size n, size_t size, const char *what)
{
    size_t bytes = block_bytes(n, size);
    char *raw;

    *out = NULL;
    if (bytes == 0)
        return no_memory(n, size, what);
    raw = calloc(1, bytes + BAL_ALIGN);
    if (raw == NULL)
        return no_memory(n, size, what);

    uintptr_t at = ((uintptr_t)raw + 2 * BAL_ALIGN - 1) & ~(uintptr_t)(BAL_ALIGN - 1);
    void **origin = (void **)(at - sizeof(void *));
    *origin = raw;
    *out = (void *)at;
    header_of(*out)->bytes = bytes;
    count((int64_t)bytes);
    return BAL_OK;
}

bal_status bal_mem_resize(void **p, bal_size n, size_t size, const char *what)
{
    void *fresh;
    bal_status st = bal_mem_alloc(&fresh, n, size, what);

    if (bal_failed(st))
        return st;
    if (*p != NULL) {
        size_t old = header_of(*p)->bytes, now = header_of(fresh)->bytes;
        size_t payload = (old < now ? old : now) - BAL_ALIGN;
        memcpy(fresh, *p, payload);
        bal_mem_free(p);
    }
    *p = fresh;
    return BAL_OK;
}

void bal_mem_free(void **p)
{
    if (*p == NULL)
        return;
    count(-(int64_t)header_of(*p)->bytes);
    void **origin = (void **)((uintptr_t)*p - sizeof(void *));
    free(*origin);
    *p = NULL;
}

bal_size bal_mem_held(void)
{
    return atomic_load(&held);
}

bal_size bal_mem_peak(void)
{
    return atomic_load(&peak);
}

bal_size bal_mem_rss_peak(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (bal_size)u.ru_maxrss * 1024;
}
