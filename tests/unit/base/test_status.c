/* Outcomes, their words and exit codes, and the record of the first failure. */
#include "balans/base/status.h"

#include <string.h>

#include "mpi_check.h"

START_TEST(every_status_has_a_word_and_an_exit_code)
{
    all_assert(bal_status_exit_code(BAL_OK) == 0);
    for (int st = BAL_EUSAGE; st < BAL_STATUS_COUNT; st++) {
        int wanted = st == BAL_EUSAGE ? 2 : st == BAL_ESTOPPED ? 75 : 1;
        all_assert(bal_status_exit_code((bal_status)st) == wanted);
        all_assert(strlen(bal_status_name((bal_status)st)) > 0);
        for (int other = BAL_OK; other < st; other++)
            all_assert(strcmp(bal_status_name((bal_status)st),
                              bal_status_name((bal_status)other)) != 0);
    }
}
END_TEST

START_TEST(the_first_failure_stays)
{
    bal_error_clear();
    all_assert(bal_error_get()->code == BAL_OK);
    all_assert(BAL_FAIL(BAL_EIO, "disk %d", 7) == BAL_EIO);
    all_assert(BAL_FAIL(BAL_ENOMEM, "later") == BAL_ENOMEM);
    all_assert(bal_error_get()->code == BAL_EIO);
    all_assert(bal_error_get()->rank == -1);
    all_assert(strcmp(bal_error_get()->text, "disk 7") == 0);
    bal_error_clear();
    all_assert(bal_error_get()->code == BAL_OK);
    all_assert(bal_error_get()->text[0] == '\0');
}
END_TEST

START_TEST(a_failure_is_one_line)
{
    bal_error_clear();
    (void)BAL_FAIL(BAL_EINPUT, "%s", "a\nb\r\nc");
    all_assert(strpbrk(bal_error_get()->text, "\r\n") == NULL);
    bal_error_clear();
}
END_TEST

START_TEST(a_long_sentence_is_cut)
{
    char text[9000];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    bal_error_clear();
    (void)BAL_FAIL(BAL_EINPUT, "'%s' is wrong; mend it", text);
    const char *end = strstr(bal_error_get()->text, "x' is wrong; mend it");
    all_assert(end != NULL && end - bal_error_get()->text < 200);
    for (size_t i = 0; i < sizeof text - 1; i += 2)
        text[i] = ' ';
    bal_error_clear();
    (void)BAL_FAIL(BAL_EINPUT, "%s", text);
    all_assert(strlen(bal_error_get()->text) == BAL_ERROR_TEXT_MAX - 1);
    bal_error_clear();
}
END_TEST

static bal_status leaves_early(bal_status first, int *steps)
{
    bal_status st;

    BAL_TRY(first);
    (*steps)++;
    BAL_TRY(BAL_OK);
    (*steps)++;
done:
    return st;
}

START_TEST(try_leaves_on_the_first_failure)
{
    int steps = 0;

    all_assert(leaves_early(BAL_ERANGE, &steps) == BAL_ERANGE && steps == 0);
    all_assert(leaves_early(BAL_OK, &steps) == BAL_OK && steps == 2);
    all_assert(bal_failed((bal_verdict){BAL_EIO}));
    all_assert(!bal_failed((bal_verdict){BAL_OK}));
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("base/status");
    TCase *tcase = tcase_create("status");

    tcase_add_test(tcase, every_status_has_a_word_and_an_exit_code);
    tcase_add_test(tcase, the_first_failure_stays);
    tcase_add_test(tcase, a_failure_is_one_line);
    tcase_add_test(tcase, a_long_sentence_is_cut);
    tcase_add_test(tcase, try_leaves_on_the_first_failure);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
