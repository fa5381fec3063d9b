/**
 * @file
 * Index types shared by every module.
 *
 * Three numberings of the same points exist, and a name says which is meant:
 *   input row       the row in the user's file, 0 <= row < n
 *   position        the place in the program's global order, which is
 *                   batch-major: sorted by (batch, input row); 0 <= pos < n
 *   local index     position minus the first position of this rank
 */
#ifndef BAL_BASE_TYPES_H
#define BAL_BASE_TYPES_H

#include <stdint.h>

typedef int64_t bal_gidx; ///< an input row or a position, of all n
typedef int32_t bal_lidx; ///< a local index inside one rank's part
typedef int64_t bal_size; ///< a number of rows, columns, entries or bytes

enum {
    BAL_TILE = 256,   ///< most points in a tile (algorithm.md, section 8)
    BAL_MASK_WORDS = BAL_TILE / 64, ///< of a mask with a bit for each point
    BAL_LANES = 16,   ///< a tile's leading dimension is a multiple of this
    BAL_ALIGN = 64,   ///< bytes; every array of bal_alloc() starts at such
    BAL_BINS = 1024,  ///< H, bins of the elbow's histogram (section 4)
};

#endif
