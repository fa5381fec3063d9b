#define _GNU_SOURCE
#include "profiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "balans/base/file.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/base/watch.h"
#include "balans/data/checksum.h"
#include "balans/par/agree.h"

/* Where rows are read from: those before `kept` from the rank's own file, the
 * others from the input. */
typedef struct bal_stream {
    const bal_input *in;
    const bal_blocks *x;
    const char *folder;
    int fd; /* -1 while nothing was changed */
    bal_size kept;
} bal_stream;

static bal_status fail(const bal_stream *s, const char *what)
{
    return BAL_FAIL(BAL_EIO,
                    "cannot %s changed profiles in folder '%s': %s; with "
                    "--stream off they stay in memory",
                    what, s->folder, strerror(errno));
}

/* A file without a name. */
static bal_status open_file(bal_stream *s)
{
    char path[4096];

    s->fd = open(s->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd >= 0)
        return BAL_OK;
    snprintf(path, sizeof path, "%s/.balans-XXXXXX", s->folder);
    s->fd = mkostemp(path, O_CLOEXEC);
    if (s->fd < 0)
        return fail(s, "keep");
    unlink(path);
    return BAL_OK;
}

static bal_status read_rows(void *arg, bal_size first, bal_size count,
                            float *rows)
{
    bal_stream *s = arg;
    bal_size width = 4 * s->x->d, here = 0;

    if (first < s->kept)
        here = s->kept - first < count ? s->kept - first : count;
    if (here > 0 && bal_file_read(s->fd, first * width, here * width, rows) <
                        here * width)
        return fail(s, "read");
    if (here == count)
        return BAL_OK;
    return bal_h5ad_read_rows(s->in->file, s->x->first + first + here,
                              count - here, rows + here * s->x->d);
}

static bal_status write_rows(void *arg, bal_size first, bal_size count,
                             const float *rows)
{
    bal_stream *s = arg;
    bal_size width = 4 * s->x->d;
    bal_status st = s->fd < 0 ? open_file(s) : BAL_OK;

    if (bal_failed(st))
        return st;
    if (bal_file_write(s->fd, first * width, count * width, rows) < 0)
        return fail(s, "keep");
    if (first + count > s->kept)
        s->kept = first + count;
    return BAL_OK;
}

static bal_status prepare(const bal_input *in, bool stream, const char *beside,
                          bal_size memory, bal_profiles *out)
{
    const bal_comm *c = in->comm;
    bal_status st;

    BAL_TRY(
        bal_blocks_create(in->info.n, in->info.d, c->rank, c->size, &out->x));
    if (!stream) {
        BAL_TRY(bal_blocks_reside(out->x));
        goto done;
    }
    BAL_TRY(bal_path_folder(beside, &out->folder));
    BAL_TRY(bal_alloc(&out->stream, 1, "reading profiles"));
    *out->stream = (bal_stream){in, out->x, out->folder, -1, 0};
    BAL_TRY(bal_blocks_stream(
        out->x, &(bal_source){out->stream, read_rows, write_rows}, memory));
done:
    return st;
}

/* Pauses; a rank that has failed counts for more than being told to stop. */
static bal_verdict pause_unless(bal_comm *c, bal_status mine)
{
    bal_error failed = *bal_error_get(), stopped;
    bal_verdict st = bal_pause(c), worse;

    if (!bal_failed(st))
        return st;
    stopped = *bal_error_get();
    bal_error_set(&failed);
    worse = bal_agree(c, mine);
    if (bal_failed(worse))
        return worse;
    bal_error_set(&stopped);
    return st;
}

/* Straight into the blocks, in pieces that show progress. */
static bal_verdict read_all(const bal_input *in, bal_blocks *x)
{
    enum { PIECE = 64 << 20 };
    const bal_pieces p = bal_pieces_cut(in->comm, x->m, 4 * x->d, PIECE);
    bal_status mine = BAL_OK;
    bal_verdict st = {BAL_OK};

    bal_watch_grant_io(4.0 * (double)(p.step * x->d) * in->comm->size);
    for (int64_t i = 0; i < p.count; i++) {
        bal_size from, count = bal_piece(&p, i, &from);
        BAL_TRY(pause_unless(in->comm, mine));
        if (!bal_failed(mine) && count > 0)
            mine = bal_h5ad_read_rows(in->file, x->first + from, count,
                                      x->at + from * x->d);
        bal_progress_share((double)(i + 1) / (double)p.count);
        bal_progress("%.0f %% of the rows",
                     100.0 * (double)(i + 1) / (double)p.count);
    }
    st = bal_agree(in->comm, mine);
done:
    bal_watch_grant(0);
    return st;
}

