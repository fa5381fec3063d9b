#include "balans/app/plan.h"

#include <stdio.h>

#include "balans/base/text.h"
#include "plan_internal.h"

enum {
    FEW = 20,    /* batches that are listed in any case */
    ENDS = 3,    /* of the others, so many smallest and largest */
    NAMED = 100, /* small ones that are named without -v */
};

static bool is_small(const bal_job *j, bal_size b)
{
    bal_size size = j->labels->size[b];

    return size - 1 < bal_neighbors_in(j->par->neighbors, size);
}

static void print_batch(const bal_job *j, bal_size b)
{
    bal_size size = j->labels->size[b];

    printf("  %-24s %lld", j->labels->name[b], (long long)size);
    if (is_small(j, b))
        printf("  fewer than k = %lld others",
               (long long)bal_neighbors_in(j->par->neighbors, size));
    putchar('\n');
}

static void print_small(const bal_job *j, bal_size small)
{
    bal_size left = NAMED;

    for (bal_size b = 0; b < j->labels->count && left > 0; b++)
        if (is_small(j, b)) {
            print_batch(j, b);
            left--;
        }
    if (small > NAMED)
        printf("  ... and %lld more with fewer than k others\n",
               (long long)(small - NAMED));
}

/* The batch with the least size after `after` in the order of (size, number);
 * -1 starts.  `sign` -1 goes from the largest down. */
static bal_size next_of(const bal_labels *l, bal_size after, int sign)
{
    bal_size best = -1;

    for (bal_size b = 0; b < l->count; b++) {
        bool past = after < 0 || sign * l->size[b] > sign * l->size[after] ||
                    (l->size[b] == l->size[after] && b > after);
        if (past && (best < 0 || sign * l->size[b] < sign * l->size[best]))
            best = b;
    }
    return best;
}

static void print_ends(const bal_job *j, int sign)
{
    bal_size b = -1;

    for (int i = 0; i < ENDS; i++) {
        b = next_of(j->labels, b, sign);
        printf("%s'%s' %lld", i > 0 ? ", " : "", j->labels->name[b],
               (long long)j->labels->size[b]);
    }
}

static void print_list(const bal_job *j, bal_size small)
{
    bal_size count = j->labels->count;

    if (count <= FEW || j->par->verbose) {
        for (bal_size b = 0; b < count; b++)
            print_batch(j, b);
        return;
    }
    print_small(j, small);
    printf("  smallest: ");
    print_ends(j, 1);
    printf("; largest: ");
    print_ends(j, -1);
    printf("; -v lists all\n");
}

void bal_plan_print_batches(const bal_job *j)
{
    bal_size least = j->info.n, most = 0, small = 0;

    for (bal_size b = 0; b < j->labels->count; b++) {
        bal_size size = j->labels->size[b];
        least = size < least ? size : least;
        most = size > most ? size : most;
        small += is_small(j, b);
    }
    printf("batches          %lld, of %lld to %lld profiles; %lld with fewer "
           "than k other points\n",
           (long long)j->labels->count, (long long)least, (long long)most,
           (long long)small);
    print_list(j, small);
}

static const char *storage_name(const bal_matrix_info *m)
{
    static const char *const name[] = {
        [BAL_DENSE] = "dense", [BAL_CSR] = "CSR", [BAL_CSC] = "CSC"};

    return name[m->storage];
}

static const char *chunks_text(const bal_matrix_info *m, char *text,
                               size_t size)
{
    text[0] = '\0';
    if (m->chunked && m->storage == BAL_DENSE)
        snprintf(text, size, ", chunks %lld x %lld", (long long)m->chunk[0],
                 (long long)m->chunk[1]);
    return text;
}

static void print_matrix(const bal_job *j)
{
    const bal_matrix_info *m = &j->info;
    char chunks[96], bytes[32];

    printf("matrix           %s of '%s': %lld profiles x %lld features, %s, "
           "%s%s, %s, %s in the file\n",
           m->name, j->par->input, (long long)m->n, (long long)m->d, m->element,
           storage_name(m), chunks_text(m, chunks, sizeof chunks),
           m->filters[0] != '\0' ? m->filters : "not compressed",
           bal_bytes(bytes, sizeof bytes, m->file_bytes));
}

