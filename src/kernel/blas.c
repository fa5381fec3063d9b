#define _POSIX_C_SOURCE 200809L
#include "balans/kernel/blas.h"

#include <cblas.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct core {
    const char *name;
    bal_isa isa; /* what its kernels make use of */
} core;

/* The x86-64 sets of OpenBLAS by the names it reports. */
static const core cores[] = {
    {"Katmai", BAL_ISA_GENERIC},
    {"Coppermine", BAL_ISA_GENERIC},
    {"Northwood", BAL_ISA_GENERIC},
    {"Prescott", BAL_ISA_GENERIC},
    {"Banias", BAL_ISA_GENERIC},
    {"Atom", BAL_ISA_GENERIC},
    {"Core2", BAL_ISA_GENERIC},
    {"Penryn", BAL_ISA_GENERIC},
    {"Dunnington", BAL_ISA_GENERIC},
    {"Nehalem", BAL_ISA_GENERIC},
    {"Sandybridge", BAL_ISA_GENERIC},
    {"Athlon", BAL_ISA_GENERIC},
    {"Opteron", BAL_ISA_GENERIC},
    {"Opteron_SSE3", BAL_ISA_GENERIC},
    {"Barcelona", BAL_ISA_GENERIC},
    {"Bobcat", BAL_ISA_GENERIC},
    {"Nano", BAL_ISA_GENERIC},
    {"Bulldozer", BAL_ISA_GENERIC},
    {"Piledriver", BAL_ISA_GENERIC},
    {"Steamroller", BAL_ISA_GENERIC},
    {"Excavator", BAL_ISA_AVX2},
    {"Haswell", BAL_ISA_AVX2},
    {"Zen", BAL_ISA_AVX2},
    {"SkylakeX", BAL_ISA_AVX512},
    {"Cooperlake", BAL_ISA_AVX512},
    {"SapphireRapids", BAL_ISA_AVX512},
};

#ifdef BAL_HAVE_OPENBLAS

const char *bal_blas_core(void)
{
    return openblas_get_corename();
}

const char *bal_blas_version(void)
{
    static char text[64];

    /* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...": name and number. */
    snprintf(text, sizeof text, "%s", openblas_get_config());
    char *blank = strchr(text, ' ');
    if (blank != NULL && (blank = strchr(blank + 1, ' ')) != NULL)
        *blank = '\0';
    return text;
}

void bal_blas_serial(void)
{
    openblas_set_num_threads(1);
}

#else

const char *bal_blas_core(void)
{
    return "its own";
}

const char *bal_blas_version(void)
{
    return BAL_BLAS_NAME;
}

/* BLIS and MKL look at these when they are first called. */
void bal_blas_serial(void)
{
    (void)setenv("BLIS_NUM_THREADS", "1", 1);
    (void)setenv("MKL_NUM_THREADS", "1", 1);
}

#endif

const char *bal_blas_better_core(const char *name, bal_isa isa)
{
    static const char *const best[BAL_ISA_COUNT] = {
        [BAL_ISA_GENERIC] = NULL,
        [BAL_ISA_AVX2] = "Haswell",
        [BAL_ISA_AVX512] = "SkylakeX",
    };

    for (size_t i = 0; i < sizeof cores / sizeof *cores; i++)
        if (strcasecmp(name, cores[i].name) == 0)
            return cores[i].isa < isa ? best[isa] : NULL;
    return NULL;
}
