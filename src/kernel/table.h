/*
 * One source, several instruction sets.
 *
 * The files of kernels are compiled once per instruction set, each time with
 * another BAL_VARIANT (generic, avx2, avx512), which becomes the last part of
 * the names they define; so does table.c, which puts these names into that
 * instruction set's table.  cpu.c chooses a table and calls through it: it is
 * the only one that sees the names without a last part.  What is the same in
 * all variants stands in a file of its own.
 */
#ifndef BAL_KERNEL_TABLE_H
#define BAL_KERNEL_TABLE_H

#ifdef BAL_VARIANT
#define BAL_JOIN_(a, b) a##_##b
#define BAL_JOIN(a, b)  BAL_JOIN_(a, b)
/* Before the headers, which thus declare the names of this variant. */
#define bal_affinity_at     BAL_JOIN(bal_affinity_at, BAL_VARIANT)
#define bal_affinity_bin    BAL_JOIN(bal_affinity_bin, BAL_VARIANT)
#define bal_affinity_keep   BAL_JOIN(bal_affinity_keep, BAL_VARIANT)
#define bal_affinity_sift   BAL_JOIN(bal_affinity_sift, BAL_VARIANT)
#define bal_candidates      BAL_JOIN(bal_candidates, BAL_VARIANT)
#define bal_count_up_to     BAL_JOIN(bal_count_up_to, BAL_VARIANT)
#define bal_distance_lanes  BAL_JOIN(bal_distance_lanes, BAL_VARIANT)
#define bal_distance_tile   BAL_JOIN(bal_distance_tile, BAL_VARIANT)
#define bal_exp_neg         BAL_JOIN(bal_exp_neg, BAL_VARIANT)
#define bal_fixed_add_all   BAL_JOIN(bal_fixed_add_all, BAL_VARIANT)
#define bal_kselect_finish  BAL_JOIN(bal_kselect_finish, BAL_VARIANT)
#define bal_kselect_last    BAL_JOIN(bal_kselect_last, BAL_VARIANT)
#define bal_kselect_offer   BAL_JOIN(bal_kselect_offer, BAL_VARIANT)
#define bal_kselect_scan    BAL_JOIN(bal_kselect_scan, BAL_VARIANT)
#define bal_kth_smallest    BAL_JOIN(bal_kth_smallest, BAL_VARIANT)
#define bal_panel_products  BAL_JOIN(bal_panel_products, BAL_VARIANT)
#define bal_project         BAL_JOIN(bal_project, BAL_VARIANT)
#define bal_spmm_gather     BAL_JOIN(bal_spmm_gather, BAL_VARIANT)
#define bal_spmm_sum        BAL_JOIN(bal_spmm_sum, BAL_VARIANT)
#endif

#include "balans/kernel/affinity.h"
#include "balans/kernel/cpu.h"
#include "balans/kernel/distance.h"
#include "balans/kernel/kselect.h"
#include "balans/kernel/project.h"
#include "balans/kernel/spmm.h"
#include "balans/kernel/sums.h"

/* Every kernel: X(name without bal_). */
#define BAL_KERNELS(X)                                                     \
    X(affinity_at) X(affinity_bin) X(affinity_keep) X(affinity_sift)       \
    X(candidates) X(count_up_to) X(distance_lanes) X(distance_tile)        \
    X(exp_neg) X(fixed_add_all) X(kselect_finish) X(kselect_last)          \
    X(kselect_offer) X(kselect_scan) X(kth_smallest) X(panel_products)     \
    X(project) X(spmm_gather) X(spmm_sum)

#define BAL_KERNEL_MEMBER(name) __typeof__(bal_##name) *name;
typedef struct bal_kernels {
    bal_isa isa;
    BAL_KERNELS(BAL_KERNEL_MEMBER)
} bal_kernels;

extern const bal_kernels bal_kernels_generic, bal_kernels_avx2,
    bal_kernels_avx512;

#endif
