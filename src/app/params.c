#include "balans/app/params.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "balans/app/options.h"
#include "balans/app/simulate.h"

static const char *const scalings[] = {"standard", "none", NULL};
static const char *const sparsifiers[] = {"elbow", "scale", NULL};
static const char *const policies[] = {"extend", "keep", NULL};
static const char *const corrections[] = {"smooth", "residual", NULL};
static const char *const trusts[] = {"on", "strict", "off", NULL};
static const char *const streams[] = {"auto", "on", "off", NULL};
static const char *const layouts[] = {"umap", "pca", NULL};
static const char *const estimators[] = {"normal", "nystrom", NULL};
static const char *const solvers[] = {"auto", "lapack", "scalapack", NULL};
static const char *const distances[] = {"cosine", "euclidean", NULL};

#define BAL_PATIENCE 20
#define BAL_TEXT_(x) #x
#define BAL_TEXT(x)  BAL_TEXT_(x)

/* Who takes a line. */
enum {
    EVALUATE = BAL_FOR_EVALUATE,
    SIMULATE = BAL_FOR_SIMULATE,
    PARAMS = BAL_FOR_PARAMS,
    WRITE = BAL_FOR_CORRECT | BAL_FOR_PARAMS, /* what a run with output does */
    RUN = WRITE | BAL_FOR_FIT,                /* what a run does */
    NEED = RUN | BAL_FOR_INFO,                /* what changes what it needs */
    APPLY = BAL_FOR_APPLY,
    REPORT = BAL_FOR_REPORT,
    ALL = NEED | EVALUATE | SIMULATE | APPLY | REPORT,
};

/* clang-format off */
#define AT(member) offsetof(bal_params, member)

