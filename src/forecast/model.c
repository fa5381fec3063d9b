/* Memory, files and time of a run from its shape, and landmarks from trials.
 *
 * How many landmarks: those asked for, M, and what batches that have few get
 * (algo/sampler). Without M two quantities grow smoothly where the number of
 * landmarks, which hangs on when the sampler happens to stop, does not:
 *
 *     f = entries / (landmarks points)     the share of the points that a row
 *                                          keeps: falls as a power of the
 *                                          points in a batch, or not at all
 *     c = entries / points                 how often a point is covered: its
 *                                          root grows as the logarithm of n
 *
 *     log f = u + v log(n / batches),   sqrt c = a + b log n
 *     landmarks = c / f
 *
 * Both lines go from the first trial to the last and on from there; v = 0 where
 * trials differ in the number of batches alone. With M only f is needed.
 *
 * Time is what the sample took, in proportion: rows and points for the sampler,
 * entries and features for the correction, rows for the rest.
 *
 * Cost: one layout for each rank looked at, else nothing.
 * Reference: docs/forecast.md, which compares it with runs. */
#include "balans/forecast/model.h"

#include <math.h>
#include <stddef.h>

#include "balans/kernel/spmm.h"

/* The slope b lies between so many times that of the trials, more where they
 * have the run's k and fewer points of a batch; v is off by `bend` either way,
 * the number of landmarks by chance, or the length of rows where that is known.
 * Chosen to hold what the runs of docs/forecast.md found. */
static const double slope_low = 0.75, slope_high = 1.4, steeper = 1.25;
static const double bend = 0.02, chance = 1.4, row_length = 1.25;

/* Bytes a second into a file, with the sync at the end, and of a rank that
 * compresses: a writer cannot be tried without writing. 9.0 GB in 13.7 s is the
 * write phase of `bench/run.sh huge`, November 2026; 12 MB/s is zlib's level 4
 * on simulated profiles, the best of 12 times 2 MB, November 2026. */
static const double write_rate = 650e6, deflate_rate = 12e6;

/* ---- memory ---- */

enum { PIECE = 64 << 20 }; /* bytes read at a time */

/* The program with MPI, HDF5 and BLAS: `balans correct` of 1,000 profiles with
 * --memory-per-rank 2M has a peak of 36 MiB (GNU time, Open MPI 4.1, HDF5 1.10,
 * November 2026); the rest is for HDF5's chunks, MPI's copies of what is
 * reduced and what the C library keeps: two ranks with 64M had 60 MiB of it. */
enum { PROGRAM = 64 << 20 };

static bal_size least_of(double a, double b)
{
    return (bal_size)(a < b ? a : b);
}

bal_rank_part bal_model_part(const bal_workload *w, const bal_layout *l)
{
    bal_size memory = w->sample.memory, block = bal_rows_of_block(w->n);
    bal_rank_part part = {
        .rows = bal_slab_first(w->n, l->rank + 1, l->size) -
                bal_slab_first(w->n, l->rank, l->size),
        .points = l->m,
        .lanes = l->lanes,
        .tiles = l->tiles,
        .width = BAL_ROWS_MOST,
    };

    part.blocks = (part.rows + block - 1) / block;
    while (part.width > 0 &&
           bal_sample_memory(l, (int)w->p, &w->rows, &w->sample, part.width) >
               memory - memory / 4)
        part.width--;
    return part;
}

static void widen(bal_size value, bal_size *most)
{
    *most = value > *most ? value : *most;
}

bal_status bal_model_largest(const bal_workload *w, bal_rank_part *out)
{
    enum { PROBES = 256 };
    int step = w->ranks / PROBES + 1;
    bal_layout *l = NULL;
    bal_status st = BAL_OK;

    *out = (bal_rank_part){.width = BAL_ROWS_MOST};
    for (int r = 0; r < w->ranks; r += step) {
        BAL_TRY(bal_layout_create(w->batch_size, w->batches, r, w->ranks, &l));
        bal_rank_part part = bal_model_part(w, l);
        widen(part.rows, &out->rows);
        widen(part.blocks, &out->blocks);
        widen(part.points, &out->points);
        widen(part.lanes, &out->lanes);
        widen(part.tiles, &out->tiles);
        out->width = part.width < out->width ? part.width : out->width;
        bal_layout_destroy(&l);
    }
done:
    return st;
}

