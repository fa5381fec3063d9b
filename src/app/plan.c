/* What a run would need, put together.
 *
 *     sample  = (seconds for a row and a point) rows (points of a rank)
 *     correct = CROWDING (seconds for an entry) (entries of A), and with PCA
 *               times 1 + p / d
 *     space   = fixed part + (seconds for a row) (points of a rank)
 *     read    = opening + (seconds for a band of chunks) (bands of a rank), and
 *               for each panel if a band is too large to be kept
 *     write   = sending rows back + bytes / WRITE_RATE
 *
 * Rates are those measured now, by the ranks there are; with another number of
 * ranks each is taken to be as fast. What messages between more ranks cost is
 * not in it: docs/scaling.md. */
#include "balans/app/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/timer.h"
#include "balans/par/agree.h"
#include "plan_internal.h"

/* Bytes a second into a file, with the sync at the end: a writer cannot be
 * tried without writing. Between what a disk and what a parallel file system
 * takes; bench/results.md. */
#define WRITE_RATE   400e6
#define DEFLATE_RATE 30e6 /* the same of a rank that compresses */

/* The calibration's A has few rows, whose sums stay in the nearest cache. */
#define CROWDING 1.3

bal_size bal_job_dimensions(const bal_job *j)
{
    bool pca = j->par->pca > 0 && j->info.d > j->par->pca;

    return pca ? j->par->pca : j->info.d;
}

/* ---- memory ---- */

/* The rank with the most points. */
static int most_of(const bal_layout *l, bal_size *most)
{
    int at = 0;

    *most = 0;
    for (int r = 0; r < l->size; r++)
        if (l->rank_first[r + 1] - l->rank_first[r] > *most) {
            *most = l->rank_first[r + 1] - l->rank_first[r];
            at = r;
        }
    return at;
}

/* What rank r needs, and the blocks in flight that fit there. */
static bal_status look_at_rank(const bal_job *j, int r, bal_plan *plan,
                               int *width)
{
    bal_status st;
    bal_size p = bal_job_dimensions(j);
    bal_row_params rows = bal_job_row_params(j);
    bal_sample_params par = bal_job_sample_params(j, 1);
    bal_layout *l = NULL;

    BAL_TRY(bal_layout_create(j->labels->size, j->labels->count, r, plan->ranks,
                              &l));
    bal_size need = bal_job_memory_of(j, l, p, 0);
    plan->memory = need > plan->memory ? need : plan->memory;
    while (*width > 0 && bal_sample_memory(l, (int)p, &rows, &par, *width) >
                             j->memory - j->memory / 4)
        (*width)--;
done:
    bal_layout_destroy(&l);
    return st;
}

/* The most points of a rank, the most memory, and the fewest blocks in flight:
 * of all ranks if they are few, else of some and of the one with the most
 * points. */
static bal_status survey(const bal_job *j, bal_plan *plan, int *width)
{
    enum { PROBES = 256 };
    bal_status st;
    bal_layout *l = NULL;
    int step = plan->ranks / PROBES + 1;

    *width = BAL_ROWS_MOST;
    BAL_TRY(bal_layout_create(j->labels->size, j->labels->count, 0, plan->ranks,
                              &l));
    BAL_TRY(look_at_rank(j, most_of(l, &plan->most), plan, width));
    for (int r = 0; r < plan->ranks; r += step)
        BAL_TRY(look_at_rank(j, r, plan, width));
done:
    bal_layout_destroy(&l);
    return st;
}

static void count_bytes(const bal_job *j, bal_plan *plan)
{
    bal_size n = j->info.n, file = bal_h5ad_file_bytes(j->file);
    bal_size matrix = j->info.file_bytes, d = j->info.d;
    bal_size p = bal_job_dimensions(j);
    bal_size others = file > matrix ? file - matrix : 0;

    plan->read = matrix * (j->info.storage == BAL_CSC ? 2 : 1) + others;
    plan->write = others + (j->par->keep_original ? matrix : 0) +
                  4 * n * (d + 1 + (p < d ? p : 0));
}

/* ---- time ---- */

