/* One table of names from what each rank found by itself. */
#include "balans/data/labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/layout.h"
#include "mpi_check.h"

static bal_comm c;

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
    bal_error_clear();
}

static void tear_down(void)
{
    bal_comm_finish(&c);
}

static bal_size slab(bal_size n, bal_gidx *first)
{
    *first = bal_slab_first(n, c.rank, c.size);
    return bal_slab_first(n, c.rank + 1, c.size) - *first;
}

/* Makes labels of n rows whose values are given, [n].  Each rank brings the
 * values in an order of its own, turned by its rank, and all of them, whether
 * its slab has them or not. */
static bal_verdict unify(bal_size n, const char *const *value, int distinct,
                         const char *const *table, bool numeric,
                         bal_labels **out)
{
    bal_gidx first;
    bal_size m = slab(n, &first);
    char **name = calloc((size_t)distinct, sizeof *name);
    int32_t *code = NULL;

    (void)bal_alloc(&code, m, "codes");
    for (int i = 0; i < distinct; i++) {
        const char *from = table[(i + c.rank) % distinct];
        name[i] = calloc(1, strlen(from) + 1);
        strcpy(name[i], from);
    }
    for (bal_size i = 0; i < m; i++)
        while (strcmp(name[code[i]], value[first + i]) != 0)
            code[i]++;
    bal_verdict v =
        bal_labels_unify(&c, n, name, distinct, code, numeric, "a test", out);
    if (bal_failed(v))
        bal_free(&code);
    for (int i = 0; i < distinct; i++)
        free(name[i]);
    free(name);
    return v;
}

/* Whether the table is `want` and every row has its value and size. */
static int check(const bal_labels *l, const char *const *value, bal_size n,
                 const char *const *want, int count)
{
    bal_gidx first;
    bal_size m = slab(n, &first);
    int wrong = l->n != n || l->first != first || l->m != m;

    if (l->count != count)
        return wrong + 1;
    for (bal_size i = 0; i < m; i++)
        wrong += strcmp(l->name[l->code[i]], value[first + i]) != 0;
    for (int b = 0; b < count; b++) {
        bal_size size = 0;
        for (bal_size i = 0; i < n; i++)
            size += strcmp(value[i], want[b]) == 0;
        wrong += strcmp(l->name[b], want[b]) != 0 || l->size[b] != size;
    }
    return wrong;
}

START_TEST(sorts_text_by_bytes_and_drops_what_is_unused)
{
    const char *table[] = {"b", "unused", "\xc3\xa9t\xc3\xa9", "A", "10", "9",
                           "",  "a b"};
    const char *value[] = {"b", "A",   "10", "\xc3\xa9t\xc3\xa9",
                           "9", "b",   "b",  "",
                           "A", "a b", "b"};
    const char *want[] = {"", "10", "9", "A", "a b", "b", "\xc3\xa9t\xc3\xa9"};
    bal_labels *l = NULL;
    bal_verdict v = unify(11, value, 8, table, false, &l);

    all_assert(!bal_failed(v));
    int wrong = check(l, value, 11, want, 7);
    bal_labels_destroy(&l);
    all_assert(wrong == 0 && l == NULL);
}
END_TEST

START_TEST(sorts_numbers_by_value)
{
    const char *table[] = {"100", "9", "-3", "0", "-20", "9223372036854775807"};
    const char *value[] = {"9", "100", "-3", "9223372036854775807",
                           "9", "-20", "9"};
    const char *want[] = {"-20", "-3", "9", "100", "9223372036854775807"};
    bal_labels *l = NULL;
    bal_verdict v = unify(7, value, 6, table, true, &l);

    all_assert(!bal_failed(v));
    int wrong = check(l, value, 7, want, 5);
    bal_labels_destroy(&l);
    all_assert(wrong == 0);
}
END_TEST

START_TEST(sorts_fractions_by_value)
{
    const char *table[] = {"10.5", "2.25", "-0.5", "-10.25", "1e+20", "3"};
    const char *value[] = {"2.25", "10.5", "1e+20", "-0.5", "-10.25", "3"};
    const char *want[] = {"-10.25", "-0.5", "2.25", "3", "10.5", "1e+20"};
    bal_labels *l = NULL;
    bal_verdict v = unify(6, value, 6, table, true, &l);

    all_assert(!bal_failed(v));
    int wrong = check(l, value, 6, want, 6);
    bal_labels_destroy(&l);
    all_assert(wrong == 0);
}
END_TEST

