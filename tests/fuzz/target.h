/**
 * @file
 * A fuzz target: takes any bytes, and neither crashes nor leaks.
 *
 * libFuzzer calls it with bytes that it makes up (-Dfuzz=true, clang); in the
 * normal tests driver.c calls it with the files of a corpus.
 */
#ifndef TEST_FUZZ_TARGET_H
#define TEST_FUZZ_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "balans/par/comm.h"

/** Starts MPI; once, before all else (start.c). */
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/** The communicator of this process alone.  Borrowed. */
bal_comm *fuzz_comm(void);

/** Ends the process as a crash does where something does not hold. */
void fuzz_insist(bool holds);

/** Bytes that decide what is made, one after the other; 0 behind the last. */
typedef struct fuzz_bytes {
    const uint8_t *next;
    size_t left;
} fuzz_bytes;

uint8_t fuzz_byte(fuzz_bytes *b);
uint64_t fuzz_word(fuzz_bytes *b);

#endif
