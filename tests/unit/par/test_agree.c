/* One rank's failure becomes everybody's, with its sentence. */
#include "balans/par/agree.h"

#include <stdio.h>
#include <string.h>

#include "mpi_check.h"

static bal_comm c;

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
    bal_error_clear();
}

static void tear_down(void)
{
    bal_error_clear();
    bal_comm_finish(&c);
}

START_TEST(agrees_on_success)
{
    bal_verdict v = bal_agree(&c, BAL_OK);

    all_assert(!bal_failed(v));
    all_assert(bal_error_get()->code == BAL_OK);
}
END_TEST

START_TEST(spreads_the_failure_of_any_rank)
{
    for (int bad = 0; bad < c.size; bad++) {
        bal_status mine = BAL_OK;
        bal_error_clear();
        if (c.rank == bad)
            mine = BAL_FAIL(BAL_EINPUT, "cannot read 'plate %d'", bad);
        bal_verdict v = bal_agree(&c, mine);
        char text[64];
        snprintf(text, sizeof text, "cannot read 'plate %d'", bad);
        all_assert(v.code == BAL_EINPUT);
        all_assert(bal_error_get()->code == BAL_EINPUT);
        all_assert(bal_error_get()->rank == bad);
        all_assert_msg(strcmp(bal_error_get()->text, text) == 0, "'%s'",
                       bal_error_get()->text);
    }
}
END_TEST

START_TEST(hears_the_lowest_rank_that_failed)
{
    int first = c.size > 1 ? 1 : 0;
    bal_status mine = BAL_OK;

    if (c.rank >= first)
        mine = BAL_FAIL(c.rank == first ? BAL_ENOMEM : BAL_EIO, "rank %d says",
                        c.rank);
    bal_verdict v = bal_agree(&c, mine);
    all_assert(v.code == BAL_ENOMEM);
    all_assert(bal_error_get()->rank == first);
}
END_TEST

START_TEST(supplies_a_sentence_where_there_is_none)
{
    bal_verdict v = bal_agree(&c, c.rank == c.size - 1 ? BAL_ERANGE : BAL_OK);

    all_assert(v.code == BAL_ERANGE);
    all_assert(strlen(bal_error_get()->text) > 0);
    all_assert(bal_error_get()->rank == c.size - 1);
}
END_TEST

START_TEST(replaces_what_other_ranks_had_recorded)
{
    bal_status mine = BAL_OK;

    if (c.rank == 0)
        mine = BAL_FAIL(BAL_EIO, "the real one");
    else
        (void)BAL_FAIL(BAL_EUSAGE, "an older record of rank %d", c.rank);
    (void)bal_agree(&c, mine);
    all_assert(strcmp(bal_error_get()->text, "the real one") == 0);
    all_assert(bal_error_get()->code == BAL_EIO);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("par/agree");
    TCase *tcase = tcase_create("agree");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, agrees_on_success);
    tcase_add_test(tcase, spreads_the_failure_of_any_rank);
    tcase_add_test(tcase, hears_the_lowest_rank_that_failed);
    tcase_add_test(tcase, supplies_a_sentence_where_there_is_none);
    tcase_add_test(tcase, replaces_what_other_ranks_had_recorded);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
