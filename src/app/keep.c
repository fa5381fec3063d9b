/* Stop in time, and go on.
 *
 * The sampler asks at each step what is wished. A signal is only noted, and
 * rank 0 looks at the clock: a checkpoint is due every --checkpoint-every
 * minutes, and the run stops when what is left of --time-limit, counted from
 * the start of the program, is less than 5 % or than twice a step and a
 * checkpoint. A checkpoint that is due but cannot be written is worth a
 * warning; one to stop with, a failure.
 *
 * The other phases have nothing to keep beyond what the sampler has: reading
 * and the space are done anew, and the correction starts from the complete
 * sample, which is kept at the end of each pass. So they only stop (bal_pause),
 * between two panels. Writing the output, once begun, is finished.
 *
 * What a checkpoint holds is written and read by keep_store.c. */
#include "keep.h"

#include <stdio.h>
#include <string.h>

#include "balans/app/options.h"
#include "balans/app/version.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/signals.h"
#include "balans/base/timer.h"
#include "balans/data/checksum.h"
#include "balans/io/publish.h"
#include "balans/kernel/blas.h"
#include "balans/par/agree.h"
#include "balans/par/processors.h"
#include "keep_store.h"

#define NO_CHECKPOINT(k) ((k)->par->checkpoint == NULL)

/* ---- What tells runs apart ---- */

static size_t add_options(const bal_params *p, char *text, size_t at)
{
    char value[1024];

    for (const bal_option *o = bal_options; o->name != NULL; o++)
        if (o->result &&
            (o->commands & (BAL_FOR_CORRECT | BAL_FOR_FIT)) != 0 &&
            at < BAL_IDENTITY_MOST)
            at += (size_t)snprintf(text + at, BAL_IDENTITY_MOST - at,
                                   "--%s %s\n", o->name,
                                   bal_option_value(o, p, value, sizeof value));
    return at;
}

bal_verdict bal_keeper_identify(bal_keeper *k, const bal_input *in,
                                uint64_t checksum)
{
    char *text;
    size_t at = 0;
    bal_verdict st;

    if (NO_CHECKPOINT(k))
        return bal_agree(k->comm, BAL_OK);
    k->in = in;
    st = bal_agree(
        k->comm, bal_alloc(&k->identity, BAL_IDENTITY_MOST, "the checkpoint"));
    if (bal_failed(st))
        return st;
    uint64_t batches = 0;
    for (int i = 0; i < in->columns; i++)
        batches = batches * 31 + bal_checksum_batches(k->comm, in->labels[i]);
    bal_processors cpu = bal_processors_of(k->comm, bal_blas_core());
    text = k->identity;
    at = (size_t)snprintf(text, BAL_IDENTITY_MOST, "version %s\n",
                          bal_version());
    at = add_options(k->par, text, at);
    if (at < BAL_IDENTITY_MOST)
        snprintf(text + at, BAL_IDENTITY_MOST - at,
                 "profiles of the input %lld\nfeatures of the input %lld\n"
                 "checksum of the input %016llx\n"
                 "checksum of the batches %016llx\n"
                 "model %s\n"
                 "OpenBLAS kernels %s\n",
                 (long long)in->info.n, (long long)in->info.d,
                 (unsigned long long)checksum, (unsigned long long)batches,
                 k->par->save_model != NULL ? "wanted" : "not wanted",
                 cpu.text);
    return st;
}

/* ---- When ---- */

static bool is_nearly_over(const bal_keeper *k, double limit, double now)
{
    double reserve = 2 * (k->cost + k->gap);

    reserve = reserve > 0.05 * limit ? reserve : 0.05 * limit;
    return limit > 0 && now - k->start > limit - reserve;
}

static void begin_to_ask(bal_keeper *k)
{
    k->gap = 0;
    k->asked = bal_now();
}

static bool has_to_stop(bal_keeper *k)
{
    double now = bal_now();

    k->gap = now - k->asked > k->gap ? now - k->asked : k->gap;
    k->asked = now;
    return bal_signals_came() ||
           (k->comm->rank == 0 &&
            is_nearly_over(k, 60 * k->par->time_limit, now));
}

static bal_wish wish(void *arg)
{
    bal_keeper *k = arg;

    if (has_to_stop(k))
        return BAL_STOP;
    return k->comm->rank == 0 &&
                   k->asked - k->saved >= 60 * k->par->checkpoint_every
               ? BAL_SAVE
               : BAL_GO_ON;
}

/* ---- Stopping ---- */

static bal_mark mark_of(int64_t pass, const bal_sample_state *s)
{
    return (bal_mark){
        .pass = pass,
        .stage = s->stage,
        .block = s->block,
        .width = s->width,
        .rows = s->a->m,
    };
}

static bool is_same(const bal_mark *a, const bal_mark *b)
{
    return a->pass == b->pass && a->stage == b->stage && a->block == b->block &&
           a->width == b->width && a->rows == b->rows;
}