bal_size bal_model_affinities(const bal_rank_part *part, double landmarks,
                              double entries)
{
    double runs = (double)least_of(entries, landmarks * (double)part->tiles) +
                  (double)least_of(entries, landmarks * (double)part->blocks);

    return (bal_size)(20 * entries + 8 * runs);
}

/* Weight, trust in both its forms, and scale of a landmark in a batch. */
static double by_batch(const bal_workload *w, double landmarks)
{
    double each = landmarks * (double)w->most_batches;

    if (w->form == BAL_SMOOTH && w->passes == 1)
        return 8 * landmarks;
    return (w->trusts ? 24 : 8) * each + (w->sample.scales ? 4 * each : 0);
}

bal_size bal_model_memory(const bal_workload *w, const bal_rank_part *part,
                          double landmarks, bal_size affinities,
                          bal_size *phase)
{
    bal_size work = w->space.memory, x = 4 * part->rows * w->d;
    bal_size z = 4 * part->lanes * w->p, held;
    bal_size most = 0;

    if (w->streamed && x > work / 4)
        x = work / 4;
    held = PROGRAM + x + w->columns * (20 * part->points + 12 * part->rows);
    phase[BAL_PHASE_READ] = held + (w->matrix.filters[0] != '\0' ? PIECE : 0);
    phase[BAL_PHASE_SPACE] =
        held + z + bal_space_memory(w->d, &w->space, 0, w->ranks);
    phase[BAL_PHASE_SAMPLE] = held + z + affinities + work;
    phase[BAL_PHASE_CORRECT] =
        held + z + affinities + work + (bal_size)by_batch(w, landmarks);
    phase[BAL_PHASE_WRITE] = held + z + affinities + work;
    for (int p = 0; p < BAL_RUN_PHASES; p++)
        widen(phase[p], &most);
    return most;
}

/* ---- sweeps and files ---- */

/* Rows of the table of the consensus (algo/consensus). */
static double table_rows(const bal_workload *w, double landmarks)
{
    bool residual = w->form == BAL_RESIDUAL || w->passes > 1;

    return landmarks * (residual ? (double)w->most_batches : 1);
}

double bal_model_least_work(const bal_workload *w, double landmarks)
{
    double rows = table_rows(w, landmarks);

    return 8 * rows + BAL_VECTOR * (16 * rows + 64);
}

/* Panels of features, as wide as the table has room for. */
static double panels(const bal_workload *w, double landmarks)
{
    double rows = table_rows(w, landmarks);
    double room = ((double)w->space.memory - 8 * rows) / (16 * rows + 64);

    room = floor(room / BAL_VECTOR) * BAL_VECTOR;
    return ceil((double)w->d / fmax(room, BAL_VECTOR));
}

double bal_model_sweeps(const bal_workload *w, double landmarks, double *phase)
{
    double sum = 0;

    phase[BAL_PHASE_READ] = 1; /* the checksum */
    phase[BAL_PHASE_SPACE] = w->space.scale == BAL_SCALE_STANDARD ? 4 : 3;
    phase[BAL_PHASE_SAMPLE] = 0;
    phase[BAL_PHASE_CORRECT] =
        2 * panels(w, landmarks) * (double)w->passes;
    phase[BAL_PHASE_WRITE] = 2; /* the checksum, the output */
    for (int p = 0; p < BAL_RUN_PHASES; p++)
        sum += phase[p];
    return sum;
}

