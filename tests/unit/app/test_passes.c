/* Several passes equal the single pass run by hand again and again, with X, Z
 * and the number of the pass carried over. */
#include "../../../src/app/passes.h"

#include <stdlib.h>
#include <string.h>

#include "balans/app/correct.h"
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

/* A run's state, as the program holds it. */
typedef struct hand {
    bal_h5ad *file;
    bal_labels *labels;
    bal_order *order;
    bal_blocks *x;
    bal_space *space;
    bal_tiles *z;
    float most_x[D], most_z[P];
} hand;

static void must(bal_verdict v)
{
    all_assert_msg(!bal_failed(v), "%s", bal_error_get()->text);
}

static void open_by_hand(hand *h, const char *path)
{
    bal_matrix_info info;

    must(bal_h5ad_open(&comm, path, &h->file));
    must(bal_h5ad_matrix_open(h->file, "X", &info));
    must(bal_h5ad_matrix_load(h->file));
    must(bal_h5ad_labels(h->file, "batch", "batch", &h->labels));
    must(bal_order_create(&comm, h->labels, &h->order));
    all_assert(
        !bal_failed(bal_blocks_create(N, D, comm.rank, comm.size, &h->x)));
    all_assert(!bal_failed(bal_blocks_reside(h->x)));
    all_assert(!bal_failed(
        bal_h5ad_read_rows(h->file, h->x->first, h->x->m, h->x->at)));
}

static void close_by_hand(hand *h)
{
    bal_h5ad_close(&h->file);
    bal_labels_destroy(&h->labels);
    bal_blocks_destroy(&h->x);
    bal_tiles_destroy(&h->z);
    bal_order_destroy(&h->order);
    bal_space_destroy(&h->space);
}

static bal_verdict take_coordinates(void *arg, bal_size first, bal_size count,
                                    const float *z)
{
    hand *h = arg;

    return bal_route_to_tiles(&comm, h->order, first, count, z, h->z);
}

static void space_by_hand(hand *h)
{
    bal_space_params par = {
        .clip = 10, .pca = P, .memory = 1 << 28, .threads = 1};
    bal_blocks *z = NULL;

    must(bal_space_fit(&comm, h->x, &par, &h->space));
    all_assert(!bal_failed(bal_tiles_create(h->order->layout, P, &h->z)));
    must(bal_space_project(&comm, h->space, h->x, par.memory, 1,
                           take_coordinates, h));
    must(bal_correct_bounds(&comm, h->x, h->most_x));
    all_assert(!bal_failed(bal_tiles_blocks(h->z, 1 << 20, &z)));
    must(bal_correct_bounds(&comm, z, h->most_z));
    bal_blocks_destroy(&z);
}

/* X by block of the file, Z by tile, with what A says. */
static void move_by_hand(hand *h, const bal_csr *a, bal_correction form)
{
    bal_correct_params par = {
        .form = form, .blend = 1, .memory = 1 << 28, .threads = 1};
    bal_affinity *by_tile = NULL, *by_block = NULL;
    bal_parts *parts = NULL;
    bal_blocks *z = NULL;

    all_assert(!bal_failed(bal_affinity_by_tile(a, h->order, 2, &by_tile)));
    must(bal_affinity_by_block(&comm, a, h->order, h->x, 1 << 20, 2,
                               &by_block));
    must(bal_parts_create(&comm, by_tile, h->order->layout,
                          form == BAL_RESIDUAL ? BATCHES : 1, &parts));
    par.parts = parts;
    must(bal_correct(&comm, by_block, h->x, &par, h->most_x, NULL));
    all_assert(!bal_failed(bal_tiles_blocks(h->z, 1 << 20, &z)));
    must(bal_correct(&comm, by_tile, z, &par, h->most_z, NULL));
    bal_blocks_destroy(&z);
    bal_parts_destroy(&parts);
    bal_affinity_destroy(&by_tile);
    bal_affinity_destroy(&by_block);
}

/* One pass: landmarks drawn in Z, X corrected, and Z with it. */
static void pass_by_hand(hand *h, uint32_t pass, bal_correction form)
{
    bal_row_params rows = {.neighbors = {.k = 5}, .threads = 1};
    bal_sample_params par = {.block = 20,
                             .patience = 10,
                             .seed = 3,
                             .pass = pass,
                             .memory = 1 << 28};
    bal_sample_report report;
    bal_csr *a;

    must(bal_sample(&comm, h->z, h->order, &rows, &par, &a, &report));
    move_by_hand(h, a, form);
    bal_csr_destroy(&a);
    bal_sample_report_finish(&report);
}

