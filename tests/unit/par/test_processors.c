/* Whether ranks compute with one set of kernels. */
#include "balans/par/processors.h"

#include <stdlib.h>
#include <string.h>

#include "mpi_check.h"

static bal_comm comm;

static bool is_the_same_everywhere(const bal_processors *p)
{
    bal_processors first = *p;

    bal_comm_bcast(&comm, &first, sizeof first, 0);
    return first.mixed == p->mixed && strcmp(first.text, p->text) == 0;
}

START_TEST(equal_ones_have_their_name)
{
    bal_processors p = bal_processors_of(&comm, "SkylakeX");

    all_assert(!p.mixed && strcmp(p.text, "SkylakeX") == 0);
}
END_TEST

START_TEST(different_ones_are_told)
{
    bool last = comm.rank == comm.size - 1;
    bal_processors p = bal_processors_of(&comm, last ? "Haswell" : "SkylakeX");

    all_assert(is_the_same_everywhere(&p));
    all_assert(p.mixed == (comm.size > 1));
    all_assert(strstr(p.text, "Haswell") != NULL);
    all_assert(comm.size == 1 || strstr(p.text, "SkylakeX on rank 0"));
}
END_TEST

START_TEST(other_places_have_other_texts)
{
    const char *core[] = {"SkylakeX", "Haswell"};
    bal_processors p = bal_processors_of(&comm, core[comm.rank % 2]);
    bal_processors q = bal_processors_of(&comm, core[comm.rank > 0]);
    bal_processors r = bal_processors_of(&comm, core[comm.rank % 2]);

    all_assert(strcmp(p.text, r.text) == 0);
    all_assert((strcmp(p.text, q.text) != 0) == (comm.size > 2));
}
END_TEST

static void start(void)
{
    bal_comm_init(&comm, MPI_COMM_WORLD);
}

static void end(void)
{
    bal_comm_finish(&comm);
}

int main(int argc, char **argv)
{
    Suite *suite = suite_create("par/processors");
    TCase *tcase = tcase_create("processors");

    tcase_add_checked_fixture(tcase, start, end);
    tcase_add_test(tcase, equal_ones_have_their_name);
    tcase_add_test(tcase, different_ones_are_told);
    tcase_add_test(tcase, other_places_have_other_texts);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
