/* The figures of batches: sizes, shifts, trust. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/page/html.h"
#include "balans/page/plot.h"
#include "balans/page/scale.h"
#include "page_internal.h"

enum { BARS_MOST = 40, MEASURED_MOST = 4000 };

/* Names and numbers, to be sorted. */
typedef struct named {
    const char *name;
    double value;
} named;

static int by_value(const void *x, const void *y)
{
    const named *a = x, *b = y;

    if (a->value != b->value)
        return a->value < b->value ? 1 : -1;
    return strcmp(a->name, b->name);
}

/* Bars of all, the largest first; of many, of the two ends. */
static void write_bars(FILE *f, const char *id, const char *title,
                       const char *unit, named *all, bal_size count,
                       const char *caption)
{
    bal_size shown = count < BARS_MOST ? count : BARS_MOST;
    char alt[600], text[900], least[48], most[48];
    double value[BARS_MOST];
    const char *name[BARS_MOST];
    const bal_bars bars = {alt, unit, name, value, shown};

    qsort(all, (size_t)count, sizeof *all, by_value);
    for (bal_size i = 0; i < shown; i++) {
        bal_size at = i < shown / 2 ? i : count - shown + i;
        value[i] = all[at].value;
        name[i] = all[at].name;
    }
    snprintf(alt, sizeof alt,
             "Bars: %s of each of %lld, from %s to %s; the most has '%.100s'",
             title, (long long)count,
             bal_number(least, sizeof least, all[count - 1].value),
             bal_number(most, sizeof most, all[0].value), all[0].name);
    bal_html_figure(f, id, title);
    bal_plot_bars(f, &bars);
    snprintf(text, sizeof text, "%s", caption);
    if (shown < count)
        snprintf(text, sizeof text,
                 "%s The %d largest and the %d smallest of %lld.", caption,
                 BARS_MOST / 2, BARS_MOST / 2, (long long)count);
    bal_html_caption(f, text);
}

static bal_status write_sizes(const bal_page *p, FILE *f)
{
    const bal_labels *l = p->batch.labels;
    named *all;
    bal_status st = bal_alloc(&all, l->count, "a figure");

    if (bal_failed(st))
        return st;
    for (bal_size b = 0; b < l->count; b++)
        all[b] = (named){l->name[b], (double)l->size[b]};
    write_bars(f, "sizes", "Batch sizes", "profiles", all, l->count,
               "Small batches have few neighbours to offer; one with "
               "fewer than k is measured by its farthest profile.");
    bal_free(&all);
    return st;
}

/* Mean coordinates before and after, of the sample. */
static void measure_shifts(const bal_page *p, named *all, double *move)
{
    const bal_labels *l = p->batch.labels;
    const bal_view *v = &p->view;

    for (bal_size i = 0; i < v->n; i++)
        for (bal_size f = 0; f < v->p; f++)
            move[l->code[v->row[i]] * v->p + f] +=
                (double)v->after[i * v->p + f] -
                (double)v->before[i * v->p + f];
    for (bal_size b = 0; b < l->count; b++) {
        double d2 = 0, sampled = 0;
        for (bal_size i = 0; i < v->n; i++)
            sampled += l->code[v->row[i]] == b;
        for (bal_size f = 0; f < v->p; f++)
            d2 += move[b * v->p + f] * move[b * v->p + f];
        all[b] = (named){l->name[b], sampled > 0 ? sqrt(d2) / sampled : 0};
    }
}

static bal_size read_shifts(const bal_page *p, named *all)
{
    const json_t *names = bal_page_look(p->uns, "shift/batches");
    const json_t *length = bal_page_look(p->uns, "shift/length");
    bal_size count = (bal_size)json_array_size(names);

    if ((bal_size)json_array_size(length) != count ||
        count > p->batch.labels->count)
        return 0;
    for (bal_size b = 0; b < count; b++) {
        const json_t *v = json_array_get(length, (size_t)b);
        const json_t *name = json_array_get(names, (size_t)b);
        all[b] = (named){json_is_string(name) ? json_string_value(name) : "",
                         json_number_value(v)};
    }
    return count;
}

