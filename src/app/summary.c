/* What a run says about itself: how the result came about (the same for equal
 * runs) and what it took (which is not). */
#define _POSIX_C_SOURCE 200809L
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balans/app/options.h"
#include "balans/app/version.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/io/library.h"
#include "balans/io/report.h"
#include "balans/kernel/blas.h"
#include "balans/kernel/cpu.h"
#include "balans/par/agree.h"
#include "summary.h"

static json_t *sum_of(uint64_t sum)
{
    return json_sprintf("%016llx", (unsigned long long)sum);
}

json_t *bal_run_input(const bal_input *in, uint64_t checksum)
{
    json_t *v = json_pack(
        "{s:o, s:I, s:I, s:I, s:I, s:o}", "name",
        bal_report_text(bal_path_name(in->par->input)), "bytes",
        (json_int_t)bal_h5ad_file_bytes(in->file), "profiles",
        (json_int_t)in->info.n, "features", (json_int_t)in->info.d, "batches",
        (json_int_t)in->labels[0]->count, "checksum", sum_of(checksum));
    bal_size all = bal_h5ad_rows(in->file);

    return bal_report_whole(
        v, in->info.n == all ||
               bal_report_add(v, "sample_of", json_integer((json_int_t)all)));
}

json_t *bal_run_scaling(const bal_space *s)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "clip", bal_report_real(s->clip),
                     "mean", bal_report_reals(s->mean, s->d),
                     "sd", bal_report_reals(s->sd, s->d), "centre",
                     bal_report_reals(s->centre, s->d));
}

static json_t *components_of(const bal_space *s)
{
    double ratio[4096];
    bal_size count = s->p < 4096 ? s->p : 4096;

    for (bal_size i = 0; i < count; i++)
        ratio[i] = s->total > 0 ? s->variance[i] / s->total : 0;
    return json_pack("{s:o, s:o}", "variance",
                     bal_report_reals(s->variance, count), "variance_ratio",
                     bal_report_reals(ratio, count));
}

/* A number that was not measured, or has no limit, is null. */
static json_t *measured(double v)
{
    return v >= 0 ? bal_report_real(v) : json_null();
}

