#include "spaces.h"

#include <math.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "mpi_check.h"
#include "reference_pca.h"

const bal_space_params space_standard = {
    .scale = BAL_SCALE_STANDARD,
    .clip = 10,
    .memory = (bal_size)1 << 30,
    .threads = 1,
};

static double draw(bal_gidx pos, bal_size f)
{
    uint64_t r = bal_rng_u64(5, (uint32_t)pos, (uint32_t)f, 0, 0);

    return (double)r * 0x1p-63 - 1;
}

/* Correlated features; 3 is constant, 6 repeats 5, point 500 repeats point 10,
 * and every 97th point is a broken well. */
float space_usual(bal_gidx pos, bal_size f)
{
    if (pos == 500)
        pos = 10;
    if (f == 6)
        f = 5;
    if (f == 3)
        return 0.1f;
    if (pos % 97 == 1)
        return (float)(1e6 * draw(pos, f));
    double shared = draw(pos, 1000) * (double)(f % 7) + 2 * draw(pos, 1001);
    return (float)(shared + draw(pos, f) + (double)f);
}

float space_even(bal_gidx pos, bal_size f)
{
    return (float)(draw(pos, f) + draw(pos, 1000) * (double)(1 + f % 5));
}

float space_equal(bal_gidx pos, bal_size f)
{
    (void)pos;
    return (float)(0.1 + 0.3 * (double)f);
}

float space_huge(bal_gidx pos, bal_size f)
{
    return f == 2 ? (pos % 2 != 0 ? 3e38f : -3e38f) : space_even(pos, f);
}

float space_tiny(bal_gidx pos, bal_size f)
{
    return 1e-30f * space_even(pos, f);
}

float space_broken(bal_gidx pos, bal_size f)
{
    return pos == 4 && f == 2 ? INFINITY : space_even(pos, f);
}

bal_size space_points(const space_data *of)
{
    bal_size n = 0;

    for (bal_size b = 0; b < of->batches; b++)
        n += of->batch[b];
    return n;
}

void space_start(space_run *r, MPI_Comm mpi, const space_data *of,
                 const bal_space_params *par)
{
    memset(r, 0, sizeof *r);
    bal_comm_init(&r->c, mpi);
    all_assert(!bal_failed(bal_layout_create(of->batch, of->batches, r->c.rank,
                                             r->c.size, &r->layout)));
    all_assert(!bal_failed(bal_shard_create(r->layout, of->d, &r->x)));
    bal_gidx first = r->layout->rank_first[r->c.rank];
    for (bal_size i = 0; i < r->x->m; i++)
        for (bal_size f = 0; f < of->d; f++)
            r->x->at[i * of->d + f] = of->value(first + i, f);
    r->st = bal_space_create(&r->c, r->x, par, &r->s);
}

void space_end(space_run *r)
{
    bal_space_destroy(&r->s);
    bal_shard_destroy(&r->x);
    bal_layout_destroy(&r->layout);
    bal_comm_finish(&r->c);
    bal_error_clear();
}

void *space_get(bal_size count, size_t size)
{
    void *p = NULL;

    all_assert(!bal_failed(bal_mem_alloc(&p, count, size, "a test")));
    return p;
}

/* The reference's xs of all points, [n, d]. */
double *space_reference(const space_data *of, const bal_space_params *par)
{
    bal_size n = space_points(of), d = of->d;
    float *x = space_get(n * d, sizeof *x);
    double *xs = space_get(n * d, sizeof *xs);

    for (bal_size i = 0; i < n * d; i++)
        x[i] = of->value(i / d, i % d);
    ref_standardise(x, (int)n, (int)d, par->scale == BAL_SCALE_STANDARD,
                    par->clip, xs);
    bal_free(&x);
    return xs;
}

/* The largest difference between this rank's Z and rows [n, p]. */
double space_worst(const space_run *r, const double *rows)
{
    bal_gidx first = r->layout->rank_first[r->c.rank];
    bal_size p = r->s->p;
    float *z = space_get(p, sizeof *z);
    double most = 0;

    for (bal_lidx j = 0; j < r->layout->m; j++) {
        bal_tiles_point(r->s->z, j, z);
        for (bal_size c = 0; c < p; c++)
            most = fmax(most, fabs((double)z[c] - rows[(first + j) * p + c]));
    }
    bal_free(&z);
    return most;
}