START_TEST(serves_ranks_without_rows)
{
    const char *table[] = {"only", "unused"}, *value[] = {"only"};
    bal_labels *l = NULL;
    bal_verdict v = unify(1, value, 2, table, false, &l);

    all_assert(!bal_failed(v));
    int wrong = check(l, value, 1, value, 1);
    bal_labels_destroy(&l);
    all_assert(wrong == 0);
}
END_TEST

/* Rank r knows only the names of its own rows. */
START_TEST(joins_tables_that_have_nothing_in_common)
{
    enum { N = 40 };
    bal_gidx first;
    bal_size m = slab(N, &first);
    char text[N][8], *name[N];
    int32_t *code = NULL;
    bal_labels *l = NULL;
    int wrong = 0;

    (void)bal_alloc(&code, m, "codes");
    for (bal_size i = 0; i < m; i++) {
        snprintf(text[i], sizeof text[i], "n%02d", (int)(N - first - i - 1));
        name[i] = text[i];
        code[i] = (int32_t)i;
    }
    bal_verdict v = bal_labels_unify(&c, N, name, m, code, false, "a test", &l);
    all_assert(!bal_failed(v));
    all_assert(l->count == N);
    for (bal_size i = 0; i < m; i++)
        wrong += l->code[i] != N - first - i - 1;
    for (int b = 0; b < N; b++)
        wrong += l->size[b] != 1;
    bal_labels_destroy(&l);
    all_assert(wrong == 0);
}
END_TEST

START_TEST(refuses_too_many_values)
{
    enum { N = BAL_LABELS_MOST + 1, LONGEST = 9 };
    bal_gidx first;
    bal_size m = slab(N, &first);
    char *text = calloc((size_t)m + 1, LONGEST);
    char **name = calloc((size_t)m + 1, sizeof *name);
    int32_t *code = NULL;
    bal_labels *l = NULL;

    (void)bal_alloc(&code, m, "codes");
    for (bal_size i = 0; i < m; i++) {
        name[i] = text + i * LONGEST;
        snprintf(name[i], LONGEST, "%d", (int)(first + i));
        code[i] = (int32_t)i;
    }
    bal_verdict v =
        bal_labels_unify(&c, N, name, m, code, true, "batch column 'id'", &l);
    bal_free(&code);
    free(name);
    free(text);
    all_assert(v.code == BAL_EINPUT && l == NULL);
    all_assert(strstr(bal_error_get()->text, "batch column 'id'") != NULL);
    bal_error_clear();
}
END_TEST

START_TEST(drops_what_a_subset_has_not)
{
    const char *table[] = {"9", "10", "200", "3"};
    const char *value[] = {"10", "9", "200", "3", "10"};
    const char *some[] = {"200", "10", "10", "9"};
    const char *want[] = {"9", "10", "200"};
    bal_labels *l = NULL, *kept = NULL;
    int32_t *code = NULL;
    bal_gidx first;
    bal_size m = slab(4, &first);

    all_assert(!bal_failed(unify(5, value, 4, table, true, &l)));
    (void)bal_alloc(&code, m, "codes");
    for (bal_size i = 0; i < m; i++)
        while (strcmp(l->name[code[i]], some[first + i]) != 0)
            code[i]++;
    all_assert(!bal_failed(bal_labels_subset(&c, l, 4, code, &kept)));
    bal_labels_destroy(&l);
    int wrong = check(kept, some, 4, want, 3);
    bal_labels_destroy(&kept);
    all_assert(wrong == 0);
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    const char *table[] = {"x", "y"}, *value[] = {"x", "y", "x"};
    bal_size held = bal_mem_held();
    bal_labels *l = NULL;

    (void)unify(3, value, 2, table, false, &l);
    bal_labels_destroy(&l);
    all_assert(bal_mem_held() == held);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("data/labels");
    TCase *tcase = tcase_create("labels");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, sorts_text_by_bytes_and_drops_what_is_unused);
    tcase_add_test(tcase, sorts_numbers_by_value);
    tcase_add_test(tcase, sorts_fractions_by_value);
    tcase_add_test(tcase, serves_ranks_without_rows);
    tcase_add_test(tcase, joins_tables_that_have_nothing_in_common);
    tcase_add_test(tcase, refuses_too_many_values);
    tcase_add_test(tcase, drops_what_a_subset_has_not);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
