/**
 * @file
 * Which BLAS is in use, and, of OpenBLAS, which of its kernel sets and whether
 * that suits the processor.
 *
 * OpenBLAS picks its kernels by processor model when it is loaded.  A release
 * older than the processor does not know the model and may fall back to what
 * every x86-64 has, at a quarter of the speed.  The choice can be made by name
 * in the environment variable BAL_BLAS_VARIABLE, but only before the library is
 * loaded: whoever wants to change it sets the variable and starts the program
 * anew.
 */
#ifndef BAL_KERNEL_BLAS_H
#define BAL_KERNEL_BLAS_H

#include "balans/kernel/cpu.h"

#define BAL_BLAS_VARIABLE "OPENBLAS_CORETYPE"

/** The kernel set in use, such as "Haswell"; "its own" where the library is
 *  not OpenBLAS.  Local. */
const char *bal_blas_core(void);

/** Name and version of the library in use, such as "OpenBLAS 0.3.21".
 *  Local. */
const char *bal_blas_version(void);

/** Makes every BLAS and LAPACK call of this process run in one thread: threads
 *  are ours to use, and results must not depend on their number.  Local; to be
 *  called before any of them. */
void bal_blas_serial(void);

/**
 * The set to ask for instead of `core` on a processor whose best instruction
 * set is `isa`.
 *
 * Local; pure.
 * @return NULL if `core` uses that instruction set already, is not one of an
 *         x86 processor, or is not known here
 */
const char *bal_blas_better_core(const char *core, bal_isa isa);

#endif