const bal_option bal_options[] = {
    {.name = "batch", .group = BAL_GROUP_DATA,
     .commands = NEED | EVALUATE | APPLY,
     .required = BAL_FOR_CORRECT | BAL_FOR_FIT | EVALUATE, .at = AT(batch),
     .result = true, .list = true, .operand = "COLUMN",
     .meaning = "column of obs that names the batch: categorical, string, "
                "boolean, integer, or whole floats; several columns, coarse "
                "to fine: A,B,C"},
    {.name = "label", .group = BAL_GROUP_DATA,
     .commands = EVALUATE | REPORT, .required = EVALUATE,
     .at = AT(label), .result = true, .operand = "COLUMN",
     .meaning = "column of obs that names what replicates share, such as the "
                "compound or the cell type"},
    {.name = "matrix", .group = BAL_GROUP_DATA,
     .commands = NEED | APPLY, .at = AT(matrix), .preset = "X",
     .result = true, .operand = "NAME",
     .meaning = "matrix to correct: X, layers/NAME or obsm/NAME"},
    {.name = "matrix", .group = BAL_GROUP_DATA,
     .commands = EVALUATE, .at = AT(matrix), .preset = "X",
     .repeated = true, .operand = "NAME",
     .meaning = "matrix to evaluate: X, layers/NAME or obsm/NAME; may be "
                "repeated, and then the matrices stand side by side"},
    {.name = "control", .group = BAL_GROUP_DATA,
     .commands = EVALUATE, .at = AT(control),
     .result = true, .operand = "LABEL",
     .meaning = "label of the negative controls: replicates are retrieved "
                "against them as well, and all other metrics leave them out"},
    {.name = "scale", .group = BAL_GROUP_SPACE,
     .commands = NEED, .kind = BAL_OPTION_CHOICE,
     .at = AT(scale), .preset = "standard", .choice = scalings, .result = true,
     .operand = "HOW",
     .meaning = "scale of the features in the distance space"},
    {.name = "clip", .group = BAL_GROUP_SPACE,
     .commands = NEED, .kind = BAL_OPTION_REAL, .at = AT(clip),
     .preset = "10", .low = 0, .high = INFINITY, .above = true,
     .result = true, .operand = "C", .unit = "standard deviations",
     .meaning = "standardised features are cut off at +-C in the distance "
                "space"},
    {.name = "pca", .group = BAL_GROUP_SPACE,
     .commands = NEED, .kind = BAL_OPTION_INT, .at = AT(pca),
     .preset = "50", .low = 0, .high = INT32_MAX, .result = true,
     .operand = "P", .unit = "components",
     .meaning = "principal components of the distance space, used where "
                "there are more features; 0 turns them off"},
    {.name = "neighbors", .group = BAL_GROUP_SAMPLING,
     .commands = NEED, .kind = BAL_OPTION_NEIGHBORS,
     .at = AT(neighbors), .preset = "20,1%", .result = true,
     .operand = "K|F%|K,F%", .unit = "points",
     .meaning = "which neighbour's distance sets the local scale in each "
                "batch"},
    {.name = "block", .group = BAL_GROUP_SAMPLING,
     .commands = NEED, .kind = BAL_OPTION_INT,
     .at = AT(block), .preset = "50", .low = 1, .high = BAL_BLOCK_MOST,
     .result = true, .operand = "J", .unit = "steps",
     .meaning = "steps in one block of the sampler"},
    {.name = "patience", .group = BAL_GROUP_SAMPLING,
     .commands = NEED, .kind = BAL_OPTION_INT,
     .at = AT(patience), .preset = BAL_TEXT(BAL_PATIENCE), .low = 1,
     .high = INT32_MAX,
     .result = true, .operand = "T", .unit = "landmarks",
     .meaning = "landmarks in succession that cover nothing new before "
                "sampling stops"},
    {.name = "sparsify", .group = BAL_GROUP_SAMPLING,
     .commands = NEED, .kind = BAL_OPTION_CHOICE,
     .at = AT(sparsify), .preset = "scale", .choice = sparsifiers,
     .result = true, .operand = "HOW",
     .meaning = "which affinities of a landmark are kept: left of the "
                "curve's bend, or within the local scale"},
    {.name = "gate", .group = BAL_GROUP_SAMPLING,
     .commands = NEED, .kind = BAL_OPTION_REAL, .at = AT(gate),
     .preset = "0", .low = 0, .high = INFINITY, .result = true,
     .operand = "G",
     .meaning = "leave out batches whose local scale (squared) is more than "
                "G times that of the landmark's own batch; 0 is off, else at "
                "least 1"},
    {.name = "uncovered", .group = BAL_GROUP_SAMPLING,
     .commands = NEED, .kind = BAL_OPTION_CHOICE,
     .at = AT(uncovered), .preset = "extend", .choice = policies,
     .result = true, .operand = "HOW",
     .meaning = "points that no landmark covers: draw landmarks among them, "
                "or keep their values"},
    {.name = "landmarks", .group = BAL_GROUP_SAMPLING,
     .commands = NEED, .kind = BAL_OPTION_INT,
     .at = AT(landmarks), .preset = "1000", .low = 1, .high = INT32_MAX,
     .automatic = true, .result = true, .operand = "M|auto",
     .unit = "landmarks",
     .meaning = "how many points are drawn as landmarks, and up to 5 for each "
                "batch; all points where there are at most 1.5 M; auto: until "
                "--patience of them cover nothing new"},
    {.name = "max-landmarks", .group = BAL_GROUP_SAMPLING,
     .commands = NEED, .kind = BAL_OPTION_INT,
     .at = AT(max_landmarks), .preset = "0", .low = 0, .high = INT32_MAX,
     .result = true, .operand = "M", .unit = "landmarks",
     .meaning = "most landmarks to draw; 0 is no limit"},
    {.name = "correction", .group = BAL_GROUP_CORRECTION,
     .commands = NEED, .kind = BAL_OPTION_CHOICE,
     .at = AT(correction), .preset = "residual", .choice = corrections,
     .result = true, .operand = "HOW",
     .meaning = "replace each profile by its smoothed one, or move it by "
                "what its batch is off"},
    {.name = "estimator", .group = BAL_GROUP_CORRECTION,
     .commands = NEED, .kind = BAL_OPTION_CHOICE,
     .at = AT(estimator), .preset = "normal", .choice = estimators,
     .result = true, .operand = "HOW",
     .meaning = "how smooth weighs landmarks; nystrom costs the cube of "
                "their number"},
    {.name = "rcond", .group = BAL_GROUP_CORRECTION,
     .commands = NEED, .kind = BAL_OPTION_REAL,
     .at = AT(rcond), .preset = "0.1", .low = 0, .high = 1, .below = true,
     .result = true, .operand = "R", .unit = "share of the largest eigenvalue",
     .meaning = "nystrom keeps the eigenvalues above it"},
    {.name = "trust", .group = BAL_GROUP_CORRECTION,
     .commands = NEED, .kind = BAL_OPTION_CHOICE,
     .at = AT(trust), .preset = "on", .choice = trusts, .result = true,
     .operand = "HOW",
     .meaning = "how far a landmark believes what another batch supplies: on; "
                "strict, for labels that are confounded with batches; off: "
                "whatever is nearest. Residual and --sparsify scale only"},
    {.name = "blend", .group = BAL_GROUP_CORRECTION,
     .commands = NEED, .kind = BAL_OPTION_REAL,
     .at = AT(blend), .preset = "0", .low = 0, .high = 1, .result = true,
     .operand = "ALPHA",
     .meaning = "one more pass, which takes this share of the smoothed "
                "profile; for kinds with hundreds of profiles each"},
    {.name = "passes", .group = BAL_GROUP_CORRECTION,
     .commands = NEED, .kind = BAL_OPTION_INT,
     .at = AT(passes), .preset = "auto", .low = 1, .high = 1000,
     .automatic = true, .result = true, .operand = "T|auto",
     .meaning = "passes; all but the last apply the residual correction; auto: "
                "until little moves, at most 4, and 1 for smooth"},
    {.name = "distance", .group = BAL_GROUP_METRICS,
     .commands = EVALUATE, .kind = BAL_OPTION_CHOICE,
     .at = AT(distance), .preset = "cosine", .choice = distances,
     .result = true, .operand = "HOW",
     .meaning = "distance between profiles"},
    {.name = "sample", .group = BAL_GROUP_METRICS,
     .commands = EVALUATE, .kind = BAL_OPTION_INT,
     .at = AT(sample), .preset = "200000", .low = 0, .high = INT32_MAX,
     .result = true, .operand = "N", .unit = "points",
     .meaning = "with more points, the neighbour graph and retrieval use a "
                "random sample of N; 0 is no limit"},
    {.name = "sample", .group = BAL_GROUP_DATA,
     .commands = BAL_FOR_FIT, .kind = BAL_OPTION_INT,
     .at = AT(fit_sample), .low = 1, .high = 1e12,
     .command_line = true, .result = true, .operand = "N", .unit = "profiles",
     .meaning = "fit to N profiles, the same share of each batch, drawn at "
                "random by --seed; no other is read"},
    {.name = "points", .group = BAL_GROUP_MIXTURE,
     .commands = SIMULATE, .kind = BAL_OPTION_INT,
     .at = AT(points), .preset = "10000", .low = 1, .high = 1e12,
     .result = true, .operand = "N", .unit = "points",
     .meaning = "points (rows) to draw"},
    {.name = "dims", .group = BAL_GROUP_MIXTURE,
     .commands = SIMULATE, .kind = BAL_OPTION_INT,
     .at = AT(dims), .preset = "10", .low = 1, .high = 1e6, .result = true,
     .operand = "D", .unit = "features",
     .meaning = "features (columns) of each point"},
    {.name = "clusters", .group = BAL_GROUP_MIXTURE,
     .commands = SIMULATE, .kind = BAL_OPTION_INT,
     .at = AT(clusters), .preset = "10", .low = 1, .high = 1e7,
     .result = true, .operand = "K", .unit = "clusters",
     .meaning = "clusters, of unequal sizes; they become obs column 'label'"},
    {.name = "batches", .group = BAL_GROUP_MIXTURE,
     .commands = SIMULATE, .kind = BAL_OPTION_INT,
     .at = AT(batches), .preset = "5", .low = 1, .high = 1e7, .result = true,
     .operand = "B", .unit = "batches",
     .meaning = "batches; they become obs column 'batch'"},
    {.name = "missing", .group = BAL_GROUP_MIXTURE,
     .commands = SIMULATE, .kind = BAL_OPTION_REAL,
     .at = AT(missing), .preset = "0", .low = 0, .high = 1, .below = true,
     .result = true, .operand = "F", .unit = "share of the clusters",
     .meaning = "share of the clusters that each batch lacks"},
    {.name = "confounded", .group = BAL_GROUP_MIXTURE,
     .commands = SIMULATE, .kind = BAL_OPTION_REAL,
     .at = AT(confounded), .preset = "0", .low = 0, .high = 1,
     .result = true, .operand = "F", .unit = "share of the points",
     .meaning = "share of the points that are in the one batch that their "
                "cluster prefers, wherever it is else"},
    {.name = "nested", .group = BAL_GROUP_MIXTURE,
     .commands = SIMULATE, .kind = BAL_OPTION_FLAG,
     .at = AT(nested), .preset = "false", .result = true,
     .meaning = "batches lie in sources (obs column 'source'), which have "
                "larger effects of their own"},
    {.name = "outliers", .group = BAL_GROUP_MIXTURE,
     .commands = SIMULATE, .kind = BAL_OPTION_REAL,
     .at = AT(outliers), .preset = "0", .low = 0, .high = 1, .below = true,
     .result = true, .operand = "F", .unit = "share of the points",
     .meaning = "share of the points that have wild values"},
    {.name = "truth", .group = BAL_GROUP_MIXTURE,
     .commands = SIMULATE, .kind = BAL_OPTION_FLAG,
     .at = AT(truth), .preset = "false", .result = true,
     .meaning = "store the values without batch effects, as layers/truth"},
    {.name = "seed", .group = BAL_GROUP_RUN,
     .commands = NEED | EVALUATE | SIMULATE | REPORT, .kind = BAL_OPTION_SEED,
     .at = AT(seed), .preset = "0", .result = true, .operand = "S",
     .meaning = "seed of the random numbers"},
    {.name = "save-affinity", .group = BAL_GROUP_OUTPUT,
     .commands = WRITE | BAL_FOR_INFO, .kind = BAL_OPTION_FLAG,
     .at = AT(save_affinity), .preset = "false", .result = true,
     .meaning = "store the affinities in the output, as uns/balans/affinity"},
    {.name = "keep-original", .group = BAL_GROUP_OUTPUT,
     .commands = WRITE | BAL_FOR_INFO, .kind = BAL_OPTION_FLAG,
     .at = AT(keep_original), .preset = "false", .result = true,
     .meaning = "store the input matrix in the output, as layers/original or "
                "obsm/NAME_original"},
    {.name = "keep-extra", .group = BAL_GROUP_OUTPUT,
     .commands = APPLY, .kind = BAL_OPTION_FLAG,
     .at = AT(keep_extra), .preset = "false", .result = true,
     .meaning = "copy features that the model does not know as they are, "
                "instead of leaving them out"},
    {.name = "stream", .group = BAL_GROUP_RESOURCES,
     .commands = NEED | APPLY, .kind = BAL_OPTION_CHOICE,
     .at = AT(stream), .preset = "auto", .choice = streams,
     .operand = "auto|on|off",
     .meaning = "keep the matrix in memory, or read it again from the input "
                "each time; auto: what does not fit is read again"},
    {.name = "memory-per-rank", .group = BAL_GROUP_RESOURCES,
     .commands = NEED | APPLY, .kind = BAL_OPTION_SIZE,
     .at = AT(memory_per_rank), .preset = "auto", .low = 1 << 20,
     .high = INFINITY, .automatic = true, .operand = "SIZE", .unit = "bytes",
     .meaning = "working memory of a rank beyond the data itself; auto "
                "is 1G"},
    {.name = "threads", .group = BAL_GROUP_RESOURCES,
     .commands = NEED | EVALUATE | APPLY | REPORT, .kind = BAL_OPTION_INT,
     .at = AT(threads), .preset = "auto", .low = 1, .high = 4096,
     .automatic = true, .operand = "N", .unit = "threads",
     .meaning = "OpenMP threads of a rank; auto is OMP_NUM_THREADS, else 1"},
    {.name = "pca-solver", .group = BAL_GROUP_SPACE,
     .commands = NEED, .kind = BAL_OPTION_CHOICE,
     .at = AT(pca_solver), .preset = "auto", .choice = solvers, .result = true,
     .operand = "HOW",
     .meaning = "who finds the principal components; auto is scalapack above "
                "4096 features"},
    {.name = "ranks", .group = BAL_GROUP_RESOURCES,
     .commands = BAL_FOR_INFO, .kind = BAL_OPTION_INT,
     .at = AT(ranks), .preset = "auto", .low = 1, .high = 1000000,
     .automatic = true, .operand = "R", .unit = "ranks",
     .meaning = "ranks of the run that is asked about; auto is as many as "
                "ask"},
    {.name = "checkpoint", .group = BAL_GROUP_STOPPING,
     .commands = RUN, .at = AT(checkpoint),
     .operand = "FILE",
     .meaning = "keep the state of the run in this file, stop with exit code "
                "75 on SIGUSR1, SIGTERM, SIGINT or near the time limit, and go "
                "on from it when started again; removed when the output is "
                "complete"},
    {.name = "checkpoint-every", .group = BAL_GROUP_STOPPING,
     .commands = RUN, .kind = BAL_OPTION_REAL,
     .at = AT(checkpoint_every), .preset = "30", .low = 0, .high = 1e9,
     .operand = "MIN", .unit = "minutes",
     .meaning = "time between checkpoints"},
    {.name = "time-limit", .group = BAL_GROUP_STOPPING,
     .commands = RUN, .kind = BAL_OPTION_REAL,
     .at = AT(time_limit), .preset = "0", .low = 0, .high = 1e9,
     .operand = "MIN", .unit = "minutes",
     .meaning = "time the run has, from the start of the program; stop with a "
                "checkpoint when it is nearly over; 0 is no limit"},
    {.name = "stall-timeout", .group = BAL_GROUP_STOPPING,
     .commands = ALL, .kind = BAL_OPTION_INT,
     .at = AT(stall_timeout), .preset = "600", .low = 0, .high = INT32_MAX,
     .operand = "SEC", .unit = "seconds",
     .meaning = "end with an error when a rank has made no progress for so "
                "long, or longer in steps that are long by their size, all "
                "ranks within 90 s more; 0 is never"},
    {.name = "report", .group = BAL_GROUP_OUTPUT,
     .commands = RUN | APPLY, .at = AT(report),
     .operand = "FILE.json",
     .meaning = "write a machine-readable report of the run"},
    {.name = "save-model", .group = BAL_GROUP_OUTPUT,
     .commands = BAL_FOR_CORRECT, .at = AT(save_model),
     .command_line = true, .operand = "FILE",
     .meaning = "keep what was learned as a model, for plates to come"},
    {.name = "output", .letter = 'o', .group = BAL_GROUP_OUTPUT,
     .commands = REPORT, .required = REPORT, .at = AT(output),
     .operand = "FILE.html",
     .meaning = "the page to write"},
    {.name = "scores", .group = BAL_GROUP_DATA,
     .commands = REPORT, .at = AT(scores), .operand = "FILE.json",
     .meaning = "scores to show, as 'balans evaluate --json' writes them"},
    {.name = "original", .group = BAL_GROUP_DATA,
     .commands = REPORT, .at = AT(original), .operand = "FILE.h5ad",
     .meaning = "the input of the run, for the figures before the correction, "
                "where the output has no original (--keep-original) and the "
                "input is not beside it"},
    {.name = "layout", .group = BAL_GROUP_OUTPUT,
     .commands = REPORT, .kind = BAL_OPTION_CHOICE, .at = AT(layout),
     .preset = "umap", .choice = layouts, .operand = "HOW",
     .meaning = "how the figures place profiles; pca takes no time"},
    {.name = "json", .group = BAL_GROUP_OUTPUT,
     .commands = EVALUATE, .at = AT(json),
     .operand = "FILE.json",
     .meaning = "write all scores, by label and by batch as well"},
    {.name = "dry-run", .group = BAL_GROUP_RUN,
     .commands = RUN, .kind = BAL_OPTION_FLAG,
     .at = AT(dry_run), .preset = "false",
     .meaning = "print shape, batches, memory, and what landmarks and time a "
                "sample lets expect; write nothing"},
    {.name = "force", .group = BAL_GROUP_OUTPUT,
     .commands = RUN | SIMULATE | APPLY | REPORT, .kind = BAL_OPTION_FLAG,
     .at = AT(force), .preset = "false",
     .meaning = "overwrite the output file"},
    {.name = "config", .group = BAL_GROUP_RUN,
     .commands = NEED, .at = AT(config),
     .command_line = true, .operand = "FILE.yaml|NAME",
     .meaning = "read options from a file, as 'balans params' prints them, or "
                "from an installed one, such as 'single-cell'; the command "
                "line wins"},
    {.name = "faults", .group = BAL_GROUP_RUN,
     .commands = PARAMS, .kind = BAL_OPTION_FLAG,
     .at = AT(faults), .preset = "false", .command_line = true,
     .meaning = "list the places where, for tests, BAL_FAULT=PLACE:RANK in the "
                "environment makes a run fail"},
    {.name = "verbose", .group = BAL_GROUP_RUN,
     .letter = 'v', .commands = ALL,
     .kind = BAL_OPTION_FLAG, .at = AT(verbose), .preset = "false",
     .command_line = true,
     .meaning = "say more on stderr"},
    {.name = "quiet", .group = BAL_GROUP_RUN,
     .letter = 'q', .commands = ALL, .kind = BAL_OPTION_FLAG,
     .at = AT(quiet), .preset = "false", .command_line = true,
     .meaning = "say nothing on stderr but why it failed"},
    {.name = NULL},
};
/* clang-format on */

