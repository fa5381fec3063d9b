/* The page from top to bottom, and its text and tables. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advice.h"
#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/metric/scores.h"
#include "balans/page/html.h"
#include "balans/page/plot.h"
#include "balans/page/scale.h"
#include "page_internal.h"

enum { PAIRS_MOST = 3 };

static const double little_trust = 0.5, much_uncovered = 0.05;

/* ---- Warnings ---- */

static void warn(FILE *f, int *count, const char *text)
{
    fputs("<p class=\"warn\">", f);
    bal_html_text(f, text);
    fputs("</p>\n", f);
    ++*count;
}

static double trust_at(const json_t *rows, size_t a, size_t b)
{
    return json_number_value(json_array_get(json_array_get(rows, a), b));
}

/* The next pair in the order of trust, then of names, after pair (*a, *b) with
 * trust `after`. */
static double least_pair(const json_t *rows, double after, size_t *a, size_t *b)
{
    size_t count = json_array_size(rows), past = *a * count + *b;
    double least = INFINITY;

    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++) {
            double v = (trust_at(rows, i, j) + trust_at(rows, j, i)) / 2;
            bool next = v > after || (v == after && i * count + j > past);
            if (next && v < least) {
                least = v;
                *a = i;
                *b = j;
            }
        }
    return least;
}

static void warn_of_pairs(const bal_page *p, FILE *f, int *count)
{
    const json_t *rows = bal_page_look(p->uns, "trust/mean");
    const json_t *names = bal_page_look(p->uns, "trust/batches");
    double v = -1;
    char text[600];
    size_t a = 0, b = 0;

    if (json_array_size(rows) != json_array_size(names))
        return;
    for (int i = 0; i < PAIRS_MOST; i++) {
        v = least_pair(rows, v, &a, &b);
        if (!(v < little_trust))
            return;
        snprintf(text, sizeof text,
                 "Batches '%.100s' and '%.100s' share few kinds: their "
                 "landmarks believe each other by %.2f on average, where 1 is "
                 "full trust. They were drawn together little.",
                 json_string_value(json_array_get(names, a)),
                 json_string_value(json_array_get(names, b)), v);
        warn(f, count, text);
    }
}

static void warn_of_uncovered(const bal_page *p, FILE *f, int *count)
{
    double bare = bal_page_number(p->uns, "n_uncovered") / (double)p->n;
    char text[300];

    if (!(bare > much_uncovered))
        return;
    snprintf(text, sizeof text,
             "%.0f %% of the profiles are near no landmark, and moved as their "
             "batch does on average or not at all. More --landmarks cover "
             "more.",
             100 * bare);
    warn(f, count, text);
}

static void write_warnings(const bal_page *p, FILE *f)
{
    const json_t *said = bal_page_look(p->uns, "run/warnings"), *v;
    char text[1200];
    int count = 0;
    size_t i;

    fputs("<h2>Warnings</h2>\n", f);
    json_array_foreach(said, i, v)
    {
        if (!json_is_string(v))
            continue;
        snprintf(text, sizeof text, "The run warned: %s.",
                 json_string_value(v));
        warn(f, &count, text);
    }
    warn_of_pairs(p, f, &count);
    warn_of_uncovered(p, f, &count);
    if (count == 0)
        fputs("<p class=\"good\">None.</p>\n", f);
}

/* ---- Sampling ---- */

static bool take(const json_t *list, size_t i, double *out)
{
    const json_t *v = json_array_get(list, i);

    *out = json_number_value(v);
    return json_is_number(v);
}

