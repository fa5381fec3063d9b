/* Both forms are one way up and one way down through A (consensus.h); between
 * them every rank turns the same sums into what the points are to get.
 *
 * Cost and reference: see the header. Memory: the consensus, 16 m B bytes a
 * feature of the panel, and 8 m B. */
#include "balans/algo/correct.h"

#include <math.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "consensus.h"

enum { STRIP = 64 }; /* features of a landmark's consensus at a time */

static const double prior = 0.3, least = 1e-12;

/* A correction under way. */
typedef struct work {
    bal_consensus p;
    const bal_correct_params *par;
    double *weight; /* [m, groups] of an affinity: q / t */
    double *shift;  /* [groups, room] Dbar; trust only */
    double *move2;
} work;

static bal_size groups_of(const bal_correct_params *par)
{
    return par->form == BAL_RESIDUAL ? par->parts->groups : 1;
}

static bal_status allot(work *w)
{
    const bal_parts *parts = w->par->parts;
    const bal_trust *trust = w->par->trust;
    bal_size groups = w->p.groups;
    bal_status st =
        bal_alloc(&w->weight, parts->m * groups, "the correction");

    if (bal_failed(st))
        return st;
    for (bal_size l = 0; l < parts->m; l++)
        for (bal_size g = 0; g < groups; g++)
            w->weight[l * groups + g] =
                (trust != NULL ? trust->q[l * groups + g] : 1) / parts->sum[l];
    w->p.weight = w->p.divisor = w->weight;
    return BAL_OK;
}

static void release(work *w)
{
    bal_consensus_finish(&w->p);
    bal_free(&w->weight);
    bal_free(&w->shift);
}

/* ---- Between up and down ---- */

/* mu(l) takes the place of the sums of row l. */
static void set_mean(const work *w, bal_size l)
{
    double *row = bal_consensus_row(&w->p, l);

    for (bal_size f = 0; f < w->p.count; f++)
        row[f] = bal_consensus_sum(&w->p, l, f) / w->par->parts->sum[l];
}

/* Delta(l, .) takes the place of the sums of landmark l, for features from ..
 * from + count - 1. */
static void set_steps(const work *w, bal_size l, bal_size from, bal_size count)
{
    bal_size groups = w->p.groups, first = l * groups;
    const double *weight = w->par->parts->weight + first;
    const double *omega =
        w->par->trust != NULL ? w->par->trust->omega + first : NULL;
    double g[STRIP] = {0}, sum = 0;

    for (bal_size b = 0; b < groups; b++) {
        double *row = bal_consensus_row(&w->p, first + b) + from;
        double part = weight[b] * (omega != NULL ? omega[b] : 1);
        if (!(weight[b] > 0))
            continue;
        sum += part;
        for (bal_size f = 0; f < count; f++) {
            row[f] = bal_consensus_sum(&w->p, first + b, from + f) / weight[b];
            g[f] += part * row[f];
        }
    }
    for (bal_size b = 0; b < groups; b++) {
        double *row = bal_consensus_row(&w->p, first + b) + from;
        for (bal_size f = 0; f < count; f++)
            row[f] = weight[b] > 0 ? g[f] / sum - row[f] : 0;
    }
}

/* Dbar(b) = sum_l q W Delta / sum_l q W, in canonical order. */
static void set_shift(const work *w, bal_size b)
{
    bal_size groups = w->p.groups;
    double *shift = w->shift + b * w->p.room, sum = 0;

    memset(shift, 0, (size_t)w->p.room * sizeof *shift);
    for (bal_size l = 0; l < w->p.a->m; l++) {
        const double *row = bal_consensus_row(&w->p, l * groups + b);
        double part = w->weight[l * groups + b] *
                      w->par->parts->weight[l * groups + b];
        sum += part;
        for (bal_size f = 0; f < w->p.count; f++)
            shift[f] += part * row[f];
    }
    for (bal_size f = 0; f < w->p.count; f++)
        shift[f] = sum > 0 ? shift[f] / sum : 0;
}

static void prepare_means(work *w)
{
#pragma omp parallel for schedule(static) num_threads(w->p.threads)
    for (bal_size l = 0; l < w->p.a->m; l++)
        set_mean(w, l);
}

