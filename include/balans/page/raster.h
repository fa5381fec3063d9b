/**
 * @file
 * Figures with too many marks for lines: PNG images, drawn by cairo.
 *
 * They hold no text, whose look would depend on the fonts of the machine; names
 * stand beside them on the page.  All functions are local; the same arguments
 * give the same bytes with one release of cairo.
 */
#ifndef BAL_PAGE_RASTER_H
#define BAL_PAGE_RASTER_H

#include "balans/base/status.h"
#include "balans/base/types.h"

/** A PNG file in memory; its arrays are freed by bal_image_finish(). */
typedef struct bal_image {
    unsigned char *at; ///< [bytes]
    bal_size bytes, room;
    int width, height; ///< pixels
} bal_image;

/**
 * Draws points, in a random order so that no group hides another; those of
 * BAL_STYLE_OTHER come first, behind.  The frame holds all but the farthest
 * 1 in 1,000 on each side, which are drawn at the rim.
 * @param[in]  xy     [n, 2], finite
 * @param[in]  style  [n], of bal_style_of()
 * @param[out] out    zeroed before
 * Fails with BAL_ENOMEM.
 */
bal_status bal_draw_points(const double *xy, const int32_t *style, bal_size n,
                           uint64_t seed, bal_image *out);

/**
 * Draws a matrix of values from 0 to 1 by their roots, which tells small ones
 * from none, with the style of each row at its left and of each column above,
 * and lines where it changes.
 * @param[in]  a      [n, n], row-major
 * @param[in]  style  [n]
 * @param[out] out    zeroed before
 * Fails with BAL_ENOMEM.
 */
bal_status bal_draw_matrix(const float *a, const int32_t *style, bal_size n,
                           bal_image *out);

/** One that was zeroed is fine. */
void bal_image_finish(bal_image *i);

#endif
