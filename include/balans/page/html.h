/**
 * @file
 * A page that needs nothing but itself: text, tables, figures.
 *
 * Everything that comes from a file goes through bal_html_text().  Whether
 * writing worked is asked of the stream at the end.  All functions are local.
 */
#ifndef BAL_PAGE_HTML_H
#define BAL_PAGE_HTML_H

#include <stdint.h>
#include <stdio.h>

#include "balans/page/raster.h"

/** Begins and ends a page.  The title is escaped. */
void bal_html_begin(FILE *f, const char *title);
void bal_html_end(FILE *f);

/** Writes text with what HTML and attributes take for marks escaped, and with
 *  U+FFFD for control characters and for bytes that are not UTF-8. */
void bal_html_text(FILE *f, const char *text);

/** printf() whose result is escaped; cut after 2,000 bytes. */
__attribute__((format(printf, 2, 3))) void bal_html_say(FILE *f,
                                                        const char *fmt, ...);

/** An image inside the page.  @param[in] alt  says what it shows */
void bal_html_image(FILE *f, const bal_image *i, const char *alt);

/** Opens a figure, and closes it with a caption in words; both are escaped.
 *  @param[in] id  of letters and dashes */
void bal_html_figure(FILE *f, const char *id, const char *title);
void bal_html_caption(FILE *f, const char *caption);

/** A figure that cannot be drawn, and why. */
void bal_html_missing(FILE *f, const char *id, const char *title,
                      const char *why);

/** The mark of a group in a legend, a small drawing. */
void bal_html_mark(FILE *f, int32_t style);

#endif
