#include "balans/page/html.h"

#include <stdarg.h>
#include <stdbool.h>

#include "balans/page/style.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* The policy lets a browser load nothing from anywhere. */
static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
    "'none'; img-src data:; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, "
    "initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">\n<title>";

static const char style[] =
    "</title>\n<style>\n"
    ":root { color-scheme: light; }\n"
    "body { font: 16px/1.5 system-ui, 'Helvetica Neue', Arial, sans-serif; "
    "color: #1c1c1c; background: #fff; max-width: 1080px; margin: 0 auto; "
    "padding: 1.5rem; }\n"
    "h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .4rem; "
    "overflow-wrap: anywhere; }\n"
    "h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; padding-bottom: .2rem; "
    "border-bottom: 2px solid #0072b2; }\n"
    "p { margin: .5rem 0; max-width: 48rem; }\n"
    ".lead { font-size: 1.05rem; color: #444; }\n"
    ".pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1.2rem; }\n"
    "figure { margin: .8rem 0; min-width: 0; break-inside: avoid; }\n"
    "figure h3 { font-size: .95rem; margin: 0 0 .35rem; }\n"
    "figure img { display: block; width: 100%; height: auto; "
    "box-sizing: border-box; border: 1px solid #d5d5d5; }\n"
    "figure svg.plot { display: block; width: 100%; height: auto; }\n"
    "figcaption { font-size: .85rem; color: #444; margin-top: .4rem; "
    "max-width: 48rem; }\n"
    ".none > p { background: #f3f3f3; border-left: 4px solid #999; "
    "padding: .6rem .8rem; font-size: .9rem; }\n"
    ".legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: .6rem "
    "0 0; padding: 0; list-style: none; font-size: .85rem; }\n"
    ".legend li { overflow-wrap: anywhere; }\n"
    ".legend svg { width: .85em; height: .85em; vertical-align: -.08em; "
    "margin-right: .3em; }\n"
    ".ramp { display: inline-block; width: 9rem; height: .7rem; "
    "border: 1px solid #999; vertical-align: middle; margin: 0 .4rem; }\n"
    ".warn { background: #fff6e0; border-left: 4px solid #d55e00; "
    "padding: .5rem .8rem; margin: .5rem 0; max-width: 48rem; }\n"
    ".good { background: #eef6fb; border-left: 4px solid #0072b2; "
    "padding: .5rem .8rem; margin: .5rem 0; max-width: 48rem; }\n"
    "table { border-collapse: collapse; font-size: .9rem; margin: .6rem 0; }\n"
    "th, td { text-align: right; padding: .18rem .8rem .18rem 0; "
    "border-bottom: 1px solid #e3e3e3; font-variant-numeric: tabular-nums; "
    "vertical-align: top; }\n"
    "th:first-child, td:first-child, .words td { text-align: left; "
    "overflow-wrap: anywhere; }\n"
    ".words td:first-child { white-space: nowrap; }\n"
    "thead th, tr.head th { border-bottom: 1.5px solid #777; }\n"
    ".wide { overflow-x: auto; }\n"
    "footer { margin-top: 2.5rem; font-size: .8rem; color: #555; }\n"
    "@media (max-width: 640px) { .pair { grid-template-columns: 1fr; } }\n"
    "@media print { body { max-width: none; padding: 0; font-size: 10.5pt; "
    "-webkit-print-color-adjust: exact; print-color-adjust: exact; } "
    "h2 { break-after: avoid; } .pair { grid-template-columns: 1fr 1fr; } "
    "tr { break-inside: avoid; } @page { margin: 15mm; } }\n"
    "</style>\n</head>\n<body>\n";

void bal_html_begin(FILE *f, const char *title)
{
    fputs(head, f);
    bal_html_text(f, title);
    fputs(style, f);
}

void bal_html_end(FILE *f)
{
    fputs("</body>\n</html>\n", f);
}

/* ---- Text ---- */

/* Bytes of the character that `s` starts with, 0 if it starts with none. */
static int character(const unsigned char *s)
{
    int bytes = s[0] < 0x80   ? 1
                : s[0] < 0xc2 ? 0
                : s[0] < 0xe0 ? 2
                : s[0] < 0xf0 ? 3
                : s[0] < 0xf5 ? 4
                              : 0;

    for (int i = 1; i < bytes; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return bytes;
}

static const char *mark(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return (c < ' ' && c != '\t' && c != '\n') || c == 127 ? REPLACEMENT
                                                               : NULL;
    }
}

void bal_html_text(FILE *f, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s != '\0') {
        int bytes = character(s);
        const char *instead = bytes == 0 ? REPLACEMENT : mark(*s);
        if (instead != NULL)
            fputs(instead, f);
        else
            fwrite(s, 1, (size_t)bytes, f);
        s += bytes > 0 ? bytes : 1;
    }
}

void bal_html_say(FILE *f, const char *fmt, ...)
{
    char text[2000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    bal_html_text(f, text);
}

/* ---- Figures ---- */

static void put_base64(FILE *f, const unsigned char *at, bal_size bytes)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789+/";

    for (bal_size i = 0; i < bytes; i += 3) {
        unsigned b = (unsigned)at[i] << 16;
        b |= i + 1 < bytes ? (unsigned)at[i + 1] << 8 : 0;
        b |= i + 2 < bytes ? at[i + 2] : 0;
        fputc(digit[b >> 18], f);
        fputc(digit[b >> 12 & 63], f);
        fputc(i + 1 < bytes ? digit[b >> 6 & 63] : '=', f);
        fputc(i + 2 < bytes ? digit[b & 63] : '=', f);
    }
}

void bal_html_image(FILE *f, const bal_image *i, const char *alt)
{
    fprintf(f, "<img width=\"%d\" height=\"%d\" alt=\"", i->width, i->height);
    bal_html_text(f, alt);
    fputs("\" src=\"data:image/png;base64,", f);
    put_base64(f, i->at, i->bytes);
    fputs("\">\n", f);
}

void bal_html_figure(FILE *f, const char *id, const char *title)
{
    fprintf(f, "<figure id=\"%s\">\n<h3>", id);
    bal_html_text(f, title);
    fputs("</h3>\n", f);
}

void bal_html_caption(FILE *f, const char *caption)
{
    fputs("<figcaption>", f);
    bal_html_text(f, caption);
    fputs("</figcaption>\n</figure>\n", f);
}

void bal_html_missing(FILE *f, const char *id, const char *title,
                      const char *why)
{
    fprintf(f, "<figure id=\"%s\" class=\"none\">\n<h3>", id);
    bal_html_text(f, title);
    fputs("</h3>\n<p>", f);
    bal_html_text(f, why);
    fputs("</p>\n</figure>\n", f);
}

void bal_html_mark(FILE *f, int32_t group)
{
    const bal_style s = bal_style_of(group);

    fprintf(f, "<svg viewBox=\"-1.5 -1.5 3 3\" aria-hidden=\"true\">");
    if (s.corners == 0)
        fputs("<circle r=\"1.1\"", f);
    else
        fputs("<path d=\"", f);
    for (int i = 0; i < s.corners; i++)
        fprintf(f, "%c%g %g", i == 0 ? 'M' : 'L', s.corner[i][0],
                s.corner[i][1]);
    fprintf(f, "%s fill=\"#%02x%02x%02x\"/></svg>", s.corners > 0 ? "Z\"" : "",
            (unsigned)s.red, (unsigned)s.green, (unsigned)s.blue);
}
