/**
 * @file
 * A fuzz target: takes any bytes, and neither crashes nor leaks.
 *
 * libFuzzer calls it with bytes that it makes up (-Dfuzz=true, clang); in the
 * normal tests driver.c calls it with the files of a corpus.
 */
#ifndef TEST_FUZZ_TARGET_H
#define TEST_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
