/* Numbers out of text, and text out of lists. */
#include "balans/base/text.h"

#include <string.h>

#include "balans/base/mem.h"
#include "mpi_check.h"

static char *items[] = {(char[]){"one"}, (char[]){"two"}, (char[]){"three"}};

START_TEST(reads_integers_whole)
{
    static const char *const wrong[] = {
        "",    " 1",  "1 ",  "0x10", "1.0", "ten", "9223372036854775808",
        "1e3", "--1", "+-1", "-",    "nan", "1,5"};
    int64_t v = 5;

    all_assert(bal_parse_int("-42", &v) && v == -42);
    all_assert(bal_parse_int("007", &v) && v == 7);
    all_assert(bal_parse_int("-9223372036854775808", &v) && v == INT64_MIN);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        all_assert_msg(!bal_parse_int(wrong[i], &v) && v == INT64_MIN,
                       "'%s' was taken", wrong[i]);
}
END_TEST

START_TEST(reads_unsigned_integers_whole)
{
    uint64_t v = 5;

    all_assert(bal_parse_u64("18446744073709551615", &v) && v == UINT64_MAX);
    all_assert(!bal_parse_u64("18446744073709551616", &v));
    all_assert(!bal_parse_u64("-1", &v));
    all_assert(!bal_parse_u64("", &v));
    all_assert(!bal_parse_u64("3 ", &v));
    all_assert(v == UINT64_MAX);
}
END_TEST

START_TEST(reads_finite_real_numbers)
{
    static const char *const wrong[] = {"",     "inf",  "nan", "1e400", "0x1p3",
                                        "1.5x", " 1.5", "e3",  "."};
    double v = 5;

    all_assert(bal_parse_real("0.25", &v) && v == 0.25);
    all_assert(bal_parse_real("-1e3", &v) && v == -1000);
    all_assert(bal_parse_real(".5", &v) && v == 0.5);
    all_assert(bal_parse_real("1e-400", &v) && v == 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        all_assert_msg(!bal_parse_real(wrong[i], &v) && v == 0,
                       "'%s' was taken", wrong[i]);
}
END_TEST

START_TEST(reads_sizes)
{
    static const char *const wrong[] = {"",    "G",        "-1G", "1X", "1GG",
                                        "1 G", "9999999P", "1Gi", "nan"};
    bal_size v = 5;

    all_assert(bal_parse_size("512", &v) && v == 512);
    all_assert(bal_parse_size("2G", &v) && v == INT64_C(2) << 30);
    all_assert(bal_parse_size("2g", &v) && v == INT64_C(2) << 30);
    all_assert(bal_parse_size("1.5KiB", &v) && v == 1536);
    all_assert(bal_parse_size("3MB", &v) && v == 3 << 20);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        all_assert_msg(!bal_parse_size(wrong[i], &v) && v == 3 << 20,
                       "'%s' was taken", wrong[i]);
}
END_TEST

START_TEST(joins_what_fits)
{
    char buf[64];

    all_assert(strcmp(bal_join(buf, sizeof buf, items, 3), "one, two, three") ==
               0);
    all_assert(strcmp(bal_join(buf, sizeof buf, items, 0), "none") == 0);
    for (size_t room = 6; room < 16; room++) {
        bal_join(buf, room, items, 3);
        all_assert(strlen(buf) < room);
        all_assert(strcmp(buf + strlen(buf) - 3, "...") == 0);
    }
}
END_TEST

START_TEST(writes_bytes_for_people)
{
    char buf[32];

    all_assert(strcmp(bal_bytes(buf, sizeof buf, 0), "0 B") == 0);
    all_assert(strcmp(bal_bytes(buf, sizeof buf, 1023), "1023 B") == 0);
    all_assert(strcmp(bal_bytes(buf, sizeof buf, 1536), "1.5 KiB") == 0);
    all_assert(
        strcmp(bal_bytes(buf, sizeof buf, INT64_C(3) << 40), "3.0 TiB") == 0);
}
END_TEST

START_TEST(parts_a_path)
{
    static const char *const path[][3] = {
        {"a.h5ad", ".", "a.h5ad"},
        {"b/a.h5ad", "b", "a.h5ad"},
        {"/a.h5ad", "/", "a.h5ad"},
        {"/c/b/a.h5ad", "/c/b", "a.h5ad"},
    };

    for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
        char *folder = NULL;
        all_assert(!bal_failed(bal_path_folder(path[i][0], &folder)));
        all_assert(strcmp(folder, path[i][1]) == 0);
        all_assert(strcmp(bal_path_name(path[i][0]), path[i][2]) == 0);
        bal_free(&folder);
    }
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("base/text");
    TCase *tcase = tcase_create("text");

    tcase_add_test(tcase, reads_integers_whole);
    tcase_add_test(tcase, reads_unsigned_integers_whole);
    tcase_add_test(tcase, reads_finite_real_numbers);
    tcase_add_test(tcase, reads_sizes);
    tcase_add_test(tcase, joins_what_fits);
    tcase_add_test(tcase, writes_bytes_for_people);
    tcase_add_test(tcase, parts_a_path);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