bal_verdict bal_profiles_open(const bal_input *in, bool stream,
                              const char *beside, bal_size memory,
                              bal_profiles *out)
{
    bal_verdict st;

    *out = (bal_profiles){0};
    BAL_TRY(bal_h5ad_matrix_load(in->file));
    BAL_TRY(bal_agree(in->comm, prepare(in, stream, beside, memory, out)));
    if (!stream)
        BAL_TRY(read_all(in, out->x));
    BAL_TRY(bal_checksum_rows(in->comm, out->x, &out->checksum));
    bal_progress_end();
done:
    return st;
}

void bal_profiles_close(bal_profiles *p)
{
    if (p->stream != NULL && p->stream->fd >= 0)
        close(p->stream->fd);
    bal_free(&p->stream);
    bal_free(&p->folder);
    bal_blocks_destroy(&p->x);
}

/* ---- How much memory there is ---- */

/* A number of bytes in a file of one line; `most` if there is none. */
static bal_size bytes_in(const char *path, bal_size most)
{
    FILE *f = fopen(path, "re");
    long long bytes = 0;

    if (f == NULL)
        return most;
    if (fscanf(f, "%lld", &bytes) != 1 || bytes <= 0 || bytes > most)
        bytes = most;
    fclose(f);
    return bytes;
}

/* The limits of the process's control group and of those above it. */
static bal_size group_limit(bal_size most)
{
    char line[4096], path[4200];
    FILE *f = fopen("/proc/self/cgroup", "re");

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char *group = strncmp(line, "0::", 3) == 0 ? line + 3
                      : strstr(line, ":memory:") != NULL
                          ? strstr(line, ":memory:") + 8
                          : NULL;
        bool old = group != NULL && group != line + 3;
        if (group == NULL)
            continue;
        group[strcspn(group, "\n")] = '\0';
        for (;;) {
            snprintf(path, sizeof path,
                     old ? "/sys/fs/cgroup/memory%s/memory.limit_in_bytes"
                         : "/sys/fs/cgroup%s/memory.max",
                     strcmp(group, "/") == 0 ? "" : group);
            most = bytes_in(path, most);
            char *slash = strrchr(group, '/');
            if (slash == NULL)
                break;
            *slash = '\0';
        }
    }
    if (f != NULL)
        fclose(f);
    return most;
}

/* What Slurm has given the job on this host, in its units of MiB. */
static bal_size slurm_limit(bal_size most)
{
    const char *node = getenv("SLURM_MEM_PER_NODE");
    const char *cpu = getenv("SLURM_MEM_PER_CPU");
    const char *cpus = getenv("SLURM_CPUS_ON_NODE");
    bal_size limit = 0;

    if (node != NULL)
        limit = strtoll(node, NULL, 10) << 20;
    else if (cpu != NULL && cpus != NULL)
        limit = (strtoll(cpu, NULL, 10) * strtoll(cpus, NULL, 10)) << 20;
    return limit > 0 && limit < most ? limit : most;
}

static bal_size own_limit(const struct rlimit *own, bal_size most)
{
    return own->rlim_cur != RLIM_INFINITY && (bal_size)own->rlim_cur < most
               ? (bal_size)own->rlim_cur
               : most;
}

bal_size bal_memory_allowed(int ranks)
{
    struct rlimit own;
    bal_size host =
        (bal_size)sysconf(_SC_PHYS_PAGES) * (bal_size)sysconf(_SC_PAGESIZE);
    bal_size most = slurm_limit(group_limit(host)) / ranks;

    if (getrlimit(RLIMIT_AS, &own) == 0)
        most = own_limit(&own, most);
    if (getrlimit(RLIMIT_DATA, &own) == 0)
        most = own_limit(&own, most);
    return most;
}
