/* What the sampler sends: calls and bytes of a rank, by the formulas of
 * docs/mpi.md, for batches that lie on ranks in different ways. */
#include "balans/algo/sampler.h"

#include "balans/par/select.h"
#include "mpi_check.h"
#include "points_fixture.h"

enum { J = 5, P = 3, LANDMARKS = 10, BATCHES = 60 };

/* One batch; as many as ranks; many more; one over half of the ranks. */
enum { SHAPES = 4 };

static void prepare(int shape)
{
    int64_t size[BATCHES], batches = 0;

    if (shape == 0)
        size[batches++] = 9000;
    for (; shape == 1 && batches < c.size; batches++)
        size[batches] = 1200 + 10 * batches;
    for (; shape == 2 && batches < BATCHES; batches++)
        size[batches] = 270 + batches;
    if (shape == 3) {
        size[batches++] = 2500;
        size[batches++] = 5100;
        size[batches++] = 2600;
    }
    make_points(size, batches, P, P, 0, 4);
}

static int64_t logarithm(int64_t g)
{
    int64_t steps = 0;

    while (1 << steps < g)
        steps++;
    return steps;
}

typedef struct traffic {
    int64_t calls, bytes;
} traffic;

/* At most, to search the batches this rank shares for one landmark. */
static traffic search(const bal_row_params *rows)
{
    traffic most = {0};
    bal_size batch[2];
    int shares = bal_select_batches(p->layout, batch);

    for (int x = 0; x < shares; x++) {
        bal_size size = p->layout->batch_first[batch[x] + 1] -
                        p->layout->batch_first[batch[x]];
        bal_size k = bal_neighbors_in(rows->neighbors, size);
        k = k < size ? k : size;
        int64_t depth = logarithm(c.size);
        most.bytes +=
            k <= BAL_SELECT_LISTS ? 4 * (k + depth) : 3 * (16384 + 16 * depth);
        most.calls += (k <= BAL_SELECT_LISTS ? 1 : 3) * 2 * (1 + depth);
    }
    return most;
}

/* At most, with one block in flight. */
static traffic most_of(const bal_row_params *rows, const bal_sample_report *r)
{
    traffic each = search(rows);
    int64_t draws = r->landmarks + r->repeats;
    int64_t groups = (draws + J - 1) / J;
    int64_t elbow = rows->sparsify == BAL_ELBOW, gate = rows->gate > 0;

    /* a draw: sums, sums below, coordinates; a row: search, gate, a histogram,
     * and one more where its elbow lies far lower than those before */
    return (traffic){
        .bytes = draws * (8 * 5 + 8 * 2) + draws * 4 * (P + 2) +
                 r->rows * (each.bytes + elbow * 2 * 8192 + gate * 4) +
                 groups * 8 * (J + 3) + 512,
        .calls = 3 * draws + r->rows * (each.calls + 2 * elbow + gate) +
                 2 * groups + 24,
    };
}

static void check(const bal_row_params *rows, const char *what)
{
    bal_sample_params par = {.block = J,
                             .max_landmarks = LANDMARKS,
                             .patience = 100,
                             .pass = 1,
                             .most_in_flight = 1,
                             .memory = INT64_C(1) << 30};
    bal_sample_report report = {0};
    bal_csr *a = NULL;

    bal_tally before = c.tally[c.phase];
    bal_verdict v = bal_sample(&c, p->z, p->order, rows, &par, &a, &report);
    bal_csr_destroy(&a);
    traffic most = most_of(rows, &report);
    bal_sample_report_finish(&report);
    int64_t calls = c.tally[c.phase].calls - before.calls;
    int64_t bytes = c.tally[c.phase].bytes - before.bytes;
    all_assert(!bal_failed(v));
    all_assert_msg(bytes <= most.bytes && calls <= most.calls,
                   "%s: %lld bytes, at most %lld; %lld calls, at most %lld",
                   what, (long long)bytes, (long long)most.bytes,
                   (long long)calls, (long long)most.calls);
}

START_TEST(sends_what_it_may)
{
    bal_row_params rows = {.threads = 1};

    prepare(_i);
    rows.neighbors = (bal_neighbors){.k = 10};
    check(&rows, "elbow, k = 10");
    rows.gate = 2;
    check(&rows, "elbow, gate, k = 10");
    rows.sparsify = BAL_SCALE;
    rows.neighbors = (bal_neighbors){.k = 1100};
    check(&rows, "scale, gate, k = 1100");
    rows.gate = 0;
    check(&rows, "scale, k = 1100");
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("algo/traffic");
    TCase *tcase = tcase_create("traffic");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 100);
    tcase_add_loop_test(tcase, sends_what_it_may, 0, SHAPES);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
