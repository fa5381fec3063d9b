/* The table of the instruction set this file is compiled for. */
#include "table.h"

#define ISA_generic BAL_ISA_GENERIC
#define ISA_avx2    BAL_ISA_AVX2
#define ISA_avx512  BAL_ISA_AVX512
#define ENTRY(name) .name = bal_##name,

const bal_kernels BAL_JOIN(bal_kernels, BAL_VARIANT) = {
    .isa = BAL_JOIN(ISA, BAL_VARIANT),
    BAL_KERNELS(ENTRY)};