/* Whether the file's X is what this rank's rows have become. */
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
                        bal_correction form, bal_streaming stream)
{
    bal_params p = {0};

    all_assert(!bal_failed(bal_params_default(&p)));
    p.batch = copy_of("batch");
    p.input = copy_of(in);
    p.output = copy_of(out);
    p.pca = P;
    p.neighbors = (bal_neighbors){.k = 5};
    p.landmarks = 0;
    p.sparsify = BAL_ELBOW;
    p.trust = BAL_TRUST_OFF;
    p.block = 20;
    p.patience = 10;
    p.seed = 3;
    p.passes = passes;
    p.correction = (int)form;
    p.stream = (int)stream;
    p.force = true;
    must(bal_correct_file(&comm, &p));
    bal_params_destroy(&p);
}

static void compare(int64_t passes, bal_correction form)
{
    char in[512], out[512];
    hand h = {0};

    snprintf(in, sizeof in, "%s", files_path("in.h5ad"));
    snprintf(out, sizeof out, "%s", files_path("out.h5ad"));
    if (comm.rank == 0)
        write_input();
    bal_comm_barrier(&comm);
    open_by_hand(&h, in);
    space_by_hand(&h);
    for (int64_t pass = 1; pass <= passes; pass++)
        pass_by_hand(&h, (uint32_t)pass, pass == passes ? form : BAL_RESIDUAL);
    run_program(in, out, passes, form, BAL_STREAM_OFF);
    all_assert(same_as_file(&h, out));
    run_program(in, out, passes, form, BAL_STREAM_ON);
    all_assert(same_as_file(&h, out));
    if (passes > 1) {
        run_program(in, out, 1, form, BAL_STREAM_OFF);
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

START_TEST(says_how_many_passes_there_are)
{
    bal_params p;

    all_assert(bal_params_default(&p) == BAL_OK);
    all_assert(bal_run_passes(&p) == 4);
    p.passes = 7;
    all_assert(bal_run_passes(&p) == 7);
    p.passes = 0;
    p.correction = BAL_SMOOTH;
    all_assert(bal_run_passes(&p) == 1);
    bal_params_destroy(&p);
}
END_TEST

START_TEST(says_whether_batches_are_weighed)
{
    bal_params p;

    all_assert(bal_params_default(&p) == BAL_OK);
    p.correction = BAL_SMOOTH;
    p.passes = 1;
    all_assert(!bal_run_trusts(&p));
    p.passes = 2; /* all but the last are residual */
    all_assert(bal_run_trusts(&p));
    p.passes = 1;
    p.correction = BAL_RESIDUAL;
    all_assert(bal_run_trusts(&p));
    p.trust = BAL_TRUST_STRICT;
    all_assert(bal_run_trusts(&p));
    p.sparsify = BAL_ELBOW;
    all_assert(!bal_run_trusts(&p));
    p.sparsify = BAL_SCALE;
    p.trust = BAL_TRUST_OFF;
    all_assert(!bal_run_trusts(&p));
    bal_params_destroy(&p);
}
END_TEST

/* Scales are collected where somebody needs them: trust, or the end of
 * --passes auto. */
START_TEST(hands_the_sampler_its_parameters)
{
    bal_params p;

    all_assert(bal_params_default(&p) == BAL_OK);
    p.seed = 9;
    p.landmarks = 300;
    p.uncovered = BAL_KEEP;
    p.memory_per_rank = 1 << 21;
    bal_sample_params s = bal_run_sample_params(&p, 3);
    all_assert(s.pass == 3 && s.seed == 9 && s.landmarks == 300);
    all_assert(s.uncovered == BAL_KEEP && s.memory == 1 << 21);
    all_assert(s.block == 50 && s.patience == 20 && s.max_landmarks == 0);
    all_assert(s.scales && s.hook == NULL);
    p.trust = BAL_TRUST_OFF;
    all_assert(bal_run_sample_params(&p, 3).scales);
    p.passes = 3;
    all_assert(!bal_run_sample_params(&p, 3).scales);
    all_assert(bal_run_sample_params(&p, 1).scales); /* what batches share */
    p.sparsify = BAL_ELBOW;
    all_assert(!bal_run_sample_params(&p, 1).scales);
    bal_row_params r = bal_run_row_params(&p);
    all_assert(r.sparsify == BAL_ELBOW && r.neighbors.k == 20 &&
               r.threads >= 1);
    bal_params_destroy(&p);
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
    tcase_add_test(tcase, says_how_many_passes_there_are);
    tcase_add_test(tcase, says_whether_batches_are_weighed);
    tcase_add_test(tcase, hands_the_sampler_its_parameters);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
