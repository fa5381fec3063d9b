/* A temporary name holds the host and the process, so that a run can tell
 * whether another one that lives on this host is at the same file; runs on
 * other hosts are found out when the name is given, under a lock on the folder
 * where the file system has locks. */
#define _GNU_SOURCE
#include "balans/io/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "balans/base/mem.h"
#include "balans/base/signals.h"
#include "balans/base/text.h"
#include "balans/par/agree.h"

static const char suffix[] = ".partial";

enum {
    HOST = 33,    /* characters of a host's name, with the end */
    TAIL = 96,    /* longest ".HOST-PROCESS-N.partial", with the end */
    NAME = 255,   /* longest name of a file, usually */
    BRIEF = 200,  /* longest temporary name: Open MPI names files after it */
    AT_ONCE = 16, /* files in the making */
};

struct bal_publish {
    char *path, *temporary, *folder;
    bool replace;
    bal_file_mark before; /* what had the name at the beginning */
    int slot;             /* in `making`, or -1 */
};

/* ---- What is left when the program ends early ---- */

/* Names that a handler of signals may read: each is set when it is complete. */
static char *volatile making[AT_ONCE];
static volatile pid_t maker;

static void remove_made(void)
{
    if (getpid() != maker)
        return;
    for (int i = 0; i < AT_ONCE; i++)
        if (making[i] != NULL)
            unlink(making[i]);
}

static void remember(bal_publish *p)
{
    static bool told;

    if (!told)
        bal_signals_at_end(remove_made);
    told = true;
    maker = getpid();
    p->slot = -1;
    for (int i = 0; i < AT_ONCE && p->slot < 0; i++)
        if (making[i] == NULL) {
            making[i] = p->temporary;
            p->slot = i;
        }
}

static void forget(bal_publish *p)
{
    if (p->slot >= 0)
        making[p->slot] = NULL;
    p->slot = -1;
}

/* ---- Marks and names ---- */

bal_file_mark bal_file_look(const char *path)
{
    bal_file_mark mark = {0};
    struct stat s;

    if (stat(path, &s) != 0)
        return mark;
    mark.there = true;
    mark.device = (int64_t)s.st_dev;
    mark.inode = (int64_t)s.st_ino;
    mark.bytes = (int64_t)s.st_size;
    mark.seconds = (int64_t)s.st_mtim.tv_sec;
    mark.nanoseconds = (int64_t)s.st_mtim.tv_nsec;
    return mark;
}

bool bal_file_same(const bal_file_mark *a, const bal_file_mark *b, bool devices)
{
    if (a->there != b->there || !a->there)
        return a->there == b->there;
    return (!devices || a->device == b->device) && a->inode == b->inode &&
           a->bytes == b->bytes && a->seconds == b->seconds &&
           a->nanoseconds == b->nanoseconds;
}

/* The name with its folder resolved, and the file itself where it exists or is
 * a link; of malloc(), NULL where nothing can be said. */
static char *resolve(const char *path)
{
    char *whole = realpath(path, NULL), *folder = NULL, *at = NULL;
    char target[PATH_MAX];
    const char *name = bal_path_name(path);

    if (whole != NULL)
        return whole;
    ssize_t len = readlink(path, target, sizeof target - 1);
    if (len > 0) {
        target[len] = '\0';
        if (target[0] == '/')
            return strdup(target);
        name = target;
    }
    if (bal_failed(bal_path_folder(path, &folder))) {
        bal_error_clear();
        return NULL;
    }
    whole = realpath(folder, NULL);
    bal_free(&folder);
    if (whole == NULL)
        return NULL;
    if (asprintf(&at, "%s/%s", strcmp(whole, "/") == 0 ? "" : whole, name) < 0)
        at = NULL;
    free(whole);
    return at;
}

static bool is_one_file(const char *a, const char *b)
{
    bal_file_mark x = bal_file_look(a), y = bal_file_look(b);
    bool same;

    if (x.there && y.there)
        return x.device == y.device && x.inode == y.inode;
    char *one = resolve(a), *other = resolve(b);
    same = one != NULL && other != NULL && strcmp(one, other) == 0;
    free(one);
    free(other);
    return same;
}

bal_status bal_publish_apart(const bal_named_file *file, int count)
{
    for (int i = 0; i < count; i++)
        for (int k = 0; k < i; k++)
            if (file[i].path != NULL && file[k].path != NULL &&
                (file[i].written || file[k].written) &&
                is_one_file(file[i].path, file[k].path))
                return BAL_FAIL(BAL_EUSAGE,
                                "cannot write '%s': %s and %s are one file; "
                                "choose another name for one of them",
                                file[file[i].written ? i : k].path,
                                file[k].role, file[i].role);
    return BAL_OK;
}

/* ---- Checks ---- */

