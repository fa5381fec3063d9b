/**
 * @file
 * Which instruction set the kernels use.
 *
 * Every kernel exists once in source and is compiled for several instruction
 * sets; the program picks one when it starts.  All of them give the same bits:
 * each number is one chain of IEEE operations in an order that does not depend
 * on the width of the vectors.
 */
#ifndef BAL_KERNEL_CPU_H
#define BAL_KERNEL_CPU_H

#include <stdbool.h>

/** In ascending order of preference. */
typedef enum bal_isa {
    BAL_ISA_GENERIC = 0, ///< plain C; on AArch64 the compiler makes it NEON
    BAL_ISA_AVX2,        ///< AVX2 and FMA
    BAL_ISA_AVX512,      ///< AVX-512 F, BW, DQ, VL
    BAL_ISA_COUNT
} bal_isa;

/** Whether this build holds kernels for `isa` and this processor runs them.
 *  Local. */
bool bal_isa_usable(bal_isa isa);

/** The best usable one.  Local. */
bal_isa bal_isa_best(void);

/** Switches all kernels to `isa`, which must be usable; before any is called
 *  the best one is in use.  Local; not while kernels run in other threads. */
void bal_isa_use(bal_isa isa);

/** The one in use, and its name in messages.  Local. */
bal_isa bal_isa_now(void);
const char *bal_isa_name(bal_isa isa);

#endif
