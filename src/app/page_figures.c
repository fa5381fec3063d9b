/* The figures of points and of affinities. */
#include <stdlib.h>

#include "balans/base/mem.h"
#include "balans/page/html.h"
#include "balans/page/scale.h"
#include "balans/page/style.h"
#include "page_internal.h"

enum { NAMED_MOST = 24 };

/* ---- Legends ---- */

static void write_entry(FILE *f, int32_t style, const char *name, bal_size size)
{
    char number[48];

    fputs("<li>", f);
    bal_html_mark(f, style);
    bal_html_text(f, name);
    fprintf(f, " <small>(%s)</small></li>\n",
            bal_number(number, sizeof number, (double)size));
}

static void write_legend(FILE *f, const bal_look *k)
{
    bal_size own = k->labels->count - k->plain, others = 0;
    bal_size named = own < NAMED_MOST ? own : NAMED_MOST;

    fputs("<ul class=\"legend\">\n", f);
    for (bal_size i = 0; i < named; i++)
        write_entry(f, k->style[k->order[i]], k->labels->name[k->order[i]],
                    k->labels->size[k->order[i]]);
    if (own > named)
        fprintf(f, "<li>and %lld more; with more than %d, looks recur</li>\n",
                (long long)(own - named), BAL_STYLES);
    for (bal_size i = own; i < k->labels->count; i++)
        others += k->labels->size[k->order[i]];
    if (k->plain > 0) {
        char text[64];
        snprintf(text, sizeof text, "%lld others", (long long)k->plain);
        write_entry(f, BAL_STYLE_OTHER, text, others);
    }
    fputs("</ul>\n", f);
}

/* ---- Points ---- */

static const char *layout_name(const bal_page *p)
{
    return p->par->layout == BAL_LAYOUT_UMAP ? "UMAP" : "principal components";
}

static bal_status write_scatter(const bal_page *p, FILE *f, const bal_look *k,
                                const char *what, bool after)
{
    const bal_view *v = &p->view;
    const double *xy = after ? v->xy_after : v->xy_before;
    const char *when = after ? "after" : "before";
    char id[32], title[128], alt[600];
    int32_t *style = NULL;
    bal_image image = {0};
    bal_status st = BAL_OK;

    snprintf(id, sizeof id, "%s-%s", when, what);
    snprintf(title, sizeof title, "%s, coloured by %s",
             after ? "After" : "Before", what);
    if (xy == NULL) {
        bal_html_missing(f, id, title, p->where);
        return st;
    }
    BAL_TRY(bal_alloc(&style, v->n, "a figure"));
    for (bal_size i = 0; i < v->n; i++)
        style[i] = k->style[k->labels->code[v->row[i]]];
    BAL_TRY(bal_draw_points(xy, style, v->n, p->par->seed, &image));
    snprintf(alt, sizeof alt,
             "Scatter of %lld profiles %s the correction, placed by %s, with a "
             "colour and shape for each of %lld values of '%.200s'",
             (long long)v->n, when, layout_name(p), (long long)k->labels->count,
             k->column);
    bal_html_figure(f, id, title);
    bal_html_image(f, &image, alt);
    fputs("</figure>\n", f);
done:
    bal_free(&style);
    bal_image_finish(&image);
    return st;
}

static bal_status write_pair(const bal_page *p, FILE *f, const bal_look *k,
                             const char *what)
{
    bal_status st;

    fputs("<div class=\"pair\">\n", f);
    BAL_TRY(write_scatter(p, f, k, what, false));
    BAL_TRY(write_scatter(p, f, k, what, true));
    fputs("</div>\n", f);
    write_legend(f, k);
done:
    return st;
}

static void say_points(const bal_page *p, FILE *f)
{
    const bal_view *v = &p->view;
    char shown[48], all[48];

    bal_number(shown, sizeof shown, (double)v->n);
    bal_number(all, sizeof all, (double)p->n);
    fputs("<p>", f);
    if (v->n < p->n)
        bal_html_say(f,
                     "%s of %s profiles, sampled batch by batch, each by "
                     "its share (seed %llu). ",
                     shown, all, (unsigned long long)p->par->seed);
    else
        bal_html_say(f, "All %s profiles. ", all);
    if (p->par->layout == BAL_LAYOUT_UMAP)
        bal_html_say(f,
                     "UMAP puts profiles next to each other that are among "
                     "each other's 15 nearest, in the %lld coordinates in "
                     "which distances are measured; distances between "
                     "clusters and the axes mean nothing. ",
                     (long long)v->p);
    else
        bal_html_say(f,
                     "The two leading principal components of the points "
                     "of each figure, in the %lld coordinates in which "
                     "distances are measured. ",
                     (long long)v->p);
    bal_html_say(f, "Before and after are laid out each by itself. After a "
                    "good correction the batches are mixed everywhere, and "
                    "the labels are not.");
    if (v->xy_before != NULL)
        bal_html_say(f, " The profiles before are %s.", p->where);
    fputs("</p>\n", f);
}

bal_status bal_page_write_points(const bal_page *p, FILE *f)
{
    static const char no_label[] =
        "No label was named. Name the column of obs that says of what kind a "
        "profile is (compound, gene, cell type) with --label COLUMN.";
    bal_status st;

    fputs("<h2>Before and after</h2>\n", f);
    say_points(p, f);
    BAL_TRY(write_pair(p, f, &p->batch, "batch"));
    if (p->label.labels != NULL) {
        BAL_TRY(write_pair(p, f, &p->label, "label"));
        goto done;
    }
    fputs("<div class=\"pair\">\n", f);
    bal_html_missing(f, "before-label", "Before, coloured by label", no_label);
    bal_html_missing(f, "after-label", "After, coloured by label", no_label);
    fputs("</div>\n", f);
done:
    return st;
}

