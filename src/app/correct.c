/* The phases of `balans correct`: the input is opened and the output begun; X
 * is read in blocks of the file; the distance space is fitted to it, and its
 * coordinates go to the tiles; passes move both; the blocks are written. */
#include "balans/app/correct.h"

#include <libgen.h>
#include <string.h>

#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/timer.h"
#include "balans/data/checksum.h"
#include "balans/forecast/print.h"
#include "balans/io/publish.h"
#include "balans/io/report.h"
#include "balans/par/agree.h"
#include "keep.h"
#include "output.h"
#include "summary.h"
#include "workload.h"

/* No file that the run writes is another of its files. */
static bal_verdict check_files(bal_comm *c, const bal_params *p)
{
    const bal_named_file file[] = {
        {"the input", p->input, false},
        {"the configuration", p->config, false},
        {"the output", p->output, true},
        {"the report", p->report, true},
        {"the checkpoint", p->checkpoint, true},
    };
    bal_status mine = BAL_OK;
    bal_verdict st;

    if (c->rank == 0)
        mine = bal_publish_apart(file, (int)(sizeof file / sizeof *file));
    BAL_TRY(bal_agree(c, mine));
    BAL_TRY(bal_h5ad_out_check(c, p->output, p->input, p->force));
    if (c->rank == 0 && p->report != NULL)
        mine = bal_publish_check(p->report, true);
    BAL_TRY(bal_agree(c, mine));
done:
    return st;
}

/* A run of the command; members are set from top to bottom. */
typedef struct run {
    bal_comm *c;
    const bal_params *par;
    bal_keeper keeper;
    bal_input in;
    bal_workload workload;
    bal_h5ad_out *out;
    char *path, *folder; /* of the output */
    bal_order **order; /* [columns] */
    bal_profiles profiles;
    bal_space *space;
    bal_points points;
    bal_passed passed;
} run;

static bal_status name_folder(run *r)
{
    bal_status st =
        bal_alloc(&r->path, (bal_size)strlen(r->par->output) + 1, "a path");

    if (bal_failed(st))
        return st;
    strcpy(r->path, r->par->output);
    r->folder = dirname(r->path);
    return BAL_OK;
}

static bal_verdict read_profiles(run *r)
{
    bal_verdict st;

    BAL_TRY(bal_agree(r->c, name_folder(r)));
    BAL_TRY(bal_agree(r->c, bal_alloc(&r->order, r->in.columns,
                                      "the orders of points")));
    for (int i = 0; i < r->in.columns; i++)
        BAL_TRY(bal_order_create(r->c, r->in.labels[i], &r->order[i]));
    BAL_TRY(bal_profiles_open(&r->in, r->workload.streamed, r->folder,
                              bal_params_memory(r->par) / 4, &r->profiles));
    BAL_TRY(bal_keeper_identify(&r->keeper, &r->in, r->profiles.checksum));
done:
    return st;
}

static bal_verdict take_coordinates(void *arg, bal_size first, bal_size count,
                                    const float *z)
{
    run *r = arg;

    return bal_route_to_tiles(r->c, r->order[0], first, count, z,
                              r->points.z);
}

static bal_status make_points(run *r)
{
    const bal_space *s = r->space;
    bal_points *p = &r->points;
    bal_status st;

    p->orders = r->order;
    p->columns = r->in.columns;
    p->order = r->order[0];
    p->x = r->profiles.x;
    BAL_TRY(bal_tiles_create(p->order->layout, (int)s->p, &p->z));
    BAL_TRY(bal_alloc(&p->most_z, s->p, "the coordinates"));
    BAL_TRY(bal_alloc(&p->most_x, s->d, "the features"));
    for (bal_size f = 0; f < s->d; f++) {
        float low = s->low[f] < 0 ? -s->low[f] : s->low[f];
        float high = s->high[f] < 0 ? -s->high[f] : s->high[f];
        p->most_x[f] = low > high ? low : high;
    }
done:
    return st;
}

static bal_verdict build_space(run *r)
{
    const bal_space_params par = r->workload.space;
    bal_blocks *z = NULL;
    bal_verdict st;

    bal_comm_enter(r->c, BAL_PHASE_SPACE);
    BAL_TRY(bal_space_fit(r->c, r->profiles.x, &par, &r->space));
    bal_input_say(&r->in);
    if (r->profiles.stream != NULL)
        bal_info("profiles stay in the file and are read again for every "
                 "sweep (--stream)");
    if (r->space->constant > 0)
        bal_info("%lld of %lld features do not vary",
                 (long long)r->space->constant, (long long)r->space->d);
    bal_debug("distance space: %lld dimensions%s", (long long)r->space->p,
              r->space->pca ? ", principal components" : "");
    BAL_TRY(bal_agree(r->c, make_points(r)));
    BAL_TRY(bal_space_project(r->c, r->space, r->profiles.x, par.memory,
                              par.threads, take_coordinates, r));
    BAL_TRY(bal_agree(r->c, bal_tiles_blocks(r->points.z, 1 << 20, &z)));
    BAL_TRY(bal_correct_bounds(r->c, z, r->points.most_z));
done:
    bal_blocks_destroy(&z);
    return st;
}

