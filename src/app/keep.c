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
 * A later pass works on X and Z that earlier ones have moved, so they are kept
 * as well. All else follows from the input. */
#include <stdio.h>
#include <string.h>

#include "balans/app/options.h"
#include "balans/app/version.h"
#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/signals.h"
#include "balans/base/timer.h"
#include "balans/data/checksum.h"
#include "balans/io/checkpoint.h"
#include "balans/kernel/blas.h"
#include "balans/par/agree.h"
#include "balans/par/processors.h"
#include "job.h"

/* ---- What tells runs apart ---- */

static size_t add_options(const bal_params *p, char *text, size_t at)
{
    char value[1024];

    for (const bal_option *o = NULL;
         (o = bal_option_next(BAL_FOR_CORRECT, o)) != NULL;)
        if (o->result && at < BAL_IDENTITY_MOST)
            at += (size_t)snprintf(text + at, BAL_IDENTITY_MOST - at,
                                   "--%s %s\n", o->name,
                                   bal_option_value(o, p, value, sizeof value));
    return at;
}

static bal_verdict identify(bal_job *j)
{
    char *text;
    size_t at = 0;
    bal_status mine =
        bal_alloc(&j->keeper.identity, BAL_IDENTITY_MOST, "the checkpoint");
    bal_verdict st = bal_agree(j->comm, mine);

    if (bal_failed(st))
        return st;
    uint64_t batches = bal_checksum_batches(j->comm, j->route);
    bal_processors cpu = bal_processors_of(j->comm, bal_blas_core());
    text = j->keeper.identity;
    at = (size_t)snprintf(text, BAL_IDENTITY_MOST, "version %s\n",
                          bal_version());
    at = add_options(j->par, text, at);
    if (at < BAL_IDENTITY_MOST)
        snprintf(text + at, BAL_IDENTITY_MOST - at,
                 "profiles of the input %lld\nfeatures of the input %lld\n"
                 "checksum of the input %016llx\n"
                 "checksum of the batches %016llx\n"
                 "OpenBLAS kernels %s\n",
                 (long long)j->info.n, (long long)j->info.d,
                 (unsigned long long)j->checksum, (unsigned long long)batches,
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

static bool has_to_stop(bal_job *j)
{
    bal_keeper *k = &j->keeper;
    double now = bal_now();

    k->gap = now - k->asked > k->gap ? now - k->asked : k->gap;
    k->asked = now;
    return bal_signals_came() ||
           (j->comm->rank == 0 &&
            is_nearly_over(k, 60 * j->par->time_limit, now));
}

static bal_wish wish(void *arg)
{
    bal_job *j = arg;
    const bal_keeper *k = &j->keeper;

    if (has_to_stop(j))
        return BAL_STOP;
    return j->comm->rank == 0 &&
                   k->asked - k->saved >= 60 * j->par->checkpoint_every
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
static bal_status fail_stopped(const bal_job *j)
{
    const bal_keeper *k = &j->keeper;
    char file[BAL_PATH_MOST * 8];

    snprintf(file, sizeof file, "'%s'", j->par->checkpoint);
    if (!is_same(&k->kept, &k->began))
        return BAL_FAIL(BAL_ESTOPPED,
                        "the same command goes on from checkpoint %s", file);
    return BAL_FAIL(BAL_ESTOPPED,
                    "the same command %s%s; this run added nothing, so %s",
                    k->there ? "goes on from checkpoint "
                             : "starts anew, without checkpoint ",
                    file,
                    j->par->time_limit > 0 ? "give it more --time-limit"
                                           : "give it more time");
}

static bal_status ask(void *arg)
{
    enum { GRACE = 5 };
    bal_job *j = arg;
    bal_keeper *k = &j->keeper;

    if (!has_to_stop(j))
        return BAL_OK;
    if (k->told <= 0)
        k->told = k->asked;
    /* Where there is no checkpoint yet, the sampler may soon write one. */
    if (!k->there && k->asked - k->told < GRACE)
        return BAL_OK;
    return fail_stopped(j);
}

/* ---- Saving ---- */

static bal_verdict write_state(bal_job *j, const bal_sample_state *state)
{
    bal_verdict st;
    bal_shard *z = NULL;
    bal_checkpoint k = {
        .identity = j->keeper.identity,
        .pass = j->keeper.pass,
        .sampler = *state,
    };

    if (k.pass > 1) {
        BAL_TRY(
            bal_agree(j->comm, bal_shard_create(j->layout, j->space->p, &z)));
        bal_tiles_to_rows(j->space->z, z);
        k.x = j->x;
        k.z = z;
    }
    BAL_TRY(bal_checkpoint_write(j->comm, j->par->checkpoint, &k));
done:
    bal_shard_destroy(&z);
    return st;
}

static bal_verdict save(void *arg, const bal_sample_state *state, bool stop)
{
    bal_job *j = arg;
    bal_keeper *k = &j->keeper;
    double start = bal_now();
    bal_mark mark = mark_of(k->pass, state);
    bal_verdict st = {BAL_OK};

    if (!k->there || !is_same(&mark, &k->kept))
        st = write_state(j, state);
    k->saved = k->asked = bal_now();
    k->cost = k->saved - start;
    if (!bal_failed(st)) {
        bal_debug("checkpoint of %lld landmarks: %.3f s",
                  (long long)state->a->m, k->cost);
        k->kept = mark;
        k->there = true;
        return bal_agree(j->comm, stop ? fail_stopped(j) : BAL_OK);
    }
    if (stop)
        return st;
    bal_warn("%s", bal_error_get()->text);
    bal_error_clear();
    return bal_agree(j->comm, BAL_OK);
}

/* ---- The phases' side ---- */

void bal_job_keep_start(bal_job *j)
{
    if (j->par->checkpoint == NULL)
        return;
    bal_signals_note(!j->par->quiet && j->comm->rank == 0);
    j->keeper.start = bal_started();
    j->keeper.began = j->keeper.kept = (bal_mark){.pass = 1, .width = 1};
    begin_to_ask(&j->keeper);
    j->comm->ask = ask;
    j->comm->ask_arg = j;
}

bal_verdict bal_job_keep_open(bal_job *j)
{
    if (j->par->checkpoint == NULL)
        return bal_agree(j->comm, BAL_OK);
    return bal_checkpoint_check(j->comm, j->par->checkpoint, &j->keeper.there);
}

bal_verdict bal_job_keep_restore(bal_job *j, int64_t *pass)
{
    bal_verdict st;
    bal_keeper *k = &j->keeper;
    bal_checkpoint from = {0};

    if (j->par->checkpoint == NULL)
        return bal_agree(j->comm, BAL_OK);
    BAL_TRY(identify(j));
    if (!k->there)
        goto done;
    from.identity = k->identity;
    st = bal_checkpoint_read(j->comm, j->par->checkpoint, j->layout, &from);
    k->from = from.sampler;
    if (bal_failed(st))
        goto done;
    if (from.pass > 1) {
        BAL_TRY(bal_agree(j->comm,
                          bal_shard_create(j->layout, j->space->p, &j->z)));
        BAL_TRY(
            bal_checkpoint_read_moved(j->comm, j->par->checkpoint, j->x, j->z));
        bal_tiles_from_rows(j->space->z, j->z);
        bal_shard_destroy(&j->z);
    }
    k->hook.from = &k->from;
    k->kept = k->began = mark_of(from.pass, &k->from);
    *pass = from.pass;
    bal_info("going on from checkpoint '%s': pass %lld, %lld landmarks",
             j->par->checkpoint, (long long)from.pass,
             (long long)from.sampler.a->m);
done:
    return st;
}

const bal_sample_hook *bal_job_keep_hook(bal_job *j, int64_t pass)
{
    bal_keeper *k = &j->keeper;

    if (j->par->checkpoint == NULL)
        return NULL;
    if (k->pass > 0) /* only the first pass of this run goes on */
        k->hook.from = NULL;
    k->pass = pass;
    k->hook.arg = j;
    k->hook.wish = wish;
    k->hook.save = save;
    begin_to_ask(k);
    if (k->saved <= 0)
        k->saved = k->asked;
    return &k->hook;
}

void bal_job_keep_remove(bal_job *j)
{
    if (j->par->checkpoint != NULL)
        bal_checkpoint_remove(j->comm, j->par->checkpoint);
}

void bal_job_keep_finish(bal_job *j)
{
    j->comm->ask = NULL;
    bal_sample_state_finish(&j->keeper.from);
    bal_free(&j->keeper.identity);
}
