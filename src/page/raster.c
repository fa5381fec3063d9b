#include "balans/page/raster.h"

#include <cairo.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/kernel/kselect.h"
#include "balans/page/sample.h"
#include "balans/page/style.h"

enum { SIDE = 960, MARGIN = 24, STRIP = 18, LINES_MOST = 30 };

static cairo_status_t add_bytes(void *arg, const unsigned char *bytes,
                                unsigned int count)
{
    bal_image *i = arg;
    bal_size room = i->room > 0 ? i->room : 1 << 16;

    while (room < i->bytes + (bal_size)count)
        room *= 2;
    if (room > i->room && bal_failed(bal_resize(&i->at, room, "an image")))
        return CAIRO_STATUS_NO_MEMORY;
    i->room = room;
    memcpy(i->at + i->bytes, bytes, count);
    i->bytes += (bal_size)count;
    return CAIRO_STATUS_SUCCESS;
}

void bal_image_finish(bal_image *i)
{
    bal_free(&i->at);
    *i = (bal_image){0};
}

/* A white surface.  A failure shows in its status, and drawing does nothing. */
static cairo_t *begin(int width, int height)
{
    cairo_surface_t *s =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    cairo_t *c = cairo_create(s);

    cairo_surface_destroy(s);
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_paint(c);
    return c;
}

static bal_status end(cairo_t *c, bal_image *out)
{
    cairo_surface_t *s = cairo_get_target(c);
    cairo_status_t bad = cairo_status(c);

    out->width = cairo_image_surface_get_width(s);
    out->height = cairo_image_surface_get_height(s);
    if (bad == CAIRO_STATUS_SUCCESS)
        bad = cairo_surface_write_to_png_stream(s, add_bytes, out);
    cairo_destroy(c);
    if (bad == CAIRO_STATUS_SUCCESS)
        return BAL_OK;
    bal_image_finish(out);
    return BAL_FAIL(BAL_ENOMEM, "cannot draw an image: cairo says '%s'",
                    cairo_status_to_string(bad));
}

static void set_colour(cairo_t *c, const bal_style *s)
{
    cairo_set_source_rgb(c, s->red / 255.0, s->green / 255.0, s->blue / 255.0);
}

/* ---- Points ---- */

/* The value that a share of the points does not exceed.  Selection wants no
 * negative ones. */
static double quantile(float *room, const double *xy, int f, bal_size n,
                       double share)
{
    bal_size rank = (bal_size)(share * (double)(n - 1));
    double least = xy[f];

    for (bal_size i = 0; i < n; i++)
        least = fmin(least, xy[2 * i + f]);
    for (bal_size i = 0; i < n; i++)
        room[i] = (float)(xy[2 * i + f] - least);
    return least + (double)bal_kth_smallest(room, n, rank + 1);
}

typedef struct frame {
    double low[2], scale;
} frame;

/* One scale for both directions, the points in the middle. */
static bal_status find_frame(const double *xy, bal_size n, frame *f)
{
    const double far = 0.001, inner = SIDE - 2 * MARGIN;
    double high[2], most = 0;
    float *room;
    bal_status st = bal_alloc(&room, n, "the frame of a figure");

    if (bal_failed(st))
        return st;
    for (int k = 0; k < 2; k++) {
        f->low[k] = quantile(room, xy, k, n, far);
        high[k] = quantile(room, xy, k, n, 1 - far);
        most = fmax(most, high[k] - f->low[k]);
    }
    f->scale = most > 0 ? inner / most : 1;
    for (int k = 0; k < 2; k++)
        f->low[k] = (f->low[k] + high[k]) / 2 - SIDE / 2.0 / f->scale;
    bal_free(&room);
    return BAL_OK;
}

static double inside(double v)
{
    return fmin(fmax(v, MARGIN / 3.0), SIDE - MARGIN / 3.0);
}

