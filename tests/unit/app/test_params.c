/* The table of parameters: defaults, ranges, files, provenance. */
#define _POSIX_C_SOURCE 200809L
#include "balans/app/options.h"

#include <string.h>

#include "balans/base/mem.h"
#include "mpi_check.h"

static bal_status set(bal_params *p, const char *name, const char *text)
{
    bal_error_clear();
    return bal_option_set(bal_option_find(BAL_FOR_CORRECT, name), p, text,
                          false, name);
}

START_TEST(has_the_documented_defaults)
{
    bal_params p;

    all_assert(bal_params_default(&p) == BAL_OK);
    all_assert(p.batch == NULL && strcmp(p.matrix, "X") == 0);
    all_assert(p.scale == BAL_SCALE_STANDARD && p.clip == 10 && p.pca == 50);
    all_assert(p.neighbors.k == 20 && p.neighbors.share == 0.01);
    all_assert(p.block == 50 && p.patience == 20 && p.max_landmarks == 0);
    all_assert(p.landmarks == 1000 && p.sparsify == BAL_SCALE);
    all_assert(p.uncovered == BAL_EXTEND && p.gate == 0 && p.passes == 0);
    all_assert(p.seed == 0 && p.rcond == 0.1 && p.blend == 0);
    all_assert(p.correction == BAL_RESIDUAL && p.estimator == BAL_NORMAL);
    all_assert(p.trust == BAL_TRUST_ON && p.stream == BAL_STREAM_AUTO);
    all_assert(bal_params_memory(&p) == 1 << 30);
    bal_params_destroy(&p);
    all_assert(bal_mem_held() == 0);
}
END_TEST

typedef struct trial {
    const char *name, *text;
    bool allowed;
} trial;

static const trial trials[] = {
    {"pca", "0", true},
    {"pca", "-1", false},
    {"pca", "2147483648", false},
    {"block", "1", true},
    {"block", "4095", true},
    {"block", "4096", false},
    {"block", "0", false},
    {"clip", "1e-9", true},
    {"clip", "0", false},
    {"rcond", "0", true},
    {"rcond", "1", false},
    {"neighbors", "1", true},
    {"neighbors", "0", false},
    {"neighbors", "100%", true},
    {"neighbors", "0%", false},
    {"neighbors", "100.1%", false},
    {"neighbors", "%", false},
    {"neighbors", "1.5", false},
    {"neighbors", "20,1%", true},
    {"neighbors", "1,100%", true},
    {"neighbors", "20,", false},
    {"neighbors", ",1%", false},
    {"neighbors", "20,0%", false},
    {"neighbors", "0,1%", false},
    {"neighbors", "20,30", false},
    {"neighbors", "1%,20", false},
    {"neighbors", "20,1%,2", false},
    {"neighbors", "20,1%,2%", false},
    {"scale", "none", true},
    {"scale", "None", false},
    {"seed", "-1", false},
    {"seed", "18446744073709551615", true},
    {"force", "true", true},
    {"force", "yes", false},
    {"threads", "auto", true},
    {"threads", "0", false},
    {"pca", "auto", false},
    {"memory-per-rank", "2G", true},
    {"memory-per-rank", "auto", true},
    {"memory-per-rank", "1K", false},
    {"batch", "", false},
};

START_TEST(takes_what_is_allowed)
{
    bal_params p;
    const trial *t = &trials[_i];

    all_assert(bal_params_default(&p) == BAL_OK);
    bal_status st = set(&p, t->name, t->text);
    all_assert_msg(st == (t->allowed ? BAL_OK : BAL_EUSAGE), "%s: %s", t->name,
                   bal_error_get()->text);
    if (!t->allowed)
        all_assert(strstr(bal_error_get()->text, t->name) != NULL);
    bal_error_clear();
    bal_params_destroy(&p);
}
END_TEST

START_TEST(reads_back_what_it_prints)
{
    static const char *const shares[] = {
        "0.1%",   "33.3%", "7%",    "1e-06%",
        "100%",   "12",    "20,1%", "0.30000000000000004%",
        "1,33.3%"};
    bal_params p, q;
    char buf[64];

    all_assert(bal_params_default(&p) == BAL_OK);
    all_assert(bal_params_default(&q) == BAL_OK);
    const bal_option *o = bal_option_find(BAL_FOR_CORRECT, "neighbors");
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        all_assert(set(&p, "neighbors", shares[i]) == BAL_OK);
        bal_option_value(o, &p, buf, sizeof buf);
        all_assert(set(&q, "neighbors", buf) == BAL_OK);
        all_assert_msg(p.neighbors.share == q.neighbors.share &&
                           p.neighbors.k == q.neighbors.k,
                       "%s became %s", shares[i], buf);
    }
    bal_params_destroy(&p);
    bal_params_destroy(&q);
}
END_TEST

START_TEST(checks_rules_between_parameters)
{
    bal_params p;

    all_assert(bal_params_default(&p) == BAL_OK);
    all_assert(bal_params_check(&p) == BAL_OK);
    all_assert(bal_options_complete(BAL_FOR_CORRECT, &p) == BAL_EUSAGE);
    bal_error_clear();
    p.gate = 0.5;
    all_assert(bal_params_check(&p) == BAL_EUSAGE);
    bal_error_clear();
    p.gate = 1;
    all_assert(bal_params_check(&p) == BAL_OK);
    p.estimator = BAL_NYSTROM;
    all_assert(bal_params_check(&p) == BAL_EUSAGE);
    bal_error_clear();
    p.correction = BAL_SMOOTH;
    all_assert(bal_params_check(&p) == BAL_OK);
    bal_params_destroy(&p);
}
END_TEST

