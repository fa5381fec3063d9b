/* Coverage of points by the landmarks of each batch would be n x B numbers, so
 * it is made tile by tile and used at once: a tile belongs to one batch a, and
 * what is summed over its points is asked for by landmarks of a alone.
 *
 *     first pass    V(i,.)  = sum over j in a of A_ij c(j,.)
 *     second pass   V2(i,.) = sum over j in a of A_ij c'(j,.),
 *                   c'(j,.) = sum over i in a of R_ij v(i,.) / sum of R_ij
 *
 * Strict takes the same from c weighted by the covering landmark's kappa.
 * Memory: 16 m B bytes and BAL_TILE B a thread, for one sum at a time.
 * Reference: docs/algorithm.md, section 6. */
#include "balans/algo/trust.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/par/agree.h"
#include "balans/par/sum.h"

static const char what[] = "the trust between batches";

/* ---- Coverage, as the landmarks see it ---- */

typedef struct work {
    bal_comm *c;
    const bal_affinity *a;
    const bal_layout *l;
    const bal_parts *parts;
    const float *s2;
    bal_size m, batches;
    bal_size *own;    /* [m] the landmark's batch */
    bal_size *number; /* [B] landmarks of each batch */
    double *kappa;    /* [m, B] */
    bal_fixed *sum;   /* [m, B] */
    double *v, *v2;   /* [m, B] coverage seen once, and twice */
    double *vw2;      /* [m, B] weighted, strict only */
    double *mean;     /* [B, B] over the landmarks of a batch */
    double *point;    /* [BAL_TILE, B] */
    double *rho;      /* [BAL_TILE] */
    double *part;     /* [B] */
} work;

static bal_status allot(work *w, bool strict)
{
    bal_size all = w->m * w->batches;
    bal_status st;

    BAL_TRY(bal_alloc(&w->own, w->m, what));
    BAL_TRY(bal_alloc(&w->number, w->batches, what));
    BAL_TRY(bal_alloc(&w->kappa, all, what));
    BAL_TRY(bal_alloc(&w->sum, all, what));
    BAL_TRY(bal_alloc(&w->v, all, what));
    BAL_TRY(bal_alloc(&w->v2, all, what));
    BAL_TRY(bal_alloc(&w->vw2, strict ? all : 0, what));
    BAL_TRY(bal_alloc(&w->mean, w->batches * w->batches, what));
    BAL_TRY(bal_alloc(&w->point, BAL_TILE * w->batches, what));
    BAL_TRY(bal_alloc(&w->rho, BAL_TILE, what));
    BAL_TRY(bal_alloc(&w->part, w->batches, what));
done:
    return st;
}

static void release(work *w)
{
    bal_free(&w->own);
    bal_free(&w->number);
    bal_free(&w->kappa);
    bal_free(&w->sum);
    bal_free(&w->v);
    bal_free(&w->v2);
    bal_free(&w->vw2);
    bal_free(&w->mean);
    bal_free(&w->point);
    bal_free(&w->rho);
    bal_free(&w->part);
}

/* min(1, x)^power without pow, whose bits depend on the library. */
static double limited_power(double x, int power)
{
    double y = x < 1 ? x : 1, z = y;

    for (; power > 1; power /= 2)
        z *= z;
    return z;
}

/* How near each other batch is beside the nearest other one. */
static void compete(work *w, bool strict)
{
    for (bal_size i = 0; i < w->m; i++) {
        const float *s2 = w->s2 + i * w->batches;
        double *kappa = w->kappa + i * w->batches, near = (double)INFINITY;
        for (bal_size b = 0; b < w->batches; b++)
            if (b != w->own[i] && s2[b] > 0 && (double)s2[b] < near)
                near = (double)s2[b];
        for (bal_size b = 0; b < w->batches; b++)
            kappa[b] =
                b != w->own[i] && w->batches > 2 && s2[b] > 0
                    ? limited_power(1.1 * near / (double)s2[b], strict ? 8 : 4)
                    : 1;
    }
}

