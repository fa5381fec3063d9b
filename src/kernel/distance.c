/*
 * Distances of a tile, in register blocks.
 *
 *     d2(w, j) = fma(z - y, z - y, d2(w, j)),   z = tile[f, j],  y = y[w, f]
 *
 * A block of DIST_W landmarks by DIST_V vectors of columns is accumulated in
 * registers over PART features at a time: per feature DIST_V loads, DIST_W
 * broadcasts, and one subtraction and one fused multiply-add per vector of
 * results.  Between parts the sums rest in d2, as the floats they are, so each
 * entry is one chain over ascending features, whatever block it is in.  The
 * difference is taken before squaring, not expanded to products: equal points
 * give exactly 0, and near points lose nothing to cancellation.
 *
 * While its first block of landmarks computes, each strip of columns has its
 * share of the next tile fetched, in the order in which it lies in memory: a
 * few lines of each feature at a time take memory twice as long, and with few
 * landmarks that is what there is to wait for.  What is left over of landmarks
 * and of columns is spread over the blocks evenly, so that no block is thin: 7
 * landmarks are 4 + 3, not 6 + 1.
 *
 * Cost: 3 w p ld flops.  Source: algorithm.md, section 8.
 */
#include <stdbool.h>

#include "simd.h"
#include "table.h"

/* A block's shape must be a constant to the compiler for it to stay in
 * registers. */
#define INLINE static inline __attribute__((always_inline))

enum { MAX_W = 6, MAX_V = 4, PART = 64 };

_Static_assert((int)DIST_W <= (int)MAX_W && (int)DIST_V <= (int)MAX_V,
               "every shape has a case");

/* Some columns of some features of a tile, and what they are compared with. */
typedef struct view {
    const float *z;    /* [features, ld] */
    const float *y;    /* [w, p] */
    const float *next; /* what to fetch meanwhile, NULL for nothing */
    float *d2;         /* [w, ld] */
    size_t p, ld;
    size_t features; /* in this part */
    bool begun;      /* d2 holds the sums of earlier parts */
} view;

INLINE void block(view v, int nw, int nv)
{
    vf acc[MAX_W][MAX_V];

    for (int w = 0; w < nw; w++)
        for (int i = 0; i < nv; i++)
            acc[w][i] = v.begun
                            ? v_load(v.d2 + (size_t)w * v.ld + (size_t)(i * VL))
                            : v_set(0.0f);
    for (size_t f = 0; f < v.features; f++) {
        vf z[MAX_V];
        for (int i = 0; i < nv; i++)
            z[i] = v_load(v.z + f * v.ld + (size_t)(i * VL));
        for (int i = 0; i < nv && v.next != NULL; i++)
            __builtin_prefetch(v.next + (f * (size_t)nv + (size_t)i) * VL, 0,
                               2);
        for (int w = 0; w < nw; w++) {
            vf y = v_set(v.y[(size_t)w * v.p + f]);
            for (int i = 0; i < nv; i++) {
                vf d = v_sub(z[i], y);
                acc[w][i] = v_fma(d, d, acc[w][i]);
            }
        }
    }
    for (int w = 0; w < nw; w++)
        for (int i = 0; i < nv; i++)
            v_store(v.d2 + (size_t)w * v.ld + (size_t)(i * VL), acc[w][i]);
}

/* One case of a switch over shapes; those too large are left out. */
#define SHAPE(n, most, call) \
    case n:                  \
        if ((n) <= (most))   \
            call;            \
        break

INLINE void all_landmarks(view v, int w, int nv)
{
    for (int blocks = (w + DIST_W - 1) / DIST_W; blocks > 0; blocks--) {
        int nw = (w + blocks - 1) / blocks;
        switch (nw) {
            SHAPE(1, DIST_W, block(v, 1, nv));
            SHAPE(2, DIST_W, block(v, 2, nv));
            SHAPE(3, DIST_W, block(v, 3, nv));
            SHAPE(4, DIST_W, block(v, 4, nv));
            SHAPE(5, DIST_W, block(v, 5, nv));
            SHAPE(6, DIST_W, block(v, 6, nv));
        default:
            break;
        }
        v.y += (size_t)nw * v.p;
        v.d2 += (size_t)nw * v.ld;
        v.next = NULL;
        w -= nw;
    }
}

INLINE void strip(view v, int w, int nv)
{
    size_t left = v.p;

    for (; left > 0; left -= v.features) {
        v.features = left < PART ? left : PART;
        all_landmarks(v, w, nv);
        v.z += v.features * v.ld;
        v.y += v.features;
        v.next += v.features * (size_t)(nv * VL);
        v.begun = true;
    }
}

void bal_distance_tile(const float *tile, int ld, int p, const float *landmark,
                       int w, float *d2)
{
    view v = {.z = tile,
              .y = landmark,
              .d2 = d2,
              /* The next tile most likely lies behind this one. */
              .next = tile + (size_t)p * (size_t)ld,
              .ld = (size_t)ld,
              .p = (size_t)p};
    int left = ld / VL;

    for (int blocks = (left + DIST_V - 1) / DIST_V; blocks > 0; blocks--) {
        int nv = (left + blocks - 1) / blocks;
        switch (nv) {
            SHAPE(1, DIST_V, strip(v, w, 1));
            SHAPE(2, DIST_V, strip(v, w, 2));
            SHAPE(3, DIST_V, strip(v, w, 3));
            SHAPE(4, DIST_V, strip(v, w, 4));
        default:
            break;
        }
        v.z += nv * VL;
        v.d2 += nv * VL;
        v.next += v.p * (size_t)(nv * VL);
        left -= nv;
    }
}
