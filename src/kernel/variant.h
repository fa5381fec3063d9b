/*
 * One source, several instruction sets.
 *
 * distance.c, kselect.c, affinity.c and spmm.c are compiled once per
 * instruction set, each time with another BAL_VARIANT (generic, avx2, avx512),
 * which becomes the last part of the names they define.  cpu.c calls them
 * through a table.  What has no vectors in it is compiled with the generic
 * variant only, between `#if BAL_COMMON` and `#endif`.
 */
#ifndef BAL_KERNEL_VARIANT_H
#define BAL_KERNEL_VARIANT_H

#include <stdint.h>

#include "balans/base/types.h"
#include "balans/kernel/kselect.h"

#if defined(__x86_64__)
#define BAL_HAVE_X86 1
#else
#define BAL_HAVE_X86 0
#endif

// clang-format off
#define BAL_DECLARE_KERNELS(isa)                                               \
    void bal_distance_tile_##isa(const float *tile, int ld, int p,             \
                                 const float *landmark, int w, float *d2);     \
    void bal_kselect_offer_##isa(bal_kselect *s, const float *d2, int count);  \
    bal_size bal_kselect_finish_##isa(bal_kselect *s);                         \
    int bal_kselect_scan_##isa(bal_kselect *s, const float *d2, int count,     \
                               float reach, float *value, uint64_t *mask);     \
    int bal_candidates_##isa(const float *d2, int count, float limit,          \
                             float *value, uint64_t *mask);                    \
    float bal_kth_smallest_##isa(float *v, bal_size n, bal_size k);            \
    float bal_exp_neg_##isa(float t);                                          \
    float bal_affinity_##isa(float d2, float s2);                              \
    void bal_affinity_bin_##isa(float *value, bal_size count, float s2,        \
                                uint32_t *bins);                               \
    bal_size bal_affinity_within_##isa(float *value, bal_size count,           \
                                       float s2);                              \
    int bal_affinity_keep_##isa(const float *value, const uint64_t *mask,      \
                                int count, float threshold, bal_lidx base,     \
                                float *out_value, bal_lidx *out_index);        \
    void bal_spmm_sum_##isa(                                                   \
        const float *x, bal_size ld, const uint16_t *row, const float *value,  \
        bal_size entries, int vectors, const double *up_hi, double up_lo,      \
        int64_t *hi, int64_t *lo);                                             \
    void bal_spmm_gather_##isa(const double *table, bal_size ld,               \
                               const uint32_t *index, const double *weight,    \
                               bal_size entries, int vectors, double *sum)
// clang-format on

BAL_DECLARE_KERNELS(generic);
#if BAL_HAVE_X86
BAL_DECLARE_KERNELS(avx2);
BAL_DECLARE_KERNELS(avx512);
#endif

#ifdef BAL_VARIANT
#define BAL_JOIN_(a, b)   a##_##b
#define BAL_JOIN(a, b)    BAL_JOIN_(a, b)
#define KERNEL(name)      BAL_JOIN(name, BAL_VARIANT)
#define BAL_FIRST_generic 1
#define BAL_FIRST_avx2    0
#define BAL_FIRST_avx512  0
#define BAL_COMMON        BAL_JOIN(BAL_FIRST, BAL_VARIANT)
#endif

#endif
