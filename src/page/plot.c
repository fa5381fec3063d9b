#include "balans/page/plot.h"

#include <math.h>
#include <string.h>

#include "balans/page/html.h"
#include "balans/page/scale.h"
#include "balans/page/style.h"

/* In units of the drawing, which is as wide as its figure. */
enum {
    WIDTH = 520,
    HEIGHT = 300,
    LEFT = 64,
    RIGHT = 16,
    TOP = 12,
    BOTTOM = 50,
    BAR = 20,         /* height of a bar with its gap */
    NAME = 150,       /* width of names beside bars */
    LETTERS = 20,     /* of a name that are shown */
    NUMBERS_MOST = 12 /* cells a row that have room for a number */
};

static void begin(FILE *f, int width, int height, const char *alt)
{
    fprintf(f,
            "<svg class=\"plot\" role=\"img\" viewBox=\"0 0 %d %d\" "
            "font-family=\"system-ui, Arial, sans-serif\" font-size=\"13\" "
            "fill=\"#1c1c1c\" aria-label=\"",
            width, height);
    bal_html_text(f, alt);
    fputs("\">\n<title>", f);
    bal_html_text(f, alt);
    fputs("</title>\n", f);
}

static void end(FILE *f)
{
    fputs("</svg>\n", f);
}

static void put_line(FILE *f, double x1, double y1, double x2, double y2,
                     const char *colour)
{
    fprintf(f, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"%s\"/>\n", x1, y1, x2,
            y2, colour);
}

/* @param[in] anchor  "start", "middle", "end" */
static void put_text(FILE *f, double x, double y, const char *anchor,
                     const char *text)
{
    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    bal_html_text(f, text);
    fputs("</text>\n", f);
}

/* The beginning of a name where it is long, whole characters of it. */
static void put_name(FILE *f, double x, double y, const char *anchor,
                     const char *name)
{
    char text[4 * LETTERS + 8];
    size_t at = 0;
    int letters = 0;

    while (name[at] != '\0' && at < 4 * LETTERS) {
        bool starts = ((unsigned char)name[at] & 0xc0) != 0x80;
        if (starts && ++letters > LETTERS)
            break;
        text[at] = name[at];
        at++;
    }
    snprintf(text + at, sizeof text - at, "%s",
             name[at] != '\0' ? "\xe2\x80\xa6" : "");
    put_text(f, x, y, anchor, text);
}

/* ---- Axes ---- */

static void name_tick(char *text, size_t size, double v, bool percent)
{
    char number[48];

    snprintf(text, size, "%s%s",
             bal_number(number, sizeof number, percent ? 100 * v : v),
             percent ? " %" : "");
}

static void put_y_axis(FILE *f, const bal_axis *y, const char *title,
                       bool percent)
{
    double tick[BAL_TICKS_MOST];
    int count = bal_ticks(y->low, y->high, 5, tick);
    char text[64];

    for (int i = 0; i < count; i++) {
        double at = bal_axis_at(y, tick[i]);
        put_line(f, LEFT, at, WIDTH - RIGHT, at, "#e3e3e3");
        name_tick(text, sizeof text, tick[i], percent);
        put_text(f, LEFT - 6, at + 4.5, "end", text);
    }
    fprintf(f,
            "<text transform=\"translate(14 %.1f) rotate(-90)\" "
            "text-anchor=\"middle\">",
            (y->from + y->to) / 2);
    bal_html_text(f, title);
    fputs("</text>\n", f);
}

static void put_x_axis(FILE *f, const bal_axis *x, double bottom, double left,
                       const char *title)
{
    double tick[BAL_TICKS_MOST];
    int count = bal_ticks(x->low, x->high, 6, tick);
    char text[64];

    put_line(f, left, bottom, WIDTH - RIGHT, bottom, "#777");
    for (int i = 0; i < count; i++) {
        double at = bal_axis_at(x, tick[i]);
        put_line(f, at, bottom, at, bottom + 4, "#777");
        name_tick(text, sizeof text, tick[i], false);
        put_text(f, at, bottom + 18, "middle", text);
    }
    put_text(f, (left + WIDTH - RIGHT) / 2, bottom + 38, "middle", title);
}

/* ---- Figures ---- */

static double highest(const double *v, bal_size count)
{
    double most = 0;

    for (bal_size i = 0; i < count; i++)
        most = fmax(most, v[i]);
    return most > 0 ? most : 1;
}

