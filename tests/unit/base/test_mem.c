/* Memory: zeroed, aligned, counted, and refused when sizes overflow. */
#include "balans/base/mem.h"

#include <string.h>

#include "mpi_check.h"

static bool is_aligned(const void *p)
{
    return (uintptr_t)p % BAL_ALIGN == 0;
}

START_TEST(gives_zeroed_aligned_memory)
{
    for (bal_size n = 0; n < 70; n++) {
        int32_t *p;
        all_assert(bal_alloc(&p, n, "a test") == BAL_OK);
        all_assert(p != NULL && is_aligned(p));
        for (bal_size i = 0; i < n; i++)
            all_assert(p[i] == 0);
        memset(p, 0xff, (size_t)n * sizeof *p);
        bal_free(&p);
        all_assert(p == NULL);
    }
}
END_TEST

START_TEST(keeps_contents_when_resized)
{
    int32_t *p = NULL;

    for (bal_size n = 1; n < 3000; n = n * 3 + 1) {
        all_assert(bal_resize(&p, n, "a test") == BAL_OK);
        all_assert(is_aligned(p));
        p[n - 1] = (int32_t)n;
        all_assert(p[0] == 1);
    }
    all_assert(bal_resize(&p, 4, "a test") == BAL_OK);
    all_assert(p[0] == 1 && p[3] == 4);
    bal_free(&p);
}
END_TEST

START_TEST(counts_what_is_held)
{
    bal_size before = bal_mem_held();
    double *a, *b;

    all_assert(bal_alloc(&a, 1000, "a test") == BAL_OK);
    all_assert(bal_alloc(&b, 1000, "a test") == BAL_OK);
    all_assert(bal_mem_held() - before >= 16000);
    all_assert(bal_mem_held() - before < 17000);
    bal_free(&a);
    bal_free(&b);
    bal_free(&b);
    all_assert(bal_mem_held() == before);
    all_assert(bal_mem_peak() - before >= 16000);
    all_assert(bal_mem_rss_peak() >= 16000);
}
END_TEST

START_TEST(refuses_what_cannot_be)
{
    bal_size before = bal_mem_held();
    double *p, kept = 0, *q = &kept;
    bal_size count[] = {-1, INT64_MAX, INT64_MAX / 8, INT64_MAX / 16};

    for (int i = 0; i < 4; i++) {
        bal_error_clear();
        all_assert(bal_alloc(&p, count[i], "the moon") == BAL_ENOMEM);
        all_assert(p == NULL);
        all_assert(strstr(bal_error_get()->text, "the moon") != NULL);
        all_assert(bal_resize(&q, count[i], "the moon") == BAL_ENOMEM);
        all_assert(q == &kept);
    }
    all_assert(bal_mem_held() == before);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("base/mem");
    TCase *tcase = tcase_create("mem");

    tcase_add_test(tcase, gives_zeroed_aligned_memory);
    tcase_add_test(tcase, keeps_contents_when_resized);
    tcase_add_test(tcase, counts_what_is_held);
    tcase_add_test(tcase, refuses_what_cannot_be);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