static void prepare_steps(work *w)
{
#pragma omp parallel for schedule(static) num_threads(w->p.threads)
    for (bal_size l = 0; l < w->p.a->m; l++)
        for (bal_size f = 0; f < w->p.count; f += STRIP)
            set_steps(w, l, f,
                      w->p.count - f < STRIP ? w->p.count - f : STRIP);
    if (w->par->trust == NULL)
        return;
#pragma omp parallel for schedule(static) num_threads(w->p.threads)
    for (bal_size b = 0; b < w->p.groups; b++)
        set_shift(w, b);
}

/* ---- What a point does with what comes down ---- */

static void set_value(const work *w, const bal_arrival *a, bal_size f,
                      double value)
{
    float old = a->x[f];

    a->x[f] = (float)value;
    if (w->move2 != NULL) {
        double step = (double)a->x[f] - (double)old;
        w->move2[a->point] += step * step;
    }
}

static void take_mean(const void *self, const bal_arrival *a)
{
    const work *w = self;
    double share = w->par->blend;

    if (!(a->rho > 0))
        return;
    for (bal_size f = 0; f < a->count; f++) {
        double mean = a->acc[f] / a->den;
        set_value(w, a, f,
                  share < 1 ? (1 - share) * (double)a->x[f] + share * mean
                            : mean);
    }
}

static void take_step(const void *self, const bal_arrival *a)
{
    const work *w = self;

    if (!(a->rho > 0))
        return;
    for (bal_size f = 0; f < a->count; f++)
        set_value(w, a, f, (double)a->x[f] + a->acc[f] / a->den);
}

static void take_trusted(const void *self, const bal_arrival *a)
{
    const work *w = self;
    const double *shift = w->shift + w->p.a->batch[a->point] * w->p.room +
                          (a->first - w->p.first);
    double share = prior * a->rho, den = a->den + share;

    if (!(a->rho > 0) && w->par->keep_uncovered)
        return;
    for (bal_size f = 0; f < a->count; f++)
        set_value(w, a, f,
                  (double)a->x[f] +
                      (den > least ? (a->acc[f] + share * shift[f]) / den
                                   : shift[f]));
}

static bal_verdict correct_panels(work *w)
{
    bool residual = w->par->form == BAL_RESIDUAL;
    bal_arrive *take = !residual               ? take_mean
                       : w->par->trust != NULL ? take_trusted
                                               : take_step;
    bal_verdict st = {BAL_OK};

    for (bal_size f = 0; f < w->p.x->d; f += w->p.room) {
        BAL_TRY(bal_pause(w->p.comm));
        BAL_TRY(bal_consensus_load(&w->p, f));
        if (residual)
            prepare_steps(w);
        else
            prepare_means(w);
        BAL_TRY(bal_consensus_spread(&w->p, take, w, true));
    }
done:
    return st;
}

bal_verdict bal_correct(bal_comm *c, const bal_affinity *a, bal_blocks *x,
                        const bal_correct_params *par, float *most,
                        double *move2)
{
    bool shifts = par->form == BAL_RESIDUAL && par->trust != NULL;
    work w = {
        .p = {.comm = c, .a = a, .x = x, .threads = par->threads,
              .groups = groups_of(par), .sum = par->parts->sum,
              .longest = (double)par->parts->longest, .most = most},
        .par = par,
        .move2 = move2,
    };
    bal_verdict st;

    if (move2 != NULL)
        memset(move2, 0, (size_t)x->m * sizeof *move2);
    BAL_TRY(bal_consensus_init(&w.p, par->memory, 8));
    BAL_TRY(bal_agree(c, allot(&w)));
    BAL_TRY(bal_agree(c, bal_alloc(&w.shift,
                                   shifts ? w.p.groups * w.p.room : 0,
                                   "the correction")));
    BAL_TRY(correct_panels(&w));
done:
    release(&w);
    return st;
}

bal_verdict bal_correct_bounds(bal_comm *c, bal_blocks *x, float *most)
{
    bal_sweep s = bal_sweep_begin(x);

    memset(most, 0, (size_t)x->d * sizeof *most);
    while (bal_sweep_next(&s)) {
        bal_size rows = x->start[s.to] - x->start[s.from];
        for (bal_size i = 0; i < rows; i++)
            for (bal_size f = 0; f < x->d; f++) {
                float size = fabsf(s.rows[i * x->d + f]);
                most[f] = size > most[f] ? size : most[f];
            }
    }
    bal_comm_max_f32(c, most, x->d);
    return bal_agree(c, s.status);
}