/* Panel by panel; bands that are not kept are decompressed for each. */
static double seconds_of_read(const bal_job *j, const bal_plan *plan,
                              const bal_pilot *p)
{
    double m = (double)plan->most, band = (double)p->band, bands;
    bal_size panels;
    double step = fmin((double)bal_job_panel(j, j->info.d, &panels), m);

    if (p->cached || step < 1)
        step = fmax(m, 1);
    bands = ceil(step / band) + (p->band > 1 ? 0.5 : 0);
    bands = fmin(bands, ceil((double)j->info.n / band));
    return ceil(m / step) * bands * p->read_band;
}

static double seconds_of_write(const bal_job *j, const bal_plan *plan,
                               const bal_pilot *p)
{
    bool zip = j->info.filters[0] != '\0';
    double rate = zip ? DEFLATE_RATE * plan->ranks : WRITE_RATE;

    return p->route_row * (double)plan->most + (double)plan->write / rate;
}

/* How many passes it takes, and that all but the last move X and Z. */
static double corrections(const bal_job *j)
{
    double p = (double)bal_job_dimensions(j), d = (double)j->info.d;
    double both = 1 + p / d;

    return both * (double)(j->par->passes - 1) + (p < d ? both : 1);
}

static void add_up(const bal_job *j, const bal_pilot *p, const bal_speed *s,
                   double opening, bal_plan *plan)
{
    const bal_expected *e = &plan->expected;
    double m = (double)plan->most, *phase = plan->phase, fixed, grows;

    phase[BAL_PHASE_READ] =
        opening + seconds_of_read(j, plan, p) + p->route_row * m;
    phase[BAL_PHASE_SPACE] = p->space_fixed + p->space_row * m;
    phase[BAL_PHASE_SAMPLE] =
        (double)j->par->passes * s->row_point * e->rows * m;
    phase[BAL_PHASE_CORRECT] = CROWDING * s->correct_entry * e->entries.mid *
                               corrections(j) * j->comm->size / plan->ranks;
    phase[BAL_PHASE_WRITE] = seconds_of_write(j, plan, p);
    fixed =
        phase[BAL_PHASE_READ] + phase[BAL_PHASE_SPACE] + phase[BAL_PHASE_WRITE];
    grows = phase[BAL_PHASE_SAMPLE];
    plan->seconds.mid = fixed + grows + phase[BAL_PHASE_CORRECT];
    plan->seconds.low =
        fixed + grows * e->landmarks.low / e->landmarks.mid +
        phase[BAL_PHASE_CORRECT] * e->entries.low / e->entries.mid;
    plan->seconds.high =
        fixed + grows * e->landmarks.high / e->landmarks.mid +
        phase[BAL_PHASE_CORRECT] * e->entries.high / e->entries.mid;
}

/* Pilot, calibration, and what follows.  Collective. */
static bal_verdict foretell(bal_job *j, int width, double opening,
                            bal_plan *plan)
{
    bal_verdict st;
    bal_pilot p = {0};
    bal_speed s;
    double start = bal_now();

    BAL_TRY(bal_h5ad_matrix_load(j->file));
    opening += bal_now() - start;
    bal_comm_max_f64(j->comm, &opening, 1);
    BAL_TRY(bal_pilot_run(j, &p));
    bal_expect(j, &p, plan->ranks, width, &plan->expected);
    BAL_TRY(bal_speed_measure(j, &p, &plan->expected, &s));
    if (j->par->save_affinity)
        plan->write += (bal_size)(12 * plan->expected.entries.mid);
    add_up(j, &p, &s, opening, plan);
    plan->sample = p.n;
    plan->tried = p.trial[p.trials - 1].n;
    plan->thin = p.thin;
    plan->told = true;
    plan->cost = bal_now() - start;
done:
    bal_pilot_finish(&p);
    return st;
}

static void leave_out(bal_plan *plan, const char *why)
{
    plan->told = false;
    snprintf(plan->why, sizeof plan->why, "%s", why);
}

