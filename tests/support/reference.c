/*
 * Rows of A, the elbow, and the sampler, straight from their definitions.
 * Cost: O(n p) a row, O(n) a draw, m n doubles for A.
 */
#include "reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/rng.h"
#include "balans/kernel/affinity.h"

enum { BINS = 1024 };

void *ref_new(int64_t count, int64_t size)
{
    void *p = calloc(count > 0 ? (size_t)count : 1, (size_t)size);

    if (p == NULL) {
        fprintf(stderr, "reference: no memory\n");
        abort();
    }
    return p;
}

static int64_t *new_int(int64_t count)
{
    return ref_new(count, (int64_t)sizeof(int64_t));
}

static double *new_real(int64_t count)
{
    return ref_new(count, (int64_t)sizeof(double));
}

ref_params ref_params_default(void)
{
    return (ref_params){.exact32 = true,
                        .k = 10,
                        .block = 50,
                        .patience = 20,
                        .first_pass = 1,
                        .rcond = 0.1,
                        .passes = 1};
}

static double distance(const ref_data *x, int64_t i, int64_t j, bool exact32)
{
    const float *u = x->z + i * x->p, *v = x->z + j * x->p;
    float narrow = 0;
    double wide = 0;

    for (int64_t f = 0; f < x->p; f++) {
        float step = v[f] - u[f];
        double exact = (double)v[f] - (double)u[f];
        narrow = fmaf(step, step, narrow);
        wide += exact * exact;
    }
    return exact32 ? (double)narrow : wide;
}

