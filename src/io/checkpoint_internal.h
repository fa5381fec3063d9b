/** @file  What writing and reading of checkpoints share; not for others. */
#ifndef BAL_IO_CHECKPOINT_INTERNAL_H
#define BAL_IO_CHECKPOINT_INTERNAL_H

/** Counters, in this order in the attribute `numbers`. */
enum {
    N_FORMAT = 0,
    N_POINTS,
    N_PASS,
    N_STAGE,
    N_BLOCK,
    N_WIDTH,
    N_QUIET,
    N_FULL,
    N_LANDMARKS,
    N_EXTENDED,
    N_FILLED,
    N_ROWS,
    N_OVERSHOOT,
    N_REPEATS,
    N_IN_FLIGHT,
    N_CURVE,  ///< points of the curve
    N_A_ROWS, ///< rows of A
    N_BLOCKS, ///< blocks of positions
    N_SCALES, ///< whether there are scales
    N_COUNT
};

enum { BAL_CHECKPOINT_FORMAT = 2 };

/** Of the dataset `blocks`, one row each. */
enum { B_FIRST = 0, B_POINTS, B_ENTRY, B_ENTRIES, B_COUNT };

#endif