/* A run on input that cannot be used would fail as this does.  Collective. */
static bal_verdict forecast(bal_job *j, int width, double opening,
                            bal_plan *plan)
{
    bal_verdict st = {BAL_OK};

    if (j->par->batch == NULL)
        leave_out(plan, "landmarks and time need '--batch COLUMN'");
    else if (width < 1)
        leave_out(plan, "a run would need a larger '--memory-per-rank', or "
                        "more ranks");
    else
        st = foretell(j, width, opening, plan);
    bal_progress_end();
    if (!bal_failed(st))
        return st;
    if (st.code == BAL_EINPUT) {
        leave_out(plan, "the input cannot be used");
        return st;
    }
    leave_out(plan, bal_error_get()->text);
    bal_error_clear();
    return bal_agree(j->comm, BAL_OK);
}

bal_verdict bal_job_plan(bal_job *j, int ranks)
{
    bal_verdict st, told;
    bal_plan *plan = NULL;
    int width = 1;
    double opening = bal_now() - j->comm->phase_since;
    bal_status mine = bal_alloc(&plan, 1, "the forecast");

    if (!bal_failed(mine)) {
        plan->ranks = ranks;
        mine = survey(j, plan, &width);
    }
    BAL_TRY(bal_agree(j->comm, mine));
    count_bytes(j, plan);
    told = forecast(j, width, opening, plan);
    if (j->comm->rank == 0) {
        bal_plan_print(j, plan);
        fflush(stdout);
    }
    st = told;
done:
    bal_free(&plan);
    return st;
}

/* ---- for `info` ---- */

/* One batch of all points, where none was named. */
static bal_verdict take_as_one(bal_job *j)
{
    bal_verdict st;
    bal_status mine;
    bal_comm *c = j->comm;
    bal_size n = bal_h5ad_rows(j->file), count;
    int32_t *code = NULL;
    char all[] = "all", *name = all;

    count = bal_slab_first(n, c->rank + 1, c->size) -
            bal_slab_first(n, c->rank, c->size);
    mine = bal_alloc(&code, count, "the batches");
    BAL_TRY(bal_agree(c, mine));
    BAL_TRY(
        bal_labels_unify(c, n, &name, 1, code, false, "the file", &j->labels));
    code = NULL;
    BAL_TRY(bal_agree(c, bal_layout_create(j->labels->size, j->labels->count,
                                           c->rank, c->size, &j->layout)));
done:
    bal_free(&code);
    return st;
}

static void print_no_x(char *const *name, bal_size count)
{
    printf("matrix           no X; give '--matrix NAME' (there are: ");
    for (bal_size i = 0; i < count; i++)
        printf("%s%s", i > 0 ? ", " : "", name[i]);
    puts(count > 0 ? ")" : "none)");
    fflush(stdout);
}

/* Whether there is the matrix to ask about: the file may have no X. */
static bal_verdict has_matrix(bal_job *j, bool *found)
{
    bal_verdict st;
    char **name = NULL;
    bal_size count = 0;

    *found = strcmp(j->par->matrix, "X") != 0;
    BAL_TRY(bal_h5ad_matrices(j->file, &name, &count));
    for (bal_size i = 0; i < count; i++)
        *found = *found || strcmp(name[i], "X") == 0;
    if (!*found && j->comm->rank == 0)
        print_no_x(name, count);
done:
    bal_h5ad_names_free(&name, count);
    return st;
}

static bal_verdict open_without_batch(bal_job *j, bool *found)
{
    bal_verdict st;

    BAL_TRY(bal_h5ad_open(j->comm, j->par->input, &j->file));
    BAL_TRY(has_matrix(j, found));
    if (!*found)
        goto done;
    BAL_TRY(bal_h5ad_matrix_open(j->file, j->par->matrix, &j->info));
    BAL_TRY(take_as_one(j));
done:
    return st;
}

bal_verdict bal_plan_file(bal_comm *c, const bal_params *p)
{
    bal_verdict st;
    bool found = true;
    bal_job j = {
        .comm = c,
        .par = p,
        .threads = bal_params_threads(p),
        .memory = bal_params_memory(p),
    };

    bal_comm_enter(c, BAL_PHASE_READ);
    if (p->batch != NULL)
        BAL_TRY(bal_job_open(&j));
    else
        BAL_TRY(open_without_batch(&j, &found));
    if (found)
        BAL_TRY(bal_job_plan(&j, p->ranks > 0 ? (int)p->ranks : c->size));
done:
    bal_h5ad_close(&j.file);
    bal_labels_destroy(&j.labels);
    bal_layout_destroy(&j.layout);
    return st;
}