void bal_plot_line(FILE *f, const bal_line *l)
{
    double high = l->y_high > 0 ? l->y_high : 1.05 * highest(l->y, l->count);
    double end_x =
        l->x[l->count - 1] > l->x[0] ? l->x[l->count - 1] : l->x[0] + 1;
    const bal_axis x = {l->x[0], end_x, LEFT, WIDTH - RIGHT};
    const bal_axis y = {0, high, HEIGHT - BOTTOM, TOP};

    begin(f, WIDTH, HEIGHT, l->alt);
    put_y_axis(f, &y, l->y_title, l->percent);
    put_x_axis(f, &x, HEIGHT - BOTTOM, LEFT, l->x_title);
    fputs("<path class=\"data\" fill=\"none\" stroke=\"#0072b2\" "
          "stroke-width=\"2.2\" stroke-linejoin=\"round\" d=\"",
          f);
    for (bal_size i = 0; i < l->count; i++)
        fprintf(f, "%c%.2f %.2f", i == 0 ? 'M' : 'L', bal_axis_at(&x, l->x[i]),
                bal_axis_at(&y, l->y[i]));
    fputs("\"/>\n", f);
    fprintf(f, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"3.5\" fill=\"#0072b2\"/>\n",
            bal_axis_at(&x, l->x[l->count - 1]),
            bal_axis_at(&y, l->y[l->count - 1]));
    end(f);
}

void bal_plot_bars(FILE *f, const bal_bars *b)
{
    double bottom = TOP + (double)b->count * BAR;
    const bal_axis x = {0, 1.2 * highest(b->value, b->count), NAME,
                        WIDTH - RIGHT};
    char text[48];

    begin(f, WIDTH, (int)bottom + BOTTOM, b->alt);
    for (bal_size i = 0; i < b->count; i++) {
        double y = TOP + (double)i * BAR;
        double to = bal_axis_at(&x, b->value[i]);
        put_name(f, NAME - 6, y + BAR / 2.0 + 4.5, "end", b->name[i]);
        fprintf(f,
                "<path class=\"data\" fill=\"#56b4e9\" stroke=\"#0072b2\" "
                "d=\"M%d %.1fH%.2fV%.1fH%dZ\"/>\n",
                NAME, y + 3, to, y + BAR - 3, NAME);
        put_text(f, to + 5, y + BAR / 2.0 + 4.5, "start",
                 bal_number(text, sizeof text, b->value[i]));
    }
    put_x_axis(f, &x, bottom, NAME, b->x_title);
    end(f);
}

/* What the longest of the names takes below a matrix, where they lean. */
static double room_for(const bal_cells *c)
{
    const double letter = 6.6;
    size_t longest = 0;

    for (bal_size i = 0; i < c->count; i++)
        longest = strlen(c->name[i]) > longest ? strlen(c->name[i]) : longest;
    longest = longest > LETTERS + 1 ? LETTERS + 1 : longest;
    return 24 + letter * (double)longest;
}

static void put_cell(FILE *f, double x, double y, double side, double v,
                     bool number)
{
    int rgb[3] = {238, 238, 238};

    if (!isnan(v))
        bal_shade(0.9 * v, rgb);
    fprintf(f,
            "<path class=\"data\" d=\"M%.1f %.1fh%.1fv%.1fh-%.1fz\" "
            "fill=\"#%02x%02x%02x\" stroke=\"#fff\"/>\n",
            x, y, side, side, side, (unsigned)rgb[0], (unsigned)rgb[1],
            (unsigned)rgb[2]);
    if (!number || isnan(v))
        return;
    fprintf(f,
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" "
            "font-size=\"11\" fill=\"%s\">%.2f</text>\n",
            x + side / 2, y + side / 2 + 4, v > 0.5 ? "#fff" : "#1c1c1c", v);
}

void bal_plot_cells(FILE *f, const bal_cells *c)
{
    double side = fmin((double)(WIDTH - NAME - RIGHT) / (double)c->count, 44);
    double top = 16, all = side * (double)c->count;
    bool named = side >= 9, numbers = c->count <= NUMBERS_MOST && side >= 28;

    begin(f, WIDTH, (int)(top + all + (named ? room_for(c) : 20)), c->alt);
    for (bal_size i = 0; i < c->count; i++) {
        double at = top + side * (double)i;
        for (bal_size j = 0; j < c->count; j++)
            put_cell(f, NAME + side * (double)j, at, side,
                     c->value[i * c->count + j], numbers);
        if (!named)
            continue;
        put_name(f, NAME - 6, at + side / 2 + 4.5, "end", c->name[i]);
        fprintf(f, "<g transform=\"translate(%.1f %.1f) rotate(-60)\">",
                NAME + side * ((double)i + 0.5) + 4, top + all + 12);
        put_name(f, 0, 0, "end", c->name[i]);
        fputs("</g>\n", f);
    }
    end(f);
}