/* c(j, beta) of a tile's points, weighted by kappa of the tile's batch if
 * `weighted`. */
static void cover_tile(work *w, bal_size t, bool weighted)
{
    const bal_affinity *a = w->a;
    bal_size B = w->batches;

    memset(w->point, 0, (size_t)(w->l->tile[t].m * B) * sizeof *w->point);
    for (bal_size r = a->run_first[t]; r < a->run_first[t + 1]; r++) {
        bal_size i = a->run[r].landmark, end = bal_run_end(a, t, r);
        double k = weighted ? w->kappa[i * B + w->l->tile[t].batch] : 1;
        for (bal_size e = bal_run_first(a, t, r); e < end; e++)
            w->point[a->row[e] * B + w->own[i]] += (double)a->value[e] * k;
    }
}

/* c'(j, beta) of a tile's points from what its batch's landmarks saw. */
static void spread_tile(work *w, bal_size t, const double *seen)
{
    const bal_affinity *a = w->a;
    bal_size B = w->batches;
    int m = w->l->tile[t].m;

    memset(w->point, 0, (size_t)(m * B) * sizeof *w->point);
    memset(w->rho, 0, (size_t)m * sizeof *w->rho);
    for (bal_size r = a->run_first[t]; r < a->run_first[t + 1]; r++) {
        bal_size i = a->run[r].landmark, end = bal_run_end(a, t, r);
        if (w->own[i] != w->l->tile[t].batch)
            continue;
        for (bal_size e = bal_run_first(a, t, r); e < end; e++) {
            double share = (double)a->value[e] / w->parts->sum[i];
            double *point = w->point + a->row[e] * B;
            w->rho[a->row[e]] += share;
            for (bal_size b = 0; b < B; b++)
                point[b] += share * seen[i * B + b];
        }
    }
    for (int j = 0; j < m; j++)
        for (bal_size b = 0; b < B && w->rho[j] > 0; b++)
            w->point[j * B + b] /= w->rho[j];
}

/* Adds A_ij point(j, .) of a tile to the sums of its batch's landmarks. */
static void see_tile(work *w, bal_size t, const bal_scale *scale)
{
    const bal_affinity *a = w->a;
    bal_size B = w->batches;

    for (bal_size r = a->run_first[t]; r < a->run_first[t + 1]; r++) {
        bal_size i = a->run[r].landmark, end = bal_run_end(a, t, r);
        if (w->own[i] != w->l->tile[t].batch)
            continue;
        memset(w->part, 0, (size_t)B * sizeof *w->part);
        for (bal_size e = bal_run_first(a, t, r); e < end; e++)
            for (bal_size b = 0; b < B; b++)
                w->part[b] += (double)a->value[e] * w->point[a->row[e] * B + b];
        for (bal_size b = 0; b < B; b++)
            bal_fixed_add(&w->sum[i * B + b], scale, w->part[b]);
    }
}

/* out(i, .) = mean over the landmark's own batch of coverage (seen = NULL), or
 * of what the landmarks of that batch have seen of it. */
static void see(work *w, const double *seen, bool weighted, double *out)
{
    bal_size B = w->batches;
    /* An entry is at most 1, so a point's coverage is at most m. */
    bal_scale scale = bal_scale_for((double)w->parts->longest * (double)w->m,
                                    w->l->all_tiles);

    memset(w->sum, 0, (size_t)(w->m * B) * sizeof *w->sum);
    for (bal_size t = 0; t < w->a->count; t++) {
        if (seen == NULL)
            cover_tile(w, t, weighted);
        else
            spread_tile(w, t, seen);
        see_tile(w, t, &scale);
        bal_alive();
    }
    bal_fixed_reduce(w->c, w->sum, w->m * B);
    for (bal_size i = 0; i < w->m; i++) {
        double own = w->parts->weight[i * B + w->own[i]];
        for (bal_size b = 0; b < B; b++)
            out[i * B + b] =
                own > 0 ? bal_fixed_value(w->sum[i * B + b], &scale) / own : 0;
    }
}

