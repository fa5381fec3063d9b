/* Smoothing by the Nystrom form of the affinities: Xhat = D^-1 A^T W^+ A X.
 *
 * The sums A X are exact and the same on every rank (consensus.h), and so is
 * A 1; W^+ turns both, and what results goes to the points: W^+ A 1 becomes
 * D_jj.
 *
 * X is corrected in place and a point falls back as a whole, so the first round
 * over the panels only finds out who does. If one panel holds all features, the
 * second round goes on with what the first one made.
 *
 * Cost: see the header. Memory: 32 m^2 / ranks bytes for the decomposition,
 * later 8 m^2 / ranks and 32 m bytes a feature of a panel.
 * Reference: arXiv 2601.22331, section 3; docs/algorithm.md. */
#include "balans/algo/nystrom.h"

#include <string.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/linalg/pinv.h"
#include "balans/par/agree.h"
#include "balans/par/exchange.h"
#include "consensus.h"

static const double least_sum = 1e-6, slack = 1e-6;

struct bal_nystrom {
    bal_size m;
    bal_pinv *inverse;
    uint8_t *falls; /* [rows of X on this rank] whether each falls back */
    bal_size points;
    bal_nystrom_report report;
};

/* An affinity between two landmarks on its way to the rank that keeps it. */
typedef struct item {
    int32_t i, j;
    float value;
} item;

/* A_SS on its way to the ranks that keep W. */
typedef struct gathering {
    const bal_affinity *a; /* by tile */
    bal_pinv *inverse;
    int ranks;
    int32_t *number;          /* [points] number + 1 of a landmark, else 0 */
    bal_size *to, *at, *from; /* [ranks] */
} gathering;

static void number_landmarks(const bal_layout *l, const bal_gidx *landmark,
                             bal_size m, int32_t *number)
{
    for (bal_size i = 0; i < m; i++) {
        bal_gidx local = landmark[i] - l->rank_first[l->rank];
        if (local >= 0 && local < l->m)
            number[local] = (int32_t)i + 1;
    }
}

/* Calls of a rank with rows i .. end - 1: first with no items, to count those
 * for each rank, then to put them where at[rank] says. */
static void visit(const gathering *g, bal_size i, bal_size end, bal_size *at,
                  item *out)
{
    const bal_affinity *a = g->a;

    for (bal_size t = 0; t < a->count; t++) {
        bal_size r = bal_affinity_run_from(a, t, i);
        for (; r < a->run_first[t + 1] && a->run[r].landmark < end; r++) {
            for (bal_size e = bal_run_first(a, t, r);
                 e < bal_run_end(a, t, r); e++) {
                int32_t j = g->number[a->start[t] + a->row[e]] - 1;
                if (j < 0)
                    continue;
                bal_size *here =
                    &at[bal_pinv_owner(g->inverse, a->run[r].landmark, j)];
                if (out != NULL)
                    out[*here] = (item){a->run[r].landmark, j, a->value[e]};
                ++*here;
            }
        }
    }
}

static bal_status pack(const gathering *g, bal_size first, bal_size end,
                       item **out)
{
    bal_size count = 0;

    for (int r = 0; r < g->ranks; r++)
        g->to[r] = 0;
    visit(g, first, end, g->to, NULL);
    for (int r = 0; r < g->ranks; r++) {
        g->at[r] = count;
        count += g->to[r];
    }
    bal_status st = bal_alloc(out, count, "the affinities between landmarks");
    if (!bal_failed(st))
        visit(g, first, end, g->at, *out);
    return st;
}

/* W gets half of every affinity, from either side; a_ii counts on both. */
static void add_items(bal_pinv *w, const item *got, bal_size count)
{
    for (bal_size e = 0; e < count; e++)
        bal_pinv_add(w, got[e].i, got[e].j,
                     (got[e].i == got[e].j ? 1 : 0.5) * (double)got[e].value);
}

static bal_status gathering_create(const bal_layout *l, gathering *g)
{
    static const char what[] = "the affinities between landmarks";
    bal_status st;

    BAL_TRY(bal_alloc(&g->number, l->m, what));
    BAL_TRY(bal_alloc(&g->to, l->size, what));
    BAL_TRY(bal_alloc(&g->at, l->size, what));
    BAL_TRY(bal_alloc(&g->from, l->size, what));
done:
    return st;
}

static void gathering_finish(gathering *g)
{
    bal_free(&g->number);
    bal_free(&g->to);
    bal_free(&g->at);
    bal_free(&g->from);
}

/* Sends rows first .. end - 1 of A_SS to where they belong. */
static bal_verdict send_rows(bal_comm *c, gathering *g, bal_size first,
                             bal_size end)
{
    bal_verdict st;
    item *out = NULL;
    void *got = NULL;
    bal_size count = 0;

    BAL_TRY(bal_agree(c, pack(g, first, end, &out)));
    BAL_TRY(bal_exchange(c, out, g->to, sizeof *out, &got, g->from));
    for (int r = 0; r < c->size; r++)
        count += g->from[r];
    add_items(g->inverse, got, count);
done:
    bal_free(&out);
    bal_mem_free(&got);
    return st;
}

