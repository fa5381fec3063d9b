/* From the mixture to the file: each rank draws its own run of rows in panels,
 * and all ranks write their panels collectively. */
#include "balans/app/simulate.h"

#include <stdio.h>
#include <string.h>

#include "balans/app/options.h"
#include "balans/app/version.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/io/h5ad_out.h"
#include "balans/io/report.h"
#include "balans/par/agree.h"
#include "balans/par/layout.h"
#include "mixture.h"

enum { PANEL = 1 << 26 }; /* bytes of values, about */

#define TRUTH "layers/truth"

/* ---- Options ---- */

static bal_mixture_params mixture_of(const bal_params *s)
{
    return (bal_mixture_params){
        .d = s->dims,
        .clusters = s->clusters,
        .batches = s->batches,
        .missing = s->missing,
        .confounded = s->confounded,
        .nested = s->nested,
        .outliers = s->outliers,
        .seed = s->seed,
    };
}

bal_status bal_simulation_check(const bal_params *s)
{
    bal_mixture_params par = mixture_of(s);
    bal_size lacking = bal_mixture_lacking(&par);
    bal_size kept = s->clusters - lacking;

    if (kept < 1)
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot take '%.15g' for option '--missing': no batch "
                        "would have any of the %lld clusters; give less or "
                        "more '--clusters'",
                        s->missing, (long long)s->clusters);
    if (kept * s->batches < s->clusters)
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot take '%.15g' for option '--missing': %lld "
                        "batches of %lld clusters cannot hold all %lld; give "
                        "less or more '--batches'",
                        s->missing, (long long)s->batches, (long long)kept,
                        (long long)s->clusters);
    return BAL_OK;
}

/* ---- Groups: the columns of obs ---- */

/* A column while it is made; `codes` is one panel. */
typedef struct column {
    bal_categorical as;
    char **name, *room;
    void *codes;
    const char *path;
} column;

/* As narrow as pandas makes them. */
static bal_element element_for(bal_size categories)
{
    if (categories < INT8_MAX)
        return BAL_I8;
    return categories < INT16_MAX ? BAL_I16 : BAL_I32;
}

/* Names are "WORD_0" and so on, the numbers padded with zeros, so that they
 * sort by number. */
static bal_status make_column(column *c, const char *word, const char *path,
                              const char *prefix, bal_size categories,
                              bal_size panel)
{
    int digits = snprintf(NULL, 0, "%lld", (long long)(categories - 1));
    size_t width = strlen(prefix) + (size_t)digits + 2;
    bal_status st;

    BAL_TRY(bal_alloc(&c->name, categories, "the names of groups"));
    BAL_TRY(bal_alloc(&c->room, categories * (bal_size)width,
                      "the names of groups"));
    BAL_TRY(bal_mem_alloc(&c->codes, panel, sizeof(int32_t), "the codes"));
    for (bal_size i = 0; i < categories; i++) {
        c->name[i] = c->room + (size_t)i * width;
        snprintf(c->name[i], width, "%s_%0*lld", prefix, digits, (long long)i);
    }
    c->path = path;
    c->as = (bal_categorical){
        .name = word,
        .element = element_for(categories),
        .category = c->name,
        .categories = categories,
    };
done:
    return st;
}

static void free_column(column *c)
{
    bal_free(&c->name);
    bal_free(&c->room);
    bal_free(&c->codes);
}

static void put_code(column *c, bal_size i, int32_t code)
{
    if (c->as.element == BAL_I8)
        ((int8_t *)c->codes)[i] = (int8_t)code;
    else if (c->as.element == BAL_I16)
        ((int16_t *)c->codes)[i] = (int16_t)code;
    else
        ((int32_t *)c->codes)[i] = code;
}

/* ---- The file ---- */

typedef struct job {
    bal_comm *comm;
    const bal_params *par;
    bal_mixture *mixture;
    bal_h5ad_out *out;
    bal_gidx first;  /* of this rank's rows */
    bal_size m;      /* how many they are */
    bal_size panel;  /* rows in a panel, at most */
    bal_size panels; /* the same on every rank */
    float *x, *truth;
    column batch, label, source; /* source: with nested only */
} job;

static void lay_out(job *j)
{
    bal_size n = j->par->points, row = j->par->dims * (bal_size)sizeof(float);
    int size = j->comm->size, rank = j->comm->rank;
    bal_size most = n / size + 1;

    j->first = bal_share_first(n, rank, size);
    j->m = bal_share_first(n, rank + 1, size) - j->first;
    j->panel = row < PANEL ? PANEL / row : 1;
    if (j->panel > most)
        j->panel = most;
    j->panels = (most + j->panel - 1) / j->panel;
}