static json_t *passes_of(const bal_passed *p)
{
    json_t *list = json_array();

    for (int64_t i = 0; list != NULL && i < p->passes; i++) {
        const bal_pass_report *t = &p->pass[i];
        if (json_array_append_new(
                list, json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "column",
                                (json_int_t)t->column, "landmarks",
                                (json_int_t)t->landmarks, "affinities",
                                (json_int_t)t->entries, "uncovered",
                                (json_int_t)t->uncovered, "median_move",
                                measured(t->move), "scale", measured(t->scale),
                                "unseen", measured(t->unseen))) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* The lists of a dict: uns has no lists of dicts, so the passes are kept column
 * by column there as well as here. */
static json_t *pass_columns_of(const bal_passed *p)
{
    static const char *const key[] = {"column",    "landmarks",   "affinities",
                                      "uncovered", "median_move", "scale",
                                      "unseen"};
    json_t *list = passes_of(p), *r = json_object(), *row;
    bool all = list != NULL && r != NULL;
    size_t i;

    for (size_t k = 0; all && k < sizeof key / sizeof *key; k++) {
        json_t *column = json_array();
        json_array_foreach(list, i, row)
        {
            json_t *v = json_object_get(row, key[k]);
            all =
                all && json_array_append_new(
                           column, json_is_null(v)
                                       ? json_real(-1)
                                       : json_real(json_number_value(v))) == 0;
        }
        all = all && bal_report_add(r, key[k], column);
    }
    json_decref(list);
    return bal_report_whole(r, all);
}

/* The mean trust of each batch's landmarks in each batch, and their names. */
static json_t *trust_of(const bal_outcome *r)
{
    const bal_labels *l = r->points->order->labels;
    json_t *rows = json_array();
    bool all = rows != NULL;

    for (bal_size a = 0; all && a < l->count; a++)
        all = json_array_append_new(
                  rows, bal_report_reals(r->passed->between + a * l->count,
                                         l->count)) == 0;
    return json_pack("{s:o, s:o}", "batches",
                     bal_report_texts(l->name, l->count), "mean",
                     bal_report_whole(rows, all));
}

/* Those of `correct`, so that a model is the same from it and from `fit`; and
 * what `fit` alone takes. */
static json_t *params_of(const bal_params *par)
{
    json_t *v = bal_options_report(BAL_FOR_CORRECT, par);

    return bal_report_whole(
        v, par->fit_sample == 0 ||
               bal_report_add(v, "sample", json_integer(par->fit_sample)));
}

json_t *bal_run_provenance(const bal_outcome *r)
{
    const bal_sample_report *s = &r->passed->last.report;
    json_t *v = json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, "
        "s:f, s:o}",
        "version", bal_version(), "commit", bal_commit(), "build",
        bal_report_text(bal_build()), "params",
        params_of(r->in->par), "input",
        bal_run_input(r->in, r->checksum_in),
        "n_landmarks", (json_int_t)s->landmarks, "n_extended",
        (json_int_t)s->extended, "n_filled", (json_int_t)s->filled,
        "n_uncovered", (json_int_t)s->uncovered, "n_affinities",
        (json_int_t)s->entries, "checksum", sum_of(r->checksum_out), "scaling",
        bal_run_scaling(r->space), "passes", pass_columns_of(r->passed),
        "unseen", r->passed->unseen, "shift",
        bal_shift_report(r->points, r->shift));

    v = bal_report_whole(
        v, !r->space->pca || bal_report_add(v, "pca", components_of(r->space)));
    return bal_report_whole(v, r->passed->between == NULL ||
                                   r->points->order->labels->count >
                                       BAL_TOLD_BATCHES ||
                                   bal_report_add(v, "trust", trust_of(r)));
}

/* Figures of one rank, gathered on all. */
enum {
    F_SECONDS = 0,                         /* nanoseconds by phase */
    F_CALLS = F_SECONDS + BAL_PHASE_COUNT, /* by phase */
    F_BYTES = F_CALLS + BAL_PHASE_COUNT,   /* by phase */
    F_IO = F_BYTES + BAL_PHASE_COUNT,      /* by phase */
    F_RSS = F_IO + BAL_PHASE_COUNT,
    F_FORMULA,
    F_HELD,
    F_COUNT
};

static void own_figures(const bal_outcome *r, int64_t *f)
{
    const bal_comm *c = r->in->comm;
    bal_rank_part part =
        bal_model_part(r->workload, r->points->order->layout);
    bal_size phase[BAL_RUN_PHASES];

    for (int p = 0; p < BAL_PHASE_COUNT; p++) {
        f[F_SECONDS + p] = (int64_t)(c->tally[p].seconds * 1e9);
        f[F_CALLS + p] = c->tally[p].calls;
        f[F_BYTES + p] = c->tally[p].bytes;
        f[F_IO + p] = c->tally[p].io_bytes;
    }
    f[F_RSS] = bal_mem_rss_peak();
    f[F_HELD] = bal_mem_peak();
    f[F_FORMULA] =
        bal_model_memory(r->workload, &part, (double)r->passed->last.m,
                         r->passed->affinity_bytes, phase);
}

typedef struct spread {
    int64_t least, most, sum;
} spread;

static spread spread_of(const int64_t *all, int size, int figure)
{
    spread s = {all[figure], all[figure], 0};

    for (int r = 0; r < size; r++) {
        int64_t v = all[(bal_size)r * F_COUNT + figure];
        s.least = v < s.least ? v : s.least;
        s.most = v > s.most ? v : s.most;
        s.sum += v;
    }
    return s;
}

static json_t *phase_of(const int64_t *all, int size, int phase)
{
    spread t = spread_of(all, size, F_SECONDS + phase);

    return json_pack(
        "{s:f, s:f, s:f, s:I, s:I, s:I}", "seconds_min", 1e-9 * (double)t.least,
        "seconds_mean", 1e-9 * (double)t.sum / size, "seconds_max",
        1e-9 * (double)t.most,
        /* Every rank takes part in every collective. */
        "collective_calls",
        (json_int_t)spread_of(all, size, F_CALLS + phase).most,
        "collective_bytes",
        (json_int_t)spread_of(all, size, F_BYTES + phase).sum, "file_bytes",
        (json_int_t)spread_of(all, size, F_IO + phase).sum);
}

static json_t *phases_of(const int64_t *figures, int size)
{
    json_t *r = json_object();
    bool all = r != NULL;

    for (int p = 0; p < BAL_PHASE_COUNT; p++)
        if (spread_of(figures, size, F_SECONDS + p).most > 0)
            all = bal_report_add(r, bal_phase_name((bal_phase)p),
                                 phase_of(figures, size, p)) &&
                  all;
    return bal_report_whole(r, all);
}

static json_t *memory_of(const int64_t *all, int size)
{
    spread rss = spread_of(all, size, F_RSS);
    spread held = spread_of(all, size, F_HELD);

    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I}", "rss_peak_min", (json_int_t)rss.least,
        "rss_peak_max", (json_int_t)rss.most, "allocated_peak_min",
        (json_int_t)held.least, "allocated_peak_max", (json_int_t)held.most,
        "formula_max", (json_int_t)spread_of(all, size, F_FORMULA).most);
}