/* Rows of A_SS that can be on their way at once: even if all end on one rank,
 * as many bytes as W takes later while it is decomposed. */
static bal_size rows_at_once(bal_size m, int ranks)
{
    bal_size rows =
        bal_pinv_memory(m, ranks) / (4 * (bal_size)sizeof(item) * m);
    bal_size most = INT32_MAX / m;

    rows = rows < most ? rows : most;
    return rows > 1 ? rows : 1;
}

static bal_verdict gather(bal_comm *c, const bal_affinity *a,
                          const bal_layout *l, const bal_gidx *landmark,
                          bal_pinv *inverse)
{
    bal_verdict st;
    gathering g = {.a = a, .inverse = inverse, .ranks = c->size};
    bal_size step = rows_at_once(a->m, c->size);

    BAL_TRY(bal_agree(c, gathering_create(l, &g)));
    number_landmarks(l, landmark, a->m, g.number);
    for (bal_size i = 0; i < a->m; i += step)
        BAL_TRY(send_rows(c, &g, i, i + step < a->m ? i + step : a->m));
done:
    gathering_finish(&g);
    return st;
}

static bal_status make(bal_size m, bal_size points, bal_nystrom **out)
{
    bal_status st = bal_fault("invert");

    if (bal_failed(st))
        return st;
    BAL_TRY(bal_alloc(out, 1, "the affinities between landmarks"));
    (*out)->m = m;
    (*out)->points = points;
    BAL_TRY(bal_alloc(&(*out)->falls, points, "the correction"));
done:
    return st;
}

static void tell(bal_nystrom *s)
{
    const bal_pinv *p = s->inverse;

    s->report = (bal_nystrom_report){
        .landmarks = p->m,
        .kept = p->kept,
        .largest = p->value[p->m - 1],
        .smallest = p->value[0],
        .negative = (double)p->negative / (double)p->m,
    };
}

bal_verdict bal_nystrom_create(bal_comm *c, const bal_affinity *by_tile,
                               const bal_layout *l, const bal_gidx *landmark,
                               bal_size points, double rcond, bal_size memory,
                               bal_nystrom **out)
{
    bal_verdict st;

    *out = NULL;
    BAL_TRY(bal_agree(c, make(by_tile->m, points, out)));
    BAL_TRY(bal_pinv_create(c, by_tile->m, memory, &(*out)->inverse));
    BAL_TRY(gather(c, by_tile, l, landmark, (*out)->inverse));
    BAL_TRY(bal_pinv_solve(c, (*out)->inverse, rcond));
    tell(*out);
done:
    if (bal_failed(st))
        bal_nystrom_destroy(out);
    return st;
}

void bal_nystrom_destroy(bal_nystrom **s)
{
    if (*s == NULL)
        return;
    bal_pinv_destroy(&(*s)->inverse);
    bal_free(&(*s)->falls);
    bal_free(s);
}

bal_nystrom_report bal_nystrom_told(const bal_nystrom *s)
{
    return s->report;
}

/* A correction under way. */
typedef struct work {
    bal_consensus p;
    bal_nystrom *s;
    const float *low, *high; /* [d] the range in the input, or NULL */
    double *turned;  /* [m, room] W^+ A X ... */
    double *divisor; /* [m] ... and W^+ A 1 */
    double *one;     /* [m] */
    double *share;   /* [m] 1 / t */
    double *sums;    /* [m, room] A X */
} work;

/* What counts is the float that would be stored: where the range is 0, or the
 * bits of a float wide, rounding in double is no way out of it. */
static bool leaves(const work *w, bal_size f, double value)
{
    double low = (double)w->low[f], high = (double)w->high[f];
    double over = slack * (high - low), stored = (double)(float)value;

    return !(value >= low - over || stored >= low) ||
           !(value <= high + over || stored <= high);
}

static void take_note(const void *self, const bal_arrival *a)
{
    const work *w = self;
    bool falls = !(a->den > least_sum);

    if (!(a->rho > 0))
        return;
    for (bal_size f = 0; f < a->count && !falls; f++)
        falls = leaves(w, a->first + f, a->acc[f] / a->den);
    if (falls)
        w->s->falls[a->point] = 1;
}

/* Those points that do or do not fall back. */
static void take_value(const work *w, const bal_arrival *a, bool falls)
{
    if (!(a->rho > 0) || (w->s->falls[a->point] != 0) != falls)
        return;
    for (bal_size f = 0; f < a->count; f++)
        a->x[f] = (float)(a->acc[f] / a->den);
}

static void take_turned(const void *self, const bal_arrival *a)
{
    take_value(self, a, false);
}

static void take_smoothed(const void *self, const bal_arrival *a)
{
    take_value(self, a, true);
}

