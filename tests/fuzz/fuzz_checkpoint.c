/* Checkpoints: a sound one of made-up points, tampered with.  What is read is
 * refused, or can be gone on from: rows of A that lie among the points, and
 * counters that the sampler takes. */
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "image.h"
#include "keep.h"
#include "keep_store.h"
#include "model.h"
#include "points.h"

enum { BATCHES = 3, D = 3, P = 2, LANDMARKS = 9, PASSES = 5 };

static char identity[] = "a run\n";
static char way[128];
static ref_data *data;
static points *p;
static bal_points moved;
static float most_z[P], most_x[D];
static bal_pass_report passes[PASSES];
static bal_params par;
static bal_model_out no_model;
static fuzz_image image;

static bal_keeper keeper_of(const char *path, bal_passed *passed)
{
    *passed = (bal_passed){.pass = passes, .passes = 1, .unseen = -1};
    snprintf(way, sizeof way, "%s", path);
    par.checkpoint = way;
    return (bal_keeper){.comm = fuzz_comm(),
                        .par = &par,
                        .pass = 2,
                        .identity = identity,
                        .points = &moved,
                        .passed = passed,
                        .model = &no_model};
}

/* ---- The sound one ---- */

static bal_wish wish(void *arg)
{
    (void)arg;
    return BAL_SAVE;
}

static bal_verdict save(void *arg, const bal_sample_state *state, bool stop)
{
    (void)stop;
    return bal_keeper_write(arg, state);
}

static void make_points(void)
{
    static bal_order *orders[1];
    const int64_t size[BATCHES] = {40, 30, 17};

    data = ref_data_create(size, BATCHES, D, P, 0, 1);
    p = points_create(fuzz_comm(), data);
    orders[0] = p->order;
    moved = (bal_points){.orders = orders,
                         .columns = 1,
                         .order = p->order,
                         .z = p->z,
                         .x = p->x,
                         .most_z = most_z,
                         .most_x = most_x};
}

static void write_sound(const char *path)
{
    bal_passed passed;
    bal_keeper k = keeper_of(path, &passed);
    bal_row_params rows = bal_run_row_params(&par);
    bal_sample_params sample = bal_run_sample_params(&par, 2);
    const bal_sample_hook hook = {&k, wish, save, NULL};
    bal_sample_report report = {0};
    bal_csr *a = NULL;

    rows.neighbors = (bal_neighbors){3, 0};
    sample.landmarks = LANDMARKS;
    sample.scales = true;
    sample.hook = &hook;
    fuzz_insist(!bal_failed(bal_sample(fuzz_comm(), p->z, p->order, &rows,
                                       &sample, &a, &report)));
    bal_csr_destroy(&a);
    bal_sample_report_finish(&report);
}

static void make_sound(void)
{
    char path[96];
    const bal_store_kind *kind = &bal_keeper_kind;

    fuzz_insist(!bal_failed(bal_params_default(&par)));
    make_points();
    snprintf(path, sizeof path, "%s/sound", fuzz_folder());
    write_sound(path);
    fuzz_image_read(&image, path, kind);
    fuzz_folder_remove();
}

/* ---- What is tried ---- */

static void check_row(const bal_csr_row *row, const bal_layout *l)
{
    fuzz_insist(row->landmark >= 0 && row->landmark < l->n);
    for (bal_size e = 0; e < row->count; e++) {
        fuzz_insist(row->index[e] >= 0 && row->index[e] < l->m);
        fuzz_insist(e == 0 || row->index[e] > row->index[e - 1]);
        fuzz_insist(row->value[e] > 0 && row->value[e] <= 1);
    }
}

static void check(const bal_keeper *k)
{
    const bal_sample_state *s = &k->from;

    fuzz_insist(k->pass >= 1 && k->pass <= PASSES);
    fuzz_insist(s->stage >= BAL_SAMPLE_BLOCKS && s->stage <= BAL_SAMPLE_DONE);
    fuzz_insist(s->block >= 0 && s->width >= 1 && s->quiet >= 0);
    fuzz_insist(s->a->m == s->report.landmarks);
    for (bal_size i = 0; i < s->a->m; i++)
        check_row(&s->a->row[i], p->layout);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_bytes b = {bytes, size};
    bal_passed passed;
    bal_keeper k;

    if (image.at == NULL)
        make_sound();
    bal_size held = bal_mem_held();
    k = keeper_of(fuzz_image_change(&image, &b), &passed);
    if (!bal_failed(bal_keeper_read(&k)))
        check(&k);
    else
        fuzz_insist(size > 0 && bal_error_get()->code == BAL_EINPUT);
    bal_sample_state_finish(&k.from);
    bal_error_clear();
    fuzz_insist(bal_mem_held() == held);
    return 0;
}