static void host_name(char *host)
{
    if (gethostname(host, HOST) != 0)
        strcpy(host, "host");
    host[HOST - 1] = '\0';
    for (char *c = host; *c != '\0'; c++)
        if (*c == '/' || *c == '-' || *c == '.')
            *c = '_';
}

/* What a process runs, as the system says; "" where it does not. */
static void command_of(long process, char *text, size_t size)
{
    char path[64];
    FILE *f;

    text[0] = '\0';
    snprintf(path, sizeof path, "/proc/%ld/comm", process);
    f = fopen(path, "r");
    if (f == NULL)
        return;
    if (fgets(text, (int)size, f) == NULL)
        text[0] = '\0';
    fclose(f);
}

/* Whether a process of that number lives and is this program, too. */
static bool is_another_run(long process)
{
    char theirs[64], ours[64];

    if (process <= 0 || process == (long)getpid() ||
        (kill((pid_t)process, 0) != 0 && errno != EPERM))
        return false;
    command_of(process, theirs, sizeof theirs);
    command_of((long)getpid(), ours, sizeof ours);
    return strcmp(theirs, ours) == 0;
}

/* The process of this host that a temporary name of `name` speaks of, or 0. */
static long maker_of(const char *entry, const char *name, const char *host)
{
    size_t len = strlen(name), all = strlen(entry);
    char start[HOST + 2], *end;

    if (all < len + sizeof suffix || strncmp(entry, name, len) != 0 ||
        strcmp(entry + all + 1 - sizeof suffix, suffix) != 0)
        return 0;
    snprintf(start, sizeof start, ".%s-", host);
    if (strncmp(entry + len, start, strlen(start)) != 0)
        return 0;
    long process = strtol(entry + len + strlen(start), &end, 10);
    return *end == '-' ? process : 0;
}

static bal_status check_others(const char *path, const char *folder)
{
    char host[HOST];
    bal_status st = BAL_OK;
    DIR *dir = opendir(folder);
    const struct dirent *entry;

    if (dir == NULL)
        return BAL_OK;
    host_name(host);
    while (!bal_failed(st) && (entry = readdir(dir)) != NULL) {
        long process = maker_of(entry->d_name, bal_path_name(path), host);
        if (process > 0 && is_another_run(process))
            st = BAL_FAIL(BAL_EIO,
                          "cannot write '%s': another run, process %ld, is "
                          "writing it; wait for it or choose another name",
                          path, process);
    }
    closedir(dir);
    return st;
}

static bal_status check_target(const char *path, bool replace)
{
    struct stat s;

    if (stat(path, &s) != 0)
        return BAL_OK;
    if (S_ISDIR(s.st_mode))
        return BAL_FAIL(BAL_EIO, "cannot write '%s': it is a folder", path);
    if (!S_ISREG(s.st_mode))
        return BAL_FAIL(BAL_EIO, "cannot write '%s': it is not a file", path);
    if (!replace)
        return BAL_FAIL(BAL_EIO,
                        "cannot write '%s': it exists; use --force to "
                        "overwrite it",
                        path);
    return BAL_OK;
}

static bal_status check_folder(const char *path, const char *folder)
{
    struct stat s;
    size_t len = strlen(path);

    if (len == 0 || path[len - 1] == '/')
        return BAL_FAIL(BAL_EIO, "cannot write '%s': it names a folder", path);
    if (strlen(bal_path_name(path)) > NAME)
        return BAL_FAIL(BAL_EIO,
                        "cannot write '%s': its name is longer than %d bytes",
                        path, NAME);
    if (stat(folder, &s) != 0 || !S_ISDIR(s.st_mode))
        return BAL_FAIL(BAL_EIO, "cannot write '%s': there is no folder '%s'",
                        path, folder);
    if (access(folder, W_OK | X_OK) != 0)
        return BAL_FAIL(BAL_EIO,
                        "cannot write '%s': folder '%s' is not writable (%s)",
                        path, folder, strerror(errno));
    return BAL_OK;
}

static bal_status check(const char *path, const char *folder, bool replace)
{
    bal_status st;

    BAL_TRY(check_folder(path, folder));
    BAL_TRY(check_target(path, replace));
    BAL_TRY(check_others(path, folder));
done:
    return st;
}

bal_status bal_publish_check(const char *path, bool replace)
{
    char *folder = NULL;
    bal_status st = bal_path_folder(path, &folder);

    if (!bal_failed(st))
        st = check(path, folder, replace);
    bal_free(&folder);
    return st;
}

/* ---- From the beginning to the end ---- */