/* A few options by name, and whether they go together. */
typedef struct together {
    const char *name[4], *text[4];
    bool allowed;
} together;

static const together pairs[] = {
    {{"landmarks"}, {"500"}, true},
    {{"landmarks", "patience"}, {"auto", "30"}, true},
    {{"landmarks", "patience"}, {"500", "30"}, false},
    {{"landmarks", "uncovered"}, {"500", "keep"}, true},
    {{"landmarks", "max-landmarks"}, {"500", "100"}, true},
    {{"trust"}, {"off"}, true},
    {{"trust"}, {"strict"}, true},
    {{"trust", "correction"}, {"strict", "smooth"}, false},
    {{"trust", "sparsify"}, {"strict", "elbow"}, false},
    {{"trust", "passes", "correction"}, {"strict", "2", "smooth"}, true},
    {{"trust", "estimator", "passes", "correction"},
     {"strict", "nystrom", "1", "smooth"},
     false},
    {{"trust", "estimator", "passes", "correction"},
     {"strict", "nystrom", "2", "smooth"},
     true},
    {{"correction"}, {"smooth"}, true},
    {{"sparsify"}, {"elbow"}, true},
    {{"blend", "correction"}, {"0.5", "smooth"}, false},
    {{"blend"}, {"0"}, true},
    {{"blend"}, {"0.5"}, true},
    {{"estimator", "correction"}, {"nystrom", "residual"}, false},
};

START_TEST(checks_what_goes_together)
{
    bal_params p;
    const together *t = &pairs[_i];

    all_assert(bal_params_default(&p) == BAL_OK);
    for (int i = 0; i < 4 && t->name[i] != NULL; i++)
        all_assert(set(&p, t->name[i], t->text[i]) == BAL_OK);
    bal_status st = bal_params_check(&p);
    all_assert_msg(st == (t->allowed ? BAL_OK : BAL_EUSAGE), "%s: %s",
                   t->name[0], bal_error_get()->text);
    if (!t->allowed)
        all_assert(strstr(bal_error_get()->text, t->name[0]) != NULL);
    bal_error_clear();
    bal_params_destroy(&p);
}
END_TEST

START_TEST(records_what_the_output_depends_on)
{
    bal_params p;
    json_error_t error;
    const char *batch, *neighbors;
    int pca;
    double clip;

    all_assert(bal_params_default(&p) == BAL_OK);
    all_assert(set(&p, "batch", "plate") == BAL_OK);
    all_assert(set(&p, "neighbors", "0.1%") == BAL_OK);
    json_t *r = bal_options_report(BAL_FOR_CORRECT, &p);
    all_assert_msg(json_unpack_ex(r, &error, 0, "{s:s, s:s, s:i, s:f}", "batch",
                                  &batch, "neighbors", &neighbors, "pca", &pca,
                                  "clip", &clip) == 0,
                   "%s", error.text);
    all_assert(strcmp(batch, "plate") == 0 && strcmp(neighbors, "0.1%") == 0);
    all_assert(pca == 50 && clip == 10);
    all_assert(json_object_get(r, "threads") == NULL);
    all_assert(json_object_get(r, "memory-per-rank") == NULL);
    all_assert(json_object_get(r, "force") == NULL);
    json_decref(r);
    bal_params_destroy(&p);
}
END_TEST

START_TEST(threads_come_from_the_environment)
{
    bal_params p;

    all_assert(bal_params_default(&p) == BAL_OK);
    setenv("OMP_NUM_THREADS", "3,2", 1);
    all_assert(bal_params_threads(&p) == 3);
    setenv("OMP_NUM_THREADS", "none", 1);
    all_assert(bal_params_threads(&p) == 1);
    unsetenv("OMP_NUM_THREADS");
    all_assert(bal_params_threads(&p) == 1);
    p.threads = 5;
    all_assert(bal_params_threads(&p) == 5);
    bal_params_destroy(&p);
}
END_TEST

START_TEST(finds_the_nearest_name)
{
    unsigned t = BAL_FOR_CORRECT;

    all_assert(strcmp(bal_option_nearest(t, "neighbours"), "neighbors") == 0);
    all_assert(strcmp(bal_option_nearest(t, "max-landmark"), "max-landmarks") ==
               0);
    all_assert(strcmp(bal_option_nearest(t, "pac"), "pca") == 0);
    all_assert(bal_option_nearest(t, "entirely-different") == NULL);
    all_assert(bal_option_find(t, "neighbour") == NULL);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("app/params");
    TCase *tcase = tcase_create("params");

    tcase_add_test(tcase, has_the_documented_defaults);
    tcase_add_loop_test(tcase, takes_what_is_allowed, 0,
                        (int)(sizeof trials / sizeof *trials));
    tcase_add_test(tcase, reads_back_what_it_prints);
    tcase_add_test(tcase, checks_rules_between_parameters);
    tcase_add_loop_test(tcase, checks_what_goes_together, 0,
                        (int)(sizeof pairs / sizeof *pairs));
    tcase_add_test(tcase, records_what_the_output_depends_on);
    tcase_add_test(tcase, threads_come_from_the_environment);
    tcase_add_test(tcase, finds_the_nearest_name);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
