#include "balans/linalg/pca.h"

#include <limits.h>
#include <math.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/kernel/moments.h"
#include "balans/linalg/eigh.h"
#include "balans/par/agree.h"

struct bal_pca {
    bal_size d, p;
    double *matrix; /* [d, d] on rank 0, its upper triangle; else NULL */
    double *vector; /* [p, d] on rank 0, else NULL */
};

static bal_size runs(bal_size d)
{
    return (d + BAL_GRAM - 1) / BAL_GRAM;
}

bal_size bal_pair_count(bal_size d)
{
    return runs(d) * (runs(d) + 1) / 2;
}

bal_pair bal_pair_at(bal_size d, bal_size q)
{
    bal_size row = 0, left = runs(d);

    while (q >= left) {
        q -= left;
        left--;
        row++;
    }

    bal_size i = row * BAL_GRAM, j = (row + q) * BAL_GRAM;
    return (bal_pair){
        .i = i,
        .j = j,
        .ni = (int)(d - i < BAL_GRAM ? d - i : BAL_GRAM),
        .nj = (int)(d - j < BAL_GRAM ? d - j : BAL_GRAM),
    };
}

static bal_status allot(bal_pca *s, int rank)
{
    if (s->d > INT_MAX)
        return BAL_FAIL(BAL_ERANGE,
                        "cannot take principal components of %lld features; "
                        "the most are %d",
                        (long long)s->d, INT_MAX);
    if (rank != 0)
        return BAL_OK;

    bal_status st = bal_alloc(&s->matrix, s->d * s->d, "the covariance");
    if (bal_failed(st))
        return st;
    return bal_alloc(&s->vector, s->d * s->p, "the principal components");
}

bal_verdict bal_pca_create(bal_comm *c, bal_size d, bal_size p, bal_pca **out)
{
    bal_pca *s = NULL;
    bal_status mine = bal_alloc(&s, 1, "the principal components");

    if (!bal_failed(mine)) {
        s->d = d;
        s->p = p;
        mine = allot(s, c->rank);
    }

    bal_verdict st = bal_agree(c, mine);
    if (bal_failed(st))
        bal_pca_destroy(&s);
    *out = s;
    return st;
}

void bal_pca_destroy(bal_pca **s)
{
    if (*s == NULL)
        return;
    bal_free(&(*s)->matrix);
    bal_free(&(*s)->vector);
    bal_free(s);
}

void bal_pca_put(bal_pca *s, bal_pair pair, const double *block)
{
    if (s->matrix == NULL)
        return;
    for (int i = 0; i < pair.ni; i++) {
        double *row = s->matrix + (pair.i + i) * s->d + pair.j;
        for (int j = pair.i == pair.j ? i : 0; j < pair.nj; j++)
            row[j] = block[i * pair.nj + j];
    }
}

static void fix_sign(double *vector, bal_size d)
{
    bal_size top = 0;

    for (bal_size f = 1; f < d; f++)
        if (fabs(vector[f]) > fabs(vector[top]))
            top = f;
    if (vector[top] >= 0)
        return;
    for (bal_size f = 0; f < d; f++)
        vector[f] = -vector[f];
}

static bal_status solve_here(bal_pca *s, double *components, double *variance)
{
    bal_size d = s->d, p = s->p;
    bal_status st = bal_fault("eigen");

    if (bal_failed(st) || s->matrix == NULL)
        return st;
    st = bal_eigh_largest(s->matrix, (int)d, (int)p, variance, s->vector);
    if (bal_failed(st))
        return st;
    for (bal_size c = 0; c < p; c++) {
        double *vector = s->vector + c * d;
        fix_sign(vector, d);
        for (bal_size f = 0; f < d; f++)
            components[f * p + c] = vector[f];
        variance[c] = variance[c] > 0 ? variance[c] : 0;
    }
    return BAL_OK;
}

bal_verdict bal_pca_solve(bal_comm *c, bal_pca *s, double *components,
                          double *variance)
{
    bal_size d = s->d, p = s->p;
    bal_verdict st = bal_agree(c, solve_here(s, components, variance));

    if (bal_failed(st))
        return st;
    bal_comm_bcast(c, components, d * p * (bal_size)sizeof *components, 0);
    bal_comm_bcast(c, variance, p * (bal_size)sizeof *variance, 0);
    return st;
}

bal_size bal_pca_memory(bal_size d, bal_size p, int rank)
{
    bal_size values = rank == 0 ? d * d + d * p + 64 * d : 0;

    return values * (bal_size)sizeof(double);
}