/* Means over the landmarks of each batch, in canonical order. */
static void average(work *w, const double *v)
{
    bal_size B = w->batches;

    memset(w->mean, 0, (size_t)(B * B) * sizeof *w->mean);
    for (bal_size i = 0; i < w->m; i++)
        for (bal_size b = 0; b < B; b++)
            w->mean[w->own[i] * B + b] += v[i * B + b];
    for (bal_size a = 0; a < B; a++)
        for (bal_size b = 0; b < B && w->number[a] > 0; b++)
            w->mean[a * B + b] /= (double)w->number[a];
}

/* ---- Trust ---- */

static double ratio(double v, double mean)
{
    return v / fmax(mean, 1e-300);
}

/* How much of what could be expected of `seen` landmark i sees of batch b,
 * beside what it sees of its own; w->mean is that of seen. `null` is the
 * latter. */
static double seen_share(const work *w, const double *seen, bal_size i,
                         bal_size b, double null)
{
    return ratio(seen[i * w->batches + b],
                 w->mean[w->own[i] * w->batches + b]) /
           null;
}

/* null(i) = max(v2(i,a) / v2bar(a,a), 1e-12); w->mean is that of v2. */
static void find_nulls(const work *w, double *null)
{
    for (bal_size i = 0; i < w->m; i++) {
        bal_size a = w->own[i], B = w->batches;
        null[i] = fmax(ratio(w->v2[i * B + a], w->mean[a * B + a]), 1e-12);
    }
}

static int by_share(const void *a, const void *b)
{
    const bal_pair_share *x = a, *y = b;

    if (x->share != y->share)
        return x->share > y->share ? -1 : 1;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

/* Keeps a pair if it is among those that share least. */
static void tell_pair(bal_trust *t, bal_pair_share pair)
{
    if (t->told == BAL_PAIRS_TOLD &&
        by_share(&pair, &t->least[t->told - 1]) >= 0)
        return;
    if (t->told < BAL_PAIRS_TOLD)
        t->told++;
    t->least[t->told - 1] = pair;
    qsort(t->least, (size_t)t->told, sizeof *t->least, by_share);
}

static bal_status count_unseen(work *w, const double *null, bal_trust *t)
{
    bal_size B = w->batches;
    int64_t *unseen = NULL;
    bal_status st = bal_alloc(&unseen, B * B, what);

    if (bal_failed(st))
        return st;
    for (bal_size i = 0; i < w->m; i++)
        for (bal_size b = 0; b < B; b++) {
            if (b == w->own[i])
                continue;
            t->pairs++;
            unseen[w->own[i] * B + b] +=
                seen_share(w, w->v2, i, b, null[i]) < 0.5;
        }
    for (bal_size a = 0; a < B; a++)
        for (bal_size b = 0; b < B; b++) {
            if (unseen[a * B + b] == 0)
                continue;
            t->unseen += unseen[a * B + b];
            tell_pair(t, (bal_pair_share){a, b,
                                          (double)unseen[a * B + b] /
                                              (double)w->number[a]});
        }
    bal_free(&unseen);
    return st;
}

/* omega from kappa and coverage; w->mean is that of the coverage meant. */
static void believe(work *w, bool strict, const double *null, bal_trust *t)
{
    bal_size B = w->batches;

    for (bal_size i = 0; i < w->m; i++)
        for (bal_size b = 0; b < B; b++) {
            double *omega = &t->omega[i * B + b];
            double mean = w->mean[w->own[i] * B + b];
            *omega = w->kappa[i * B + b];
            if (mean > 0 && strict)
                *omega *= limited_power(
                    seen_share(w, w->vw2, i, b, null[i]) / 0.8, 8);
            else if (mean > 0)
                *omega *= limited_power(2 * w->v[i * B + b] / mean, 2);
            if (b == w->own[i])
                *omega = 1;
            if (!(w->parts->weight[i * B + b] > 0))
                *omega = 0;
        }
}

static void weigh(bal_trust *t)
{
    bal_size B = t->batches;

    for (bal_size i = 0; i < t->m; i++) {
        const double *omega = t->omega + i * B;
        double sum = 0;
        for (bal_size b = 0; b < B; b++)
            sum += omega[b];
        for (bal_size b = 0; b < B; b++) {
            double others = fmax(sum - omega[b], 0);
            t->q[i * B + b] = omega[b] * (others < 1 ? others : 1);
        }
    }
}

static bal_status make(const work *w, bal_trust **out, double **null)
{
    bal_trust *t = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&t, 1, what));
    *out = t;
    t->m = w->m;
    t->batches = w->batches;
    BAL_TRY(bal_alloc(&t->omega, w->m * w->batches, what));
    BAL_TRY(bal_alloc(&t->q, w->m * w->batches, what));
    BAL_TRY(bal_alloc(null, w->m, what));
