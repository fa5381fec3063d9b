#include "balans/metric/lisi.h"

#include <math.h>
#include <omp.h>

#include "balans/base/mem.h"

enum { TRIES = 50 };
static const double TOLERANCE = 1e-5;

/* p [count] for one beta.  Distances are counted from the nearest one, which
 * changes nothing but keeps the sum away from 0.  @return the entropy */
static double probabilities(const double *d, int count, double beta, double *p)
{
    double sum = 0, moment = 0;

    for (int j = 0; j < count; j++) {
        p[j] = exp(-(d[j] - d[0]) * beta);
        sum += p[j];
        moment += (d[j] - d[0]) * p[j];
    }
    for (int j = 0; j < count; j++)
        p[j] /= sum;
    return log(sum) + beta * moment / sum;
}

static void fit(const double *d, int count, double perplexity, double *p)
{
    double target = log(perplexity), beta = 1, low = -INFINITY, high = INFINITY;
    double off = probabilities(d, count, beta, p) - target;

    for (int i = 0; i < TRIES && !(fabs(off) < TOLERANCE); i++) {
        if (off > 0) {
            low = beta;
            beta = isinf(high) ? beta * 2 : (beta + high) / 2;
        } else {
            high = beta;
            beta = isinf(low) ? beta / 2 : (beta + low) / 2;
        }
        off = probabilities(d, count, beta, p) - target;
    }
}

/* `share` [groups] is zero before and after. */
static double inverse_simpson(const bal_knn *g, bal_size i, int count,
                              const double *p, const int32_t *code,
                              double *share)
{
    double sum = 0;

    for (int j = 0; j < count; j++)
        share[code[bal_knn_id(g, i, j)]] += p[j];
    for (int j = 0; j < count; j++) {
        double *here = &share[code[bal_knn_id(g, i, j)]];
        sum += *here * *here;
        *here = 0;
    }
    return 1 / sum;
}

bal_status bal_lisi(const bal_knn *g, int k, double perplexity,
                    const bal_grouping *const *by, int groupings, int threads,
                    double *const *index)
{
    bal_status st;
    double *work = NULL;
    bal_size groups = 0, width;

    for (int b = 0; b < groupings; b++)
        groups = by[b]->count > groups ? by[b]->count : groups;
    width = 2 * (bal_size)k + groups; /* distances, probabilities, shares */
    BAL_TRY(bal_alloc(&work, threads * width, "LISI"));
#pragma omp parallel for num_threads(threads) schedule(dynamic, 64)
    for (bal_size i = 0; i < g->m; i++) {
        double *d = work + omp_get_thread_num() * width, *p = d + k;
        int count = g->count[i] < k ? g->count[i] : k;
        for (int j = 0; j < count; j++)
            d[j] = bal_knn_distance(g, i, j);
        if (count > 0)
            fit(d, count, perplexity, p);
        for (int b = 0; b < groupings; b++)
            index[b][i] = count == 0 ? NAN
                                     : inverse_simpson(g, i, count, p,
                                                       by[b]->code, p + k);
    }
done:
    bal_free(&work);
    return st;
}
