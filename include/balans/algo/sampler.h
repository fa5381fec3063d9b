/**
 * @file
 * The adaptive sampler: draws landmarks where coverage is low, until there are
 * as many as wanted, or until nothing new is covered.
 *
 * Blocks of J steps; within a block points not yet covered are drawn
 * uniformly, and when none is left, with probability inverse to coverage.
 * Blocks are independent of one another, so W of them advance together, with
 * the same result as one after the other: the random number of step t of block
 * q is a function of (seed, pass, q, t).
 *
 * With a number of landmarks wanted, M, drawing ends at M distinct ones; then
 * batches that have fewer than BAL_FEW get the missing ones, in random order,
 * unless there are more than 800 batches.  Where n <= 1.5 M, all points are
 * landmarks, in the global order, and nothing is drawn.
 *
 * Without one it ends when `patience` rows in succession have covered nothing
 * new.  Then the points no landmark covers become landmarks themselves, in
 * random order, each unless one before it has covered it ("extend"), or stay as
 * they are ("keep").
 *
 * Communication per step: the draw (40 W bytes) and the collectives of the
 * rows; one reduction of W J counts for each group of W blocks. None depends on
 * n. Source: paper, section 2.2, Algorithms 1 and 5; algorithm.md, section 5,
 * which marks what the paper leaves open.
 */
#ifndef BAL_ALGO_SAMPLER_H
#define BAL_ALGO_SAMPLER_H

#include "balans/algo/row.h"
#include "balans/base/status.h"
#include "balans/data/csr.h"
#include "balans/data/route.h"
#include "balans/data/tiles.h"
#include "balans/par/comm.h"

typedef enum bal_uncovered { BAL_EXTEND = 0, BAL_KEEP } bal_uncovered;

enum {
    BAL_BLOCK_MOST = 4095
};                    ///< most steps in a block: coverage is summed
                      ///< in 32 bits, at most 2^20 a row
enum { BAL_FEW = 5 }; ///< landmarks that a batch shall have at least

typedef struct bal_sample_params {
    bal_size block;          ///< J, 1 .. BAL_BLOCK_MOST
    bal_size landmarks;      ///< M; 0 = until nothing new is covered
    bal_size patience;       ///< tau, at least 1; without M
    bal_uncovered uncovered; ///< without M
    bal_size max_landmarks;  ///< 0 = no limit; wins over M
    uint64_t seed;
    uint32_t pass;      ///< 1, 2, ...: landmarks are drawn afresh in each
    bool scales;        ///< the report shall hold the landmarks' scales
    bal_size expected;  ///< draws the blocks will likely take, 0 = unknown:
                        ///< a hint for W, which changes no result
    int most_in_flight; ///< limit on W; 0 = BAL_ROWS_MOST
    bal_size memory;    ///< bytes of work space of this rank
    const struct bal_sample_hook *hook; ///< NULL = run to the end
} bal_sample_params;

typedef enum bal_sample_stage {
    BAL_SAMPLE_BLOCKS = 0, ///< blocks are drawn
    BAL_SAMPLE_EXTEND,     ///< uncovered points, or points of batches that
                           ///< have few landmarks, become landmarks
    BAL_SAMPLE_DONE,       ///< A is complete
} bal_sample_stage;

/** What happened; the same on every rank, its arrays complete. */
typedef struct bal_sample_report {
    bal_size landmarks;     ///< m
    bal_size extended;      ///< of them, drawn by the extension
    bal_size filled;        ///< of them, for batches that had few
    bal_size rows;          ///< rows computed
    bal_size overshoot;     ///< of them, computed ahead and dropped
    bal_size repeats;       ///< draws of points drawn before; they need no row
    bal_size uncovered;     ///< points no landmark covers in the end
    bal_size entries;       ///< entries of A, over all ranks
    int in_flight;          ///< largest W used
    bal_size small_batches; ///< batches with fewer than k other points
    bal_size curve_count;   ///< length of the coverage curve
    int64_t *curve_landmarks; ///< [curve_count], landmarks drawn ...
    int64_t *curve_covered;   ///< ... and points covered by then
    float *scale; ///< [landmarks, batches], if asked for: s2(i, b), -1 where b
                  ///< has no point but landmark i; else NULL
} bal_sample_report;

/** Where the sampler stands between groups of rows: all it needs to go on.
 *  Which points are covered follows from A. */
typedef struct bal_sample_state {
    bal_sample_stage stage;
    bal_size block; ///< blocks that are complete
    bal_size width; ///< blocks to take next, a hint
    bal_size quiet; ///< rows in succession that covered nothing new
    bool full;      ///< max_landmarks is reached
    bal_csr *a;     ///< the rows so far
    bal_sample_report report;
} bal_sample_state;

typedef enum bal_wish { BAL_GO_ON = 0, BAL_SAVE, BAL_STOP } bal_wish;

/** How the sampler is stopped, saved, and made to go on, by somebody who knows
 *  about signals, clocks and files.  One rank's wish is enough; the ranks learn
 *  of it by collectives they call anyway: of BAL_STOP at the next step, whose
 *  group is dropped, of BAL_SAVE at the end of a group. */
typedef struct bal_sample_hook {
    void *arg;
    bal_wish (*wish)(void *arg); ///< local
    /** Collective: keeps the state.  With `stop` it fails in any case. */
    bal_verdict (*save)(void *arg, const bal_sample_state *state, bool stop);
    /** Where to go on, NULL = at the start; its arrays are taken over, those of
     *  the curve with room for 2 curve_count + 1. */
    bal_sample_state *from;
} bal_sample_hook;

/** Frees what a state owns.  Local. */
void bal_sample_state_finish(bal_sample_state *s);

/** Frees the report's arrays.  Local. */
void bal_sample_report_finish(bal_sample_report *r);

/**
 * Draws landmarks and computes their rows.
 *
 * Collective.  Same on every rank: the parameters but for memory.
 * @param[in]  z       the distance space, borrowed
 * @param[in]  order   for the input rows of the points, borrowed
 * @param[out] a       rows in canonical order, owned by the caller
 * @param[out] report  finished by the caller
 * Fails with BAL_ENOMEM; with BAL_EUSAGE when `memory` does not suffice for one
 * landmark; with what the hook fails with.
 */
bal_verdict bal_sample(bal_comm *c, const bal_tiles *z, const bal_order *order,
                       const bal_row_params *rows,
                       const bal_sample_params *par, bal_csr **a,
                       bal_sample_report *report);

/** Bytes of work space for W blocks in flight on this rank.  Local. */
bal_size bal_sample_memory(const bal_layout *l, int p,
                           const bal_row_params *rows,
                           const bal_sample_params *par, int w);

#endif
