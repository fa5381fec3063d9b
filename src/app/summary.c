/* What a run says about itself: how the result came about (the same for equal
 * runs) and what it took (which is not). */
#define _POSIX_C_SOURCE 200809L
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balans/app/version.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/io/library.h"
#include "balans/kernel/blas.h"
#include "balans/kernel/cpu.h"
#include "balans/par/agree.h"
#include "job.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static void record_sum(bal_record *r, const char *key, uint64_t sum)
{
    char text[20];

    snprintf(text, sizeof text, "%016llx", (unsigned long long)sum);
    bal_record_text(r, key, text);
}

static void record_input(const bal_job *j, bal_record *r)
{
    bal_record_text(r, "name", base_name(j->par->input));
    bal_record_int(r, "bytes", bal_h5ad_file_bytes(j->file));
    bal_record_int(r, "profiles", j->info.n);
    bal_record_int(r, "features", j->info.d);
    bal_record_int(r, "batches", j->labels->count);
    record_sum(r, "checksum", j->checksum);
}

static void record_components(const bal_space *s, bal_record *r)
{
    double ratio[4096];
    bal_size count = s->p < 4096 ? s->p : 4096;

    for (bal_size i = 0; i < count; i++)
        ratio[i] = s->total > 0 ? s->variance[i] / s->total : 0;
    bal_record_reals(r, "variance", s->variance, count);
    bal_record_reals(r, "variance_ratio", ratio, count);
}

void bal_job_provenance(const bal_job *j, bal_record *r)
{
    bal_record_text(r, "version", bal_version());
    bal_record_text(r, "commit", bal_commit());
    bal_record_text(r, "build", bal_build());
    bal_params_record(j->par, bal_record_node(r, "params"));
    record_input(j, bal_record_node(r, "input"));
    bal_record_int(r, "n_landmarks", j->report.landmarks);
    bal_record_int(r, "n_extended", j->report.extended);
    bal_record_int(r, "n_uncovered", j->report.uncovered);
    bal_record_int(r, "n_affinities", j->report.entries);
    record_sum(r, "checksum", j->checksum_x);
    bal_record *scaling = bal_record_node(r, "scaling");
    bal_record_reals(scaling, "mean", j->space->mean, j->space->d);
    bal_record_reals(scaling, "sd", j->space->sd, j->space->d);
    bal_record_reals(scaling, "centre", j->space->centre, j->space->d);
    if (j->space->pca)
        record_components(j->space, bal_record_node(r, "pca"));
}

/* Figures of one rank, gathered on all. */
enum {
    F_SECONDS = 0,                          /* nanoseconds by phase */
    F_CALLS = F_SECONDS + BAL_PHASE_COUNT,  /* by phase */
    F_BYTES = F_CALLS + BAL_PHASE_COUNT,    /* by phase */
    F_IO = F_BYTES + BAL_PHASE_COUNT,       /* by phase */
    F_RSS = F_IO + BAL_PHASE_COUNT,
    F_FORMULA,
    F_HELD,
    F_COUNT
};

