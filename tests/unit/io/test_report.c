/* Values of a report: text that is not UTF-8, numbers that JSON lacks. */
#include "balans/io/report.h"

#include <math.h>
#include <string.h>

#include "balans/base/mem.h"
#include "mpi_check.h"

typedef struct text {
    const char *bytes, *want;
} text;

static const text texts[] = {
    {"", ""},
    {"plate 7", "plate 7"},
    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
     "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"in\xff.h5ad", "in\xef\xbf\xbd.h5ad"},
    {"\xc3", "\xef\xbf\xbd"},
    {"\xe2\x82z", "\xef\xbf\xbd\xef\xbf\xbdz"},
    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
};

START_TEST(keeps_text_whatever_its_bytes)
{
    json_t *t = bal_report_text(texts[_i].bytes);

    ck_assert_ptr_nonnull(t);
    ck_assert_str_eq(json_string_value(t), texts[_i].want);
    json_decref(t);
    ck_assert_int_eq(bal_mem_held(), 0);
}
END_TEST

START_TEST(keeps_every_entry)
{
    json_t *r = json_object();

    ck_assert(bal_report_add(r, "a\xff", json_integer(1)));
    ck_assert(bal_report_add(r, "a\xfe", json_integer(2)));
    ck_assert(bal_report_add(r, "b", json_integer(3)));
    ck_assert(!bal_report_add(r, "c", NULL));
    ck_assert_uint_eq(json_object_size(r), 3);
    ck_assert_int_eq(
        json_integer_value(json_object_get(r, "a\xef\xbf\xbd\xef\xbf\xbd")), 2);
    json_decref(r);
}
END_TEST

START_TEST(has_null_for_what_is_not_finite)
{
    json_t *r = bal_report_reals((double[]){0.1, NAN, -INFINITY}, 3);

    ck_assert(json_real_value(json_array_get(r, 0)) == 0.1);
    ck_assert(json_is_null(json_array_get(r, 1)));
    ck_assert(json_is_null(json_array_get(r, 2)));
    json_decref(r);
    r = bal_report_ints((int64_t[]){INT64_MIN, INT64_MAX}, 2);
    ck_assert(json_integer_value(json_array_get(r, 0)) == INT64_MIN);
    ck_assert(json_integer_value(json_array_get(r, 1)) == INT64_MAX);
    json_decref(r);
}
END_TEST

START_TEST(is_whole_or_nothing)
{
    json_t *r = json_object();

    ck_assert_ptr_eq(bal_report_whole(r, true), r);
    ck_assert_int_eq(bal_report_status(r), BAL_OK);
    r = bal_report_whole(r, false);
    ck_assert_ptr_null(r);
    ck_assert_int_eq(bal_report_status(r), BAL_ENOMEM);
    bal_error_clear();
    ck_assert_ptr_null(json_pack("{s:i, s:o}", "a", 1, "b", r));
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("io/report");
    TCase *tcase = tcase_create("report");

    tcase_add_loop_test(tcase, keeps_text_whatever_its_bytes, 0,
                        (int)(sizeof texts / sizeof *texts));
    tcase_add_test(tcase, keeps_every_entry);
    tcase_add_test(tcase, has_null_for_what_is_not_finite);
    tcase_add_test(tcase, is_whole_or_nothing);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
