/* The handlers do what handlers may: they set a flag, write a line that is made
 * in place, or end the process. */
#define _POSIX_C_SOURCE 200809L
#include "balans/base/signals.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balans/base/watch.h"

static volatile sig_atomic_t came; /* the last one, or 0 */
static volatile sig_atomic_t speaks;
static volatile sig_atomic_t last_code;
static void (*volatile at_end)(void);

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));

    (void)written;
}

static const char *name_of(int number)
{
    switch (number) {
    case SIGINT:
        return "SIGINT";
    case SIGHUP:
        return "SIGHUP";
    case SIGUSR1:
        return "SIGUSR1";
    default:
        return "SIGTERM";
    }
}

/* One write, so that nothing comes between. */
static void say_ended(int number)
{
    const char *parts[] = {"balans: ended by ",
                           name_of(number),
                           " in phase '",
                           bal_watch_named(),
                           "'; if nobody asked for that, another process of "
                           "the job or its host was lost\n"};
    char line[256];
    size_t len = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (const char *c = parts[i]; *c != '\0' && len < sizeof line - 1;)
            line[len++] = *c++;
    line[len] = '\0';
    say(line);
}

static void end(int number)
{
    if (speaks && number != SIGUSR1)
        say_ended(number);
    bal_signals_clean();
    signal(number, SIG_DFL);
    raise(number);
}

static void note(int number)
{
    if (speaks && !came)
        say(number == SIGTERM  ? "balans: told to stop by SIGTERM\n"
            : number == SIGINT ? "balans: told to stop by SIGINT\n"
                               : "balans: told to stop by SIGUSR1\n");
    came = number;
}

static void leave(int number)
{
    (void)number;
    bal_signals_clean();
    _exit(last_code);
}

static void set(int number, void (*handler)(int))
{
    struct sigaction act = {.sa_handler = handler, .sa_flags = SA_RESTART};

    sigemptyset(&act.sa_mask);
    sigaction(number, &act, NULL);
}

/* What a shell has told the program to ignore stays ignored. */
static void set_unless_ignored(int number, void (*handler)(int))
{
    struct sigaction now;

    if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
        set(number, handler);
}

void bal_signals_obey(int rank)
{
    speaks = rank == 0;
    set(SIGTERM, end);
    set(SIGUSR1, end);
    set_unless_ignored(SIGINT, end);
    set_unless_ignored(SIGHUP, end);
    set(SIGXFSZ, SIG_IGN);
}

void bal_signals_at_end(void (*work)(void))
{
    at_end = work;
    (void)atexit(bal_signals_clean);
}

void bal_signals_clean(void)
{
    void (*work)(void) = at_end;

    if (work != NULL)
        work();
}

void bal_signals_note(bool say)
{
    speaks = say;
    set(SIGTERM, note);
    set(SIGUSR1, note);
    set_unless_ignored(SIGINT, note);
}

bool bal_signals_came(void)
{
    return came != 0;
}

void bal_signals_end(int code)
{
    last_code = code;
    set(SIGTERM, leave);
    set(SIGINT, leave);
    set(SIGUSR1, leave);
}
