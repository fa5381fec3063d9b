#include "balans/kernel/project.h"

#include <math.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "balans/kernel/cpu.h"
#include "mpi_check.h"

enum { D = 61, P = 21, M = 45 };

static double xs[BAL_TILE * D], loadings[D * P];

static double draw(uint32_t i, uint32_t kind)
{
    return (double)bal_rng_u64(3, i, kind, 0, 0) * 0x1p-63 - 1;
}

static void fill(void)
{
    for (uint32_t i = 0; i < M * D; i++)
        xs[i] = (double)(float)draw(i, 0);
    for (uint32_t i = 0; i < D * P; i++)
        loadings[i] = draw(i, 1);
}

/* What the header says, term by term. */
static float chain(int j, int c)
{
    double sum = 0;

    for (int f = 0; f < D; f++)
        sum += xs[j * D + f] * (double)(float)loadings[f * P + c];
    return (float)sum;
}

static void project(float *z)
{
    double *packed = NULL;

    all_assert(
        !bal_failed(bal_alloc(&packed, bal_loadings_size(D, P), "a test")));
    bal_loadings_pack(loadings, D, P, packed);
    for (int i = 0; i < (M + 1) * P; i++)
        z[i] = INFINITY;
    bal_project(xs, M, D, packed, P, z);
    bal_free(&packed);
}

START_TEST(every_instruction_set_gives_the_chain)
{
    bal_isa was = bal_isa_now();
    float z[(M + 1) * P];

    if (!bal_isa_usable((bal_isa)_i))
        return;
    bal_isa_use((bal_isa)_i);
    project(z);
    bal_isa_use(was);
    for (int c = 0; c < P; c++)
        for (int j = 0; j < M; j++)
            all_assert(z[j * P + c] == chain(j, c));
}
END_TEST

START_TEST(what_is_behind_is_left_alone)
{
    float z[(M + 1) * P];

    project(z);
    for (int c = 0; c < P; c++)
        all_assert(isinf(z[M * P + c]));
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("project");
    TCase *tc = tcase_create("all");

    fill();
    tcase_add_loop_test(tc, every_instruction_set_gives_the_chain, 0,
                        BAL_ISA_COUNT);
    tcase_add_test(tc, what_is_behind_is_left_alone);
    suite_add_tcase(suite, tc);
    return mpi_check_run(suite, argc, argv);
}