_Static_assert(sizeof bal_options / sizeof *bal_options <= BAL_OPTIONS_MOST,
               "what was given can be marked");

static bool is_same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Whether the command line has set an option. */
static bool is_given(const bal_params *p, const char *name)
{
    for (int i = 0; bal_options[i].name != NULL; i++)
        if (p->given[i] && strcmp(bal_options[i].name, name) == 0)
            return true;
    return false;
}

/* With a number of landmarks nothing is sampled until all is covered. */
static bal_status check_landmarks(const bal_params *p)
{
    const char *what = NULL;

    if (p->landmarks == 0)
        return BAL_OK;
    if (is_given(p, "patience") || p->patience != BAL_PATIENCE)
        what = "--patience";
    else if (is_given(p, "uncovered") && p->uncovered == BAL_EXTEND)
        what = "--uncovered extend";
    if (what == NULL)
        return BAL_OK;
    return BAL_FAIL(BAL_EUSAGE,
                    "cannot combine '%s' with '--landmarks %lld'; it needs "
                    "'--landmarks auto'",
                    what, (long long)p->landmarks);
}

/* Trust is a matter of the residual form with the k nearest of every batch. */
static bal_status check_trust(const bal_params *p)
{
    bool residual = p->correction == BAL_RESIDUAL || p->passes > 1;
    bool asked = p->trust == BAL_TRUST_STRICT ||
                 (p->trust == BAL_TRUST_ON && is_given(p, "trust"));
    const char *what = !residual                  ? "--correction smooth"
                       : p->sparsify != BAL_SCALE ? "--sparsify elbow"
                       : p->estimator == BAL_NYSTROM && p->passes < 2
                           ? "--estimator nystrom"
                           : NULL;

    if (!asked || what == NULL)
        return BAL_OK;
    return BAL_FAIL(BAL_EUSAGE,
                    "cannot combine '--trust %s' with '%s'; it needs "
                    "'--correction residual' and '--sparsify scale'",
                    trusts[p->trust], what);
}

