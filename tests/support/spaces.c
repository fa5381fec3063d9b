#include "spaces.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "balans/par/agree.h"
#include "mpi_check.h"
#include "reference_pca.h"

const bal_space_params space_standard = {
    .scale = BAL_SCALE_STANDARD,
    .clip = 10,
    .memory = (bal_size)1 << 30,
    .threads = 1,
};

const space_place space_resident = {.fails = -1};
const space_place space_streamed = {.streamed = true, .fails = -1};

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

float space_wild(bal_gidx pos, bal_size f)
{
    switch (f) {
    case 0:
        return pos % 2 != 0 ? FLT_MAX : -FLT_MAX;
    case 1:
        return pos == 7 ? -FLT_MAX : space_even(pos, f);
    case 2:
        return (float)(pos % 3) * FLT_TRUE_MIN;
    case 3:
        return pos % 2 != 0 ? 0.0f : -0.0f;
    case 4:
        return pos == 7 ? FLT_TRUE_MIN : 0;
    default:
        return space_even(pos, f);
    }
}

static bal_status read_rows(void *arg, bal_size first, bal_size count,
                            float *rows)
{
    space_run *r = arg;
    bal_size d = r->x->d;

    int read = r->reads++;
    if (r->c.rank == r->place->fails && read == r->place->when)
        return BAL_FAIL(BAL_EIO, "cannot read rows of a test");
    if (count > 0)
        memcpy(rows, r->rows + first * d, (size_t)(count * d) * sizeof *rows);
    return BAL_OK;
}

static bal_verdict keep(void *arg, bal_size first, bal_size count,
                        const float *z)
{
    space_run *r = arg;
    bal_size p = r->s->p;

    for (bal_size i = 0; i < count * p; i++)
        r->z[first * p + i] = z[i];
    r->pieces++;
    return bal_agree(&r->c, BAL_OK);
}

static void place_rows(space_run *r, const space_data *of)
{
    bal_source source = {.arg = r, .read = read_rows};
    bal_size all;

    all_assert(!bal_failed(
        bal_blocks_create(of->n, of->d, r->c.rank, r->c.size, &r->x)));
    all = r->x->m * of->d;
    r->rows = space_get(all, sizeof *r->rows);
    for (bal_size i = 0; i < all; i++)
        r->rows[i] = of->value(r->x->first + i / of->d, i % of->d);
    if (r->place->streamed) {
        all_assert(!bal_failed(bal_blocks_stream(r->x, &source, 1)));
        return;
    }
    all_assert(!bal_failed(bal_blocks_reside(r->x)));
    for (bal_size i = 0; i < all; i++)
        r->x->at[i] = r->rows[i];
}

void space_start(space_run *r, MPI_Comm mpi, const space_data *of,
                 const bal_space_params *par, const space_place *place)
{
    memset(r, 0, sizeof *r);
    r->place = place;
    bal_comm_init(&r->c, mpi);
    place_rows(r, of);
    r->st = bal_space_fit(&r->c, r->x, par, &r->s);
    if (bal_failed(r->st))
        return;
    r->z = space_get(r->x->m * r->s->p, sizeof *r->z);
    r->st = bal_space_project(&r->c, r->s, r->x, par->memory, par->threads,
                              keep, r);
}

void space_end(space_run *r)
{
    bal_space_destroy(&r->s);
    bal_blocks_destroy(&r->x);
    bal_free(&r->rows);
    bal_free(&r->z);
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
    bal_size n = of->n, d = of->d;
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
    bal_size p = r->s->p;
    double most = 0;

    for (bal_size i = 0; i < r->x->m * p; i++)
        most = fmax(most, fabs((double)r->z[i] - rows[r->x->first * p + i]));
    return most;
}