static bal_outcome what_ran(const run *r)
{
    return (bal_outcome){
        .in = &r->in,
        .workload = &r->workload,
        .space = r->space,
        .points = &r->points,
        .passed = &r->passed,
        .checksum_in = r->profiles.checksum,
    };
}

static bal_verdict write_output(run *r, bal_outcome *ran)
{
    json_t *uns = NULL, *late = NULL;
    bal_output o = {&r->in, r->space, &r->points, &r->passed, NULL};
    bal_verdict st;

    bal_comm_enter(r->c, BAL_PHASE_WRITE);
    BAL_TRY(bal_checksum_rows(r->c, r->points.x, &ran->checksum_out));
    o.uns = uns = bal_run_provenance(ran);
    BAL_TRY(bal_agree(r->c, bal_report_status(uns)));
    BAL_TRY(bal_output_write(&o, r->out));
    BAL_TRY(bal_run_report(ran, &late));
    BAL_TRY(bal_h5ad_out_finish(&r->out, late));
    bal_progress_end();
done:
    json_decref(uns);
    json_decref(late);
    return st;
}

static bal_verdict tell(run *r, const bal_outcome *ran)
{
    json_t *report = NULL;
    bal_verdict st;

    BAL_TRY(bal_run_report(ran, &report));
    bal_run_print_phases(report);
    if (r->par->report != NULL) {
        bool all = bal_report_add(report, "result", bal_run_provenance(ran));
        BAL_TRY(bal_report_write(r->c, r->par->report, all ? report : NULL));
    }
done:
    json_decref(report);
    return st;
}

static bal_verdict correct(run *r)
{
    bal_outcome ran;
    bal_verdict st;

    bal_keeper_start(&r->keeper, r->c, r->par);
    BAL_TRY(bal_input_open(r->c, r->par, &r->in));
    BAL_TRY(bal_run_workload(&r->in, r->c->size, &r->workload));
    BAL_TRY(bal_keeper_open(&r->keeper));
    BAL_TRY(bal_output_begin(&r->in, &r->out));
    BAL_TRY(read_profiles(r));
    BAL_TRY(bal_pause(r->c));
    BAL_TRY(build_space(r));
    BAL_TRY(bal_passes_run(r->c, r->par, r->in.column, r->space, &r->points,
                           &r->keeper, &r->passed));
    BAL_TRY(bal_pause(r->c));
    ran = what_ran(r);
    BAL_TRY(write_output(r, &ran));
    BAL_TRY(tell(r, &ran));
    bal_keeper_remove(&r->keeper);
done:
    return st;
}

/* Says what the run would need. */
static bal_verdict rehearse(run *r)
{
    double start = bal_now();
    bal_verdict st;

    BAL_TRY(bal_input_open(r->c, r->par, &r->in));
    bal_input_say(&r->in);
    start = bal_now() - start;
    BAL_TRY(bal_matrices_print(r->c, r->in.file));
    BAL_TRY(bal_h5ad_matrix_open(r->in.file, r->par->matrix, &r->in.info));
    BAL_TRY(bal_run_forecast(&r->in, r->c->size, start));
done:
    return st;
}

static void finish(run *r)
{
    bal_keeper_finish(&r->keeper);
    bal_passed_finish(&r->passed);
    bal_tiles_destroy(&r->points.z);
    bal_free(&r->points.most_z);
    bal_free(&r->points.most_x);
    bal_space_destroy(&r->space);
    bal_profiles_close(&r->profiles);
    for (int i = 0; r->order != NULL && i < r->in.columns; i++)
        bal_order_destroy(&r->order[i]);
    bal_free(&r->order);
    bal_free(&r->path);
    bal_h5ad_out_discard(&r->out);
    bal_input_close(&r->in);
}

bal_verdict bal_correct_file(bal_comm *c, const bal_params *par)
{
    run r = {.c = c, .par = par};
    bal_verdict st;

    bal_comm_enter(c, BAL_PHASE_READ);
    BAL_TRY(check_files(c, par));
    st = par->dry_run ? rehearse(&r) : correct(&r);
    bal_progress_end();
    finish(&r);
done:
    return st;
}