void bal_model_files(const bal_workload *w, double landmarks, double entries,
                     double *read, double *write)
{
    double file = (double)w->file_bytes, matrix = (double)w->matrix.file_bytes;
    double x = 4 * (double)w->n * (double)w->d, phase[BAL_RUN_PHASES];
    double coordinates = w->p < w->d ? 4 * (double)w->n * (double)w->p : 0;
    double others = fmax(file - matrix, 0);

    *read = others + matrix * (w->matrix.storage == BAL_CSC ? 2 : 1);
    *write = others + (w->keep_original ? matrix : 0) + x + coordinates +
             4 * (double)w->n + (w->save_affinity ? 12 * entries : 0);
    if (w->streamed) {
        *read += (bal_model_sweeps(w, landmarks, phase) - 1) * x;
        *write += phase[BAL_PHASE_CORRECT] / 2 * x;
    }
}

/* ---- landmarks and affinities ---- */

/* From the first and the last trial to the run. */
typedef struct trend {
    double cover, more; /* c of the last trial, the slope b and the doublings */
    double up, share;   /* of its points; f of the run's rows */
    double bent;        /* how far that is off */
} trend;

static double cover_of(const bal_trial *t)
{
    return sqrt((double)t->entries / (double)t->n);
}

static double log_share(const bal_trial *t)
{
    return log2((double)t->entries / (double)t->n / (double)t->landmarks);
}

static double depth(bal_size n, bal_size batches)
{
    return log2((double)n / (double)batches);
}

static trend trend_of(const bal_workload *w, const bal_measured *m)
{
    const bal_trial *a = &m->trial[0], *b = &m->trial[m->trials - 1];
    double deeper = depth(b->n, b->batches) - depth(a->n, a->batches);
    double down = depth(w->n, w->batches) - depth(b->n, b->batches);
    double v = 0, f;
    trend r = {.cover = cover_of(b)};

    if (b->n > a->n)
        r.more = fmax(cover_of(b) - cover_of(a), 0) /
                 log2((double)b->n / (double)a->n);
    if (!m->by_batch && deeper > 0)
        v = fmin(fmax((log_share(b) - log_share(a)) / deeper, -1), 0.1);
    f = exp2(log_share(b) + v * down) * m->stretch;
    r.up = log2((double)w->n / (double)b->n);
    r.share = fmin(fmax(f, 1 / (double)w->n), 1);
    r.bent = exp2(bend * fabs(down));
    return r;
}

/* As many landmarks as asked for: what batches that have few get is between
 * nothing and BAL_FEW each. */
static void wanted(const bal_workload *w, const bal_measured *m,
                   const trend *r, bal_expected *e)
{
    enum { FILLED_MOST = 800 }; /* batches; with more none is filled */
    const bal_trial *last = &m->trial[m->trials - 1];
    double n = (double)w->n, asked = (double)w->sample.landmarks;
    double fill = w->batches > FILLED_MOST ? 0 : (double)w->batches;
    double filled = (double)last->filled * fill / (double)last->batches;
    double f = r->share, off = row_length * r->bent;

    e->landmarks = (bal_range){asked, asked + filled, asked + BAL_FEW * fill};
    if (2 * w->n <= 3 * w->sample.landmarks)
        e->landmarks = (bal_range){n, n, n};
    e->entries = (bal_range){e->landmarks.low * n * f / off,
                             e->landmarks.mid * n * f,
                             e->landmarks.high * n * f * off};
}

static void until_covered(const bal_workload *w, const bal_measured *m,
                          const trend *r, bal_expected *e)
{
    bool shorter = !m->by_batch && w->rows.neighbors.k > 0;
    double n = (double)w->n, at = fmax(r->cover, 1);
    double more = (shorter ? steeper : 1) * r->more * r->up;
    double low = fmax(at + slope_low * more, 1);
    double mid = fmax(at + more, 1), high = fmax(at + slope_high * more, 1);

    e->entries = (bal_range){n * fmax(low * low / chance, 1), n * mid * mid,
                             n * high * high * chance};
    e->landmarks = (bal_range){e->entries.low / n / r->share / r->bent,
                               e->entries.mid / n / r->share,
                               e->entries.high / n / r->share * r->bent};
}

/* No more landmarks than there may be; entries in proportion. */
static void limit(double most, double *landmarks, double *entries)
{
    if (*landmarks > most) {
        *entries *= most / *landmarks;
        *landmarks = most;
    }
}

