/** @file  Numbers and places along an axis. */
#ifndef BAL_PAGE_SCALE_H
#define BAL_PAGE_SCALE_H

#include <stddef.h>

enum { BAL_TICKS_MOST = 12 };

/** Round numbers from `low` to `high` (finite, low < high): multiples of 1, 2
 *  or 5 times a power of ten, at most `most` steps between them.  Local.
 *  @param[in]  most  2 .. BAL_TICKS_MOST - 2
 *  @param[out] tick  [BAL_TICKS_MOST], ascending, inside low .. high
 *  @return how many, at least 1 */
int bal_ticks(double low, double high, int most, double *tick);

/** The place of a value on an axis from `from` to `to`, in pixels.  Local. */
typedef struct bal_axis {
    double low, high, from, to;
} bal_axis;
double bal_axis_at(const bal_axis *a, double value);

/** A number for people: as few digits as it needs, at most four, thousands
 *  apart by thin spaces.  Local.  @return buf */
char *bal_number(char *buf, size_t size, double value);

#endif