/* In units of what is near, where the run says how far that is. */
static const char *set_unit(const bal_page *p, named *all, bal_size count)
{
    const json_t *list = bal_page_look(p->uns, "passes/scale");
    double scale = json_number_value(json_array_get(list, 0));

    if (!(scale > 0))
        return "distance";
    for (bal_size b = 0; b < count; b++)
        all[b].value /= scale;
    return "median distances to the k-th neighbour";
}

static bal_status write_shifts(const bal_page *p, FILE *f)
{
    const bal_labels *l = p->batch.labels;
    static const char title[] = "Shift of each batch";
    bool drawn = p->view.before != NULL && l->count <= MEASURED_MOST;
    const char *unit;
    named *all = NULL;
    double *move = NULL;
    bal_size count;
    bal_status st;

    BAL_TRY(bal_alloc(&all, l->count, "a figure"));
    count = read_shifts(p, all);
    if (count == 0 && drawn) {
        BAL_TRY(bal_alloc(&move, l->count * p->view.p, "a figure"));
        measure_shifts(p, all, move);
        count = l->count;
    }
    if (count == 0) {
        bal_html_missing(f, "shift", title,
                         "The file does not say how far batches were moved: "
                         "there are more than 256, or an older release of the "
                         "program made it.");
        goto done;
    }
    unit = set_unit(p, all, count);
    write_bars(f, "shift", title, unit, all, count,
               "How far the mean profile of a batch was moved, in the "
               "coordinates in which distances are measured. A batch "
               "that stands out was processed in another way, or "
               "holds other kinds.");
done:
    bal_free(&all);
    bal_free(&move);
    return st;
}

static bool take_trust(const json_t *rows, bal_size count, double *value)
{
    bool right = (bal_size)json_array_size(rows) == count && count > 0;

    for (bal_size i = 0; right && i < count * count; i++) {
        const json_t *row = json_array_get(rows, (size_t)(i / count));
        const json_t *v = json_array_get(row, (size_t)(i % count));
        right = json_is_number(v);
        value[i] = json_number_value(v);
    }
    return right;
}

static bal_status write_trust(const bal_page *p, FILE *f)
{
    static const char title[] = "Trust between batches";
    const json_t *names = bal_page_look(p->uns, "trust/batches");
    bal_size count = (bal_size)json_array_size(names);
    const char **name = NULL;
    double *value = NULL;
    char alt[300];
    bal_status st;

    BAL_TRY(bal_alloc(&name, count, "a figure"));
    BAL_TRY(bal_alloc(&value, count * count, "a figure"));
    if (!take_trust(bal_page_look(p->uns, "trust/mean"), count, value)) {
        bal_html_missing(
            f, "trust", title,
            "The run did not weigh batches by trust: --trust off, a smoothing "
            "correction, a model, or more than 256 batches.");
        goto done;
    }
    for (bal_size b = 0; b < count; b++) {
        const json_t *v = json_array_get(names, (size_t)b);
        name[b] = json_is_string(v) ? json_string_value(v) : "";
    }
    snprintf(alt, sizeof alt,
             "Matrix of the mean trust of the landmarks of each of %lld "
             "batches, in rows, in what each batch supplies, in columns",
             (long long)count);
    const bal_cells cells = {alt, name, value, count};
    bal_html_figure(f, "trust", title);
    bal_plot_cells(f, &cells);
    bal_html_caption(
        f, "How far the landmarks of a batch (row) believe what another "
           "(column) supplies: 1, as much as their own; 0, not at all. A pale "
           "row or column is a batch that shares few kinds with the others, or "
           "is far from them. Rows and columns are in the order of the names.");
done:
    bal_free(&name);
    bal_free(&value);
    return st;
}

bal_status bal_page_write_batches(const bal_page *p, FILE *f)
{
    bal_status st;

    fputs("<h2>Batches</h2>\n<div class=\"pair\">\n", f);
    BAL_TRY(write_sizes(p, f));
    BAL_TRY(write_shifts(p, f));
    fputs("</div>\n<div class=\"pair\">\n", f);
    BAL_TRY(write_trust(p, f));
    fputs("</div>\n", f);
done:
    return st;
}
