/* Several passes equal the single pass run by hand again and again, with X, Z
 * and the number of the pass carried over. */
#include <stdlib.h>
#include <string.h>

#include "balans/algo/correct.h"
#include "balans/algo/sampler.h"
#include "balans/algo/space.h"
#include "balans/app/params.h"
#include "balans/app/pipeline.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "balans/io/h5ad.h"
#include "h5ad_files.h"
#include "mpi_check.h"

enum { N = 700, D = 6, P = 4, BATCHES = 3, CLUSTERS = 4, PASSES = 3 };

static bal_comm comm;

static double noise(uint32_t i, uint32_t f)
{
    uint64_t a = bal_rng_u64(7, i, f, 0, 0), b = bal_rng_u64(7, i, f, 1, 0);

    return ((double)a + (double)b) / 18446744073709551616.0 - 1;
}

/* Clusters far apart, each batch moved by an offset of its own. */
static double value_of(int i, int f)
{
    int batch = i % BATCHES, cluster = i / BATCHES % CLUSTERS;
    double centre = 9 * noise((uint32_t)cluster, (uint32_t)(100 + f));
    double shift = 3 * noise((uint32_t)batch, (uint32_t)(200 + f));

    return centre + shift + noise((uint32_t)(1000 + i), (uint32_t)f);
}

static void write_input(void)
{
    static const char *const name[] = {"a", "b", "c"};
    static const char *const column[] = {"batch"};
    static double value[N * D];
    static int code[N];
    hid_t file = files_create("in.h5ad", N, D);

    for (int i = 0; i < N; i++) {
        code[i] = i % BATCHES;
        for (int f = 0; f < D; f++)
            value[i * D + f] = (double)(float)value_of(i, f);
    }
    files_numbers(file, "X", H5T_IEEE_F32LE, value, 2, (hsize_t[]){N, D}, 0);
    files_columns(file, column, 1);
    files_categorical(file, "obs/batch", name, BATCHES, code, N);
    H5Fclose(file);
}

/* Text that a bal_params may own. */
static char *copy_of(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy;

    all_assert(!bal_failed(bal_alloc(&copy, (bal_size)size, "a test")));
    memcpy(copy, text, size);
    return copy;
}

/* A run's state, as the pipeline holds it. */
typedef struct hand {
    bal_h5ad *file;
    bal_labels *labels;
    bal_layout *layout;
    bal_route *route;
    bal_shard *x;
    bal_space *space;
} hand;

static void open_by_hand(hand *h, const char *path)
{
    bal_matrix_info info;
    float *rows;

    all_assert(!bal_failed(bal_h5ad_open(&comm, path, &h->file)));
    all_assert(!bal_failed(bal_h5ad_matrix_open(h->file, "X", &info)));
    all_assert(!bal_failed(bal_h5ad_matrix_load(h->file)));
    all_assert(!bal_failed(
        bal_h5ad_labels(h->file, "batch", "batch", &h->labels)));
    all_assert(!bal_failed(bal_layout_create(h->labels->size, h->labels->count,
                                             comm.rank, comm.size,
                                             &h->layout)));
    all_assert(!bal_failed(
        bal_route_create(&comm, h->labels, h->layout, &h->route)));
    all_assert(!bal_failed(bal_shard_create(h->layout, D, &h->x)));
    rows = calloc((size_t)(h->route->m * D + 1), sizeof *rows);
    all_assert(!bal_failed(
        bal_h5ad_read_rows(h->file, h->route->first, h->route->m, rows)));
    all_assert(!bal_failed(
        bal_route_scatter(&comm, h->route, 0, h->route->m, rows, h->x)));
    free(rows);
}

static void close_by_hand(hand *h)
{
    bal_h5ad_close(&h->file);
    bal_labels_destroy(&h->labels);
    bal_route_destroy(&h->route);
    bal_shard_destroy(&h->x);
    bal_space_destroy(&h->space);
    bal_layout_destroy(&h->layout);
}

