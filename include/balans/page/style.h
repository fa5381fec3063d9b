/**
 * @file
 * How groups of points look: eight colours that people with any kind of colour
 * vision tell apart (Okabe and Ito, https://jfly.uni-koeln.de/color/), in an
 * order in which neighbours differ in lightness, and six shapes, for print
 * without colours.  48 groups have a look of their own.
 */
#ifndef BAL_PAGE_STYLE_H
#define BAL_PAGE_STYLE_H

#include <stdint.h>

enum {
    BAL_STYLES = 48,
    BAL_STYLE_OTHER = -1, ///< grey, small, behind the others
    BAL_CORNERS_MOST = 12,
};

typedef struct bal_style {
    int red, green, blue; ///< 0 .. 255
    int corners;          ///< of the shape; 0: a disc of radius 1
    double corner[BAL_CORNERS_MOST][2]; ///< y downwards, about as large
} bal_style;

/** The look of group i, or of BAL_STYLE_OTHER.  Local. */
bal_style bal_style_of(int32_t i);

/** The shade of a value of 0 .. 1: white, through blues, to nearly black; the
 *  lightness falls evenly.  Local. */
void bal_shade(double value, int rgb[3]);

#endif
