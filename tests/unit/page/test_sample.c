/* Samples by group, and random orders. */
#include "balans/page/sample.h"

#include <stdlib.h>

#include "balans/base/mem.h"
#include "mpi_check.h"

enum { N = 10000, GROUPS = 4 };

static int32_t code[N];
static bal_size size[GROUPS];

/* Groups of 7000, 2500, 499 and 1, mixed. */
static void set_up(void)
{
    for (bal_size g = 0; g < GROUPS; g++)
        size[g] = 0;
    for (bal_size i = 0; i < N; i++) {
        bal_size k = i * 7919 % N;
        code[i] = k < 7000 ? 0 : k < 9500 ? 1 : k < 9999 ? 2 : 3;
        size[code[i]]++;
    }
}

static void count_groups(const bal_gidx *chosen, bal_size count,
                         bal_size *found)
{
    for (bal_size g = 0; g < GROUPS; g++)
        found[g] = 0;
    for (bal_size i = 0; i < count; i++)
        found[code[chosen[i]]]++;
}

START_TEST(gives_each_group_its_share)
{
    bal_gidx chosen[1000], again[1000];
    bal_size found[GROUPS];

    ck_assert_int_eq(
        bal_sample_by_group(code, N, size, GROUPS, 1000, 5, chosen), BAL_OK);
    for (int i = 1; i < 1000; i++)
        ck_assert_int_lt(chosen[i - 1], chosen[i]);
    count_groups(chosen, 1000, found);
    ck_assert(labs((long)found[0] - 700) <= 2);
    ck_assert(labs((long)found[1] - 250) <= 2);
    ck_assert(labs((long)found[2] - 50) <= 2);
    ck_assert_int_eq(found[3], 1);
    ck_assert_int_eq(bal_sample_by_group(code, N, size, GROUPS, 1000, 5, again),
                     BAL_OK);
    ck_assert_mem_eq(chosen, again, sizeof chosen);
    ck_assert_int_eq(bal_sample_by_group(code, N, size, GROUPS, 1000, 6, again),
                     BAL_OK);
    ck_assert_mem_ne(chosen, again, sizeof chosen);
    ck_assert_int_eq(bal_mem_held(), 0);
}
END_TEST

START_TEST(takes_all_where_they_are_few)
{
    static bal_gidx chosen[N];

    ck_assert_int_eq(bal_sample_by_group(code, N, size, GROUPS, N, 0, chosen),
                     BAL_OK);
    for (bal_size i = 0; i < N; i++)
        ck_assert_int_eq(chosen[i], i);
}
END_TEST

/* A group without members leaves its place to the others. */
START_TEST(gives_no_place_to_empty_groups)
{
    static const bal_size some[] = {6000, 0, 3999, 1, 0};
    static int32_t of[N];
    bal_gidx chosen[1001];
    bal_size last = 0;

    for (bal_size i = 0; i < N; i++)
        of[i] = i < 6000 ? 0 : i < 9999 ? 2 : 3;
    chosen[1000] = -1;
    ck_assert_int_eq(bal_sample_by_group(of, N, some, 5, 1000, 5, chosen),
                     BAL_OK);
    for (int i = 1; i < 1000; i++)
        ck_assert_int_lt(chosen[i - 1], chosen[i]);
    for (int i = 0; i < 1000; i++)
        last += of[chosen[i]] == 3;
    ck_assert_int_eq(last, 1);
    ck_assert_int_eq(chosen[1000], -1);
}
END_TEST

/* Fewer places than groups: no group can be sure of one, and none has two. */
START_TEST(serves_more_groups_than_places)
{
    int32_t own[100];
    bal_size one[100];
    bal_gidx chosen[30];

    for (int i = 0; i < 100; i++) {
        own[i] = i;
        one[i] = 1;
    }
    ck_assert_int_eq(bal_sample_by_group(own, 100, one, 100, 30, 0, chosen),
                     BAL_OK);
    for (int i = 1; i < 30; i++)
        ck_assert_int_lt(chosen[i - 1], chosen[i]);
    ck_assert_int_lt(chosen[29], 100);
}
END_TEST

/* In any tenth of the points there are about as many as anywhere. */
START_TEST(draws_evenly)
{
    bal_gidx chosen[1000];
    int tenth[10] = {0};

    ck_assert_int_eq(
        bal_sample_by_group(code, N, size, GROUPS, 1000, 1, chosen), BAL_OK);
    for (int i = 0; i < 1000; i++)
        tenth[chosen[i] * 10 / N]++;
    for (int i = 0; i < 10; i++)
        ck_assert_msg(tenth[i] > 60 && tenth[i] < 140, "tenth %d has %d", i,
                      tenth[i]);
}
END_TEST

START_TEST(shuffles_all)
{
    enum { MANY = 500 };
    bal_size order[MANY];
    bool seen[MANY] = {false};
    int stayed = 0;

    bal_shuffle(MANY, 3, order);
    for (int i = 0; i < MANY; i++) {
        ck_assert(order[i] >= 0 && order[i] < MANY && !seen[order[i]]);
        seen[order[i]] = true;
        stayed += order[i] == i;
    }
    ck_assert_int_lt(stayed, 10);
    bal_shuffle(0, 3, order);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("page/sample");
    TCase *tcase = tcase_create("sample");

    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, gives_each_group_its_share);
    tcase_add_test(tcase, gives_no_place_to_empty_groups);
    tcase_add_test(tcase, takes_all_where_they_are_few);
    tcase_add_test(tcase, serves_more_groups_than_places);
    tcase_add_test(tcase, draws_evenly);
    tcase_add_test(tcase, shuffles_all);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
