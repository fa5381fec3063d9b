/* The counter is an atomic number that everybody increments and nobody reads
 * but the watcher, which wakes up some times in a timeout and compares. */
#define _POSIX_C_SOURCE 200809L
#include "balans/base/watch.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "balans/base/signals.h"
#include "balans/base/timer.h"

enum { OVERSLEPT = 5 }; /* times as long as it meant to sleep */

/* What is still work, in a second. */
static const double slowest = 1e9, slowest_io = 1e8;

static _Atomic unsigned long signs;
static _Atomic double granted; /* seconds on top of the timeout */
static const char *_Atomic name;

static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool running, stop;
    double seconds; /* timeout */
    int rank;
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

void bal_alive(void)
{
    atomic_fetch_add_explicit(&signs, 1, memory_order_relaxed);
}

void bal_watch_name(const char *what)
{
    atomic_store_explicit(&name, what, memory_order_relaxed);
}

const char *bal_watch_named(void)
{
    const char *what = atomic_load_explicit(&name, memory_order_relaxed);

    return what != NULL ? what : "start";
}

void bal_watch_grant(double flops)
{
    atomic_store_explicit(&granted, flops / slowest, memory_order_relaxed);
    bal_alive();
}

void bal_watch_grant_io(double bytes)
{
    bal_watch_grant(bytes / slowest_io * slowest);
}

/* Ranks other than 0 speak only where rank 0 could not, so they give the
 * launcher time to end them. */
static double patience_of(double seconds, int rank)
{
    enum { LAUNCHER = 30, STEP = 5, STEPS = 12 };
    double later = rank < STEPS ? STEP * (rank - 1) : STEP * STEPS;

    return seconds + (rank > 0 ? LAUNCHER + later : 0) +
           atomic_load_explicit(&granted, memory_order_relaxed);
}

static void give_up(void)
{
    char line[256];
    int len = snprintf(line, sizeof line,
                       "balans: stalled on rank %d: no progress for %.15g s in "
                       "phase '%s'; a host or a link may be lost, or "
                       "--stall-timeout is too short\n",
                       watch.rank, watch.seconds, bal_watch_named());
    ssize_t written = write(STDERR_FILENO, line, (size_t)len);

    (void)written;
    bal_signals_clean();
    _exit(1);
}

static void sleep_until_ended(double seconds)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)seconds;
    at.tv_nsec += (long)(1e9 * (seconds - (double)(time_t)seconds));
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    pthread_cond_timedwait(&watch.ended, &watch.lock, &at);
}

static void *look(void *unused)
{
    unsigned long seen = atomic_load(&signs), now;
    double since = bal_now(), before = since, time;
    double pause = watch.seconds < 10 ? watch.seconds / 10 : 1;

    pthread_mutex_lock(&watch.lock);
    while (!watch.stop) {
        sleep_until_ended(pause);
        now = atomic_load_explicit(&signs, memory_order_relaxed);
        time = bal_now();
        /* A job that was suspended starts to wait anew. */
        if (now != seen || time - before > OVERSLEPT * pause)
            since = time;
        else if (time - since >= patience_of(watch.seconds, watch.rank))
            give_up();
        seen = now;
        before = time;
    }
    pthread_mutex_unlock(&watch.lock);
    return unused;
}

/* Signals are for the program's own thread. */
static int start_thread(void)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&watch.thread, NULL, look, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

bal_status bal_watch_start(double seconds, int rank)
{
    pthread_condattr_t clock;

    if (watch.running || seconds <= 0)
        return BAL_OK;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&watch.ended, &clock);
    pthread_condattr_destroy(&clock);
    watch.seconds = seconds;
    watch.rank = rank;
    watch.stop = false;
    int error = start_thread();
    watch.running = error == 0;
    if (error == 0)
        return BAL_OK;
    return BAL_FAIL(BAL_ENOMEM,
                    "cannot start the thread for --stall-timeout: "
                    "%s",
                    strerror(error));
}

void bal_watch_stop(void)
{
    if (!watch.running)
        return;
    pthread_mutex_lock(&watch.lock);
    watch.stop = true;
    pthread_cond_signal(&watch.ended);
    pthread_mutex_unlock(&watch.lock);
    pthread_join(watch.thread, NULL);
    pthread_cond_destroy(&watch.ended);
    watch.running = false;
}