/* A job that stops where it began would do so for ever. */
static bal_status fail_stopped(const bal_keeper *k)
{
    const char *file = k->par->checkpoint;

    if (!is_same(&k->kept, &k->began))
        return BAL_FAIL(BAL_ESTOPPED,
                        "the same command goes on from checkpoint '%s'", file);
    return BAL_FAIL(BAL_ESTOPPED,
                    "the same command %s'%s'; this run added nothing, so %s",
                    k->there ? "goes on from checkpoint "
                             : "starts anew, without checkpoint ",
                    file,
                    k->par->time_limit > 0 ? "give it more --time-limit"
                                           : "give it more time");
}

static bal_status ask(void *arg)
{
    enum { GRACE = 5 };
    bal_keeper *k = arg;

    if (!has_to_stop(k))
        return BAL_OK;
    if (k->told <= 0)
        k->told = k->asked;
    /* Where there is no checkpoint yet, the sampler may soon write one. */
    if (!k->there && k->asked - k->told < GRACE)
        return BAL_OK;
    return fail_stopped(k);
}

/* ---- Saving ---- */

static bal_verdict save(void *arg, const bal_sample_state *state, bool stop)
{
    bal_keeper *k = arg;
    double start = bal_now();
    bal_mark mark = mark_of(k->pass, state);
    bal_verdict st = {BAL_OK};

    if (!k->there || !is_same(&mark, &k->kept))
        st = bal_keeper_write(k, state);
    k->saved = k->asked = bal_now();
    k->cost = k->saved - start;
    if (!bal_failed(st)) {
        bal_debug("checkpoint of %lld landmarks: %.3f s",
                  (long long)state->a->m, k->cost);
        k->kept = mark;
        k->there = true;
        return bal_agree(k->comm, stop ? fail_stopped(k) : BAL_OK);
    }
    if (stop)
        return st;
    bal_warn("%s", bal_error_get()->text);
    bal_error_clear();
    return bal_agree(k->comm, BAL_OK);
}

/* ---- The phases' side ---- */

void bal_keeper_start(bal_keeper *k, bal_comm *c, const bal_params *par)
{
    *k = (bal_keeper){.comm = c, .par = par};
    if (NO_CHECKPOINT(k))
        return;
    bal_signals_note(!par->quiet && c->rank == 0);
    k->start = bal_started();
    k->began = k->kept = (bal_mark){.pass = 1, .width = 1};
    begin_to_ask(k);
    c->ask = ask;
    c->ask_arg = k;
}

bal_verdict bal_keeper_open(bal_keeper *k)
{
    bal_status mine = BAL_OK;
    int64_t there = 0;
    bal_verdict st;

    if (NO_CHECKPOINT(k))
        return bal_agree(k->comm, BAL_OK);
    if (k->comm->rank == 0) {
        mine = bal_publish_check(k->par->checkpoint, true);
        there = bal_file_look(k->par->checkpoint).there;
    }
    st = bal_agree(k->comm, mine);
    bal_comm_max_i64(k->comm, &there, 1);
    k->there = there > 0;
    return st;
}

bal_verdict bal_keeper_restore(bal_keeper *k, bal_points *points,
                               struct bal_model_out *model, int64_t *pass,
                               bool *blending, bal_passed *out)
{
    bal_verdict st = {BAL_OK};

    k->points = points;
    k->passed = out;
    k->model = model;
    if (NO_CHECKPOINT(k) || !k->there)
        return bal_agree(k->comm, BAL_OK);
    BAL_TRY(bal_keeper_read(k));
    k->hook.from = &k->from;
    k->kept = k->began = mark_of(k->pass, &k->from);
    *pass = k->pass;
    *blending = k->blending;
    k->pass = 0;
    bal_info("going on from checkpoint '%s': pass %lld, %lld landmarks",
             k->par->checkpoint, (long long)*pass, (long long)k->from.a->m);
done:
    return st;
}

const bal_sample_hook *bal_keeper_hook(bal_keeper *k, int64_t pass,
                                       bool blending)
{
    if (NO_CHECKPOINT(k))
        return NULL;
    if (k->pass > 0) /* only the first pass of this run goes on */
        k->hook.from = NULL;
    k->pass = pass;
    k->blending = blending;
    k->hook.arg = k;
    k->hook.wish = wish;
    k->hook.save = save;
    begin_to_ask(k);
    if (k->saved <= 0)
        k->saved = k->asked;
    return &k->hook;
}

void bal_keeper_remove(bal_keeper *k)
{
    if (!NO_CHECKPOINT(k) && k->comm->rank == 0)
        (void)remove(k->par->checkpoint);
}

void bal_keeper_finish(bal_keeper *k)
{
    if (k->comm != NULL)
        k->comm->ask = NULL;
    bal_sample_state_finish(&k->from);
    bal_free(&k->identity);
}
