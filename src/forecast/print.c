/* The forecast of a run, put together and printed. */
#include "balans/forecast/print.h"

#include <stdio.h>

#include "balans/base/log.h"
#include "balans/base/text.h"
#include "balans/base/timer.h"
#include "balans/forecast/measure.h"
#include "balans/par/agree.h"

enum {
    FEW = 20,    /* batches that are listed in any case */
    NAMED = 100, /* small ones that are named without -v */
};

/* Everything there is to say; the same on every rank. */
typedef struct forecast {
    const bal_question *q;
    const bal_workload *w;
    bal_rank_part part;           /* the most that a rank has */
    bool told;                    /* whether the rest is known */
    const char *why;              /* else the reason */
    bal_measured measured;
    bal_expected expected;
    bal_range seconds;
    double phase[BAL_RUN_PHASES];
    double cost; /* seconds that it took */
} forecast;

/* ---- batches ---- */

static bool is_small(const bal_question *q, bal_size b)
{
    bal_size size = q->labels->size[b];

    return size - 1 < bal_neighbors_in(q->run->rows.neighbors, size);
}

static void print_batch(const bal_question *q, bal_size b)
{
    bal_size size = q->labels->size[b];

    printf("  %-24s %lld", q->labels->name[b], (long long)size);
    if (is_small(q, b))
        printf("  fewer than k = %lld others",
               (long long)bal_neighbors_in(q->run->rows.neighbors, size));
    putchar('\n');
}

static void print_batches(const bal_question *q)
{
    const bal_labels *l = q->labels;
    bool all = l->count <= FEW || q->verbose;
    bal_size least = q->run->n, most = 0, small = 0, named = 0;

    for (bal_size b = 0; b < l->count; b++) {
        least = l->size[b] < least ? l->size[b] : least;
        most = l->size[b] > most ? l->size[b] : most;
        small += is_small(q, b);
    }
    printf("batches          %lld, of %lld to %lld profiles; %lld with fewer "
           "than k other points\n",
           (long long)l->count, (long long)least, (long long)most,
           (long long)small);
    for (bal_size b = 0; b < l->count; b++)
        if (all || (is_small(q, b) && named++ < NAMED))
            print_batch(q, b);
    if (!all && small > NAMED)
        printf("  ... and %lld more with fewer than k others\n",
               (long long)(small - NAMED));
    if (!all)
        puts("  (-v lists all)");
}

/* ---- matrices ---- */

static const char *storage_name(const bal_matrix_info *m)
{
    static const char *const name[] = {
        [BAL_DENSE] = "dense", [BAL_CSR] = "CSR", [BAL_CSC] = "CSC"};

    return name[m->storage];
}

/* Type, storage, chunks, compression and size. */
static void print_storage(const bal_matrix_info *m)
{
    char bytes[32];

    printf("%s", storage_name(m));
    if (m->chunked && m->storage == BAL_DENSE)
        printf(", chunks %lld x %lld", (long long)m->chunk[0],
               (long long)m->chunk[1]);
    printf(", %s, %s", m->filters[0] != '\0' ? m->filters : "not compressed",
           bal_bytes(bytes, sizeof bytes, m->file_bytes));
}

static void list_matrix(const bal_matrix_info *m)
{
    char shape[64];

    snprintf(shape, sizeof shape, "%lld x %lld", (long long)m->n,
             (long long)m->d);
    printf("  %-24s %-16s %-8s ", m->name, shape, m->element);
    print_storage(m);
    if (m->storage != BAL_DENSE)
        printf(", %lld entries stored", (long long)m->nnz);
    putchar('\n');
}

bal_verdict bal_matrices_print(bal_comm *c, bal_h5ad *f)
{
    bal_verdict st;
    char **name = NULL;
    bal_size count = 0;
    bal_matrix_info info;

    BAL_TRY(bal_h5ad_matrices(f, &name, &count));
    if (c->rank == 0)
        printf("matrices\n");
    for (bal_size i = 0; i < count; i++) {
        bool usable = !bal_failed(bal_h5ad_matrix_open(f, name[i], &info));
        if (c->rank == 0 && usable)
            list_matrix(&info);
        else if (c->rank == 0)
            printf("  %-24s not usable: %s\n", name[i], bal_error_get()->text);
        if (!usable)
            bal_error_clear();
    }
done:
    bal_h5ad_names_free(&name, count);
    return st;
}