static int compare_real(const void *a, const void *b)
{
    double x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* k or, if larger, the least whole number that is not below share * size, where
 * a product such as 0.07 * 100 counts as the whole number it stands for. */
static int64_t neighbours(const ref_params *par, int64_t size)
{
    double product = par->share * (double)size;
    double whole = round(product);

    if (fabs(product - whole) > 1e-9 * whole)
        whole = ceil(product);
    whole = whole < 1 ? 1 : whole;
    return par->k > (int64_t)whole ? par->k : (int64_t)whole;
}

static double scale_of_batch(const ref_data *x, const ref_params *par,
                             int64_t i, int batch, const double *d2)
{
    double *near = new_real(x->n);
    int64_t others = 0, size = 0, k;
    double s2 = NAN;

    for (int64_t j = 0; j < x->n; j++) {
        if (x->batch[j] != batch)
            continue;
        size++;
        if (j != i)
            near[others++] = d2[j];
    }
    k = neighbours(par, size);
    if (k > others)
        k = others;
    qsort(near, (size_t)others, sizeof *near, compare_real);
    if (k > 0)
        s2 = near[k - 1];
    free(near);
    return s2;
}

static double affinity(double d2, double s2, bool exact32)
{
    if (exact32)
        return (double)bal_affinity_at((float)d2, (float)s2);
    if (s2 > 0)
        return exp(-d2 / s2);
    return d2 > 0 ? 0 : 1;
}

static bool is_gated(const ref_data *x, const ref_params *par, int64_t i,
                     int batch, const double *s2)
{
    double own = s2[x->batch[i]];

    if (!(par->gate > 0) || batch == x->batch[i] || isnan(own) || !(own > 0))
        return false;
    return s2[batch] > par->gate * own;
}

static double edge(int64_t h, bool exact32)
{
    if (exact32)
        return (double)bal_affinity_edges()[h];
    return 0.001 + (double)h * (1 - 0.001) / BINS;
}

static int64_t reaching(const double *a, int64_t n, double threshold)
{
    int64_t count = 0;

    for (int64_t j = 0; j < n; j++)
        count += a[j] >= threshold;
    return count;
}

int64_t ref_elbow_score(const double *a, int64_t n, int64_t h, bool exact32)
{
    int64_t all = reaching(a, n, edge(0, exact32));
    int64_t right = reaching(a, n, edge(h, exact32));

    return (all - right) * BINS - h * all;
}

/* What lies below the first edge plays no part, so it is left out first. */
static int64_t elbow(const double *a, int64_t n, bool exact32)
{
    double *seen = new_real(n);
    int64_t count = 0, best = 0, most = 0;

    for (int64_t j = 0; j < n; j++)
        if (a[j] >= edge(0, exact32))
            seen[count++] = a[j];
    for (int64_t h = 0; h < BINS; h++) {
        int64_t score = ref_elbow_score(seen, count, h, exact32);
        if (score >= most) {
            most = score;
            best = h;
        }
    }
    free(seen);
    return best;
}

static void sparsify(const ref_data *x, const ref_params *par, int64_t i,
                     ref_row *r)
{
    r->bin = -1;
    if (!par->scale) {
        r->bin = elbow(r->a, x->n, par->exact32);
        r->threshold = edge(r->bin, par->exact32);
    }
    for (int64_t j = 0; j < x->n; j++) {
        int b = x->batch[j];
        bool stays = r->a[j] >= r->threshold;
        if (par->scale)
            stays = j == i ||
                    (!is_gated(x, par, i, b, r->s2) && r->d2[j] <= r->s2[b]);
        r->kept[j] = stays ? r->a[j] : 0;
        r->count += stays;
    }
}

ref_row *ref_row_create(const ref_data *x, const ref_params *par, int64_t i)
{
    ref_row *r = ref_new(1, sizeof *r);

    r->d2 = new_real(x->n);
    r->s2 = new_real(x->batches);
    r->a = new_real(x->n);
    r->kept = new_real(x->n);
    for (int64_t j = 0; j < x->n; j++)
        r->d2[j] = distance(x, i, j, par->exact32);
    for (int b = 0; b < x->batches; b++)
        r->s2[b] = scale_of_batch(x, par, i, b, r->d2);
    for (int b = 0; b < x->batches; b++)
        r->gated += is_gated(x, par, i, b, r->s2);
    for (int64_t j = 0; j < x->n; j++) {
        int b = x->batch[j];
        if (j == i)
            r->a[j] = 1;
        else if (!is_gated(x, par, i, b, r->s2))
            r->a[j] = affinity(r->d2[j], r->s2[b], par->exact32);
    }
    sparsify(x, par, i, r);
    return r;
}

void ref_row_destroy(ref_row **r)
{
    if (*r == NULL)
        return;
    free((*r)->d2);
    free((*r)->s2);
    free((*r)->a);
    free((*r)->kept);
    free(*r);
    *r = NULL;
}

/* What the sampler carries from step to step. */
typedef struct state {
    const ref_data *x;
    const ref_params *par;
    uint32_t pass;
    ref_sample *out;
    bool *covered;    /* [n] */
    bool *landmark;   /* [n] */
    int64_t *c_block; /* [n], sums of round(a 2^20) over the block's rows */
    int64_t dry;      /* rows in succession that covered nothing new */
} state;

/* The item number `item` of a running total of weights. */
static int64_t find_item(const uint64_t *weight, int64_t n, uint64_t item)
{
    for (int64_t j = 0; j < n; j++) {
        if (item < weight[j])
            return j;
        item -= weight[j];
    }
    abort();
}

static int64_t draw(state *s, int64_t q, int64_t t)
{
    int64_t n = s->x->n, at;
    uint64_t *weight = ref_new(n, (int64_t)sizeof *weight), total = 0, r;

    for (int64_t j = 0; j < n; j++)
        total += weight[j] = s->c_block[j] == 0;
    if (total == 0) {
        s->out->weighted++;
        for (int64_t j = 0; j < n; j++)
            total += weight[j] = (UINT64_C(1) << 40) / (uint64_t)s->c_block[j];
    }
    r = bal_rng_u64(s->par->seed, s->pass, (uint32_t)q, (uint32_t)t, 0);
    at = find_item(weight, n, bal_rng_below(r, total));
    free(weight);
    return at;
}

static void accept(state *s, int64_t i, const ref_row *r)
{
    ref_sample *out = s->out;
    int64_t n = s->x->n;
    double *a = new_real((out->m + 1) * n);
    int64_t *landmark = new_int(out->m + 1);

    for (int64_t e = 0; e < out->m * n; e++)
        a[e] = out->a[e];
    for (int64_t l = 0; l < out->m; l++)
        landmark[l] = out->landmark[l];
    for (int64_t j = 0; j < n; j++) {
        a[out->m * n + j] = r->kept[j];
        out->coverage[j] += r->kept[j];
        s->covered[j] = s->covered[j] || r->kept[j] > 0;
    }
    landmark[out->m] = i;
    free(out->a);
    free(out->landmark);
    out->a = a;
    out->landmark = landmark;
    out->m++;
    s->landmark[i] = true;
}

static bool is_full(const state *s)
{
    return s->par->max_landmarks > 0 && s->out->m >= s->par->max_landmarks;
}

/* Landmarks wanted, or fewer if that is the limit; 0 = no number is. */
static int64_t wanted(const ref_params *par)
{
    int64_t most = par->max_landmarks;

    return par->landmarks > 0 && most > 0 && most < par->landmarks
               ? most
               : par->landmarks;
}

static bool has_enough(const state *s)
{
    return wanted(s->par) > 0 && s->out->m >= wanted(s->par);
}

static void step(state *s, int64_t q, int64_t t)
{
    int64_t n = s->x->n, i = draw(s, q, t), news = 0;
    ref_row *r = ref_row_create(s->x, s->par, i);

    for (int64_t j = 0; j < n; j++) {
        s->c_block[j] += (int64_t)round(r->kept[j] * 1048576.0);
        news += r->kept[j] > 0 && !s->covered[j];
    }
    s->out->rows++;
    s->dry = news > 0 ? 0 : s->dry + 1;
    if (s->landmark[i])
        s->out->repeats++;
    else
        accept(s, i, r);
    ref_row_destroy(&r);
}

/* Whether sampling ends with this block. */
static bool run_block(state *s, int64_t q)
{
    bool patient = true;

    for (int64_t j = 0; j < s->x->n; j++)
        s->c_block[j] = 0;
    for (int64_t t = 0; t < s->par->block; t++) {
        step(s, q, t);
        if (is_full(s) || has_enough(s))
            return true;
        patient = patient && s->dry < s->par->patience;
    }
    return !patient && wanted(s->par) == 0;
}

/* The point among those that count which comes first in the random order, -1
 * without one. */
static int64_t next_of(const state *s, const bool *counts)
{
    int64_t best = -1;
    uint64_t least = 0;

    for (int64_t j = 0; j < s->x->n; j++) {
        uint64_t row = (uint64_t)s->x->row[j];
        uint64_t r = bal_rng_u64(s->par->seed, s->pass, 0xFFFFFFFFu,
                                 (uint32_t)row, (uint32_t)(row >> 32));
        bool first = best < 0 || r < least ||
                     (r == least && s->x->row[j] < s->x->row[best]);
        if (counts[j] && first) {
            best = j;
            least = r;
        }
    }
    return best;
}

static void add(state *s, int64_t i)
{
    ref_row *r = ref_row_create(s->x, s->par, i);

    accept(s, i, r);
    ref_row_destroy(&r);
}

static int64_t next_uncovered(const state *s)
{
    bool *open = ref_new(s->x->n, (int64_t)sizeof *open);

    for (int64_t j = 0; j < s->x->n; j++)
        open[j] = !s->covered[j];
    int64_t next = next_of(s, open);
    free(open);
    return next;
}

static void extend(state *s)
{
    for (int64_t i = next_uncovered(s); i >= 0 && !is_full(s);
         i = next_uncovered(s)) {
        add(s, i);
        s->out->extended++;
    }
}

/* The next point of a batch with less than five landmarks that is none. */
static int64_t next_lacking(const state *s)
{
    int64_t *has = new_int(s->x->batches);
    bool *open = ref_new(s->x->n, (int64_t)sizeof *open);

    for (int64_t j = 0; j < s->x->n; j++)
        has[s->x->batch[j]] += s->landmark[j];
    for (int64_t j = 0; j < s->x->n; j++)
        open[j] = !s->landmark[j] && has[s->x->batch[j]] < 5;
    int64_t next = next_of(s, open);
    free(open);
    free(has);
    return next;
}

static void fill(state *s)
{
    if (5 * s->x->batches > 4000)
        return;
    for (int64_t i = next_lacking(s); i >= 0 && !is_full(s);
         i = next_lacking(s)) {
        add(s, i);
        s->out->filled++;
    }
}

static void draw_all(state *s)
{
    int64_t n = s->x->n, most = s->par->max_landmarks, m = wanted(s->par);

    if (m > 0 && (double)n <= 1.5 * (double)m && (most == 0 || n <= most)) {
        for (int64_t i = 0; i < n; i++)
            add(s, i);
        return;
    }
    while (!run_block(s, s->out->blocks++))
        ;
    if (m > 0)
        fill(s);
    else if (!s->par->keep)
        extend(s);
}

ref_sample *ref_sample_create(const ref_data *x, const ref_params *par,
                              uint32_t pass)
{
    ref_sample *out = ref_new(1, sizeof *out);
    state s = {.x = x, .par = par, .pass = pass, .out = out};

    s.covered = ref_new(x->n, (int64_t)sizeof *s.covered);
    s.landmark = ref_new(x->n, (int64_t)sizeof *s.landmark);
    s.c_block = new_int(x->n);
    out->n = x->n;
    out->coverage = new_real(x->n);
    draw_all(&s);
    for (int64_t j = 0; j < x->n; j++)
        out->uncovered += !s.covered[j];
    free(s.covered);
    free(s.landmark);
    free(s.c_block);
    return out;
}

void ref_sample_destroy(ref_sample **s)
{
    if (*s == NULL)
        return;
    free((*s)->landmark);
    free((*s)->a);
    free((*s)->coverage);
    free(*s);
    *s = NULL;
}
