/* Which OpenBLAS kernels to ask for instead of those it chose. */
#include "balans/kernel/blas.h"

#include <string.h>

#include "mpi_check.h"

static bool asks_for(const char *core, bal_isa isa, const char *wanted)
{
    const char *better = bal_blas_better_core(core, isa);

    if (wanted == NULL || better == NULL)
        return wanted == better;
    return strcmp(better, wanted) == 0;
}

START_TEST(asks_for_more_where_the_processor_has_it)
{
    all_assert(asks_for("Prescott", BAL_ISA_AVX512, "SkylakeX"));
    all_assert(asks_for("Prescott", BAL_ISA_AVX2, "Haswell"));
    all_assert(asks_for("Haswell", BAL_ISA_AVX512, "SkylakeX"));
    all_assert(asks_for("Zen", BAL_ISA_AVX512, "SkylakeX"));
    all_assert(asks_for("Sandybridge", BAL_ISA_AVX2, "Haswell"));
    all_assert(asks_for("sandybridge", BAL_ISA_AVX2, "Haswell"));
}
END_TEST

START_TEST(is_content_with_what_fits)
{
    all_assert(asks_for("SkylakeX", BAL_ISA_AVX512, NULL));
    all_assert(asks_for("Cooperlake", BAL_ISA_AVX512, NULL));
    all_assert(asks_for("Haswell", BAL_ISA_AVX2, NULL));
    all_assert(asks_for("Zen", BAL_ISA_AVX2, NULL));
    all_assert(asks_for("SkylakeX", BAL_ISA_AVX2, NULL));
    all_assert(asks_for("Prescott", BAL_ISA_GENERIC, NULL));
}
END_TEST

START_TEST(leaves_strangers_alone)
{
    all_assert(asks_for("neoversen1", BAL_ISA_GENERIC, NULL));
    all_assert(asks_for("A core of next year", BAL_ISA_AVX512, NULL));
    all_assert(asks_for("", BAL_ISA_AVX512, NULL));
}
END_TEST

START_TEST(knows_the_library)
{
    all_assert(strlen(bal_blas_core()) > 0);
    all_assert(strchr(bal_blas_version(), ' ') != NULL);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("kernel/blas");
    TCase *tcase = tcase_create("blas");

    tcase_add_test(tcase, asks_for_more_where_the_processor_has_it);
    tcase_add_test(tcase, is_content_with_what_fits);
    tcase_add_test(tcase, leaves_strangers_alone);
    tcase_add_test(tcase, knows_the_library);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