/* A name that is too long with its tail is cut. */
static bal_status make_file(bal_publish *p)
{
    enum { TRIES = 100 };
    char host[HOST], tail[TAIL];
    size_t head = strlen(p->path), name = strlen(bal_path_name(p->path));
    int fd = -1;
    bal_status st = bal_alloc(&p->temporary, (bal_size)(head + TAIL), "a path");

    if (bal_failed(st))
        return st;
    host_name(host);
    for (int i = 0; i < TRIES && fd < 0 && (i == 0 || errno == EEXIST); i++) {
        int len = snprintf(tail, sizeof tail, ".%s-%ld-%d%s", host,
                           (long)getpid(), i, suffix);
        size_t kept = name + (size_t)len > BRIEF ? BRIEF - (size_t)len : name;
        memcpy(p->temporary, p->path, head - name + kept);
        strcpy(p->temporary + head - name + kept, tail);
        fd = open(p->temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
    }
    if (fd < 0)
        return BAL_FAIL(BAL_EIO, "cannot write '%s': %s", p->path,
                        strerror(errno));
    close(fd);
    remember(p);
    return BAL_OK;
}

static void finish(bal_publish **p)
{
    bal_free(&(*p)->path);
    bal_free(&(*p)->temporary);
    bal_free(&(*p)->folder);
    bal_free(p);
}

bal_status bal_publish_begin(const char *path, bool replace, bal_publish **out)
{
    bal_publish *p = NULL;
    bal_status st;

    *out = NULL;
    BAL_TRY(bal_alloc(&p, 1, "an output file"));
    p->replace = replace;
    p->slot = -1;
    BAL_TRY(bal_path_folder(path, &p->folder));
    BAL_TRY(bal_alloc(&p->path, (bal_size)strlen(path) + 1, "a path"));
    strcpy(p->path, path);
    BAL_TRY(check(path, p->folder, replace));
    p->before = bal_file_look(path);
    BAL_TRY(make_file(p));
    *out = p;
    p = NULL;
done:
    if (p != NULL)
        finish(&p);
    return st;
}

const char *bal_publish_temporary(const bal_publish *p)
{
    return p->temporary;
}

bal_verdict bal_publish_tell(bal_comm *c, const bal_publish *p, char **name)
{
    int64_t size = p != NULL ? (int64_t)strlen(p->temporary) + 1 : 0;
    bal_verdict st;

    *name = NULL;
    bal_comm_bcast(c, &size, (bal_size)sizeof size, 0);
    BAL_TRY(bal_agree(c, bal_alloc(name, size, "a path")));
    if (p != NULL)
        strcpy(*name, p->temporary);
    bal_comm_bcast(c, *name, size, 0);
done:
    return st;
}

/* Some file systems do not sync folders; they do not need it either. */
static bal_status sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    int error = fd < 0 ? errno : fsync(fd) != 0 ? errno : 0;

    if (fd >= 0 && close(fd) != 0 && error == 0)
        error = errno;
    if (error == 0 || error == EINVAL || error == ENOTSUP)
        return BAL_OK;
    return BAL_FAIL(BAL_EIO, "cannot write '%s' to disk: %s", path,
                    strerror(error));
}

static bal_status fail_changed(const bal_publish *p)
{
    return BAL_FAIL(BAL_EIO,
                    "cannot write '%s': another program made or changed that "
                    "file in the meantime, and this run's result is given up; "
                    "start one run for each output",
                    p->path);
}

static bal_status fail_rename(const bal_publish *p)
{
    return BAL_FAIL(BAL_EIO, "cannot rename '%s' to '%s': %s", p->temporary,
                    p->path, strerror(errno));
}

/* A new name is given by a link, which fails where the name is taken, even by
 * another host; file systems without links get a rename. */
static bal_status give_name(const bal_publish *p)
{
    bal_file_mark now = bal_file_look(p->path);

    if (!bal_file_same(&now, &p->before, true))
        return fail_changed(p);
    if (!now.there && link(p->temporary, p->path) == 0) {
        unlink(p->temporary);
        return BAL_OK;
    }
    if (!now.there && errno == EEXIST && bal_file_look(p->path).there)
        return fail_changed(p);
    return rename(p->temporary, p->path) == 0 ? BAL_OK : fail_rename(p);
}

static bal_status publish(const bal_publish *p, bal_publish_test *test)
{
    bal_status st;
    int folder = -1;

    BAL_TRY(sync_path(p->temporary, O_RDWR));
    if (test != NULL)
        BAL_TRY(test(p->temporary));
    folder = open(p->folder, O_RDONLY | O_CLOEXEC);
    if (folder >= 0)
        (void)flock(folder, LOCK_EX);
    BAL_TRY(give_name(p));
    BAL_TRY(sync_path(p->folder, O_RDONLY));
done:
    if (folder >= 0)
        close(folder);
    return st;
}

bal_status bal_publish_finish(bal_publish **p, bal_publish_test *test)
{
    bal_status st = publish(*p, test);

    if (bal_failed(st))
        unlink((*p)->temporary);
    forget(*p);
    finish(p);
    return st;
}

void bal_publish_discard(bal_publish **p)
{
    if (*p == NULL)
        return;
    unlink((*p)->temporary);
    forget(*p);
    finish(p);
}