static void list_matrix(const bal_matrix_info *m)
{
    char shape[64], chunks[96], bytes[32];

    snprintf(shape, sizeof shape, "%lld x %lld", (long long)m->n,
             (long long)m->d);
    printf("  %-24s %-16s %-8s %s%s, %s, %s", m->name, shape, m->element,
           storage_name(m), chunks_text(m, chunks, sizeof chunks),
           m->filters[0] != '\0' ? m->filters : "not compressed",
           bal_bytes(bytes, sizeof bytes, m->file_bytes));
    if (m->storage != BAL_DENSE)
        printf(", %lld entries stored", (long long)m->nnz);
    putchar('\n');
}

bal_verdict bal_plan_matrices(bal_comm *c, bal_h5ad *f)
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

static void print_needs(const bal_job *j, const bal_plan *plan)
{
    char a[32], b[32];
    bal_size p = bal_job_dimensions(j);

    printf("ranks x threads  %d x %d, at most %lld profiles a rank\n",
           plan->ranks, j->threads, (long long)plan->most);
    printf("memory per rank  %s at most (%s of it work space), and 8 bytes "
           "for each affinity the rank keeps\n",
           bal_bytes(a, sizeof a, plan->memory),
           bal_bytes(b, sizeof b, j->memory));
    printf("files            %s to read, %s to write\n",
           bal_bytes(a, sizeof a, plan->read),
           bal_bytes(b, sizeof b, plan->write));
    printf("work             %.3g flops for each landmark's distances in %lld "
           "dimensions\n",
           3.0 * (double)j->info.n * (double)p, (long long)p);
}

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

static void print_guess(const char *what, bal_guess g, const bal_job *j,
                        bool exact)
{
    if (!exact) {
        printf("%-17s%.0f to %.0f, about %.0f\n", what, rounded(g.low, false),
               rounded(g.high, false), rounded(g.mid, false));
        return;
    }
    printf("%-17s%.0f", what, g.mid);
    if (j->par->passes > 1)
        printf(" in the first of %lld passes", (long long)j->par->passes);
    putchar('\n');
}

/* The ranks share the columns of A by numbers of points. */
static void print_memory(const bal_job *j, const bal_plan *plan)
{
    char low[32], high[32];
    double part = (double)plan->most / (double)j->info.n * 8;
    const bal_guess *g = &plan->expected.entries;

    printf("memory in all    %s to %s a rank, with the affinities\n",
           bal_bytes(low, sizeof low, plan->memory + (bal_size)(part * g->low)),
           bal_bytes(high, sizeof high,
                     plan->memory + (bal_size)(part * g->high)));
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

static void print_time(const bal_plan *plan)
{
    char a[32], b[32], c[32];
    const bal_guess *s = &plan->seconds;

    printf("time             about %s", seconds(a, sizeof a, s->mid));
    if (s->high >= 0.1)
        printf(", %s to %s", seconds(b, sizeof b, s->low),
               seconds(c, sizeof c, s->high));
    putchar(':');
    for (int p = 0; p <= BAL_PHASE_WRITE; p++)
        printf("%s %s %.2f", p > 0 ? "," : "", bal_phase_name((bal_phase)p),
               plan->phase[p]);
    puts(" s");
}

/* What was looked at. */
static void print_source(const bal_job *j, const bal_plan *plan)
{
    const char *what = plan->sample == j->info.n ? "all profiles" : "a sample";

    printf("forecast         from %s, in %.1f s", what, plan->cost);
    if (plan->sample < j->info.n)
        printf(" (%lld profiles)", (long long)plan->sample);
    if (plan->tried < plan->sample)
        printf(", with trials of the sampler on up to %lld of them",
               (long long)plan->tried);
    if (plan->thin)
        printf("; a wide range, as it has few profiles of a batch for k = %lld",
               (long long)j->par->neighbors.k);
}

static void print_expected(const bal_job *j, const bal_plan *plan)
{
    const bal_expected *e = &plan->expected;

    if (!plan->told) {
        printf("forecast         left out: %s\n", plan->why);
        return;
    }
    print_guess("landmarks", e->landmarks, j, e->exact);
    print_guess("affinities", e->entries, j, e->exact);
    print_memory(j, plan);
    print_time(plan);
    print_source(j, plan);
    if (j->par->estimator == BAL_NYSTROM)
        printf("; without the pseudo-inverse of '--estimator nystrom'");
    putchar('\n');
}

void bal_plan_print(const bal_job *j, const bal_plan *plan)
{
    print_matrix(j);
    if (j->par->batch != NULL)
        bal_plan_print_batches(j);
    print_needs(j, plan);
    print_expected(j, plan);
}
