/* A structured Gaussian mixture seen through batches.
 *
 * Clusters live in q = min(20, ceil(d / 2)) hidden dimensions and come in about
 * sqrt(K) families: the hidden place of cluster c of family f is
 *     h_c = sqrt(1 - a) g_f + sqrt(a) g_c,
 * and its mean is mu_c = M A h_c / sqrt(q), M = 1 + 3 sqrt(10 / max(d, 10)),
 * with a loading matrix A [d, q]; all g and A are standard normal.  A point of
 * cluster c is
 *     t = mu_c + s_c (g + v u_c),
 * s_c the spread of the cluster, u_c [d] a direction of its own, v one normal
 * number for the point and g [d] one for each feature.  Batch b measures
 *     x = shift_b + scale_b * t + noise_b g',
 * shift_b = S B z_b / sqrt(r) with loadings B [d, r] in r = min(10, d) hidden
 * dimensions, scale_b log-normal for each feature, noise_b log-normal.  Where
 * batches are nested in sources, z_b + 2 y_s takes the place of z_b, with y_s
 * normal and the same in all batches of a source.  Wild points get a large
 * number of random sign added to each feature.
 *
 * A point's batch is uniform, its cluster follows log-normal weights among
 * those that are in the batch.  A batch lacks the same number of clusters as
 * any other: each cluster has one home batch, where it always is; the rest of a
 * batch is a random choice.  Where labels are confounded with batches, a share
 * of the points is then moved to the home of its cluster.
 *
 * Every number is Philox under the seed at (purpose, block of four features,
 * index), so it depends on nothing but these; normal numbers by Box and Muller
 * from 32-bit uniforms, with the logarithm and sine of the C library: bits are
 * those of one such library.
 *
 * Cost of a point: 2 d normal numbers, some 15 ns each.
 * Reference: Box, Muller, "A note on the generation of random normal deviates",
 * Annals of Mathematical Statistics 29 (1958); choice of clusters in a batch:
 * Knuth, The Art of Computer Programming, vol. 2, section 3.4.2, algorithm
 * S. */
#include "mixture.h"

#include <math.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"

/* First words of the counter; the sampler uses small ones with the same key. */
enum {
    DRAW_POINT = 0x53494d00,
    DRAW_WILD,
    DRAW_SPREAD,
    DRAW_ALONG,
    DRAW_NOISE,
    DRAW_ACCIDENT,
    DRAW_FAMILY,
    DRAW_PLACE,
    DRAW_LOADING,
    DRAW_STRETCH,
    DRAW_CLUSTER,
    DRAW_HOME,
    DRAW_CHOICE,
    DRAW_SHIFT,
    DRAW_SHIFT_LOADING,
    DRAW_SCALE,
    DRAW_BATCH,
    DRAW_MOVE,
    DRAW_SOURCE,
};

enum { HIDDEN_MOST = 20, SHIFT_HIDDEN_MOST = 10 };

static const double mean_least = 1.0, mean_more = 3.0; /* M */
static const double own_share = 0.35;                  /* a */
static const double stretch_size = 0.5;                /* of u_c, against g */
static const double spread_range = 0.15; /* s_c: of its logarithm */
static const double weight_range = 0.6;  /* of the logarithm of the weights */
static const double shift_size = 1.5;    /* S */
static const double source_size = 2.0;   /* of y_s, against z_b */
static const double scale_range = 0.15;  /* of the logarithm */
static const double noise_size = 0.4, noise_range = 0.3;
static const double accident_size = 30.0;

static const double two_pi = 6.283185307179586476925;

static double uniform(uint32_t word)
{
    return ((double)word + 0.5) * 0x1p-32;
}

/* Four standard normal numbers, at most 6.8. */
static void normals(const bal_mixture_params *par, uint32_t purpose,
                    bal_size block, bal_gidx index, double out[4])
{
    const uint32_t key[2] = {(uint32_t)par->seed, (uint32_t)(par->seed >> 32)};
    const uint32_t counter[4] = {purpose, (uint32_t)block, (uint32_t)index,
                                 (uint32_t)(index >> 32)};
    uint32_t word[4];

    bal_philox(key, counter, word);
    for (int i = 0; i < 4; i += 2) {
        double length = sqrt(-2.0 * log(uniform(word[i])));
        double angle = two_pi * uniform(word[i + 1]);
        out[i] = length * cos(angle);
        out[i + 1] = length * sin(angle);
    }
}

