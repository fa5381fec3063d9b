/* A tree of named values. */
#include "balans/base/record.h"

#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "mpi_check.h"

START_TEST(keeps_values_in_order)
{
    bal_record *r = bal_record_create();

    bal_record_text(r, "name", "balans");
    bal_record_int(r, "count", INT64_MIN);
    bal_record_real(r, "share", 0.25);
    bal_record_flag(r, "done", true);
    bal_record_ints(r, "rows", (int64_t[]){3, 1, 2}, 3);
    bal_record_reals(r, "scales", (double[]){0.5}, 1);
    bal_record_int(bal_record_node(r, "run"), "ranks", 4);

    static const char *const key[] = {"name", "count",  "share", "done",
                                      "rows", "scales", "run"};
    const bal_entry *e = bal_record_first(r);
    for (size_t i = 0; i < 7; i++, e = e->next) {
        ck_assert_ptr_nonnull(e);
        ck_assert_str_eq(e->key, key[i]);
        ck_assert_int_eq(e->kind, (int)i);
    }
    ck_assert_ptr_null(e);
    ck_assert_str_eq(bal_record_find(r, "name")->text, "balans");
    ck_assert(bal_record_find(r, "count")->integer == INT64_MIN);
    ck_assert(bal_record_find(r, "share")->real == 0.25);
    ck_assert_int_eq(bal_record_find(r, "done")->integer, 1);
    ck_assert_int_eq(bal_record_find(r, "rows")->count, 3);
    ck_assert_int_eq(bal_record_find(r, "rows")->integers[2], 2);
    ck_assert(bal_record_find(r, "scales")->reals[0] == 0.5);
    ck_assert_int_eq(
        bal_record_find(bal_record_find(r, "run")->node, "ranks")->integer, 4);
    ck_assert_ptr_null(bal_record_find(r, "none"));
    ck_assert_int_eq(bal_record_status(r), BAL_OK);
    bal_record_destroy(&r);
    ck_assert_ptr_null(r);
    ck_assert_int_eq(bal_mem_held(), 0);
}
END_TEST

START_TEST(replaces_in_place)
{
    bal_record *r = bal_record_create();

    bal_record_text(r, "a", "old");
    bal_record_int(r, "b", 2);
    bal_record_reals(r, "a", NULL, 0);
    ck_assert_str_eq(bal_record_first(r)->key, "a");
    ck_assert_int_eq(bal_record_first(r)->kind, BAL_KIND_REALS);
    ck_assert_ptr_null(bal_record_first(r)->text);
    ck_assert_int_eq(bal_record_first(r)->count, 0);
    bal_record *node = bal_record_node(r, "b");
    ck_assert_ptr_eq(bal_record_node(r, "b"), node);
    ck_assert_int_eq(bal_record_first(r)->next->kind, BAL_KIND_NODE);
    bal_record_int(r, "b", 3);
    ck_assert_int_eq(bal_record_find(r, "b")->kind, BAL_KIND_INT);
    ck_assert_ptr_null(bal_record_find(r, "b")->node);
    bal_record_destroy(&r);
    ck_assert_int_eq(bal_mem_held(), 0);
}
END_TEST

START_TEST(copies_what_it_is_given)
{
    char text[] = "before";
    int64_t value[] = {1, 2};
    bal_record *r = bal_record_create();

    bal_record_text(r, "t", text);
    bal_record_ints(r, "i", value, 2);
    strcpy(text, "after");
    value[0] = 9;
    ck_assert_str_eq(bal_record_find(r, "t")->text, "before");
    ck_assert_int_eq(bal_record_find(r, "i")->integers[0], 1);
    bal_record_destroy(&r);
}
END_TEST

START_TEST(appends_many)
{
    bal_record *r = bal_record_create();
    char key[16];
    int seen = 0;

    bal_record_int(r, "before", 1);
    for (int i = 0; i < 50000; i++) {
        snprintf(key, sizeof key, "n%d", i);
        bal_record_int(bal_record_append(r, key), "i", i);
    }
    bal_record_int(r, "between", 1);
    bal_record_int(bal_record_append(r, "last"), "i", 50000);
    for (const bal_entry *e = bal_record_first(r); e != NULL; e = e->next)
        if (e->kind == BAL_KIND_NODE)
            ck_assert_int_eq(bal_record_find(e->node, "i")->integer, seen++);
    ck_assert_int_eq(seen, 50001);
    ck_assert_ptr_null(bal_record_append(NULL, "a"));
    bal_record_destroy(&r);
    ck_assert_int_eq(bal_mem_held(), 0);
}
END_TEST

START_TEST(says_what_was_lost)
{
    bal_record *r = bal_record_create();

    bal_record_int(r, "a", 1);
    bal_record_ints(bal_record_node(r, "n"), "huge", NULL, INT64_MAX);
    ck_assert_int_eq(bal_record_status(r), BAL_ENOMEM);
    ck_assert_ptr_null(bal_record_find(bal_record_find(r, "n")->node, "huge"));
    ck_assert_int_eq(bal_record_find(r, "a")->integer, 1);
    bal_error_clear();
    bal_record_destroy(&r);
    ck_assert_int_eq(bal_mem_held(), 0);
}
END_TEST

START_TEST(accepts_nothing)
{
    bal_record *r = NULL;

    bal_record_text(r, "a", "b");
    bal_record_real(bal_record_node(r, "n"), "x", 1);
    ck_assert_ptr_null(bal_record_first(r));
    ck_assert_ptr_null(bal_record_find(r, "a"));
    ck_assert_int_eq(bal_record_status(r), BAL_ENOMEM);
    bal_record_destroy(&r);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("record");
    TCase *t = tcase_create("record");

    tcase_add_test(t, keeps_values_in_order);
    tcase_add_test(t, replaces_in_place);
    tcase_add_test(t, copies_what_it_is_given);
    tcase_add_test(t, appends_many);
    tcase_add_test(t, says_what_was_lost);
    tcase_add_test(t, accepts_nothing);
    suite_add_tcase(s, t);
    return s;
}

int main(int argc, char **argv)
{
    return mpi_check_run(suite(), argc, argv);
}
