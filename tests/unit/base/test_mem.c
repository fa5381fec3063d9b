/* Memory: zeroed, aligned, counted, and refused when sizes overflow. */
#include "balans/base/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

enum { MIB = 1 << 20 };

/* Whether all bytes are this one. */
static bool is_all(const char *p, bal_size bytes, char byte)
{
    return p[0] == byte && memcmp(p, p + 1, (size_t)bytes - 1) == 0;
}

static char *filled(bal_size bytes)
{
    char *p;

    all_assert(bal_alloc(&p, bytes, "a test") == BAL_OK && is_aligned(p));
    all_assert(is_all(p, bytes, 0));
    memset(p, 0xff, (size_t)bytes);
    return p;
}

/* Large blocks come back in other sizes, side by side, and zeroed. */
START_TEST(zeroes_large_blocks_again)
{
    static const int size[][3] = {
        {40, 5, 9}, {5, 20, 12}, {30, 7, 7}, {100, 4, 8}, {60, 30, 9}};

    for (int turn = 0; turn < 5; turn++) {
        char *p[3];
        for (int i = 0; i < 3; i++)
            p[i] = filled((bal_size)size[turn][i] * MIB + 13 * turn);
        for (int i = 0; i < 3; i++)
            all_assert(is_all(p[i], (bal_size)size[turn][i] * MIB, (char)0xff));
        for (int i = 0; i < 3; i++)
            bal_free(&p[(i + turn) % 3]);
    }
}
END_TEST

static bal_size resident(void)
{
    long all = 0, here = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    all_assert(f != NULL && fscanf(f, "%ld %ld", &all, &here) == 2);
    fclose(f);
    return (bal_size)here * sysconf(_SC_PAGESIZE);
}

/* What is kept for later never adds to the most that was held. */
START_TEST(keeps_no_more_than_the_peak)
{
    bal_size before = resident(), most = 0;

    for (int mib = 16; mib <= 128; mib *= 2) {
        char *p = filled((bal_size)mib * MIB);
        most = resident() > most ? resident() : most;
        bal_free(&p);
    }
    all_assert(most - before < 140 * (bal_size)MIB);
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

    tcase_add_test(tcase, keeps_no_more_than_the_peak); /* of this process */
    tcase_add_test(tcase, gives_zeroed_aligned_memory);
    tcase_add_test(tcase, keeps_contents_when_resized);
    tcase_add_test(tcase, counts_what_is_held);
    tcase_add_test(tcase, zeroes_large_blocks_again);
    tcase_add_test(tcase, refuses_what_cannot_be);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
