/*
 * The elbow's bins and its bend: the point of the curve (number of entries >=
 * edge, edge) farthest below its chord, in integers: argmax (N - R(h)) H - h N.
 * Source: algorithm.md, section 4.
 */
#include "balans/kernel/affinity.h"

#include <float.h>
#include <math.h>

#define FLOOR     0.001
#define EDGE(h)   (float)(FLOOR + (double)(h) * (1.0 - FLOOR) / BAL_BINS)
#define EDGE4(h)  EDGE(h), EDGE((h) + 1), EDGE((h) + 2), EDGE((h) + 3)
#define EDGE16(h) EDGE4(h), EDGE4((h) + 4), EDGE4((h) + 8), EDGE4((h) + 12)
#define EDGE64(h) \
    EDGE16(h), EDGE16((h) + 16), EDGE16((h) + 32), EDGE16((h) + 48)
#define EDGE256(h) \
    EDGE64(h), EDGE64((h) + 64), EDGE64((h) + 128), EDGE64((h) + 192)
static const float edge[BAL_BINS] = {EDGE256(0), EDGE256(256), EDGE256(512),
                                     EDGE256(768)};

const float *bal_affinity_edges(void)
{
    return edge;
}

float bal_affinity_ratio(float a)
{
    return (float)(-log((double)a) * 1.00001 + 1e-6);
}

static float at_most(float d2)
{
    return d2 < FLT_MAX ? d2 : FLT_MAX;
}

/* The margins are a hundred times what rounding does, but for products that
 * are subnormal: there nothing is sure. */
bal_reach bal_reach_for(float s2, float ratio)
{
    if (s2 < 0)
        return (bal_reach){-1, -1, -1, -1};
    return (bal_reach){.s2 = s2,
                       .keep = at_most(s2 * ratio),
                       .sure = s2 < 1e-30f ? -1 : at_most(s2 * 6.9076f),
                       .most = at_most(s2 * 6.9079f)};
}

/* Below `first` the curve is at most as far below the chord as if all entries
 * of these bins were in the lowest: (N - R(first)) H. */
int bal_elbow(const int64_t *bins, int first)
{
    int64_t total = 0, below = 0, best = 0;
    int at = first > 0 ? -1 : 0;

    for (int h = 0; h < BAL_BINS; h++)
        total += bins[h];
    for (int h = 0; h < first; h++)
        below += bins[h];
    if (first > 0)
        best = below * BAL_BINS;
    for (int h = first; h < BAL_BINS && total > 0; h++) {
        int64_t gain = below * BAL_BINS - h * total;
        if (gain >= best) {
            best = gain;
            at = h;
        }
        below += bins[h];
    }
    return total > 0 ? at : first;
}
