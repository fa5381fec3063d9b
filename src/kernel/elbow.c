/*
 * The elbow's bins and its bend: the point of the curve (number of entries >=
 * edge, edge) farthest below its chord, in integers: argmax (N - R(h)) H - h N.
 * Source: algorithm.md, section 4.
 */
#include "balans/kernel/affinity.h"

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

int bal_elbow(const int64_t *bins)
{
    int64_t total = 0, below = 0, best = 0;
    int at = 0;

    for (int h = 0; h < BAL_BINS; h++)
        total += bins[h];
    if (total == 0)
        return 0;
    for (int h = 0; h < BAL_BINS; h++) {
        int64_t gain = below * BAL_BINS - h * total;
        if (gain >= best) {
            best = gain;
            at = h;
        }
        below += bins[h];
    }
    return at;
}
