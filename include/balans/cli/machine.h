/**
 * @file
 * Fitting the program to the processor it finds itself on.
 */
#ifndef BAL_CLI_MACHINE_H
#define BAL_CLI_MACHINE_H

#include "balans/par/comm.h"

/**
 * Starts the program anew, once, where OpenBLAS has chosen kernels for a lesser
 * processor than this one (balans/kernel/blas.h), or where this host has more
 * threads than cores, which would keep the cores busy while they wait (the
 * library of threads reads its policy when it is loaded); returns where nothing
 * is to be done, or nothing can be.  What the user set in the environment
 * stays.  Local; before MPI is initialised and before any thread starts.
 */
void bal_machine_repair(char **argv);

/** Makes all ranks use the best instruction set that each of them has.
 *  Collective. */
void bal_machine_agree(bal_comm *c);

/** Says which kernels are in use, at level debug, and warns where ranks use
 *  different ones of OpenBLAS.  Collective. */
void bal_machine_say(bal_comm *c);

#endif
