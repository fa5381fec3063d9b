/**
 * @file
 * Figures of lines, as SVG inside a page.
 *
 * Text is escaped; `alt` says what a figure shows, for those who cannot see it.
 * All functions are local.
 */
#ifndef BAL_PAGE_PLOT_H
#define BAL_PAGE_PLOT_H

#include <stdbool.h>
#include <stdio.h>

#include "balans/base/types.h"

/** A line through points. */
typedef struct bal_line {
    const char *alt, *x_title, *y_title;
    const double *x, *y; ///< [count], finite; x ascending
    bal_size count;      ///< at least 1
    double y_high;       ///< end of the y axis; 0: as the values want it
    bool percent;        ///< y is a share, written in %
} bal_line;
void bal_plot_line(FILE *f, const bal_line *l);

/** A bar for each of some names. */
typedef struct bal_bars {
    const char *alt, *x_title;
    const char *const *name; ///< [count]
    const double *value; ///< [count], finite, >= 0
    bal_size count;      ///< at least 1
} bal_bars;
void bal_plot_bars(FILE *f, const bal_bars *b);

/** A matrix of shares of 0 to 1, shaded, with its numbers where they fit. */
typedef struct bal_cells {
    const char *alt;
    const char *const *name; ///< [count], of rows and columns
    const double *value; ///< [count, count], row-major; NaN: no value
    bal_size count;      ///< at least 1
} bal_cells;
void bal_plot_cells(FILE *f, const bal_cells *c);

#endif
