/* The two processes talk through a socket, in frames of a kind, a length and so
 * many bytes.  The helper tells each element before it touches it, so the last
 * one told is the one that it died of.  It lives until its socket is closed, so
 * that a command that looks at thousands of columns starts it once. */
#define _GNU_SOURCE
#include "balans/io/aside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aside_internal.h"
#include "balans/base/fault.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/timer.h"
#include "balans/base/watch.h"

#define MODE "--balans-aside"

/* AddressSanitizer reserves terabytes of addresses. */
#if defined(__SANITIZE_ADDRESS__)
#define LIMITS_ADDRESSES false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LIMITS_ADDRESSES false
#endif
#endif
#ifndef LIMITS_ADDRESSES
#define LIMITS_ADDRESSES true
#endif

extern char **environ;

enum {
    ELEMENT = 256,      /* longest name of an element in a message */
    PATIENCE = 60,      /* seconds without a frame, at least ... */
    SLOWEST = 10000000, /* ... and bytes a second that are still work */
    CPU = 20,           /* seconds of computing, at least */
    MEMORY = 1 << 30    /* bytes beyond what the program takes, at least */
};

typedef enum frame_kind {
    FRAME_REQUEST = 0,
    FRAME_AT,
    FRAME_WARNING,
    FRAME_FAILED,
    FRAME_DONE
} frame_kind;

typedef struct frame {
    int64_t kind, bytes;
} frame;

static struct {
    pid_t process; /* 0 = none */
    int socket;
    char element[ELEMENT];
} helper;

static int self = -1; /* the helper's own socket; -1 in any other process */

/* ---- Frames ---- */

static bool send_all(int socket, const void *bytes, size_t count)
{
    const char *at = bytes;

    while (count > 0) {
        ssize_t sent = send(socket, at, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        count -= (size_t)sent;
    }
    return true;
}

static bool send_frame(int socket, int64_t kind, const void *bytes,
                       bal_size count)
{
    const frame head = {kind, count};

    return send_all(socket, &head, sizeof head) &&
           send_all(socket, bytes, (size_t)count);
}

/* Waits for bytes until `patience` is over (0: for ever), with a sign of life
 * each second: it is this process that watches the helper. */
static bool wait_for(int socket, double patience)
{
    struct pollfd p = {socket, POLLIN, 0};
    double start = bal_now();

    for (;;) {
        int got = poll(&p, 1, patience > 0 ? 1000 : -1);
        bal_alive();
        if (got > 0)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
        if (patience > 0 && bal_now() - start > patience)
            return false;
    }
}

static bool receive_all(int socket, void *bytes, size_t count, double patience)
{
    char *at = bytes;

    while (count > 0) {
        if (!wait_for(socket, patience))
            return false;
        ssize_t got = recv(socket, at, count, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        count -= (size_t)got;
    }
    return true;
}

/* A whole frame; its bytes in `p`, which is emptied first. */
static bool receive_frame(int socket, int64_t *kind, bal_pack *p,
                          double patience)
{
    frame head;

    bal_pack_finish(p);
    if (!receive_all(socket, &head, sizeof head, patience) || head.bytes < 0)
        return false;
    *kind = head.kind;
    if (bal_failed(bal_take(&p->at, head.bytes, "what was read"))) {
        p->broken = true;
        return false;
    }
    p->bytes = p->room = head.bytes;
    return receive_all(socket, p->at, (size_t)head.bytes, patience);
}

/* ---- The helper ---- */

/* What the process that started this one had open belongs to its MPI. */
static void close_others(void)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        int fd = atoi(entry->d_name);
        if (fd > STDERR_FILENO && fd != dirfd(dir))
            close(fd);
    }
    if (dir != NULL)
        closedir(dir);
}

static rlim_t pages_now(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f != NULL && fscanf(f, "%lu", &pages) != 1)
        pages = 0;
    if (f != NULL)
        fclose(f);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* Each request has its own allowance; the hard limits stay as they are. */
static void allow(bal_size bytes)
{
    static rlim_t start;
    struct rlimit l;
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    if (getrlimit(RLIMIT_CPU, &l) == 0) {
        rlim_t want = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                      CPU + (rlim_t)(bytes / SLOWEST);
        l.rlim_cur = want < l.rlim_max ? want : l.rlim_max;
        (void)setrlimit(RLIMIT_CPU, &l);
    }
    if (start == 0)
        start = pages_now();
    if (LIMITS_ADDRESSES && start > 0 && getrlimit(RLIMIT_AS, &l) == 0) {
        rlim_t want = start + MEMORY + 2 * (rlim_t)bytes;
        l.rlim_cur = want < l.rlim_max ? want : l.rlim_max;
        (void)setrlimit(RLIMIT_AS, &l);
    }
}

static bal_status do_work(bal_pack *request, bal_pack *out)
{
    int64_t kind = bal_unpack_int(request);
    bal_status st;

    allow(bal_unpack_int(request));
    BAL_REQUIRE(kind >= 0 && kind < BAL_ASIDE_COUNT);
    st = bal_fault("aside");
    if (!bal_failed(st))
        st = bal_aside_work_table[kind](request, out);
    return bal_failed(st) ? st : bal_pack_status(out);
}

static bool answer(bal_pack *request)
{
    bal_pack out = {0};
    bal_status st;
    bool sent;

    bal_error_clear();
    st = do_work(request, &out);
    if (bal_failed(st)) {
        bal_error e = *bal_error_get();
        e.code = (int)st;
        sent = send_frame(self, FRAME_FAILED, &e, (bal_size)sizeof e);
    } else {
        sent = send_frame(self, FRAME_DONE, out.at, out.bytes);
    }
    bal_pack_finish(&out);
    return sent;
}