static void draw_point(cairo_t *c, const frame *f, const double *xy,
                       int32_t group, double radius)
{
    const bal_style s = bal_style_of(group);
    double x = inside((xy[0] - f->low[0]) * f->scale);
    double y = inside(SIDE - (xy[1] - f->low[1]) * f->scale);
    double r = group < 0 ? 0.7 * radius : radius;

    if (s.corners == 0)
        cairo_arc(c, x, y, r, 0, 2 * acos(-1));
    for (int i = 0; i < s.corners; i++)
        cairo_line_to(c, x + r * s.corner[i][0], y + r * s.corner[i][1]);
    cairo_close_path(c);
    set_colour(c, &s);
    cairo_fill_preserve(c);
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_stroke(c);
}

bal_status bal_draw_points(const double *xy, const int32_t *style, bal_size n,
                           uint64_t seed, bal_image *out)
{
    double radius = fmin(fmax(220 / sqrt((double)n + 1), 2.6), 7);
    bal_size *order = NULL;
    frame f;
    cairo_t *c;
    bal_status st;

    BAL_TRY(bal_alloc(&order, n, "a figure"));
    BAL_TRY(find_frame(xy, n, &f));
    bal_shuffle(n, seed, order);
    c = begin(SIDE, SIDE);
    /* Edges part marks that overlap, and would wash out small ones. */
    cairo_set_line_width(c, radius > 3 ? radius / 5 : 0.01);
    for (int others = 1; others >= 0; others--)
        for (bal_size i = 0; i < n; i++)
            if ((style[order[i]] < 0) == (others == 1))
                draw_point(c, &f, xy + 2 * order[i], style[order[i]], radius);
    BAL_TRY(end(c, out));
done:
    bal_free(&order);
    return st;
}

/* ---- Matrices ---- */

static void draw_cells(cairo_t *c, const float *a, bal_size n, int cell)
{
    int rgb[3];

    for (bal_size i = 0; i < n; i++)
        for (bal_size j = 0; j < n; j++) {
            if (!(a[i * n + j] > 0))
                continue;
            bal_shade(sqrt((double)a[i * n + j]), rgb);
            cairo_set_source_rgb(c, rgb[0] / 255.0, rgb[1] / 255.0,
                                 rgb[2] / 255.0);
            cairo_rectangle(c, STRIP + (double)j * cell,
                            STRIP + (double)i * cell, cell, cell);
            cairo_fill(c);
        }
}

/* The runs of one style: a bar at both sides, and a line behind. */
static void draw_runs(cairo_t *c, const int32_t *style, bal_size n, int cell,
                      bool lines)
{
    double side = STRIP + (double)n * cell;

    for (bal_size i = 0, next; i < n; i = next) {
        const bal_style s = bal_style_of(style[i]);
        double from = STRIP + (double)i * cell, to;
        for (next = i + 1; next < n && style[next] == style[i];)
            next++;
        to = STRIP + (double)next * cell;
        set_colour(c, &s);
        cairo_rectangle(c, 0, from, STRIP - 4, to - from);
        cairo_rectangle(c, from, 0, to - from, STRIP - 4);
        cairo_fill(c);
        if (!lines || next == n)
            continue;
        cairo_set_source_rgb(c, 0.75, 0.75, 0.75);
        cairo_rectangle(c, STRIP, to - 0.5, side - STRIP, 1);
        cairo_rectangle(c, to - 0.5, STRIP, 1, side - STRIP);
        cairo_fill(c);
    }
}

bal_status bal_draw_matrix(const float *a, const int32_t *style, bal_size n,
                           bal_image *out)
{
    int cell = n > 0 && SIDE / n > 1 ? (int)(SIDE / n) : 1;
    int side = STRIP + cell * (int)n, runs = 1;
    cairo_t *c = begin(side, side);

    cairo_set_antialias(c, CAIRO_ANTIALIAS_NONE);
    for (bal_size i = 1; i < n; i++)
        runs += style[i] != style[i - 1];
    draw_cells(c, a, n, cell);
    draw_runs(c, style, n, cell, runs <= LINES_MOST);
    return end(c, out);
}