/* One pass: landmarks drawn in Z, X corrected, and Z with it. */
static void pass_by_hand(hand *h, uint32_t pass, bal_correction form)
{
    bal_row_params rows = {.neighbors = {.k = 5}, .threads = 1};
    bal_sample_params par = {.block = 20, .patience = 10, .seed = 3,
                             .pass = pass, .memory = 1 << 28};
    bal_sample_report report;
    bal_csr *a;
    bal_shard *z;

    all_assert(!bal_failed(bal_sample(&comm, h->space->z, h->route, &rows, &par,
                                      &a, &report)));
    all_assert(!bal_failed(bal_correct(&comm, a, form, 1 << 28, 1, h->x)));
    all_assert(!bal_failed(bal_shard_create(h->layout, P, &z)));
    bal_tiles_to_rows(h->space->z, z);
    all_assert(!bal_failed(bal_correct(&comm, a, form, 1 << 28, 1, z)));
    bal_tiles_from_rows(h->space->z, z);
    bal_shard_destroy(&z);
    bal_csr_destroy(&a);
    bal_sample_report_finish(&report);
}

/* Whether the file's X is what this rank's points have become. */
static bool same_as_file(const hand *h, const char *path)
{
    hand out = {0};
    bool same;

    open_by_hand(&out, path);
    same = memcmp(out.x->at, h->x->at,
                  (size_t)h->x->m * D * sizeof *h->x->at) == 0;
    close_by_hand(&out);
    return same;
}

static void run_program(const char *in, const char *out, int64_t passes,
                        bal_correction form)
{
    bal_params p = {0};

    all_assert(!bal_failed(bal_params_default(&p)));
    p.batch = copy_of("batch");
    p.input = copy_of(in);
    p.output = copy_of(out);
    p.pca = P;
    p.neighbors = (bal_neighbors){.k = 5};
    p.block = 20;
    p.patience = 10;
    p.seed = 3;
    p.passes = passes;
    p.correction = (int)form;
    p.force = true;
    all_assert(!bal_failed(bal_correct_file(&comm, &p)));
    bal_params_destroy(&p);
}

static void compare(int64_t passes, bal_correction form)
{
    char in[512], out[512];
    bal_space_params par = {.clip = 10, .pca = P, .memory = 1 << 28,
                            .threads = 1};
    hand h = {0};

    snprintf(in, sizeof in, "%s", files_path("in.h5ad"));
    snprintf(out, sizeof out, "%s", files_path("out.h5ad"));
    if (comm.rank == 0)
        write_input();
    bal_comm_barrier(&comm);
    open_by_hand(&h, in);
    all_assert(!bal_failed(bal_space_create(&comm, h.x, &par, &h.space)));
    for (int64_t pass = 1; pass <= passes; pass++)
        pass_by_hand(&h, (uint32_t)pass,
                     pass == passes ? form : BAL_RESIDUAL);
    run_program(in, out, passes, form);
    all_assert(same_as_file(&h, out));
    if (passes > 1) {
        run_program(in, out, 1, form);
        all_assert(!same_as_file(&h, out) || h.x->m == 0);
    }
    close_by_hand(&h);
}

START_TEST(passes_equal_the_single_pass_run_by_hand)
{
    compare(PASSES, BAL_RESIDUAL);
}
END_TEST

START_TEST(the_last_pass_may_smooth)
{
    compare(2, BAL_SMOOTH);
}
END_TEST

START_TEST(one_pass_is_one_pass)
{
    compare(1, BAL_SMOOTH);
}
END_TEST

static void set_up(void)
{
    bal_comm_init(&comm, MPI_COMM_WORLD);
    bal_log_init(BAL_LOG_ERROR, comm.rank);
    files_begin(&comm);
}

static void tear_down(void)
{
    files_end(&comm);
    bal_comm_finish(&comm);
}

int main(int argc, char **argv)
{
    Suite *suite = suite_create("app/passes");
    TCase *tcase = tcase_create("passes");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, passes_equal_the_single_pass_run_by_hand);
    tcase_add_test(tcase, the_last_pass_may_smooth);
    tcase_add_test(tcase, one_pass_is_one_pass);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