static bal_status prepare(job *j)
{
    const bal_params *s = j->par;
    bal_mixture_params par = mixture_of(s);
    bal_size values = j->panel * s->dims;
    bal_status st;

    BAL_TRY(bal_mixture_create(&par, &j->mixture));
    BAL_TRY(bal_alloc(&j->x, values, "a panel"));
    if (s->truth)
        BAL_TRY(bal_alloc(&j->truth, values, "a panel"));
    BAL_TRY(make_column(&j->batch, "batch", "obs/batch/codes", "batch",
                        s->batches, j->panel));
    BAL_TRY(make_column(&j->label, "label", "obs/label/codes", "cluster",
                        s->clusters, j->panel));
    if (s->nested)
        BAL_TRY(make_column(&j->source, "source", "obs/source/codes", "source",
                            bal_mixture_sources(s->batches), j->panel));
done:
    return st;
}

static void finish(job *j)
{
    bal_mixture_destroy(&j->mixture);
    bal_free(&j->x);
    bal_free(&j->truth);
    free_column(&j->batch);
    free_column(&j->label);
    free_column(&j->source);
}

static json_t *provenance(const bal_params *s)
{
    return json_pack("{s:s, s:s, s:o}", "version", bal_version(), "commit",
                     bal_commit(), "simulation",
                     bal_options_report(BAL_FOR_SIMULATE, s));
}

static bal_verdict create(job *j, json_t *uns)
{
    const bal_params *s = j->par;
    const bal_array array[] = {
        {.path = "X", .element = BAL_F32, .n = s->points, .d = s->dims},
        {.path = TRUTH, .element = BAL_F32, .n = s->points, .d = s->dims},
    };
    const bal_categorical columns[] = {j->batch.as, j->label.as, j->source.as};
    bal_out_plan plan = {
        .array = array,
        .arrays = s->truth ? 2 : 1,
        .column = columns,
        .columns = s->nested ? 3 : 2,
        .uns = uns,
    };

    return bal_h5ad_out_create(j->out, &plan);
}

static void draw_rows(job *j, bal_gidx first, bal_size count)
{
    bal_size d = j->par->dims;

    for (bal_size i = 0; i < count; i++) {
        bal_point p = bal_mixture_point(j->mixture, first + i);
        put_code(&j->batch, i, p.batch);
        put_code(&j->label, i, p.cluster);
        if (j->par->nested)
            put_code(&j->source, i,
                     (int32_t)bal_mixture_source(j->par->batches, p.batch));
        bal_mixture_values(j->mixture, &p, j->x + i * d,
                           j->truth != NULL ? j->truth + i * d : NULL);
    }
}

static bal_verdict write_panel(job *j, bal_gidx first, bal_size count)
{
    bal_verdict st;

    draw_rows(j, first, count);
    BAL_TRY(bal_h5ad_out_write(j->out, "X", first, count, j->x));
    if (j->par->truth)
        BAL_TRY(bal_h5ad_out_write(j->out, TRUTH, first, count, j->truth));
    BAL_TRY(bal_h5ad_out_write(j->out, j->batch.path, first, count,
                               j->batch.codes));
    BAL_TRY(bal_h5ad_out_write(j->out, j->label.path, first, count,
                               j->label.codes));
    if (j->par->nested)
        BAL_TRY(bal_h5ad_out_write(j->out, j->source.path, first, count,
                                   j->source.codes));
done:
    return st;
}

static bal_verdict write_all(job *j)
{
    bal_verdict st = {BAL_OK};

    for (bal_size p = 0; p < j->panels; p++) {
        bal_size from = p * j->panel < j->m ? p * j->panel : j->m;
        bal_size left = j->m - from;
        BAL_TRY(
            write_panel(j, j->first + from, left < j->panel ? left : j->panel));
        bal_progress_share((double)(p + 1) / (double)j->panels);
        bal_progress("panel %lld of %lld", (long long)p + 1,
                     (long long)j->panels);
    }
    bal_progress_end();
done:
    return st;
}

bal_verdict bal_simulate_file(bal_comm *c, const bal_params *s)
{
    bal_verdict st;
    job j = {.comm = c, .par = s};
    json_t *uns = NULL;

    bal_comm_enter(c, BAL_PHASE_WRITE);
    lay_out(&j);
    BAL_TRY(bal_h5ad_out_begin(c, s->output, NULL, s->force, &j.out));
    BAL_TRY(bal_agree(c, prepare(&j)));
    uns = provenance(s);
    BAL_TRY(bal_agree(c, bal_report_status(uns)));
    BAL_TRY(create(&j, uns));
    BAL_TRY(write_all(&j));
    BAL_TRY(bal_h5ad_out_finish(&j.out, NULL));
done:
    bal_h5ad_out_discard(&j.out);
    json_decref(uns);
    finish(&j);
    return st;
}