/* Limited landmarks leave what is not known of the length of rows. */
static void limit_all(double most, bal_expected *e)
{
    bool limited = e->landmarks.mid > most;
    bal_range *g = &e->entries;

    limit(most, &e->landmarks.low, &g->low);
    limit(most, &e->landmarks.mid, &g->mid);
    limit(most, &e->landmarks.high, &g->high);
    if (limited) {
        g->low = fmin(g->low, g->mid / row_length);
        g->high = fmax(g->high, g->mid * row_length);
    }
}

void bal_model_expect(const bal_workload *w, const bal_measured *m,
                      bal_expected *out)
{
    const bal_trial *last = &m->trial[m->trials - 1];
    double landmarks = (double)last->landmarks, entries = (double)last->entries;
    double dropped = (double)last->rows / landmarks;

    *out = (bal_expected){.exact = m->whole};
    if (m->whole) {
        out->landmarks = (bal_range){landmarks, landmarks, landmarks};
        out->entries = (bal_range){entries, entries, entries};
        out->rows = (double)last->rows;
        return;
    }
    trend r = trend_of(w, m);
    if (w->sample.landmarks > 0)
        wanted(w, m, &r, out);
    else
        until_covered(w, m, &r, out);
    limit_all((double)w->n, out);
    if (w->sample.max_landmarks > 0)
        limit_all((double)w->sample.max_landmarks, out);
    out->rows = out->landmarks.mid * (w->sample.landmarks > 0 ? 1 : dropped);
}

/* ---- time ---- */

/* Times that Z moves: in the last pass only if it is stored or measured. */
static double moves_of_z(const bal_workload *w)
{
    return (double)(w->passes - 1) + (w->p < w->d || w->sample.scales ? 1 : 0);
}

bal_range bal_model_time(const bal_workload *w, const bal_rank_part *part,
                         const bal_measured *m, const bal_expected *e,
                         double *phase)
{
    double points = (double)part->points, passes = (double)w->passes;
    double entries = e->entries.mid * points / (double)w->n;
    double sweep = m->read_row * (double)part->rows, sweeps[BAL_RUN_PHASES];
    double read, write, fixed = 0;
    double moved = (double)w->d * passes + (double)w->p * moves_of_z(w);

    phase[BAL_PHASE_READ] = m->opening + (w->streamed ? 0 : sweep);
    phase[BAL_PHASE_SPACE] = m->space_fixed + m->space_row * (double)part->rows;
    phase[BAL_PHASE_SAMPLE] =
        passes * (e->rows * m->point * points + 2 * m->arrange * entries);
    phase[BAL_PHASE_CORRECT] =
        entries * (m->correct * moved + m->weigh * passes);
    bal_model_sweeps(w, e->landmarks.mid, sweeps);
    bal_model_files(w, e->landmarks.mid, e->entries.mid, &read, &write);
    if (w->streamed) {
        double kept = 4 * (double)w->n * (double)w->d *
                      sweeps[BAL_PHASE_CORRECT] / 2;
        write -= kept;
        phase[BAL_PHASE_CORRECT] += kept / write_rate;
        for (int p = 0; p < BAL_PHASE_WRITE; p++)
            phase[p] += sweep * sweeps[p];
    }
    phase[BAL_PHASE_WRITE] =
        write / (w->matrix.filters[0] != '\0' ? deflate_rate * w->ranks
                                              : write_rate) +
        (w->streamed ? sweep * sweeps[BAL_PHASE_WRITE] : 0);
    for (int p = 0; p < BAL_RUN_PHASES; p++)
        if (p != BAL_PHASE_SAMPLE && p != BAL_PHASE_CORRECT)
            fixed += phase[p];
    double drawn = phase[BAL_PHASE_SAMPLE];
    double corrected = phase[BAL_PHASE_CORRECT];
    return (bal_range){
        fixed + drawn * e->landmarks.low / e->landmarks.mid +
            corrected * e->entries.low / e->entries.mid,
        fixed + drawn + corrected,
        fixed + drawn * e->landmarks.high / e->landmarks.mid +
            corrected * e->entries.high / e->entries.mid,
    };
}