/* Puts `what` [m, count] into the table. */
static void set_rows(work *w, const double *what)
{
    for (bal_size l = 0; l < w->s->m; l++)
        memcpy(bal_consensus_row(&w->p, l), what + l * w->p.count,
               (size_t)w->p.count * sizeof *what);
}

/* The sums of a panel, and what W^+ makes of them. */
static bal_verdict load(work *w, bal_size first)
{
    bal_verdict st = bal_pause(w->p.comm);
    bal_size count;

    if (bal_failed(st))
        return st;
    BAL_TRY(bal_consensus_load(&w->p, first));
    count = w->p.count;
    for (bal_size l = 0; l < w->s->m; l++)
        for (bal_size f = 0; f < count; f++)
            w->sums[l * count + f] = w->turned[l * count + f] =
                bal_consensus_sum(&w->p, l, f);
    BAL_TRY(bal_pinv_apply(w->p.comm, w->s->inverse, w->turned, count));
done:
    return st;
}

static bal_verdict spread_turned(work *w, bal_arrive *take, bool keep)
{
    set_rows(w, w->turned);
    w->p.weight = w->one;
    w->p.divisor = w->divisor;
    return bal_consensus_spread(&w->p, take, w, keep);
}

static bal_verdict spread_smoothed(work *w)
{
    bal_size count = w->p.count;

    for (bal_size l = 0; l < w->s->m; l++)
        for (bal_size f = 0; f < count; f++)
            w->sums[l * count + f] *= w->share[l];
    set_rows(w, w->sums);
    w->p.weight = w->p.divisor = w->share;
    return bal_consensus_spread(&w->p, take_smoothed, w, true);
}

/* Round 1: nothing is written. */
static bal_verdict find_fallbacks(work *w)
{
    bal_nystrom *s = w->s;
    int64_t count = 0;
    bal_verdict st = {BAL_OK};

    memset(s->falls, 0, (size_t)s->points);
    for (bal_size f = 0; f < w->p.x->d; f += w->p.room) {
        BAL_TRY(load(w, f));
        BAL_TRY(spread_turned(w, take_note, false));
    }
    for (bal_size j = 0; j < s->points; j++)
        count += s->falls[j];
    bal_comm_sum_i64(w->p.comm, &count, 1);
    s->report.fallbacks = count;
done:
    return st;
}

/* Round 2. */
static bal_verdict write_panels(work *w)
{
    bool loaded = w->low != NULL && w->p.room >= w->p.x->d;
    bal_verdict st = {BAL_OK};

    for (bal_size f = 0; f < w->p.x->d; f += w->p.room) {
        if (!loaded)
            BAL_TRY(load(w, f));
        BAL_TRY(spread_turned(w, take_turned, true));
        if (w->s->report.fallbacks > 0)
            BAL_TRY(spread_smoothed(w));
    }
done:
    return st;
}

static bal_status allot(work *w)
{
    bal_size m = w->s->m;
    bal_status st;

    BAL_TRY(bal_alloc(&w->turned, m * w->p.room, "the correction"));
    BAL_TRY(bal_alloc(&w->sums, m * w->p.room, "the correction"));
    BAL_TRY(bal_alloc(&w->divisor, m, "the correction"));
    BAL_TRY(bal_alloc(&w->one, m, "the correction"));
    BAL_TRY(bal_alloc(&w->share, m, "the correction"));
    for (bal_size l = 0; l < m; l++) {
        w->divisor[l] = w->p.sum[l];
        w->one[l] = 1;
        w->share[l] = 1 / w->p.sum[l];
    }
done:
    return st;
}

bal_verdict bal_nystrom_correct(bal_comm *c, bal_nystrom *s,
                                const bal_affinity *a, const bal_parts *parts,
                                const float *low, const float *high,
                                bal_size memory, int threads, float *most,
                                bal_blocks *x)
{
    bal_size m = s->m;
    work w = {
        .p = {.comm = c, .a = a, .x = x, .threads = threads, .groups = 1,
              .sum = parts->sum, .longest = (double)parts->longest,
              .most = most},
        .s = s,
        .low = low,
        .high = high,
    };
    bal_verdict st;

    /* Half of what is left is for the sums before and after W^+. */
    memory -= bal_pinv_memory_after(m, c->size) +
              bal_pinv_apply_memory(m, BAL_NB, c->size) + 24 * m;
    BAL_TRY(bal_consensus_init(&w.p, memory / 2, 0));
    BAL_TRY(bal_agree(c, allot(&w)));
    BAL_TRY(bal_pinv_apply(c, s->inverse, w.divisor, 1));
    if (low != NULL)
        BAL_TRY(find_fallbacks(&w));
    BAL_TRY(write_panels(&w));
done:
    bal_free(&w.turned);
    bal_free(&w.sums);
    bal_free(&w.divisor);
    bal_free(&w.one);
    bal_free(&w.share);
    bal_consensus_finish(&w.p);
    return st;
}