static void own_figures(const bal_job *j, int64_t *f)
{
    const bal_comm *c = j->comm;

    for (int p = 0; p < BAL_PHASE_COUNT; p++) {
        f[F_SECONDS + p] = (int64_t)(c->tally[p].seconds * 1e9);
        f[F_CALLS + p] = c->tally[p].calls;
        f[F_BYTES + p] = c->tally[p].bytes;
        f[F_IO + p] = c->tally[p].io_bytes;
    }
    f[F_RSS] = bal_mem_rss_peak();
    f[F_HELD] = bal_mem_peak();
    f[F_FORMULA] = bal_job_memory(j, j->space->p, j->a->bytes);
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

static void record_phase(const int64_t *all, int size, int phase,
                         bal_record *r)
{
    spread t = spread_of(all, size, F_SECONDS + phase);

    bal_record_real(r, "seconds_min", 1e-9 * (double)t.least);
    bal_record_real(r, "seconds_mean", 1e-9 * (double)t.sum / size);
    bal_record_real(r, "seconds_max", 1e-9 * (double)t.most);
    /* Every rank takes part in every collective. */
    bal_record_int(r, "collective_calls",
                   spread_of(all, size, F_CALLS + phase).most);
    bal_record_int(r, "collective_bytes",
                   spread_of(all, size, F_BYTES + phase).sum);
    bal_record_int(r, "file_bytes", spread_of(all, size, F_IO + phase).sum);
}

static void record_figures(const int64_t *all, int size, bal_record *r)
{
    bal_record *phases = bal_record_node(r, "phases");
    bal_record *memory = bal_record_node(r, "memory");
    spread rss = spread_of(all, size, F_RSS);
    spread held = spread_of(all, size, F_HELD);
    spread formula = spread_of(all, size, F_FORMULA);

    for (int p = 0; p < BAL_PHASE_COUNT; p++)
        if (spread_of(all, size, F_SECONDS + p).most > 0)
            record_phase(all, size, p,
                         bal_record_node(phases, bal_phase_name((bal_phase)p)));
    bal_record_int(memory, "rss_peak_min", rss.least);
    bal_record_int(memory, "rss_peak_max", rss.most);
    bal_record_int(memory, "allocated_peak_min", held.least);
    bal_record_int(memory, "allocated_peak_max", held.most);
    bal_record_int(memory, "formula_max", formula.most);
}

static void record_libraries(bal_record *r)
{
    char mpi[MPI_MAX_LIBRARY_VERSION_STRING];
    int len;

    MPI_Get_library_version(mpi, &len);
    mpi[strcspn(mpi, ",\n")] = '\0';
    bal_record_text(r, "mpi", mpi);
    bal_record_text(r, "hdf5", bal_hdf5_version());
    bal_record_text(r, "blas", bal_blas_version());
    bal_record_text(r, "blas_kernels", bal_blas_core());
    bal_record_text(r, "kernels", bal_isa_name(bal_isa_now()));
}

static void record_sampling(const bal_sample_report *s, bal_record *r)
{
    bal_record_int(r, "rows", s->rows);
    bal_record_int(r, "overshoot", s->overshoot);
    bal_record_int(r, "filled", s->filled);
    bal_record_int(r, "repeats", s->repeats);
    bal_record_int(r, "in_flight", s->in_flight);
    bal_record_ints(r, "curve_landmarks", s->curve_landmarks, s->curve_count);
    bal_record_ints(r, "curve_covered", s->curve_covered, s->curve_count);
}

/* ScaLAPACK's numbers depend on the number of ranks by rounding. */
static void record_nystrom(const bal_nystrom_report *n, bal_record *r)
{
    bal_record_int(r, "landmarks", n->landmarks);
    bal_record_int(r, "rank_kept", n->kept);
    bal_record_real(r, "largest_eigenvalue", n->largest);
    bal_record_real(r, "smallest_eigenvalue", n->smallest);
    bal_record_real(r, "share_negative", n->negative);
    bal_record_int(r, "fallbacks", n->fallbacks);
}

enum { HOST_WORDS = 8 }; /* of a host's name, as it travels */

/* How many ranks each host has, in the order of ranks. */
static void record_hosts(const bal_job *j, const int64_t *name, bal_record *r)
{
    char host[8 * HOST_WORDS + 1] = "";

    for (int k = 0; k < j->comm->size; k++) {
        memcpy(host, name + (bal_size)k * HOST_WORDS, sizeof host - 1);
        const bal_entry *e = bal_record_find(r, host);
        bal_record_int(r, host, e != NULL ? e->integer + 1 : 1);
    }
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Sorts the lengths. */
static void record_lengths(int64_t *length, bal_size m, bal_record *r)
{
    int64_t sum = 0;

    if (m == 0)
        return;
    qsort(length, (size_t)m, sizeof *length, by_size);
    for (bal_size i = 0; i < m; i++)
        sum += length[i];
    bal_record_int(r, "min", length[0]);
    bal_record_int(r, "median", length[m / 2]);
    bal_record_real(r, "mean", (double)sum / (double)m);
    bal_record_int(r, "max", length[m - 1]);
}

/* Hosts, and entries of the landmarks' rows.  Collective. */
static void record_gathered(const bal_job *j, bal_record *r)
{
    bal_comm *c = j->comm;
    int64_t *name = NULL, *length = NULL;
    int64_t own[HOST_WORDS] = {0};
    char host[8 * HOST_WORDS] = "unknown";
    bal_status mine =
        bal_alloc(&name, (bal_size)HOST_WORDS * c->size, "the report");

    if (!bal_failed(mine))
        mine = bal_alloc(&length, j->a->m, "the report");
    if (!bal_failed(bal_agree(c, mine))) {
        (void)gethostname(host, sizeof host - 1);
        memcpy(own, host, sizeof own);
        bal_comm_gather_i64(c, own, HOST_WORDS, name);
        record_hosts(j, name, bal_record_node(r, "hosts"));
        bal_csr_row_sizes(c, j->a, length);
        record_lengths(length, j->a->m, bal_record_node(r, "row_lengths"));
    }
    bal_free(&name);
    bal_free(&length);
}

bal_record *bal_job_run_record(bal_job *j)
{
    bal_comm *c = j->comm;
    int64_t mine[F_COUNT], *all = NULL;
    bal_record *r = NULL;

    bal_comm_enter(c, c->phase); /* up to now */
    own_figures(j, mine);
    if (bal_failed(bal_agree(
            c, bal_alloc(&all, (bal_size)F_COUNT * c->size, "the report"))))
        return NULL;
    bal_comm_gather_i64(c, mine, F_COUNT, all);
    r = bal_record_create();
    record_gathered(j, r);
    bal_record_int(r, "ranks", c->size);
    bal_record_int(r, "threads", j->threads);
    bal_record_int(r, "memory_per_rank", j->memory);
    record_libraries(bal_record_node(r, "libraries"));
    record_figures(all, c->size, r);
    record_sampling(&j->report, bal_record_node(r, "sampling"));
    if (j->par->estimator == BAL_NYSTROM)
        record_nystrom(&j->nystrom_report, bal_record_node(r, "nystrom"));
    bal_free(&all);
    return r;
}

static double real_of(const bal_record *r, const char *key)
{
    const bal_entry *e = bal_record_find(r, key);

    return e != NULL ? e->real : 0;
}

static int64_t int_of(const bal_record *r, const char *key)
{
    const bal_entry *e = bal_record_find(r, key);

    return e != NULL ? e->integer : 0;
}

void bal_job_print_phases(const bal_record *run)
{
    const bal_entry *phases = bal_record_find(run, "phases");
    const bal_entry *memory = bal_record_find(run, "memory");
    char sent[32], moved[32], peak[32], most[32];

    if (phases == NULL || memory == NULL)
        return;
    bal_info("%-8s %9s %9s %9s %9s %11s %11s", "phase", "min s", "mean s",
             "max s", "calls", "sent", "file");
    for (const bal_entry *e = bal_record_first(phases->node); e != NULL;
         e = e->next)
        bal_info("%-8s %9.3f %9.3f %9.3f %9lld %11s %11s", e->key,
                 real_of(e->node, "seconds_min"),
                 real_of(e->node, "seconds_mean"),
                 real_of(e->node, "seconds_max"),
                 (long long)int_of(e->node, "collective_calls"),
                 bal_bytes(sent, sizeof sent,
                           int_of(e->node, "collective_bytes")),
                 bal_bytes(moved, sizeof moved, int_of(e->node, "file_bytes")));
    bal_info("peak memory of a rank: %s; at most %s by the formula",
             bal_bytes(peak, sizeof peak, int_of(memory->node, "rss_peak_max")),
             bal_bytes(most, sizeof most, int_of(memory->node, "formula_max")));
}

bal_size bal_job_memory_of(const bal_job *j, const bal_layout *l, bal_size p,
                           bal_size affinities)
{
    enum { PROGRAM = 56 << 20 }; /* as measured, with MPI, HDF5 and BLAS */
    bal_size m = l->m, slab = bal_slab_first(l->n, l->rank + 1, l->size) -
                              bal_slab_first(l->n, l->rank, l->size);
    /* A CSC matrix is turned round in memory: index and value of each entry,
     * once more while they travel. */
    bal_size turned = j->info.storage == BAL_CSC
                          ? 24 * (j->info.nnz / l->size + 1)
                          : 0;

    return PROGRAM + 4 * m * j->info.d + 4 * (l->lanes + m) * p + 8 * m +
           12 * slab + turned + affinities + j->memory;
}

bal_size bal_job_memory(const bal_job *j, bal_size p, bal_size affinities)
{
    return bal_job_memory_of(j, j->layout, p, affinities);
}