static json_t *libraries_of(void)
{
    char mpi[MPI_MAX_LIBRARY_VERSION_STRING];
    int len;

    MPI_Get_library_version(mpi, &len);
    mpi[strcspn(mpi, ",\n")] = '\0';
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "mpi", mpi, "hdf5",
                     bal_hdf5_version(), "blas", bal_blas_version(),
                     "blas_kernels", bal_blas_core(), "kernels",
                     bal_isa_name(bal_isa_now()));
}

static json_t *sampling_of(const bal_sample_report *s)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:o, s:o}", "rows", (json_int_t)s->rows,
        "overshoot", (json_int_t)s->overshoot, "repeats",
        (json_int_t)s->repeats, "in_flight", (json_int_t)s->in_flight,
        "curve_landmarks", bal_report_ints(s->curve_landmarks, s->curve_count),
        "curve_covered", bal_report_ints(s->curve_covered, s->curve_count));
}

/* ScaLAPACK's numbers depend on the number of ranks by rounding. */
static json_t *nystrom_of(const bal_nystrom_report *n)
{
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:I}", "landmarks",
                     (json_int_t)n->landmarks, "rank_kept", (json_int_t)n->kept,
                     "largest_eigenvalue", bal_report_real(n->largest),
                     "smallest_eigenvalue", bal_report_real(n->smallest),
                     "share_negative", bal_report_real(n->negative),
                     "fallbacks", (json_int_t)n->fallbacks);
}

enum { HOST_WORDS = 8 }; /* of a host's name, as it travels */

