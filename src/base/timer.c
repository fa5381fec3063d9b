#define _POSIX_C_SOURCE 200809L
#include "balans/base/timer.h"

#include <time.h>

double bal_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bal_started(void)
{
    static double at;

    if (at <= 0)
        at = bal_now();
    return at;
}