static void normal_vector(const bal_mixture_params *par, uint32_t purpose,
                          bal_gidx index, double *out, bal_size n)
{
    double four[4];

    for (bal_size i = 0; i < n; i++) {
        if (i % 4 == 0)
            normals(par, purpose, i / 4, index, four);
        out[i] = four[i % 4];
    }
}

static uint64_t draw(const bal_mixture_params *par, uint32_t purpose,
                     bal_size part, bal_gidx index)
{
    return bal_rng_u64(par->seed, purpose, (uint32_t)part, (uint32_t)index,
                       (uint32_t)(index >> 32));
}

/* ---- Clusters ---- */

static bal_size hidden(const bal_mixture_params *par)
{
    bal_size half = (par->d + 1) / 2;

    return half < HIDDEN_MOST ? half : HIDDEN_MOST;
}

/* Distances grow with the root of d by themselves. */
static double mean_size(const bal_mixture_params *par)
{
    return mean_least +
           mean_more * sqrt(10.0 / (double)(par->d > 10 ? par->d : 10));
}

static bal_size families(const bal_mixture_params *par)
{
    return (bal_size)ceil(sqrt((double)par->clusters));
}

/* size * loadings times place / sqrt(q), into one row. */
static void unfold(const double *loading, const double *place, bal_size q,
                   double size, float *row, bal_size d)
{
    double unit = size / sqrt((double)q);

    for (bal_size j = 0; j < d; j++) {
        double sum = 0;
        for (bal_size i = 0; i < q; i++)
            sum += loading[j * q + i] * place[i];
        row[j] = (float)(unit * sum);
    }
}

static bal_status draw_loadings(const bal_mixture_params *par, uint32_t purpose,
                                bal_size q, double **out)
{
    bal_status st = bal_alloc(out, par->d * q, "the loadings");

    for (bal_size j = 0; j < par->d && !bal_failed(st); j++)
        normal_vector(par, purpose, j, *out + j * q, q);
    return st;
}

static void draw_place(const bal_mixture_params *par, bal_size c, bal_size q,
                       double *place)
{
    double own[HIDDEN_MOST];

    normal_vector(par, DRAW_FAMILY, c % families(par), place, q);
    normal_vector(par, DRAW_PLACE, c, own, q);
    for (bal_size i = 0; i < q; i++)
        place[i] = sqrt(1 - own_share) * place[i] + sqrt(own_share) * own[i];
}

static bal_status draw_clusters(bal_mixture *m)
{
    const bal_mixture_params *par = &m->par;
    bal_size d = par->d, q = hidden(par);
    double place[HIDDEN_MOST], four[4], *loading = NULL;
    bal_status st = draw_loadings(par, DRAW_LOADING, q, &loading);

    for (bal_size c = 0; c < par->clusters && !bal_failed(st); c++) {
        draw_place(par, c, q, place);
        unfold(loading, place, q, mean_size(par), m->mean + c * d, d);
        for (bal_size j = 0; j < d; j++) {
            if (j % 4 == 0)
                normals(par, DRAW_STRETCH, j / 4, c, four);
            m->stretch[c * d + j] = (float)(stretch_size * four[j % 4]);
        }
        normals(par, DRAW_CLUSTER, 0, c, four);
        m->spread[c] = (float)exp(spread_range * four[0]);
    }
    bal_free(&loading);
    return st;
}

/* ---- Batches ---- */

bal_size bal_mixture_sources(bal_size batches)
{
    return (bal_size)ceil(sqrt((double)batches));
}

bal_size bal_mixture_source(bal_size batches, bal_size batch)
{
    return batch * bal_mixture_sources(batches) / batches;
}

static void draw_shift_place(const bal_mixture_params *par, bal_size b,
                             bal_size r, double *place)
{
    double source[SHIFT_HIDDEN_MOST];

    normal_vector(par, DRAW_SHIFT, b, place, r);
    if (!par->nested)
        return;
    normal_vector(par, DRAW_SOURCE, bal_mixture_source(par->batches, b), source,
                  r);
    for (bal_size i = 0; i < r; i++)
        place[i] += source_size * source[i];
}