void bal_aside_serve(int argc, char *const *argv)
{
    static const int deaf[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXFSZ};
    const struct rlimit no_core = {0, 0};
    bal_pack request = {0};
    int64_t kind;

    if (argc != 3 || strcmp(argv[1], MODE) != 0)
        return;
    self = STDIN_FILENO;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != (pid_t)atol(argv[2]))
        _exit(EXIT_FAILURE);
    for (size_t i = 0; i < sizeof deaf / sizeof *deaf; i++)
        signal(deaf[i], SIG_IGN);
    close_others();
    (void)setrlimit(RLIMIT_CORE, &no_core);
    bal_fault_set_rank(0);
    while (receive_frame(self, &kind, &request, 0) && answer(&request))
        continue;
    _exit(EXIT_SUCCESS);
}

void bal_aside_at(const char *element)
{
    if (self >= 0)
        send_frame(self, FRAME_AT, element, (bal_size)strlen(element) + 1);
}

void bal_aside_warn(const char *fmt, ...)
{
    char text[BAL_ERROR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (self >= 0)
        send_frame(self, FRAME_WARNING, text, (bal_size)strlen(text) + 1);
    else
        bal_warn("%s", text);
}

/* ---- The process that needs it ---- */

static int spawn_with(int socket, char *const *argv)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none;
    int error;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    posix_spawn_file_actions_adddup2(&files, socket, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null",
                                     O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);
    error = posix_spawn(&helper.process, "/proc/self/exe", &files, &how, argv,
                        environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    return error;
}

static bal_status start(void)
{
    char program[] = "balans", mode[] = MODE, parent[32];
    char *const argv[] = {program, mode, parent, NULL};
    int pair[2];

    if (helper.process != 0)
        return BAL_OK;
    snprintf(parent, sizeof parent, "%ld", (long)getpid());
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return BAL_FAIL(BAL_EIO, "cannot start a helper process: %s",
                        strerror(errno));
    int error = spawn_with(pair[1], argv);
    close(pair[1]);
    if (error == 0) {
        helper.socket = pair[0];
        return BAL_OK;
    }
    close(pair[0]);
    helper.process = 0;
    return BAL_FAIL(BAL_EIO, "cannot start a helper process: %s",
                    strerror(error));
}

/* Ends the helper, which may have ended by itself; how. */
static int end_helper(void)
{
    int how = 0;

    kill(helper.process, SIGKILL);
    while (waitpid(helper.process, &how, 0) < 0 && errno == EINTR)
        continue;
    close(helper.socket);
    helper.process = 0;
    return how;
}

/* A process that ended by itself has closed its socket, and is gone soon. */
static int reap(bool is_late)
{
    int how = 0;

    for (int i = 0; !is_late && i < 100; i++) {
        if (waitpid(helper.process, &how, WNOHANG) == helper.process) {
            close(helper.socket);
            helper.process = 0;
            return how;
        }
        usleep(10000);
    }
    return end_helper();
}

static bal_status fail_dead(const char *file, bool is_late)
{
    char what[ELEMENT + 64] = "";
    int how = reap(is_late);

    if (helper.element[0] != '\0')
        snprintf(what, sizeof what, ", '%s'", helper.element);
    if (is_late || (WIFSIGNALED(how) && WTERMSIG(how) == SIGXCPU))
        return BAL_FAIL(BAL_EINPUT,
                        "cannot read '%s'%s: HDF5 does not come to an end; the "
                        "file is damaged, write it anew from its source",
                        file, what);
    return BAL_FAIL(BAL_EINPUT,
                    "cannot read '%s'%s: HDF5 crashed (%s); the file is "
                    "damaged, write it anew from its source",
                    file, what,
                    WIFSIGNALED(how) ? strsignal(WTERMSIG(how))
                                     : "it ended too early");
}

static bal_status take_failure(const bal_pack *out)
{
    bal_error e;

    if (out->bytes != (bal_size)sizeof e)
        return BAL_FAIL(BAL_EINTERNAL, "cannot understand the helper process");
    memcpy(&e, out->at, sizeof e);
    return BAL_FAIL((bal_status)e.code, "%s", e.text);
}

static bal_status converse(const char *file, double patience,
                           const bal_pack *request, bal_pack *out)
{
    int64_t kind = FRAME_AT;
    double heard;

    helper.element[0] = '\0';
    if (!send_frame(helper.socket, FRAME_REQUEST, request->at, request->bytes))
        return fail_dead(file, false);
    for (;;) {
        heard = bal_now();
        if (!receive_frame(helper.socket, &kind, out, patience)) {
            if (out->broken) {
                end_helper();
                return bal_pack_status(out);
            }
            return fail_dead(file, bal_now() - heard > patience);
        }
        if (kind == FRAME_AT)
            snprintf(helper.element, sizeof helper.element, "%s", out->at);
        else if (kind == FRAME_WARNING)
            bal_warn("%s", out->at);
        else
            return kind == FRAME_DONE ? BAL_OK : take_failure(out);
    }
}

bal_status bal_aside(bal_aside_kind kind, const char *file, bal_size bytes,
                     const bal_pack *in, bal_pack *out)
{
    bal_pack request = {0};
    bal_status st;

    bal_pack_int(&request, kind);
    bal_pack_int(&request, bytes);
    bal_pack_bytes(&request, in->at, in->bytes);
    BAL_TRY(bal_pack_status(in));
    BAL_TRY(bal_pack_status(&request));
    BAL_TRY(start());
    BAL_TRY(converse(file, PATIENCE + (double)bytes / SLOWEST, &request, out));
done:
    if (bal_failed(st))
        bal_pack_finish(out);
    bal_pack_finish(&request);
    return st;
}