/* A model is a consensus of landmarks, from which each point's part follows by
 * itself. */
static bal_status check_model(const bal_params *p)
{
    if (p->save_model == NULL || p->estimator != BAL_NYSTROM)
        return BAL_OK;
    return BAL_FAIL(BAL_EUSAGE,
                    "cannot make a model with '--estimator nystrom', whose "
                    "weights belong to the points of the fit; use '--estimator "
                    "normal', or 'balans correct' without a model");
}

bal_status bal_params_check(const bal_params *p)
{
    if (p->verbose && p->quiet)
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot combine options '-v' and '-q'; choose one");
    if (p->time_limit > 0 && p->checkpoint == NULL)
        return BAL_FAIL(BAL_EUSAGE, "cannot stop for '--time-limit' without a "
                                    "checkpoint; add '--checkpoint FILE'");
    if (is_same(p->checkpoint, p->input) || is_same(p->checkpoint, p->output))
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot use '%s' for option '--checkpoint': it is the "
                        "input or the output",
                        p->checkpoint);
    if (bal_failed(check_model(p)))
        return BAL_EUSAGE;
    if (p->gate != 0 && p->gate < 1)
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot take '%.15g' for option '--gate': it must be 0 "
                        "(off) or at least 1",
                        p->gate);
    if (p->estimator == BAL_NYSTROM && p->correction != BAL_SMOOTH)
        return BAL_FAIL(BAL_EUSAGE, "cannot combine '--estimator nystrom' with "
                                    "'--correction residual'; it needs "
                                    "'--correction smooth'");
    if (p->blend > 0 && p->correction != BAL_RESIDUAL)
        return BAL_FAIL(BAL_EUSAGE, "cannot combine '--blend' with "
                                    "'--correction smooth'; it needs "
                                    "'--correction residual'");
    if (bal_failed(check_landmarks(p)) || bal_failed(check_trust(p)))
        return BAL_EUSAGE;
    if (p->sample == 1)
        return BAL_FAIL(BAL_EUSAGE, "cannot take '1' for option '--sample': it "
                                    "must be 0 (no limit) or at least 2");
    return bal_simulation_check(p);
}

/* OMP_NUM_THREADS may be a list for nested regions; the first number counts. */
static int threads_of_environment(void)
{
    const char *text = getenv("OMP_NUM_THREADS");
    long n = text != NULL ? strtol(text, NULL, 10) : 1;

    return n >= 1 && n <= 4096 ? (int)n : 1;
}

int bal_params_threads(const bal_params *p)
{
    return p->threads > 0 ? (int)p->threads : threads_of_environment();
}

bal_size bal_params_memory(const bal_params *p)
{
    return p->memory_per_rank > 0 ? p->memory_per_rank : INT64_C(1) << 30;
}
