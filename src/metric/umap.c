/* The layout of UMAP: edges pull their ends together, as often as they are
 * heavy, and each pull lets the end be pushed away by a few random points.
 *
 *     pull  = -2 a b d^(2b-2) / (1 + a d^2b) (y_i - y_j)
 *     push  =  2 b / ((0.001 + d^2) (1 + a d^2b)) (y_i - y_j)
 *
 * each coordinate cut off at +-4, times a step that falls from 1 to 0.  a and b
 * are those of a least distance of 0.1.
 *
 * igraph has this layout too, and it is not used: its releases up to 0.10.2,
 * which Debian 12 has, take seconds for a thousand points and leave kinds of
 * points unparted that are far apart. */
#include "balans/metric/umap.h"

#include <math.h>

#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "balans/base/watch.h"
#include "edges.h"

static const double A = 1.577, B = 0.8951, CUT = 4, NEAR = 0.001;
static const double SPREAD = 10, WIDE = 2.5; /* standard deviations */

enum { PUSHES = 5, MANY = 10000, EPOCHS_FEW = 500, EPOCHS_MANY = 200 };

/* Counted from the first place, so that equal ones have no deviation at all. */
void bal_umap_begin(double *xy, bal_size n)
{
    for (int f = 0; f < 2; f++) {
        double mean = 0, square = 0, scale, first = xy[f];
        for (bal_size i = 0; i < n; i++)
            mean += (xy[2 * i + f] - first) / (double)n;
        for (bal_size i = 0; i < n; i++) {
            double v = xy[2 * i + f] - first - mean;
            square += v * v / (double)n;
        }
        scale = square > 0 ? SPREAD / (WIDE * sqrt(square)) : 0;
        for (bal_size i = 0; i < n; i++) {
            double v = scale * (xy[2 * i + f] - first - mean);
            xy[2 * i + f] = fmin(fmax(v, -SPREAD), SPREAD);
        }
    }
}

static double cut(double v)
{
    return v > CUT ? CUT : v < -CUT ? -CUT : v;
}

static void pull(double *i, double *j, double step)
{
    double x = i[0] - j[0], y = i[1] - j[1], d2 = x * x + y * y, power, by;

    if (d2 <= 0)
        return;
    power = pow(d2, B);
    by = -2 * A * B * power / d2 / (1 + A * power);
    x = step * cut(by * x);
    y = step * cut(by * y);
    i[0] += x;
    i[1] += y;
    j[0] -= x;
    j[1] -= y;
}

static void push(double *i, const double *j, double step)
{
    double x = i[0] - j[0], y = i[1] - j[1], d2 = x * x + y * y;
    double by = 2 * B / ((NEAR + d2) * (1 + A * pow(d2, B)));

    i[0] += step * cut(by * x);
    i[1] += step * cut(by * y);
}

/* The layout going on. */
typedef struct work {
    bal_edge *edge;
    double *due; /* [edges] the epoch that pulls next */
    bal_size edges, n;
    double heaviest;
    uint64_t seed;
    double *xy;
} work;

/* Both ends of an edge are pushed in turn, by points drawn for the epoch. */
static void move(work *w, bal_size e, int epoch, double step)
{
    double *end[2] = {w->xy + 2 * w->edge[e].a, w->xy + 2 * w->edge[e].b};

    pull(end[0], end[1], step);
    for (uint32_t i = 0; i < PUSHES; i++) {
        uint64_t r = bal_rng_u64(w->seed, (uint32_t)e, (uint32_t)(e >> 32),
                                 (uint32_t)epoch, i);
        uint64_t other = bal_rng_below(r, (uint64_t)w->n);
        push(end[epoch % 2], w->xy + 2 * other, step);
    }
}

static void run(work *w)
{
    int epochs = w->n > MANY ? EPOCHS_MANY : EPOCHS_FEW;

    for (int epoch = 0; epoch < epochs; epoch++) {
        double step = 1 - (double)epoch / epochs;
        for (bal_size e = 0; e < w->edges; e++) {
            double wait = w->heaviest / w->edge[e].w;
            if (w->due[e] > epoch || wait > epochs)
                continue;
            w->due[e] += wait;
            move(w, e, epoch, step);
        }
        bal_alive();
        bal_progress("layout, %d %%", 100 * (epoch + 1) / epochs);
    }
}

/* Places that are equal would never part. */
static void part(work *w)
{
    for (bal_size i = 0; i < 2 * w->n; i++) {
        uint64_t r =
            bal_rng_u64(w->seed, (uint32_t)i, (uint32_t)(i >> 32), 0, PUSHES);
        w->xy[i] +=
            1e-3 * ((double)(r >> 11) / (double)(UINT64_C(1) << 53) - 0.5);
    }
}

bal_status bal_umap(const bal_knn *g, const double *weight, uint64_t seed,
                    double *xy)
{
    work w = {.n = g->m, .seed = seed, .xy = xy};
    bal_status st;

    BAL_TRY(bal_take(&w.edge, g->m * g->k, "the edges of a graph"));
    w.edges = bal_edges_list(g, g->k, weight, 0, w.edge);
    w.edges = bal_edges_unite(w.edge, w.edges);
    BAL_TRY(bal_alloc(&w.due, w.edges, "the edges of a graph"));
    for (bal_size e = 0; e < w.edges; e++)
        w.heaviest = fmax(w.heaviest, w.edge[e].w);
    part(&w);
    run(&w);
done:
    bal_free(&w.edge);
    bal_free(&w.due);
    return st;
}
