/*
 * Dispatch: one table of kernels per instruction set, and the table in use.
 *
 * The table is chosen at the first call.  Threads that come there at once all
 * find the same one, so no lock is needed.
 */
#include <stdatomic.h>
#include <stddef.h>

#include "balans/base/status.h"
#include "table.h"

#if defined(__x86_64__)
#define HAVE_X86 1
#else
#define HAVE_X86 0
#endif

static const bal_kernels *const tables[] = {
    &bal_kernels_generic,
#if HAVE_X86
    &bal_kernels_avx2,
    &bal_kernels_avx512,
#endif
};

static _Atomic(const bal_kernels *) in_use;

#if HAVE_X86
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
    atomic_store(&in_use, tables[isa]);
}

static inline const bal_kernels *kernels(void)
{
    const bal_kernels *t = atomic_load_explicit(&in_use, memory_order_relaxed);

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

void bal_distance_lanes(const float *z, int ld, int p, const float *landmark,
                        int w, float *d2)
{
    kernels()->distance_lanes(z, ld, p, landmark, w, d2);
}

void bal_kselect_offer(bal_kselect *s, const float *d2, int count)
{
    kernels()->kselect_offer(s, d2, count);
}

bal_size bal_kselect_last(bal_kselect *s, float *kth)
{
    return kernels()->kselect_last(s, kth);
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

float bal_affinity_at(float d2, float s2)
{
    return kernels()->affinity_at(d2, s2);
}

void bal_affinity_bin(const float *d2, bal_size count, float s2, uint32_t *bins)
{
    kernels()->affinity_bin(d2, count, s2, bins);
}

int bal_affinity_sift(const float *d2, int count, uint64_t *mask,
                      const bal_reach *to, float *out, bal_size *floor)
{
    return kernels()->affinity_sift(d2, count, mask, to, out, floor);
}

int bal_affinity_keep(const float *d2, const uint64_t *mask, int count,
                      const bal_reach *to, float threshold, bal_lidx base,
                      float *out_value, bal_lidx *out_index)
{
    return kernels()->affinity_keep(d2, mask, count, to, threshold, base,
                                    out_value, out_index);
}

void bal_spmm_sum(const float *x, bal_size ld, const uint16_t *row,
                  const float *value, bal_size entries, int vectors,
                  const double *up_hi, double up_lo, int64_t *hi, int64_t *lo)
{
    kernels()->spmm_sum(x, ld, row, value, entries, vectors, up_hi, up_lo, hi,
                        lo);
}

void bal_spmm_gather(const double *table, bal_size ld, const uint32_t *index,
                     const double *weight, bal_size entries, int vectors,
                     double *sum)
{
    kernels()->spmm_gather(table, ld, index, weight, entries, vectors, sum);
}

void bal_fixed_add_all(int64_t *sum, const double *value, bal_size count,
                       double up_hi, double up_lo)
{
    kernels()->fixed_add_all(sum, value, count, up_hi, up_lo);
}

void bal_panel_products(const double *u, const double *panel, bal_size p,
                        bal_size ld, bal_size count, double *dot)
{
    kernels()->panel_products(u, panel, p, ld, count, dot);
}

uint32_t bal_count_up_to(const float *v, int n, float t)
{
    return kernels()->count_up_to(v, n, t);
}

void bal_project(const double *xs, int m, bal_size d, const double *packed,
                 int p, float *z)
{
    kernels()->project(xs, m, d, packed, p, z);
}