static bal_status draw_batches(bal_mixture *m)
{
    const bal_mixture_params *par = &m->par;
    bal_size d = par->d;
    bal_size r = d < SHIFT_HIDDEN_MOST ? d : SHIFT_HIDDEN_MOST;
    double place[SHIFT_HIDDEN_MOST], four[4], *loading = NULL;
    bal_status st = draw_loadings(par, DRAW_SHIFT_LOADING, r, &loading);

    for (bal_size b = 0; b < par->batches && !bal_failed(st); b++) {
        draw_shift_place(par, b, r, place);
        unfold(loading, place, r, shift_size, m->shift + b * d, d);
        for (bal_size j = 0; j < d; j++) {
            if (j % 4 == 0)
                normals(par, DRAW_SCALE, j / 4, b, four);
            m->scale[b * d + j] = (float)exp(scale_range * four[j % 4]);
        }
        normals(par, DRAW_BATCH, 0, b, four);
        m->noise[b] = (float)(noise_size * exp(noise_range * four[0]));
    }
    bal_free(&loading);
    return st;
}

/* ---- Which clusters are where ---- */

bal_size bal_mixture_lacking(const bal_mixture_params *par)
{
    return (bal_size)floor(par->missing * (double)par->clusters + 0.5);
}

/* The clusters in random order; home of the i-th is batch i mod batches. */
static void deal_homes(const bal_mixture_params *par, int32_t *home,
                       int32_t *order)
{
    for (bal_size i = 0; i < par->clusters; i++) {
        uint64_t r = draw(par, DRAW_HOME, 0, i);
        bal_size at = (bal_size)bal_rng_below(r, (uint64_t)i + 1);
        order[i] = order[at];
        order[at] = (int32_t)i;
    }
    for (bal_size i = 0; i < par->clusters; i++)
        home[order[i]] = (int32_t)(i % par->batches);
}

/* Clusters at home in batch b, and of the others as many as are wanted, any
 * choice as likely as any other. */
static void choose_members(bal_mixture *m, bal_size b)
{
    const bal_mixture_params *par = &m->par;
    int32_t *member = m->member + b * m->kept;
    bal_size own = par->clusters / par->batches +
                   (b < par->clusters % par->batches ? 1 : 0);
    bal_size left = par->clusters - own, wanted = m->kept - own, count = 0;

    for (bal_size c = 0; c < par->clusters; c++) {
        if (m->home[c] == b) {
            member[count++] = (int32_t)c;
            continue;
        }
        uint64_t r = draw(par, DRAW_CHOICE, c, b);
        if (bal_rng_below(r, (uint64_t)left--) < (uint64_t)wanted) {
            member[count++] = (int32_t)c;
            wanted--;
        }
    }
}

static uint64_t weight(const bal_mixture_params *par, int32_t cluster)
{
    double four[4];

    normals(par, DRAW_CLUSTER, 0, cluster, four);
    return 1 + (uint64_t)(0x1p20 * exp(weight_range * four[1]));
}

static bal_status draw_members(bal_mixture *m)
{
    const bal_mixture_params *par = &m->par;
    int32_t *order = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&order, par->clusters, "the clusters of batches"));
    deal_homes(par, m->home, order);
    for (bal_size b = 0; b < par->batches; b++) {
        uint64_t sum = 0;
        choose_members(m, b);
        for (bal_size i = b * m->kept; i < (b + 1) * m->kept; i++)
            m->upto[i] = sum += weight(par, m->member[i]);
    }
done:
    bal_free(&order);
    return st;
}

/* ---- The whole ---- */

static bal_status allocate(bal_mixture *m)
{
    static const char what[] = "the clusters and batches";
    bal_size k = m->par.clusters, b = m->par.batches, d = m->par.d;
    bal_status st;

    BAL_TRY(bal_alloc(&m->mean, k * d, what));
    BAL_TRY(bal_alloc(&m->stretch, k * d, what));
    BAL_TRY(bal_alloc(&m->spread, k, what));
    BAL_TRY(bal_alloc(&m->shift, b * d, what));
    BAL_TRY(bal_alloc(&m->scale, b * d, what));
    BAL_TRY(bal_alloc(&m->noise, b, what));
    BAL_TRY(bal_alloc(&m->home, k, what));
    BAL_TRY(bal_alloc(&m->member, b * m->kept, what));
    BAL_TRY(bal_alloc(&m->upto, b * m->kept, what));
done:
    return st;
}