static void print_matrix(const forecast *f)
{
    const bal_matrix_info *m = &f->w->matrix;

    printf("matrix           %s of '%s': %lld profiles x %lld features, %s, ",
           m->name, bal_h5ad_path(f->q->file), (long long)m->n,
           (long long)m->d, m->element);
    print_storage(m);
    puts(" in the file");
}

/* ---- what is known ---- */

/* The most landmarks that are known of. */
static double landmarks_most(const forecast *f)
{
    double n = (double)f->w->n;
    double most = (double)(f->w->sample.landmarks + BAL_FEW * f->w->batches);

    if (f->told)
        return f->expected.landmarks.high;
    return f->w->sample.landmarks == 0 ? 0 : most < n ? most : n;
}

static void print_memory(const forecast *f)
{
    bal_size phase[BAL_RUN_PHASES];
    bal_size most =
        bal_model_memory(f->w, &f->part, landmarks_most(f), 0, phase);
    char a[32], b[32];

    printf("memory per rank  %s at most (%s of it work space), and up to %d "
           "bytes for each affinity the rank keeps\n ",
           bal_bytes(a, sizeof a, most),
           bal_bytes(b, sizeof b, f->w->sample.memory), BAL_ENTRY_BYTES);
    for (int p = 0; p < BAL_RUN_PHASES; p++)
        printf("%s %s %s", p > 0 ? "," : "", bal_phase_name((bal_phase)p),
               bal_bytes(a, sizeof a, phase[p]));
    puts(f->w->streamed ? "; profiles stay in the file (--stream)" : "");
}

static void print_needs(const forecast *f)
{
    const bal_workload *w = f->w;
    const bal_expected *e = &f->expected;
    double read, write, phase[BAL_RUN_PHASES];
    char a[32], b[32];

    printf("ranks x threads  %d x %d, at most %lld profiles a rank\n",
           w->ranks, w->space.threads, (long long)f->part.points);
    print_memory(f);
    bal_model_files(w, landmarks_most(f), f->told ? e->entries.mid : 0, &read,
                    &write);
    printf("files            %s to read, %s to write",
           bal_bytes(a, sizeof a, (bal_size)read),
           bal_bytes(b, sizeof b, (bal_size)write));
    if (w->streamed)
        printf("; %.0f sweeps over the profiles",
               bal_model_sweeps(w, landmarks_most(f), phase));
    printf("\nwork             %.3g flops for each landmark's distances in "
           "%lld dimensions\n",
           3.0 * (double)w->n * (double)w->p, (long long)w->p);
}

/* ---- what is expected ---- */

/* A number to two or three digits, as a guess has. */
static double rounded(double x, bool exact)
{
    double unit = 1;

    if (exact)
        return x;
    while (x / unit >= 1000)
        unit *= 10;
    return (double)(int64_t)(x / unit + 0.5) * unit;
}

static void print_range(const forecast *f, const char *what, bal_range g)
{
    if (!f->expected.exact && g.low < g.high) {
        printf("%-17s%.0f to %.0f, about %.0f\n", what, rounded(g.low, false),
               rounded(g.high, false), rounded(g.mid, false));
        return;
    }
    printf("%-17s%.0f", what, g.mid);
    if (f->expected.exact && f->w->passes > 1)
        printf(" in the first of %s%lld passes",
               f->w->until_still ? "at most " : "", (long long)f->w->passes);
    putchar('\n');
}

/* The ranks share the columns of A by numbers of points. */
static bal_size with_affinities(const forecast *f, double landmarks,
                                double entries)
{
    double here = entries * (double)f->part.points / (double)f->w->n;
    bal_size phase[BAL_RUN_PHASES];

    return bal_model_memory(f->w, &f->part, landmarks,
                            bal_model_affinities(&f->part, landmarks, here),
                            phase);
}

