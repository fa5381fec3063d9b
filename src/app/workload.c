#include "workload.h"

#include "balans/forecast/print.h"
#include "balans/par/agree.h"
#include "passes.h"

static bal_space_params space_params(const bal_params *par)
{
    return (bal_space_params){
        .scale = (bal_scaling)par->scale,
        .clip = par->clip,
        .pca = par->pca,
        .solver = (bal_pca_solver)par->pca_solver,
        .memory = bal_params_memory(par),
        .threads = bal_params_threads(par),
    };
}

static bal_workload describe(const bal_input *in, int ranks)
{
    const bal_params *par = in->par;
    bal_size d = in->info.d;

    return (bal_workload){
        .n = in->info.n,
        .d = d,
        .p = par->pca > 0 && d > par->pca ? par->pca : d,
        .batches = in->labels[0]->count,
        .batch_size = in->labels[0]->size,
        .ranks = ranks,
        .space = space_params(par),
        .rows = bal_run_row_params(par),
        .sample = bal_run_sample_params(par, 1),
        .form = (bal_correction)par->correction,
        .trust = (bal_trusting)par->trust,
        .trusts = bal_run_trusts(par),
        .passes = bal_run_passes(par) + (par->blend > 0),
        .until_still = par->passes == 0 && bal_run_passes(par) > 1,
        .save_affinity = par->save_affinity,
        .keep_original = par->keep_original,
        .matrix = in->info,
        .file_bytes = bal_h5ad_file_bytes(in->file),
    };
}

bal_verdict bal_run_workload(const bal_input *in, int ranks, bal_workload *out)
{
    bal_comm *c = in->comm;
    int host = bal_comm_on_host(c);
    bal_size phase[BAL_RUN_PHASES], need;
    bal_rank_part part;
    int64_t stream;
    bal_verdict st;

    *out = describe(in, ranks);
    BAL_TRY(bal_agree(c, bal_model_largest(out, &part)));
    need = bal_model_memory(out, &part, (double)in->par->landmarks, 0, phase);
    stream = need > bal_memory_allowed(host < ranks ? host : ranks);
    if (in->par->stream != BAL_STREAM_AUTO)
        stream = in->par->stream == BAL_STREAM_ON;
    bal_comm_max_i64(c, &stream, 1);
    out->streamed = stream > 0;
done:
    return st;
}

bal_verdict bal_run_forecast(const bal_input *in, int ranks, double opening)
{
    bal_workload run;
    bal_question q = {
        .file = in->file,
        .labels = in->labels[0],
        .named = in->par->batch != NULL,
        .verbose = in->par->verbose,
        .estimator = in->par->estimator == BAL_NYSTROM,
        .opening = opening,
        .run = &run,
    };
    bal_verdict st;

    BAL_TRY(bal_run_workload(in, ranks, &run));
    BAL_TRY(bal_forecast_print(in->comm, &q));
done:
    return st;
}