bal_status bal_mixture_create(const bal_mixture_params *par, bal_mixture **out)
{
    bal_mixture *m = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&m, 1, "the mixture"));
    m->par = *par;
    m->kept = par->clusters - bal_mixture_lacking(par);
    BAL_TRY(allocate(m));
    BAL_TRY(draw_clusters(m));
    BAL_TRY(draw_batches(m));
    BAL_TRY(draw_members(m));
    *out = m;
    m = NULL;
done:
    bal_mixture_destroy(&m);
    return st;
}

void bal_mixture_destroy(bal_mixture **m)
{
    if (*m == NULL)
        return;
    bal_free(&(*m)->mean);
    bal_free(&(*m)->stretch);
    bal_free(&(*m)->spread);
    bal_free(&(*m)->shift);
    bal_free(&(*m)->scale);
    bal_free(&(*m)->noise);
    bal_free(&(*m)->home);
    bal_free(&(*m)->member);
    bal_free(&(*m)->upto);
    bal_free(m);
}

/* ---- Points ---- */

/* The first entry of the running sum above r. */
static bal_size find(const uint64_t *upto, bal_size n, uint64_t r)
{
    bal_size low = 0, high = n - 1;

    while (low < high) {
        bal_size middle = low + (high - low) / 2;
        if (upto[middle] > r)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Whether this draw is among a share of all. */
static bool falls(uint64_t r, double share)
{
    return (double)(r >> 11) * 0x1p-53 < share;
}

bal_point bal_mixture_point(const bal_mixture *m, bal_gidx index)
{
    const bal_mixture_params *par = &m->par;
    bal_size kept = m->kept;
    bal_size b = (bal_size)bal_rng_below(draw(par, DRAW_POINT, 0, index),
                                         (uint64_t)par->batches);
    const uint64_t *upto = m->upto + b * kept;
    uint64_t r = bal_rng_below(draw(par, DRAW_POINT, 1, index), upto[kept - 1]);
    int32_t cluster = m->member[b * kept + find(upto, kept, r)];

    if (falls(draw(par, DRAW_MOVE, 0, index), par->confounded))
        b = m->home[cluster];
    return (bal_point){
        .index = index,
        .batch = (int32_t)b,
        .cluster = cluster,
        .outlier = falls(draw(par, DRAW_WILD, 0, index), par->outliers),
    };
}

static void add_accident(const bal_mixture *m, bal_gidx index, float *x)
{
    double four[4];

    for (bal_size j = 0; j < m->par.d; j++) {
        if (j % 4 == 0)
            normals(&m->par, DRAW_ACCIDENT, j / 4, index, four);
        double g = four[j % 4];
        x[j] += (float)(accident_size * (g + (g < 0 ? -1 : 1)));
    }
}

void bal_mixture_values(const bal_mixture *m, const bal_point *p, float *x,
                        float *truth)
{
    bal_size d = m->par.d, c = p->cluster * d, b = p->batch * d;
    double spread = m->spread[p->cluster], noise = m->noise[p->batch];
    double own[4], added[4];

    normals(&m->par, DRAW_ALONG, 0, p->index, own);
    const double along = own[0];
    for (bal_size j = 0; j < d; j++) {
        if (j % 4 == 0) {
            normals(&m->par, DRAW_SPREAD, j / 4, p->index, own);
            normals(&m->par, DRAW_NOISE, j / 4, p->index, added);
        }
        double t =
            m->mean[c + j] + spread * (own[j % 4] + along * m->stretch[c + j]);
        x[j] = (float)(m->shift[b + j] + m->scale[b + j] * t +
                       noise * added[j % 4]);
        if (truth != NULL)
            truth[j] = (float)t;
    }
    if (p->outlier)
        add_accident(m, p->index, x);
}