static void print_all_memory(const forecast *f)
{
    const bal_expected *e = &f->expected;
    char low[32], high[32];

    printf("memory in all    %s to %s a rank, with the affinities\n",
           bal_bytes(low, sizeof low,
                     with_affinities(f, e->landmarks.low, e->entries.low)),
           bal_bytes(high, sizeof high,
                     with_affinities(f, e->landmarks.high, e->entries.high)));
}

/* Two or three digits of it, as a guess has. */
static const char *seconds(char *out, size_t size, double s)
{
    if (s < 0.1)
        snprintf(out, size, "less than 0.1 s");
    else if (s < 600)
        snprintf(out, size, s < 10 ? "%.1f s" : "%.0f s", s);
    else if (s < 36000)
        snprintf(out, size, "%.0f min", s / 60);
    else
        snprintf(out, size, "%.0f h", s / 3600);
    return out;
}

static void print_time(const forecast *f)
{
    char a[32], b[32], c[32];
    const bal_range *s = &f->seconds;

    printf("time             about %s", seconds(a, sizeof a, s->mid));
    if (s->high >= 0.1)
        printf(", %s to %s", seconds(b, sizeof b, s->low),
               seconds(c, sizeof c, s->high));
    putchar(':');
    for (int p = 0; p < BAL_RUN_PHASES; p++)
        printf("%s %s %.2f", p > 0 ? "," : "", bal_phase_name((bal_phase)p),
               f->phase[p]);
    puts(" s");
}

/* What was looked at. */
static void print_source(const forecast *f)
{
    const bal_measured *m = &f->measured;
    bal_size tried = m->trial[m->trials - 1].n;

    printf("forecast         from %s, in %.1f s",
           m->n == f->w->n ? "all profiles" : "a sample", f->cost);
    if (m->n < f->w->n)
        printf(" (%lld profiles)", (long long)m->n);
    if (tried < m->n)
        printf(", with trials of the sampler on up to %lld of them",
               (long long)tried);
    if (f->w->passes > 1)
        printf("; the time is that of %s%lld passes",
               f->w->until_still ? "all of at most " : "",
               (long long)f->w->passes);
    puts(f->q->estimator
             ? "; without the pseudo-inverse of '--estimator nystrom'"
             : "");
}

static void print(const forecast *f)
{
    print_matrix(f);
    if (f->q->named)
        print_batches(f->q);
    print_needs(f);
    if (!f->told) {
        printf("forecast         left out: %s\n", f->why);
    } else {
        print_range(f, "landmarks", f->expected.landmarks);
        print_range(f, "affinities", f->expected.entries);
        print_all_memory(f);
        print_time(f);
        print_source(f);
    }
    fflush(stdout);
}

/* ---- putting it together ---- */

/* Tells what can be told. A run on input that cannot be used would fail as this
 * does.  Collective. */
static bal_verdict tell(bal_comm *c, forecast *f)
{
    const bal_question *q = f->q;
    double start = bal_now();
    bal_verdict st = {BAL_OK};

    if (!q->named || f->part.width < 1) {
        f->why = q->named ? "a run would need a larger '--memory-per-rank', or "
                            "more ranks"
                          : "landmarks and time need '--batch COLUMN'";
        return st;
    }
    st = bal_measure(c, q->file, q->labels, f->w, q->opening, &f->measured);
    bal_progress_end();
    if (bal_failed(st)) {
        f->why = "the input cannot be used";
        return st;
    }
    bal_model_expect(f->w, &f->measured, &f->expected);
    f->seconds =
        bal_model_time(f->w, &f->part, &f->measured, &f->expected, f->phase);
    f->told = true;
    f->cost = bal_now() - start;
    return st;
}

bal_verdict bal_forecast_print(bal_comm *c, const bal_question *q)
{
    forecast f = {.q = q, .w = q->run};
    bal_verdict st;

    BAL_TRY(bal_agree(c, bal_model_largest(q->run, &f.part)));
    st = tell(c, &f);
    if (c->rank == 0)
        print(&f);
done:
    return st;
}