done:
    return st;
}

static void number_batches(work *w, const bal_gidx *landmark)
{
    for (bal_size i = 0; i < w->m; i++) {
        w->own[i] = bal_layout_batch(w->l, landmark[i]);
        w->number[w->own[i]]++;
    }
}

/* vw2 overwrites what was seen once, which strict does not need. */
static void see_all(work *w, bool strict)
{
    see(w, NULL, false, w->v);
    see(w, w->v, false, w->v2);
    if (!strict)
        return;
    see(w, NULL, true, w->v);
    see(w, w->v, false, w->vw2);
}

bal_verdict bal_trust_create(bal_comm *c, bal_trusting form,
                             const bal_affinity *by_tile, const bal_layout *l,
                             const bal_parts *parts, const float *s2,
                             const bal_gidx *landmark, bal_trust **out)
{
    work w = {.c = c,
              .a = by_tile,
              .l = l,
              .parts = parts,
              .s2 = s2,
              .m = by_tile->m,
              .batches = l->batches};
    bool strict = form == BAL_TRUST_STRICT;
    bal_trust *t = NULL;
    double *null = NULL;
    bal_status mine = allot(&w, strict);
    bal_verdict st;

    *out = NULL;
    if (!bal_failed(mine))
        mine = make(&w, &t, &null);
    BAL_TRY(bal_agree(c, mine));
    number_batches(&w, landmark);
    compete(&w, strict);
    see_all(&w, strict);
    average(&w, w.v2);
    find_nulls(&w, null);
    BAL_TRY(bal_agree(c, count_unseen(&w, null, t)));
    if (strict)
        average(&w, w.v2); /* the reference of vw2 as well */
    else
        average(&w, w.v);
    believe(&w, strict, null, t);
    weigh(t);
    *out = t;
    t = NULL;
done:
    bal_trust_destroy(&t);
    bal_free(&null);
    release(&w);
    return st;
}

void bal_trust_destroy(bal_trust **t)
{
    if (*t == NULL)
        return;
    bal_free(&(*t)->omega);
    bal_free(&(*t)->q);
    bal_free(t);
}

double bal_trust_unseen(const bal_trust *t)
{
    return t->pairs > 0 ? (double)t->unseen / (double)t->pairs : 0;
}

void bal_trust_between(const bal_trust *t, const bal_layout *l,
                       const bal_gidx *landmark, double *mean)
{
    bal_size B = t->batches;

    for (bal_size a = 0; a < B; a++) {
        bal_size number = 0;
        memset(mean + a * B, 0, (size_t)B * sizeof *mean);
        for (bal_size i = 0; i < t->m; i++) {
            if (bal_layout_batch(l, landmark[i]) != a)
                continue;
            number++;
            for (bal_size b = 0; b < B; b++)
                mean[a * B + b] += t->omega[i * B + b];
        }
        for (bal_size b = 0; b < B && number > 0; b++)
            mean[a * B + b] /= (double)number;
    }
}
