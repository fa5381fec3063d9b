/* Failures on demand hit the named point on the named rank, no other. */
#define _POSIX_C_SOURCE 200809L
#include "balans/base/fault.h"

#include <string.h>

#include "mpi_check.h"

static bal_status at_point(const char *point, const char *wish)
{
    bal_error_clear();
    if (wish != NULL)
        setenv("BAL_FAULT", wish, 1);
    else
        unsetenv("BAL_FAULT");
    bal_fault_set_rank(2);
    return bal_fault(point);
}

START_TEST(fails_where_it_is_told)
{
    all_assert(at_point("read", "read:2") == BAL_EIO);
    all_assert(strstr(bal_error_get()->text, "'read'") != NULL);
}
END_TEST

START_TEST(leaves_all_else_alone)
{
    all_assert(at_point("read", NULL) == BAL_OK);
    all_assert(at_point("read", "") == BAL_OK);
    all_assert(at_point("read", "read:1") == BAL_OK);
    all_assert(at_point("read", "write:2") == BAL_OK);
    all_assert(at_point("read", "reader:2") == BAL_OK);
    all_assert(at_point("reader", "read:2") == BAL_OK);
}
END_TEST

START_TEST(obeys_several_wishes)
{
    const char *both = "open:0:term:1,read:2";

    all_assert(at_point("open", both) == BAL_OK);
    all_assert(at_point("write", both) == BAL_OK);
    all_assert(at_point("read", both) == BAL_EIO);
    all_assert(at_point("read", "open:2,write:2:usr1:9,read:2") == BAL_EIO);
    all_assert(at_point("read", "read:2:slow:1,read:1") == BAL_OK);
}
END_TEST

START_TEST(names_every_point_once)
{
    int count = 0;

    for (const char *const *p = bal_fault_points; *p != NULL; p++, count++)
        for (const char *const *q = bal_fault_points; q != p; q++)
            all_assert_msg(strcmp(*p, *q) != 0, "'%s' twice", *p);
    all_assert(count > 0);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("base/fault");
    TCase *tcase = tcase_create("fault");

    tcase_add_test(tcase, fails_where_it_is_told);
    tcase_add_test(tcase, leaves_all_else_alone);
    tcase_add_test(tcase, obeys_several_wishes);
    tcase_add_test(tcase, names_every_point_once);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