static bal_status write_curve(const bal_page *p, FILE *f)
{
    static const char title[] = "Coverage";
    const json_t *drawn = bal_page_look(p->uns, "run/sampling/curve_landmarks");
    const json_t *covered = bal_page_look(p->uns, "run/sampling/curve_covered");
    size_t count = json_array_size(drawn);
    double *x = NULL, *y = NULL;
    char alt[300], text[48];
    bool right = count > 0 && json_array_size(covered) == count;
    bal_status st;

    BAL_TRY(bal_alloc(&x, (bal_size)count + 1, "a figure"));
    BAL_TRY(bal_alloc(&y, (bal_size)count + 1, "a figure"));
    for (size_t i = 1; i <= count; i++) { /* from no landmark on */
        right =
            right && take(drawn, i - 1, &x[i]) && take(covered, i - 1, &y[i]);
        y[i] /= (double)p->n;
    }
    if (!right) {
        bal_html_missing(f, "coverage", title,
                         "This run drew no landmarks: they are those of its "
                         "model, or all profiles.");
        goto done;
    }
    snprintf(alt, sizeof alt,
             "Line: the share of profiles near a landmark rises to %.1f %% "
             "with %s landmarks",
             100 * y[count], bal_number(text, sizeof text, x[count]));
    const bal_line line = {
        alt, "landmarks drawn", "profiles covered", x, y, (bal_size)count, 1.04,
        true};
    bal_html_figure(f, "coverage", title);
    bal_plot_line(f, &line);
    bal_html_caption(f, "The share of profiles that are near one landmark at "
                        "least, in the last pass. Where the line is flat, "
                        "more landmarks would see nothing new.");
done:
    bal_free(&x);
    bal_free(&y);
    return st;
}

enum { TWENTIETHS = 21 };

static void write_lengths(const bal_page *p, FILE *f)
{
    static const char title[] = "Row lengths";
    const json_t *list = bal_page_look(p->uns, "run/row_lengths/twentieths");
    double x[TWENTIETHS], y[TWENTIETHS];
    bool right = json_array_size(list) == TWENTIETHS;
    char alt[300];

    for (size_t i = 0; right && i < TWENTIETHS; i++) {
        x[i] = 5.0 * (double)i;
        right = take(list, i, &y[i]);
    }
    if (!right) {
        bal_html_missing(f, "lengths", title,
                         "The file does not say how long the rows of the "
                         "landmarks are: it has none, or an older release of "
                         "the program made it.");
        return;
    }
    snprintf(alt, sizeof alt,
             "Line: the lengths of the rows of the landmarks in rising order, "
             "from %.0f through %.0f in the middle to %.0f",
             y[0], y[TWENTIETHS / 2], y[TWENTIETHS - 1]);
    const bal_line line = {alt, "% of the landmarks", "profiles", x,
                           y,   TWENTIETHS,           0,          false};
    bal_html_figure(f, "lengths", title);
    bal_plot_line(f, &line);
    bal_html_caption(f,
                     "How many profiles a landmark is compared with: no more "
                     "than this many for so many of the landmarks. A flat "
                     "line: all see equally many.");
}

static bal_status write_sampling(const bal_page *p, FILE *f)
{
    bal_status st;

    fputs("<h2>Landmarks</h2>\n<div class=\"pair\">\n", f);
    st = write_curve(p, f);
    write_lengths(p, f);
    fputs("</div>\n", f);
    return st;
}

/* ---- Tables ---- */

