/*
 * Dispatch: one table of kernels per instruction set, and the table in use.
 *
 * The table is chosen at the first call.  Threads that come there at once all
 * find the same one, so no lock is needed.
 */
#include "balans/kernel/cpu.h"

#include <stdatomic.h>
#include <stddef.h>

#include "balans/base/status.h"
#include "balans/kernel/affinity.h"
#include "balans/kernel/distance.h"
#include "balans/kernel/kselect.h"
#include "balans/kernel/spmm.h"
#include "variant.h"

typedef struct table {
    bal_isa isa;
    void (*distance_tile)(const float *, int, int, const float *, int, float *);
    void (*kselect_offer)(bal_kselect *, const float *, int);
    bal_size (*kselect_finish)(bal_kselect *);
    int (*kselect_scan)(bal_kselect *, const float *, int, float, float *,
                        uint64_t *);
    int (*candidates)(const float *, int, float, float *, uint64_t *);
    float (*kth_smallest)(float *, bal_size, bal_size);
    float (*exp_neg)(float);
    float (*affinity)(float, float);
    void (*affinity_bin)(float *, bal_size, float, uint32_t *);
    bal_size (*affinity_within)(float *, bal_size, float);
    int (*affinity_keep)(const float *, const uint64_t *, int, float, bal_lidx,
                         float *, bal_lidx *);
    void (*spmm_sum)(const float *, bal_size, const uint16_t *, const float *,
                     bal_size, int, const double *, double, int64_t *,
                     int64_t *);
    void (*spmm_gather)(const double *, bal_size, const uint32_t *,
                        const double *, bal_size, int, double *);
} table;

// clang-format off
#define TABLE(number, isa)                                                     \
    {number, bal_distance_tile_##isa, bal_kselect_offer_##isa,                 \
     bal_kselect_finish_##isa, bal_kselect_scan_##isa,                    \
     bal_candidates_##isa, bal_kth_smallest_##isa,                             \
     bal_exp_neg_##isa, bal_affinity_##isa, bal_affinity_bin_##isa,            \
     bal_affinity_within_##isa, bal_affinity_keep_##isa, bal_spmm_sum_##isa,   \
     bal_spmm_gather_##isa}
// clang-format on

static const table tables[] = {
    TABLE(BAL_ISA_GENERIC, generic),
#if BAL_HAVE_X86
    TABLE(BAL_ISA_AVX2, avx2),
    TABLE(BAL_ISA_AVX512, avx512),
#endif
};

static _Atomic(const table *) in_use;

#if BAL_HAVE_X86
bool bal_isa_usable(bal_isa isa)
{
    switch (isa) {
    case BAL_ISA_GENERIC:
        return true;
    case BAL_ISA_AVX2:
        return __builtin_cpu_supports("avx2") &&
               __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    case BAL_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    case BAL_ISA_COUNT:
        break;
    }
    return false;
}
#else
bool bal_isa_usable(bal_isa isa)
{
    return isa == BAL_ISA_GENERIC;
}
#endif

bal_isa bal_isa_best(void)
{
    int isa = BAL_ISA_COUNT - 1;

    while (!bal_isa_usable((bal_isa)isa))
        isa--;
    return (bal_isa)isa;
}

void bal_isa_use(bal_isa isa)
{
    BAL_REQUIRE(bal_isa_usable(isa));
    atomic_store(&in_use, &tables[isa]);
}

static inline const table *kernels(void)
{
    const table *t = atomic_load_explicit(&in_use, memory_order_relaxed);

    if (t == NULL) {
        bal_isa_use(bal_isa_best());
        t = atomic_load(&in_use);
    }
    return t;
}

bal_isa bal_isa_now(void)
{
    return kernels()->isa;
}

const char *bal_isa_name(bal_isa isa)
{
    static const char *const names[BAL_ISA_COUNT] = {
        [BAL_ISA_GENERIC] = "generic",
        [BAL_ISA_AVX2] = "AVX2",
        [BAL_ISA_AVX512] = "AVX-512",
    };

    return names[isa];
}

void bal_distance_tile(const float *tile, int ld, int p, const float *landmark,
                       int w, float *d2)
{
    kernels()->distance_tile(tile, ld, p, landmark, w, d2);
}

void bal_kselect_offer(bal_kselect *s, const float *d2, int count)
{
    kernels()->kselect_offer(s, d2, count);
}

bal_size bal_kselect_finish(bal_kselect *s)
{
    return kernels()->kselect_finish(s);
}

int bal_kselect_scan(bal_kselect *s, const float *d2, int count, float reach,
                     float *value, uint64_t *mask)
{
    return kernels()->kselect_scan(s, d2, count, reach, value, mask);
}

int bal_candidates(const float *d2, int count, float limit, float *value,
                   uint64_t *mask)
{
    return kernels()->candidates(d2, count, limit, value, mask);
}

float bal_kth_smallest(float *v, bal_size n, bal_size k)
{
    return kernels()->kth_smallest(v, n, k);
}

float bal_exp_neg(float t)
{
    return kernels()->exp_neg(t);
}

float bal_affinity(float d2, float s2)
{
    return kernels()->affinity(d2, s2);
}

void bal_affinity_bin(float *value, bal_size count, float s2, uint32_t *bins)
{
    kernels()->affinity_bin(value, count, s2, bins);
}

bal_size bal_affinity_within(float *value, bal_size count, float s2)
{
    return kernels()->affinity_within(value, count, s2);
}

int bal_affinity_keep(const float *value, const uint64_t *mask, int count,
                      float threshold, bal_lidx base, float *out_value,
                      bal_lidx *out_index)
{
    return kernels()->affinity_keep(value, mask, count, threshold, base,
                                    out_value, out_index);
}

void bal_spmm_sum(const float *x, bal_size ld, const uint16_t *row,
                  const float *value, bal_size entries, int vectors,
                  const double *up_hi, double up_lo, int64_t *hi, int64_t *lo)
{
    kernels()->spmm_sum(x, ld, row, value, entries, vectors, up_hi, up_lo, hi,
                        lo);
}

void bal_spmm_gather(const double *rows, bal_size ld, const uint32_t *index,
                     const double *weight, bal_size entries, int vectors,
                     double *sum)
{
    kernels()->spmm_gather(rows, ld, index, weight, entries, vectors, sum);
}
