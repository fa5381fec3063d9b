/* Small blocks come from calloc(), large ones from the system directly: their
 * pages are not touched before they are used, so that what a rank holds is what
 * the system counts.  The system clears every page that it gives, which takes
 * longer than most work on it; so large blocks that are freed are kept for the
 * next ones, as long as they and what is held are no more than the most that
 * was ever held. */
#define _DEFAULT_SOURCE
#include "balans/base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { LARGE = 4 << 20, SPARES = 32 };

/* Stands in front of each block, in one alignment unit. */
typedef struct header {
    size_t bytes;  /* counted: the block and this unit */
    void *origin;  /* what the system gave */
    size_t mapped; /* bytes mapped at the origin; 0 if it is calloc()'s */
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
        bytes > SIZE_MAX / 2)
        return 0;
    return (bytes + 2 * BAL_ALIGN - 1) / BAL_ALIGN * BAL_ALIGN;
}

static size_t round_up(size_t at, size_t unit)
{
    return (at + unit - 1) / unit * unit;
}

/* The sampler makes and drops rows of some 100 KiB all the time: glibc would
 * map and unmap each, and every page of it would be cleared and faulted in
 * anew. */
static void keep_freed_memory(void)
{
#ifdef __GLIBC__
    static atomic_flag done = ATOMIC_FLAG_INIT;

    if (!atomic_flag_test_and_set(&done)) {
        (void)mallopt(M_MMAP_THRESHOLD, 2 * LARGE);
        (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    }
#endif
}

void bal_mem_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

/* ---- Large blocks that are kept ---- */

typedef struct spare {
    void *at;
    size_t bytes;
} spare;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static spare kept[SPARES];
static int spares;
static _Atomic size_t kept_bytes;

/* Takes number i out of the list. */
static spare remove_spare(int i)
{
    spare s = kept[i];

    kept[i] = kept[--spares];
    kept_bytes -= s.bytes;
    return s;
}

static int smallest_spare(size_t at_least)
{
    int best = -1;

    for (int i = 0; i < spares; i++)
        if (kept[i].bytes >= at_least &&
            (best < 0 || kept[i].bytes < kept[best].bytes))
            best = i;
    return best;
}

/* Gives spares back until `bytes` more would be no more than the peak. */
static void drop_spares(size_t bytes)
{
    while (spares > 0 && (int64_t)(kept_bytes + bytes) >
                             atomic_load(&peak) - atomic_load(&held)) {
        spare s = remove_spare(smallest_spare(0));
        (void)munmap(s.at, s.bytes);
    }
}

/* Keeps a block, as one with those that it lies between. */
static void keep(void *at, size_t bytes)
{
    spare s = {at, bytes};

    for (int i = 0; i < spares; i++) {
        char *start = kept[i].at, *from = s.at;
        if (start + kept[i].bytes != from && from + s.bytes != start)
            continue;
        s.at = start < from ? start : from;
        s.bytes += remove_spare(i).bytes;
        i = -1;
    }
    if (spares == SPARES) {
        spare least = remove_spare(smallest_spare(0));
        (void)munmap(least.at, least.bytes);
    }
    kept[spares++] = s;
    kept_bytes += s.bytes;
}

/* The start of the smallest spare that is large enough, or NULL. */
static void *reuse(size_t bytes)
{
    int i = smallest_spare(bytes);

    if (i < 0)
        return NULL;
    spare s = remove_spare(i);
    if (s.bytes > bytes)
        keep((char *)s.at + bytes, s.bytes - bytes);
    return s.at;
}

static void make_room(size_t bytes)
{
    if (atomic_load(&kept_bytes) == 0)
        return;
    pthread_mutex_lock(&lock);
    drop_spares(bytes);
    pthread_mutex_unlock(&lock);
}

/* Memory for `bytes` at an aligned place, with its header filled in; NULL if
 * there is none. */
static header *take_small(size_t bytes, bool zeroed)
{
    keep_freed_memory();
    make_room(bytes);
    char *raw = zeroed ? calloc(1, bytes + BAL_ALIGN)
                       : malloc(bytes + BAL_ALIGN);

    if (raw == NULL)
        return NULL;
    header *h = (header *)(void *)round_up((uintptr_t)raw, BAL_ALIGN);
    h->origin = raw;
    h->mapped = 0;
    return h;
}

static void *map_pages(size_t bytes)
{
    void *raw = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (raw == MAP_FAILED)
        return NULL;
#ifdef MADV_HUGEPAGE
    /* A wish: first touch of small pages is slower than the work on them. */
    (void)madvise(raw, bytes, MADV_HUGEPAGE);
#endif
    return raw;
}

static header *take_large(size_t bytes, bool zeroed)
{
    size_t mapped = round_up(bytes, (size_t)sysconf(_SC_PAGESIZE));

    pthread_mutex_lock(&lock);
    void *raw = reuse(mapped);
    pthread_mutex_unlock(&lock);
    if (raw != NULL && zeroed)
        memset(raw, 0, bytes);
    if (raw == NULL) {
        make_room(mapped);
        raw = map_pages(mapped);
    }
    if (raw == NULL)
        return NULL;
    header *h = raw; /* pages are aligned */
    h->origin = raw;
    h->mapped = mapped;
    return h;
}

/* Where memory is limited, what is kept may be what is in the way. */
static header *take_any(size_t bytes, bool zeroed)
{
    header *(*way)(size_t, bool) = bytes < LARGE ? take_small : take_large;
    header *h = way(bytes, zeroed);

    if (h != NULL)
        return h;
    make_room(INT64_MAX / 2);
    return way(bytes, zeroed);
}

static bal_status take(void **out, bal_size n, size_t size, const char *what,
                       bool zeroed)
{
    size_t bytes = block_bytes(n, size);
    header *h = NULL;

    *out = NULL;
    if (bytes > 0)
        h = take_any(bytes, zeroed);
    if (h == NULL)
        return no_memory(n, size, what);
    h->bytes = bytes;
    *out = (char *)h + BAL_ALIGN;
    count((int64_t)bytes);
    return BAL_OK;
}

bal_status bal_mem_alloc(void **out, bal_size n, size_t size, const char *what)
{
    return take(out, n, size, what, true);
}

bal_status bal_mem_take(void **out, bal_size n, size_t size, const char *what)
{
    return take(out, n, size, what, false);
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
    header *h = header_of(*p);
    count(-(int64_t)h->bytes);
    if (h->mapped == 0) {
        free(h->origin);
    } else {
        pthread_mutex_lock(&lock);
        keep(h->origin, h->mapped);
        pthread_mutex_unlock(&lock);
    }
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
