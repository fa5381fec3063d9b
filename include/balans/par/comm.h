/**
 * @file
 * A communicator with its rank, its size, and a tally of what passes through.
 *
 * Every collective of the program goes through here or through a module of
 * `par`, so that calls and bytes can be reported by phase.  Communication
 * itself does not fail in a way a program could handle: an error inside MPI
 * prints one line and ends the job.
 *
 * Words used in all contracts: *Local*: no communication.  *Collective*: every
 * rank of the communicator calls it, in the same order.
 */
#ifndef BAL_PAR_COMM_H
#define BAL_PAR_COMM_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

#include "balans/base/status.h"
#include "balans/base/types.h"

/** What the program is doing; the tally and the timing table have one line for
 *  each. */
typedef enum bal_phase {
    BAL_PHASE_READ = 0,
    BAL_PHASE_SPACE,
    BAL_PHASE_SAMPLE,
    BAL_PHASE_CORRECT,
    BAL_PHASE_WRITE,
    BAL_PHASE_METRIC,
    BAL_PHASE_DRAW,
    BAL_PHASE_COUNT
} bal_phase;

/** A phase as tools that record MPI are told of it: MPI_Pcontrol() with this
 *  level and the phase's number, far from levels that tools give a meaning. */
enum { BAL_TOOL_LEVEL = 100 };

typedef struct bal_tally {
    double seconds;   ///< wall time of this rank in the phase
    int64_t calls;    ///< collective calls
    int64_t bytes;    ///< bytes this rank handed to them
    int64_t io_bytes; ///< bytes this rank read or wrote in files
} bal_tally;

typedef struct bal_comm {
    MPI_Comm mpi;
    int rank;
    int size;
    bal_phase phase;    ///< set by bal_comm_enter()
    double phase_since; ///< bal_now() of the latest bal_comm_enter()
    bal_tally tally[BAL_PHASE_COUNT];
    bal_status (*ask)(void *arg); ///< for bal_pause(), NULL = nobody asks
    void *ask_arg;
    bool torn; ///< a collective of a library failed on some ranks only: MPI can
               ///< no more be finalized, and the job just ends
} bal_comm;

/** Wraps a duplicate of `mpi` and gives it an error handler that ends the job
 *  with one line.  Collective. */
void bal_comm_init(bal_comm *c, MPI_Comm mpi);

/** Frees the duplicate.  Collective. */
void bal_comm_finish(bal_comm *c);

/** Ends the running phase's clock and starts that of `phase`; tools that
 *  record MPI are told.  Local. */
void bal_comm_enter(bal_comm *c, bal_phase phase);

/** The word for a phase, such as "sample".  Local. */
const char *bal_phase_name(bal_phase phase);

/** Adds to the tally of the running phase; a sign of life (base/watch.h).
 *  Local. */
void bal_comm_count(bal_comm *c, bal_size bytes);
void bal_comm_count_io(bal_comm *c, bal_size bytes);

/* Reductions in place over all ranks; n is the same on every rank and may
 * exceed 2^31.  Collective. */
void bal_comm_sum_i64(bal_comm *c, int64_t *x, bal_size n);
void bal_comm_max_i64(bal_comm *c, int64_t *x, bal_size n);
void bal_comm_min_i64(bal_comm *c, int64_t *x, bal_size n);
void bal_comm_or_u64(bal_comm *c, uint64_t *x, bal_size n);
void bal_comm_or_u32(bal_comm *c, uint32_t *x, bal_size n);
void bal_comm_min_f32(bal_comm *c, float *x, bal_size n);
void bal_comm_max_f32(bal_comm *c, float *x, bal_size n);
void bal_comm_max_f64(bal_comm *c, double *x, bal_size n);

/** n int64 of every rank, to every rank: out [size, n] in the order of ranks.
 *  Collective. */
void bal_comm_gather_i64(bal_comm *c, const int64_t *mine, bal_size n,
                         int64_t *out);

/** Sum of x over the ranks below this one, element by element, [n].
 *  Collective. */
void bal_comm_exscan_i64(bal_comm *c, const int64_t *x, bal_size n,
                         int64_t *out);

/** Bytes of rank `root` to every rank; may exceed 2^31.  Collective. */
void bal_comm_bcast(bal_comm *c, void *bytes, bal_size count, int root);

/** Ranks of this one's host.  Collective. */
int bal_comm_on_host(bal_comm *c);

/** A message of up to 2^31 - 1 bytes to one rank, which receives as many under
 * the same tag; messages of one tag keep their order.  Only a receipt counts no
 *  bytes.  One call on either rank. */
void bal_comm_send(bal_comm *c, int to, int tag, const void *bytes,
                   bal_size count);
void bal_comm_receive(bal_comm *c, int from, int tag, void *bytes,
                      bal_size count);

/** A rank's rows in pieces, as many on every rank as the one with the most rows
 *  needs, so that all can act together in each. */
typedef struct bal_pieces {
    bal_size rows, step;
    int64_t count;
} bal_pieces;

/** Cuts `rows` rows of `width` bytes, which are more than none, into pieces of
 *  at most `most` bytes, and at least a row.  Collective.  Same on every rank:
 *  width, most. */
bal_pieces bal_pieces_cut(bal_comm *c, bal_size rows, bal_size width,
                          bal_size most);

/** Rows of piece i, and the first; none where the rank has no more.  Local. */
static inline bal_size bal_piece(const bal_pieces *p, int64_t i,
                                 bal_size *from)
{
    *from = i * p->step < p->rows ? i * p->step : p->rows;
    return p->rows - *from < p->step ? p->rows - *from : p->step;
}

/** Rows of the largest piece of this rank.  Local. */
static inline bal_size bal_pieces_most(const bal_pieces *p)
{
    return p->rows < p->step ? p->rows : p->step;
}

/** Waits for all ranks.  Collective. */
void bal_comm_barrier(bal_comm *c);

/** Merge of sorted lists as a reduction: `op` must be associative and
 *  commutative on elements of `type`.  Collective. */
void bal_comm_reduce(bal_comm *c, void *x, int n, MPI_Datatype type, MPI_Op op);

#endif
