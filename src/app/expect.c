/* From trials of the sampler on parts of the sample to what all points need.
 *
 * Two quantities grow smoothly where the number of landmarks, which hangs on
 * when the sampler happens to stop, does not:
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
 * Both lines are fitted to the trials, larger ones counting more. Where trials
 * have all that a batch needs for its k, and differ in the number of batches,
 * v = 0: rows are as long as they are. The range has the slope b between
 * SLOPE_LOW and SLOPE_HIGH times what was fitted - STEEPER where the trials are
 * of fewer points a batch with the run's k, so that their rows see less of the
 * structure - v off by BEND either way, and a factor for chance, the larger the
 * more trials scatter. The form is empirical: it was chosen on
 * synthetic files of 2,000 to 5,000,000 points and holds for fixed k and for k
 * as a share; docs/forecast.md compares it with runs.
 *
 * Cost: nothing. */
#include <math.h>

#include "forecast.h"

#define SLOPE_LOW  0.75
#define SLOPE_MID  1.0
#define SLOPE_HIGH 1.4
#define STEEPER    1.25
#define BEND       0.02
#define CHANCE     1.4
#define THIN       2.5 /* more of it, where batches are thinned below their k */
#define LENGTH     1.15 /* of rows, where their number is fixed */

/* A straight line y = at + slope x, and how far points are from it. */
typedef struct line {
    double at, slope, off;
} line;

/* Weighted least squares; the slope stays between `low` and `high`. */
static line fit(const double *x, const double *y, const double *w, int n,
                double low, double high)
{
    double sw = 0, sx = 0, sy = 0, sxx = 0, sxy = 0, off = 0;
    line l = {0};

    for (int i = 0; i < n; i++) {
        sw += w[i];
        sx += w[i] * x[i];
        sy += w[i] * y[i];
    }
    for (int i = 0; i < n; i++) {
        sxx += w[i] * (x[i] - sx / sw) * (x[i] - sx / sw);
        sxy += w[i] * (x[i] - sx / sw) * (y[i] - sy / sw);
    }
    l.slope = sxx > 0 ? fmin(fmax(sxy / sxx, low), high) : low;
    l.at = (sy - l.slope * sx) / sw;
    for (int i = 0; i < n; i++)
        off += w[i] * pow(y[i] - l.at - l.slope * x[i], 2);
    l.off = sqrt(off / sw);
    return l;
}

static double value(line l, double x)
{
    return l.at + l.slope * x;
}

/* Points of a batch. */
static double depth(double n, double batches)
{
    return log2(n / batches);
}

typedef struct fitted {
    line cover, share;     /* of log2 of points, and of points of a batch */
    double top, top_depth; /* of the largest trial, on these axes */
    double extended;       /* share of the landmarks */
} fitted;

static fitted fit_trials(const bal_pilot *p)
{
    double n[BAL_TRIALS_MOST], nb[BAL_TRIALS_MOST], c[BAL_TRIALS_MOST],
        f[BAL_TRIALS_MOST], w[BAL_TRIALS_MOST];
    const bal_trial *last = &p->trial[p->trials - 1];
    fitted r = {0};

    for (int i = 0; i < p->trials; i++) {
        const bal_trial *t = &p->trial[i];
        double m = (double)t->n, e = (double)t->report.entries;
        n[i] = log2(m);
        nb[i] = depth(m, (double)t->batches);
        c[i] = sqrt(e / m);
        f[i] = log2(e / m / (double)t->report.landmarks);
        w[i] = m;
    }
    r.cover = fit(n, c, w, p->trials, 0, INFINITY);
    r.share = p->by_batch ? fit(nb, f, w, p->trials, 0, 0)
                          : fit(nb, f, w, p->trials, -1, 0.1);
    r.share.at += log2(p->stretch);
    r.top = log2((double)last->n);
    r.top_depth = depth((double)last->n, (double)last->batches);
    r.extended = (double)last->report.extended / (double)last->report.landmarks;
    return r;
}

static void known(const bal_pilot *p, bal_expected *e)
{
    const bal_sample_report *r = &p->trial[p->trials - 1].report;
    double m = (double)r->landmarks, entries = (double)r->entries;

    e->exact = true;
    e->landmarks = (bal_guess){m, m, m};
    e->entries = (bal_guess){entries, entries, entries};
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
    bal_guess *g = &e->entries;

    limit(most, &e->landmarks.low, &g->low);
    limit(most, &e->landmarks.mid, &g->mid);
    limit(most, &e->landmarks.high, &g->high);
    if (limited) {
        g->low = fmin(g->low, g->mid / LENGTH);
        g->high = fmax(g->high, g->mid * LENGTH);
    }
    g->low = fmin(g->low, g->mid);
    g->high = fmax(g->high, g->mid);
}