/* ---- Affinities ---- */

/* Where a landmark goes: by one grouping, then by the other, then by row. */
typedef struct place {
    int32_t first, second;
    bal_gidx row;
    bal_size at;
} place;

static int in_order(const void *x, const void *y)
{
    const place *a = x, *b = y;

    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->second != b->second)
        return a->second < b->second ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

/* The largest groups first, as in the legend. */
static bal_status rank_groups(const bal_look *k, int32_t **rank)
{
    bal_status st = bal_alloc(rank, k->labels->count, "the order of groups");

    for (bal_size i = 0; !bal_failed(st) && i < k->labels->count; i++)
        (*rank)[k->order[i]] = (int32_t)i;
    return st;
}

static bal_status order_landmarks(const bal_page *p, const bal_look *first,
                                  const bal_look *second, place *out)
{
    int32_t *rank[2] = {NULL, NULL};
    bal_status st;

    BAL_TRY(rank_groups(first, &rank[0]));
    if (second->labels != NULL)
        BAL_TRY(rank_groups(second, &rank[1]));
    for (bal_size i = 0; i < p->heat.n; i++) {
        bal_gidx row = p->heat.row[i];
        out[i] = (place){
            .first = rank[0][first->labels->code[row]],
            .second = rank[1] != NULL ? rank[1][second->labels->code[row]] : 0,
            .row = row,
            .at = i,
        };
    }
    qsort(out, (size_t)p->heat.n, sizeof *out, in_order);
done:
    bal_free(&rank[0]);
    bal_free(&rank[1]);
    return st;
}

static bal_status write_matrix(const bal_page *p, FILE *f,
                               const bal_look *first, const bal_look *second,
                               const char *what)
{
    const bal_heat *h = &p->heat;
    char id[32], title[128], alt[600];
    place *order = NULL;
    int32_t *style = NULL;
    float *a = NULL;
    bal_image image = {0};
    bal_status st;

    BAL_TRY(bal_alloc(&order, h->n, "a figure"));
    BAL_TRY(bal_alloc(&style, h->n, "a figure"));
    BAL_TRY(bal_alloc(&a, h->n * h->n, "a figure"));
    BAL_TRY(order_landmarks(p, first, second, order));
    for (bal_size i = 0; i < h->n; i++) {
        style[i] = first->style[first->labels->code[order[i].row]];
        for (bal_size j = 0; j < h->n; j++)
            a[i * h->n + j] = h->a[order[i].at * h->n + order[j].at];
    }
    BAL_TRY(bal_draw_matrix(a, style, h->n, &image));
    snprintf(id, sizeof id, "affinity-%s", what);
    snprintf(title, sizeof title, "Ordered by %s", what);
    snprintf(alt, sizeof alt,
             "Heat map of the affinities of %lld %s to each other, rows and "
             "columns ordered by '%.200s'; the bars at its sides have the "
             "colour of each group",
             (long long)h->n, h->landmarks ? "landmarks" : "profiles",
             first->column);
    bal_html_figure(f, id, title);
    bal_html_image(f, &image, alt);
    fputs("</figure>\n", f);
done:
    bal_free(&order);
    bal_free(&style);
    bal_free(&a);
    bal_image_finish(&image);
    return st;
}

static void say_heat(const bal_page *p, FILE *f)
{
    const bal_heat *h = &p->heat;
    char shown[48], all[48];

    bal_number(shown, sizeof shown, (double)h->n);
    bal_number(all, sizeof all, (double)h->of);
    fputs("<p>", f);
    if (!h->landmarks)
        bal_html_say(f,
                     "The run took its landmarks from a model, so %s of %s "
                     "profiles stand for them. ",
                     shown, all);
    else if (h->n < h->of)
        bal_html_say(f, "%s of %s landmarks, sampled batch by batch. ", shown,
                     all);
    else
        bal_html_say(f, "All %s landmarks. ", all);
    if (h->stored)
        bal_html_say(f, "Their affinities are those of the last pass, as the "
                        "run stored them. ");
    else
        bal_html_say(f, "The run did not store its affinities "
                        "(--save-affinity), so they are made again from the "
                        "corrected coordinates, with the sample above for the "
                        "batches. ");
    bal_html_say(f, "A row shows to whom a landmark is similar, measured by "
                    "what is near in each batch. Ordered by batch, a good "
                    "correction has no blocks along the diagonal: landmarks "
                    "are as similar to other batches as to their own. Ordered "
                    "by label, it has nothing but blocks.");
    fputs("</p>\n<p>0<span class=\"ramp\" role=\"img\" aria-label=\"Shades "
          "from white, affinity 0, to dark blue, affinity 1\" "
          "style=\"background: linear-gradient(to right, #fff, #c6dbef, "
          "#6baed6, #2171b5, #08306b, #020f26)\"></span>1 (roots, so that "
          "small affinities can be seen)</p>\n",
          f);
}

bal_status bal_page_write_heat(const bal_page *p, FILE *f)
{
    bal_status st;

    fputs("<h2>Affinities between landmarks</h2>\n", f);
    say_heat(p, f);
    fputs("<div class=\"pair\">\n", f);
    BAL_TRY(write_matrix(p, f, &p->batch, &p->label, "batch"));
    if (p->label.labels != NULL)
        BAL_TRY(write_matrix(p, f, &p->label, &p->batch, "label"));
    else
        bal_html_missing(f, "affinity-label", "Ordered by label",
                         "No label was named (--label COLUMN).");
    fputs("</div>\n", f);
done:
    return st;
}