/* How many ranks each host has, in the order of ranks. */
static json_t *hosts_of(const int64_t *name, int ranks)
{
    char host[8 * HOST_WORDS + 1] = "";
    json_t *r = json_object();
    bool all = r != NULL;

    for (int k = 0; k < ranks; k++) {
        memcpy(host, name + (bal_size)k * HOST_WORDS, sizeof host - 1);
        json_t *seen = json_object_get(r, host);
        if (seen != NULL)
            json_integer_set(seen, json_integer_value(seen) + 1);
        else
            all = bal_report_add(r, host, json_integer(1)) && all;
    }
    return bal_report_whole(r, all);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

enum { TWENTIETHS = 20 };

/* Sorts the lengths. */
static json_t *lengths_of(int64_t *length, bal_size m)
{
    int64_t sum = 0, twentieth[TWENTIETHS + 1];

    if (m == 0)
        return json_object();
    qsort(length, (size_t)m, sizeof *length, by_size);
    for (bal_size i = 0; i < m; i++)
        sum += length[i];
    for (bal_size q = 0; q <= TWENTIETHS; q++)
        twentieth[q] = length[q * (m - 1) / TWENTIETHS];
    return json_pack("{s:I, s:I, s:f, s:I, s:o}", "min", (json_int_t)length[0],
                     "median", (json_int_t)length[m / 2], "mean",
                     (double)sum / (double)m, "max", (json_int_t)length[m - 1],
                     "twentieths",
                     bal_report_ints(twentieth, TWENTIETHS + 1));
}

/* Every process has its own; rank 0 writes. */
static json_t *warnings_of(void)
{
    json_t *list = json_array();
    bool all = list != NULL;

    for (int i = 0; all && bal_log_warning(i) != NULL; i++)
        all = json_array_append_new(list,
                                    bal_report_text(bal_log_warning(i))) == 0;
    return bal_report_whole(list, all);
}

/* What the ranks have to say, on all of them. */
typedef struct gathered {
    int64_t *figure; /* [ranks, F_COUNT] */
    int64_t *host;   /* [ranks, HOST_WORDS] */
    int64_t *length; /* [m], entries of the landmarks' rows */
} gathered;

static bal_verdict gather(const bal_outcome *r, gathered *g)
{
    bal_comm *c = r->in->comm;
    int64_t figure[F_COUNT], own[HOST_WORDS] = {0};
    char host[8 * HOST_WORDS] = "unknown";
    bal_status mine;
    bal_verdict st;

    bal_comm_enter(c, c->phase); /* up to now */
    own_figures(r, figure);
    mine = bal_alloc(&g->figure, (bal_size)F_COUNT * c->size, "the report");
    if (!bal_failed(mine))
        mine =
            bal_alloc(&g->host, (bal_size)HOST_WORDS * c->size, "the report");
    if (!bal_failed(mine))
        mine = bal_alloc(&g->length, r->passed->last.m, "the report");
    BAL_TRY(bal_agree(c, mine));
    bal_comm_gather_i64(c, figure, F_COUNT, g->figure);
    (void)gethostname(host, sizeof host - 1);
    memcpy(own, host, sizeof own);
    bal_comm_gather_i64(c, own, HOST_WORDS, g->host);
    if (r->passed->last.m > 0)
        memcpy(g->length, r->passed->last.length,
               (size_t)r->passed->last.m * sizeof *g->length);
done:
    return st;
}

static json_t *report_of(const bal_outcome *r, const gathered *g)
{
    const bal_params *par = r->in->par;
    int ranks = r->in->comm->size;
    json_t *v = json_pack(
        "{s:o, s:o, s:I, s:I, s:I, s:b, s:o, s:o, s:o, s:o, s:o}", "hosts",
        hosts_of(g->host, ranks), "row_lengths",
        lengths_of(g->length, r->passed->last.m), "ranks", (json_int_t)ranks,
        "threads", (json_int_t)bal_params_threads(par), "memory_per_rank",
        (json_int_t)bal_params_memory(par), "streamed", r->workload->streamed,
        "libraries", libraries_of(), "phases", phases_of(g->figure, ranks),
        "memory", memory_of(g->figure, ranks), "sampling",
        sampling_of(&r->passed->last.report), "warnings", warnings_of());

    return bal_report_whole(
        v, par->estimator != BAL_NYSTROM ||
               bal_report_add(v, "nystrom", nystrom_of(&r->passed->nystrom)));
}

bal_verdict bal_run_report(const bal_outcome *r, json_t **out)
{
    gathered g = {0};
    bal_verdict st;

    *out = NULL;
    BAL_TRY(gather(r, &g));
    *out = report_of(r, &g);
    BAL_TRY(bal_agree(r->in->comm, bal_report_status(*out)));
done:
    bal_free(&g.figure);
    bal_free(&g.host);
    bal_free(&g.length);
    return st;
}

static double real_of(const json_t *r, const char *key)
{
    return json_real_value(json_object_get(r, key));
}

static int64_t int_of(const json_t *r, const char *key)
{
    return json_integer_value(json_object_get(r, key));
}

void bal_run_print_phases(const json_t *run)
{
    const json_t *memory = json_object_get(run, "memory");
    const char *phase;
    json_t *v;
    char sent[32], moved[32], peak[32], most[32];

    bal_info("%-8s %9s %9s %9s %9s %11s %11s", "phase", "min s", "mean s",
             "max s", "calls", "sent", "file");
    json_object_foreach(json_object_get(run, "phases"), phase, v) bal_info(
        "%-8s %9.3f %9.3f %9.3f %9lld %11s %11s", phase,
        real_of(v, "seconds_min"), real_of(v, "seconds_mean"),
        real_of(v, "seconds_max"), (long long)int_of(v, "collective_calls"),
        bal_bytes(sent, sizeof sent, int_of(v, "collective_bytes")),
        bal_bytes(moved, sizeof moved, int_of(v, "file_bytes")));
    bal_info("peak memory of a rank: %s; at most %s by the formula",
             bal_bytes(peak, sizeof peak, int_of(memory, "rss_peak_max")),
             bal_bytes(most, sizeof most, int_of(memory, "formula_max")));
}
