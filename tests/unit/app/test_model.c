/* The sample that a model keeps of a batch; models that are refused. */
#include "../../../src/app/model.h"

#include <math.h>
#include <stdlib.h>

#include "files_fixture.h"
#include "mpi_check.h"

START_TEST(draws_each_point_once)
{
    static const bal_size sizes[] = {1, 2, 499, 500, 501, 700, 100000};
    bal_gidx out[BAL_MODEL_SAMPLE], again[BAL_MODEL_SAMPLE];

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        bal_size n = sizes[s], count = bal_model_sampled(n);
        bal_model_draw(5, 2, n, out);
        bal_model_draw(5, 2, n, again);
        all_assert(count == (n < 500 ? n : 500));
        for (bal_size i = 0; i < count; i++) {
            all_assert(out[i] >= 0 && out[i] < n && out[i] == again[i]);
            all_assert(i == 0 || out[i] > out[i - 1]);
        }
    }
}
END_TEST

/* Of 1,000 points each is drawn in half of 400 draws, give or take; the bound
 * is six standard deviations. */
START_TEST(draws_all_points_alike)
{
    enum { N = 1000, DRAWS = 400 };
    static int drawn[N];
    bal_gidx out[BAL_MODEL_SAMPLE];

    for (int seed = 0; seed < DRAWS; seed++) {
        bal_model_draw((uint64_t)seed, 1, N, out);
        for (int i = 0; i < BAL_MODEL_SAMPLE; i++)
            drawn[out[i]]++;
    }
    for (int i = 0; i < N; i++)
        all_assert_msg(abs(drawn[i] - DRAWS / 2) < 6 * sqrt(DRAWS) / 2,
                       "%d was drawn %d times", i, drawn[i]);
}
END_TEST

/* An empty store of that kind, opened as a model. */
static bool refused(const char *name, int64_t version, const char *why)
{
    const bal_store_kind kind = {name, version, "do something"};
    const char *path = files_path("store.h5");
    bal_store *s = NULL;
    bal_model m = {0};

    all_assert(!bal_failed(bal_store_create(&comm, path, true, &kind, &s)));
    all_assert(!bal_failed(bal_store_finish(&s)));
    bool refused = bal_model_open(&comm, path, &m).code == BAL_EINPUT &&
                   error_has("store.h5") && error_has(why) &&
                   error_has("fit it anew");
    bal_model_close(&m);
    bal_error_clear();
    return refused;
}

START_TEST(refuses_other_versions_and_kinds)
{
    all_assert(refused("balans model", 2, "version 2"));
    all_assert(refused("balans model", 0, "version 0"));
    all_assert(refused("balans checkpoint", 1, "balans checkpoint"));
    all_assert(refused("balans model", 1, "it has no 'settings'"));
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("app/model");
    TCase *tcase = tcase_create("model");

    tcase_add_test(tcase, draws_each_point_once);
    tcase_add_test(tcase, draws_all_points_alike);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("files");
    tcase_add_unchecked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, refuses_other_versions_and_kinds);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