static void guess(const bal_job *j, const bal_pilot *p, const fitted *r,
                  bal_expected *e)
{
    double n = (double)j->info.n;
    double x = log2(n) - r->top;
    double y = depth(n, (double)j->labels->count) - r->top_depth;
    double at = fmax(value(r->cover, r->top), 1);
    double scatter = (p->thin ? THIN : 1) * (CHANCE + 2 * r->cover.off / at);
    bool shorter = !p->by_batch && j->par->neighbors.k > 0;
    double more = (shorter ? STEEPER : 1) * r->cover.slope * x;
    double low = fmax(at + SLOPE_LOW * more, 1);
    double mid = fmax(at + SLOPE_MID * more, 1);
    double high = fmax(at + SLOPE_HIGH * more, 1);
    double f = exp2(value(r->share, r->top_depth + y));
    double bend = exp2(BEND * fabs(y));

    e->entries = (bal_guess){n * fmax(low * low / scatter, 1), n * mid * mid,
                             n * high * high * scatter};
    f = fmin(fmax(f, 1 / n), 1);
    e->landmarks =
        (bal_guess){e->entries.low / n / f / bend, e->entries.mid / n / f,
                    e->entries.high / n / f * bend};
}

double bal_expect_rows(const bal_params *par, double m, double extended,
                       int width)
{
    double blocks = ceil((m - extended) / (double)par->block);
    double most = (double)par->max_landmarks;

    if (par->landmarks > 0 || (most > 0 && m >= most))
        return m;
    blocks += fmin(ceil(blocks / 8), width);
    return blocks * (double)par->block + 1.15 * extended;
}

/* Blocks in flight: rows of those before must fit a quarter of the work space
 * (algo/sampler). */
static int limit_width(const bal_job *j, const bal_expected *e, int ranks,
                       int width)
{
    double row = 8 * e->entries.mid / e->landmarks.mid / ranks;
    double fit = (double)j->memory / 4 / ((row + 8) * (double)j->par->block);

    return fit < width ? (fit > 1 ? (int)fit : 1) : width;
}

/* Where the number of landmarks falls decides how many blocks are begun. The
 * most over what it may be: a job that was given too much time is better than
 * one cut off. */
static double likely_rows(const bal_job *j, const bal_expected *e,
                          double extended)
{
    enum { STEPS = 11 };
    double most = 0;

    for (int i = 0; i < STEPS; i++) {
        double m = e->landmarks.mid * exp2(0.1 * (i - STEPS / 2));
        most =
            fmax(most, bal_expect_rows(j->par, m, extended * m, e->width) / m);
    }
    return e->landmarks.mid * most;
}

/* A number of landmarks is what was asked for, or all points. */
static void count_all(double wanted, double n, bal_expected *e)
{
    double m = n <= 1.5 * wanted ? n : wanted;
    bal_guess *g = &e->entries;

    g->low *= m / e->landmarks.low;
    g->mid *= m / e->landmarks.mid;
    g->high *= m / e->landmarks.high;
    e->landmarks = (bal_guess){m, m, m};
    g->low = fmin(g->low, g->mid / LENGTH);
    g->high = fmax(g->high, g->mid * LENGTH);
}

void bal_expect(const bal_job *j, const bal_pilot *p, int ranks, int width,
                bal_expected *e)
{
    fitted r = fit_trials(p);
    const bal_sample_report *last = &p->trial[p->trials - 1].report;
    double n = (double)j->info.n, most = (double)j->par->max_landmarks;

    *e = (bal_expected){0};
    if (p->whole)
        known(p, e);
    else
        guess(j, p, &r, e);
    limit_all(n, e);
    if (j->par->landmarks > 0 && !p->whole)
        count_all((double)j->par->landmarks, n, e);
    if (most > 0)
        limit_all(most, e);
    e->width = limit_width(j, e, ranks, width);
    if (p->whole && e->width >= last->in_flight)
        e->rows = (double)last->rows;
    else
        e->rows = likely_rows(j, e, r.extended);
}
