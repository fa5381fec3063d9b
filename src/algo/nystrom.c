/* Smoothing by the Nystrom form of the affinities: Xhat = D^-1 A^T W^+ A X.
 *
 * The sums A X and A 1 come from the panel, one row a landmark, exact and the
 * same on every rank; W^+ turns them, the column of A 1 like a feature, and
 * what results is handed to the points: the weight's column becomes D_jj.
 *
 * X is corrected in place and a point falls back as a whole, so the first round
 * over the panels only finds out who does. If one panel holds all features, the
 * second round goes on with what the first one made.
 *
 * Cost: see the header. Memory: 32 m^2 / ranks bytes for the decomposition,
 * later 8 m^2 / ranks and 48 m bytes a feature of a panel.
 * Reference: arXiv 2601.22331, section 3; docs/algorithm.md. */
#include "balans/algo/nystrom.h"

#include <math.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/linalg/pinv.h"
#include "balans/par/agree.h"
#include "balans/par/exchange.h"
#include "panel.h"

static const double least_sum = 1e-6, slack = 1e-6;

struct bal_nystrom {
    const bal_csr *a;
    bal_pinv *inverse;
    uint8_t *falls; /* [points of this rank] whether each falls back */
    bal_nystrom_report report;
};

bal_verdict bal_range_find(bal_comm *c, const bal_shard *x, bal_range *out)
{
    bal_verdict st;
    bal_status mine;

    *out = (bal_range){.d = x->d};
    mine = bal_alloc(&out->low, x->d, "the range of the features");
    if (!bal_failed(mine))
        mine = bal_alloc(&out->high, x->d, "the range of the features");
    BAL_TRY(bal_agree(c, mine));
    for (bal_size f = 0; f < x->d; f++) {
        out->low[f] = INFINITY;
        out->high[f] = -INFINITY;
    }
    for (bal_lidx j = 0; j < x->m; j++) {
        if (j % BAL_TILE == 0)
            bal_alive();
        const float *row = x->at + (bal_size)j * x->d;
        for (bal_size f = 0; f < x->d; f++) {
            out->low[f] = fminf(out->low[f], row[f]);
            out->high[f] = fmaxf(out->high[f], row[f]);
        }
    }
    bal_comm_min_f32(c, out->low, x->d);
    bal_comm_max_f32(c, out->high, x->d);
done:
    return st;
}

void bal_range_finish(bal_range *r)
{
    bal_free(&r->low);
    bal_free(&r->high);
}

/* An affinity between two landmarks on its way to the rank that keeps it. */
typedef struct item {
    int32_t i, j;
    float value;
} item;

/* The landmarks among this rank's points: their number + 1, else 0. */
static void number_landmarks(const bal_csr *a, int32_t *number)
{
    bal_gidx first = a->layout->rank_first[a->layout->rank];

    for (bal_size i = 0; i < a->m; i++) {
        bal_gidx local = a->row[i].landmark - first;
        if (local >= 0 && local < a->layout->m)
            number[local] = (int32_t)i + 1;
    }
}

/* Calls of a rank with rows i .. end - 1: first with no items, to count those
 * for each rank, then to put them where at[rank] says. */
static void visit(const bal_nystrom *s, const int32_t *number, bal_size i,
                  bal_size end, bal_size *at, item *out)
{
    for (; i < end; i++) {
        const bal_csr_row *row = &s->a->row[i];
        for (bal_size e = 0; e < row->count; e++) {
            int32_t j = number[row->index[e]] - 1;
            if (j < 0)
                continue;
            bal_size *here = &at[bal_pinv_owner(s->inverse, i, j)];
            if (out != NULL)
                out[*here] = (item){(int32_t)i, j, row->value[e]};
            ++*here;
        }
    }
}

static bal_status pack(const bal_nystrom *s, const int32_t *number,
                       bal_size first, bal_size end, int ranks, bal_size *to,
                       bal_size *at, item **out)
{
    bal_size count = 0;

    for (int r = 0; r < ranks; r++)
        to[r] = 0;
    visit(s, number, first, end, to, NULL);
    for (int r = 0; r < ranks; r++) {
        at[r] = count;
        count += to[r];
    }
    bal_status st = bal_alloc(out, count, "the affinities between landmarks");
    if (!bal_failed(st))
        visit(s, number, first, end, at, *out);
    return st;
}