static void write_value(const json_t *v, FILE *f)
{
    char text[64];

    if (json_is_string(v))
        bal_html_text(f, json_string_value(v));
    else if (json_is_boolean(v))
        fputs(json_is_true(v) ? "yes" : "no", f);
    else if (json_is_integer(v))
        fprintf(f, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        fputs(bal_number(text, sizeof text, json_real_value(v)), f);
    else
        fputs("-", f);
}

/* Names and single values; what is none of these has its own place. */
static void write_pairs(json_t *object, const char *prefix, FILE *f)
{
    const char *key;
    json_t *v;

    json_object_foreach(object, key, v)
    {
        if (json_is_object(v) || json_is_array(v))
            continue;
        fputs("<tr><td>", f);
        bal_html_say(f, "%s%s", prefix, key);
        fputs("</td><td>", f);
        write_value(v, f);
        fputs("</td></tr>\n", f);
    }
}

/* Whether no other matrix has more; equal ones are all best. */
static bool is_best(json_t *matrices, const char *path, double v)
{
    const char *name;
    json_t *m;
    bool best = json_object_size(matrices) > 1 && !isnan(v);

    json_object_foreach(matrices, name, m)
    {
        double other = bal_page_number(m, path);
        best = best && !(llround(other * 1e3) > llround(v * 1e3));
    }
    return best;
}

static void write_score(json_t *matrices, bal_score s, FILE *f)
{
    char path[64];
    const char *name;
    json_t *m;

    snprintf(path, sizeof path, "scores/%s", bal_score_key(s));
    fputs("<tr><td>", f);
    bal_html_text(f, bal_score_title(s));
    fputs("</td>", f);
    json_object_foreach(matrices, name, m)
    {
        double v = bal_page_number(m, path);
        bool best = is_best(matrices, path, v);
        fputs("<td>", f);
        if (isnan(v))
            fputs("-", f);
        else
            fprintf(f, best ? "<b>%.3f</b>" : "%.3f", v);
        fputs("</td>", f);
    }
    fputs("</tr>\n", f);
}

static void write_scores(const bal_page *p, FILE *f)
{
    json_t *matrices = bal_page_look(p->scores, "matrices");
    const char *name;
    json_t *m;

    fputs("<h2 id=\"scores\">Scores</h2>\n", f);
    if (p->scores == NULL) {
        bal_html_missing(
            f, "no-scores", "How well batches mix and labels keep apart",
            "No scores were given. 'balans evaluate FILE --batch COLUMN "
            "--label COLUMN --matrix layers/original --matrix X --json "
            "scores.json' makes them; --scores scores.json puts them here.");
        return;
    }
    fputs("<p>", f);
    bal_html_say(f,
                 "Of '%s', by batch '%s' and label '%s'. Larger is better; "
                 "the best of a line is bold.",
                 bal_path_name(bal_page_text(p->scores, "file", "")),
                 bal_page_text(p->scores, "parameters/batch", ""),
                 bal_page_text(p->scores, "parameters/label", ""));
    fputs(
        "</p>\n<div class=\"wide\"><table>\n<tr class=\"head\"><th>score</th>",
        f);
    json_object_foreach(matrices, name, m)
    {
        fputs("<th>", f);
        bal_html_text(f, name);
        fputs("</th>", f);
    }
    fputs("</tr>\n", f);
    for (int s = 0; s < BAL_SCORE_COUNT; s++)
        write_score(matrices, (bal_score)s, f);
    fputs("</table></div>\n", f);
}

static void write_bytes(const json_t *phase, const char *key, FILE *f)
{
    char text[32];
    double v = bal_page_number(phase, key);

    fprintf(f, "<td>%s</td>",
            isnan(v) ? "-" : bal_bytes(text, sizeof text, (bal_size)v));
}

static void write_phases(const bal_page *p, FILE *f)
{
    static const char *const seconds[] = {"seconds_min", "seconds_mean",
                                          "seconds_max"};
    const json_t *phases = bal_page_look(p->uns, "run/phases");

    fputs("<h2 id=\"phases\">Phases</h2>\n", f);
    if (json_object_size(phases) == 0) {
        fputs("<p>The file does not say how long the run took.</p>\n", f);
        return;
    }
    fputs("<p>Wall time of the ranks in seconds, and what they sent to each "
          "other and moved to and from files.</p>\n<table>\n<tr class=\"head\">"
          "<th>phase</th><th>min</th><th>mean</th><th>max</th><th>sent</th>"
          "<th>file</th></tr>\n",
          f);
    for (int phase = 0; phase < BAL_PHASE_COUNT; phase++) {
        const char *name = bal_phase_name((bal_phase)phase);
        const json_t *v = json_object_get(phases, name);
        if (v == NULL)
            continue;
        fprintf(f, "<tr><td>%s</td>", name);
        for (int i = 0; i < 3; i++)
            fprintf(f, "<td>%.3f</td>", bal_page_number(v, seconds[i]));
        write_bytes(v, "collective_bytes", f);
        write_bytes(v, "file_bytes", f);
        fputs("</tr>\n", f);
    }
    fputs("</table>\n", f);
}

static void write_passes(const bal_page *p, FILE *f)
{
    static const char *const key[] = {"landmarks",   "affinities", "uncovered",
                                      "median_move", "scale",      "unseen"};
    const json_t *passes = bal_page_look(p->uns, "passes");
    size_t count = json_array_size(json_object_get(passes, "landmarks"));
    char text[48];
    double v;

    if (count == 0)
        return;
    fputs("<h2 id=\"passes\">Passes</h2>\n<p>Each pass moves the profiles and "
          "measures anew; a run ends when the median move is small against the "
          "scale, the median distance of a landmark to its k-th neighbour. "
          "Unseen is the share of landmarks that find too little of their kind "
          "in another batch.</p>\n<div class=\"wide\"><table>\n"
          "<tr class=\"head\"><th>pass</th><th>landmarks</th><th>affinities"
          "</th><th>uncovered</th><th>median move</th><th>scale</th>"
          "<th>unseen</th></tr>\n",
          f);
    for (size_t i = 0; i < count; i++) {
        fprintf(f, "<tr><td>%zu</td>", i + 1);
        for (size_t k = 0; k < sizeof key / sizeof *key; k++)
            fprintf(f, "<td>%s</td>",
                    take(json_object_get(passes, key[k]), i, &v) && v >= 0
                        ? bal_number(text, sizeof text, v)
                        : "-");
        fputs("</tr>\n", f);
    }
    fputs("</table></div>\n", f);
}

static void write_parameters(const bal_page *p, FILE *f)
{
    fputs("<h2 id=\"parameters\">Parameters</h2>\n<table class=\"words\">\n",
          f);
    write_pairs(bal_page_look(p->uns, "params"), "--", f);
    fputs("</table>\n", f);
}

static void write_hosts(const bal_page *p, FILE *f)
{
    json_t *hosts = bal_page_look(p->uns, "run/hosts");
    const char *name;
    json_t *v;

    json_object_foreach(hosts, name, v)
    {
        fputs("<tr><td>ranks on ", f);
        bal_html_text(f, name);
        fputs("</td><td>", f);
        write_value(v, f);
        fputs("</td></tr>\n", f);
    }
}

static void write_provenance(const bal_page *p, FILE *f)
{
    fputs("<h2 id=\"provenance\">Provenance</h2>\n<table class=\"words\">\n",
          f);
    fputs("<tr><td>file</td><td>", f);
    bal_html_text(f, bal_path_name(p->par->input));
    fputs("</td></tr>\n", f);
    write_pairs(bal_page_look(p->uns, "input"), "input, ", f);
    write_pairs(p->uns, "", f);
    write_pairs(bal_page_look(p->uns, "run"), "", f);
    write_hosts(p, f);
    write_pairs(bal_page_look(p->uns, "run/libraries"), "library, ", f);
    write_pairs(bal_page_look(p->uns, "run/memory"), "bytes, ", f);
    fputs("</table>\n", f);
}

/* ---- All of it ---- */

static void write_head(const bal_page *p, FILE *f)
{
    const char *input = bal_page_text(p->uns, "input/name", "a file");
    char title[600], n[48], d[48], b[48];

    snprintf(title, sizeof title, "Batch correction of %.500s", input);
    bal_html_begin(f, title);
    fputs("<h1>", f);
    bal_html_text(f, title);
    fputs("</h1>\n<p class=\"lead\">", f);
    bal_number(n, sizeof n, (double)p->n);
    bal_number(d, sizeof d, bal_page_number(p->uns, "input/features"));
    bal_number(b, sizeof b, (double)p->batch.labels->count);
    bal_html_say(f,
                 "%s profiles of %s features in %s batches ('%s'), "
                 "corrected by balans %s.",
                 n, d, b, p->batch.column,
                 bal_page_text(p->uns, "version", "of an unknown version"));
    fputs("</p>\n", f);
}

bal_status bal_page_write(const bal_page *p, FILE *f)
{
    bal_status st;

    write_head(p, f);
    write_warnings(p, f);
    BAL_TRY(bal_page_write_points(p, f));
    write_scores(p, f);
    BAL_TRY(bal_page_write_heat(p, f));
    BAL_TRY(bal_page_write_batches(p, f));
    BAL_TRY(write_sampling(p, f));
    write_passes(p, f);
    write_phases(p, f);
    write_parameters(p, f);
    write_provenance(p, f);
    fputs("<footer>Made by 'balans report'. How to read it: docs/report.md of "
          "the program.</footer>\n",
          f);
    bal_html_end(f);
done:
    return st;
}