/* W gets half of every affinity, from either side; a_ii counts on both. */
static void add_items(bal_pinv *w, const item *got, bal_size count)
{
    for (bal_size e = 0; e < count; e++)
        bal_pinv_add(w, got[e].i, got[e].j,
                     (got[e].i == got[e].j ? 1 : 0.5) * (double)got[e].value);
}

typedef struct mail {
    int32_t *number;   /* [points of this rank] */
    bal_size *to, *at; /* [ranks] */
    bal_size *from;    /* [ranks] */
} mail;

static bal_status mail_create(const bal_nystrom *s, int ranks, mail *m)
{
    static const char what[] = "the affinities between landmarks";
    bal_status st;

    BAL_TRY(bal_alloc(&m->number, s->a->layout->m, what));
    BAL_TRY(bal_alloc(&m->to, ranks, what));
    BAL_TRY(bal_alloc(&m->at, ranks, what));
    BAL_TRY(bal_alloc(&m->from, ranks, what));
done:
    return st;
}

static void mail_finish(mail *m)
{
    bal_free(&m->number);
    bal_free(&m->to);
    bal_free(&m->at);
    bal_free(&m->from);
}

/* Sends rows first .. end - 1 of A_SS to where they belong. */
static bal_verdict send_rows(bal_comm *c, bal_nystrom *s, mail *m,
                             bal_size first, bal_size end)
{
    bal_verdict st;
    item *out = NULL;
    void *got = NULL;
    bal_size count = 0;

    BAL_TRY(bal_agree(
        c, pack(s, m->number, first, end, c->size, m->to, m->at, &out)));
    BAL_TRY(bal_exchange(c, out, m->to, sizeof *out, &got, m->from));
    for (int r = 0; r < c->size; r++)
        count += m->from[r];
    add_items(s->inverse, got, count);
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

static bal_verdict gather(bal_comm *c, bal_nystrom *s)
{
    bal_verdict st;
    mail m = {0};
    bal_size step = rows_at_once(s->a->m, c->size);

    BAL_TRY(bal_agree(c, mail_create(s, c->size, &m)));
    number_landmarks(s->a, m.number);
    for (bal_size i = 0; i < s->a->m; i += step) {
        bal_size end = i + step < s->a->m ? i + step : s->a->m;
        BAL_TRY(send_rows(c, s, &m, i, end));
    }
done:
    mail_finish(&m);
    return st;
}

static bal_status make(const bal_csr *a, bal_nystrom **out)
{
    bal_status st = bal_fault("invert");

    if (bal_failed(st))
        return st;
    BAL_TRY(bal_alloc(out, 1, "the affinities between landmarks"));
    (*out)->a = a;
    BAL_TRY(bal_alloc(&(*out)->falls, a->layout->m, "the correction"));
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

bal_verdict bal_nystrom_create(bal_comm *c, const bal_csr *a, double rcond,
                               bal_size memory, bal_nystrom **out)
{
    bal_verdict st;

    *out = NULL;
    BAL_TRY(bal_agree(c, make(a, out)));
    BAL_TRY(bal_pinv_create(c, a->m, memory, &(*out)->inverse));
    BAL_TRY(gather(c, *out));
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
typedef struct course {
    bal_nystrom *s;
    const bal_range *range;
    double *turned; /* [m, width] W^+ A [X 1] */
} course;

static const double *give_turned(const bal_panel *p, const void *self,
                                 bal_size l, double *room, double *weight)
{
    const course *t = self;

    (void)room;
    *weight = 1;
    return t->turned + l * p->width;
}

/* What counts is the float that would be stored: where the range is 0, or the
 * bits of a float wide, rounding in double is no way out of it. */
static bool leaves(const bal_range *range, bal_size f, double value)
{
    double low = (double)range->low[f], high = (double)range->high[f];
    double over = slack * (high - low), stored = (double)(float)value;

    return !(value >= low - over || stored >= low) ||
           !(value <= high + over || stored <= high);
}

static void take_note(const bal_panel *p, const void *self,
                      const bal_tile *tile, const double *point)
{
    const course *t = self;

    for (int j = 0; j < tile->m; j++) {
        const double *at = point + j * (p->width + 1);
        bool falls = !(at[p->count] > least_sum);
        if (!(at[p->width] > 0))
            continue;
        for (bal_size f = 0; f < p->count && !falls; f++)
            falls = leaves(t->range, p->first + f, at[f] / at[p->count]);
        if (falls)
            t->s->falls[tile->first + j] = 1;
    }
}

/* Stores those points of a tile that do or do not fall back, divided by column
 * `sum` of the `wide`. */
static void store(const bal_panel *p, const course *t, const bal_tile *tile,
                  bool falls, bal_size wide, const double *point)
{
    for (int j = 0; j < tile->m; j++) {
        const double *at = point + j * wide;
        bal_lidx local = tile->first + j;
        float *x = p->x->at + (bal_size)local * p->x->d + p->first;
        if (!(at[wide - 1] > 0) || (t->s->falls[local] != 0) != falls)
            continue;
        for (bal_size f = 0; f < p->count; f++)
            x[f] = (float)(at[f] / at[p->count]);
    }
}

static void take_turned(const bal_panel *p, const void *self,
                        const bal_tile *tile, const double *point)
{
    store(p, self, tile, false, p->width + 1, point);
}

static void take_smoothed(const bal_panel *p, const void *self,
                          const bal_tile *tile, const double *point)
{
    store(p, self, tile, true, p->width, point);
}

/* The sums of a panel, and what W^+ makes of them. */
static bal_verdict load(bal_panel *p, course *t, bal_size first)
{
    bal_verdict st = bal_pause(p->comm);

    if (bal_failed(st))
        return st;
    bal_panel_load(p, first);
    for (bal_size l = 0; l < p->a->m; l++)
        for (bal_size f = 0; f < p->width; f++)
            t->turned[l * p->width + f] = bal_panel_total(p, l, f);
    return bal_pinv_apply(p->comm, t->s->inverse, t->turned, p->width);
}

static void count_fallbacks(bal_comm *c, bal_nystrom *s)
{
    int64_t count = 0;

    for (bal_lidx j = 0; j < s->a->layout->m; j++)
        count += s->falls[j];
    bal_comm_sum_i64(c, &count, 1);
    s->report.fallbacks = count;
}

/* Round 1: nothing is written. */
static bal_verdict find_fallbacks(bal_panel *p, course *t)
{
    bal_handing h = {.give = give_turned, .take = take_note, .self = t};
    bal_verdict st = {BAL_OK};

    for (bal_lidx j = 0; j < p->layout->m; j++)
        t->s->falls[j] = 0;
    for (bal_size f = 0; f < p->x->d; f += p->room) {
        BAL_TRY(load(p, t, f));
        h.columns = p->width;
        bal_panel_hand(p, bal_run_all(p->layout), &h);
    }
    count_fallbacks(p->comm, t->s);
done:
    return st;
}

static void write_panel(bal_panel *p, const course *t)
{
    const bal_handing turned = {p->width, give_turned, take_turned, t};
    const bal_handing smoothed = {p->count, bal_panel_give_mean, take_smoothed,
                                  t};
    bal_run all = bal_run_all(p->layout);

    bal_panel_hand(p, all, &turned);
    if (t->s->report.fallbacks == 0)
        return;
    bal_panel_means(p);
    bal_panel_hand(p, all, &smoothed);
}

/* Round 2. */
static bal_verdict write_panels(bal_panel *p, course *t)
{
    bool loaded = t->range != NULL && p->room >= p->x->d;
    bal_verdict st = {BAL_OK};

    for (bal_size f = 0; f < p->x->d; f += p->room) {
        if (!loaded)
            BAL_TRY(load(p, t, f));
        write_panel(p, t);
    }
done:
    return st;
}

static bal_verdict correct(bal_panel *p, course *t)
{
    bal_verdict st;

    BAL_TRY(bal_agree(p->comm, bal_alloc(&t->turned, p->a->m * (p->room + 1),
                                         "the correction")));
    if (t->range != NULL)
        BAL_TRY(find_fallbacks(p, t));
    BAL_TRY(write_panels(p, t));
done:
    bal_free(&t->turned);
    return st;
}

bal_verdict bal_nystrom_correct(bal_comm *c, bal_nystrom *s,
                                const bal_range *range, bal_size memory,
                                int threads, bal_shard *x)
{
    bal_verdict st;
    bal_panel p;
    course t = {.s = s, .range = range};
    bal_size m = s->a->m;

    BAL_TRY(bal_panel_init(c, s->a, x,
                           memory - bal_pinv_memory_after(m, c->size) -
                               bal_pinv_apply_memory(m, BAL_NB, c->size),
                           24 * m, threads, &p));
    st = correct(&p, &t);
done:
    bal_panel_finish(&p);
    return st;
}
