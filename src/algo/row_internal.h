/** @file  What the files of algo/row share; not for others. */
#ifndef BAL_ALGO_ROW_INTERNAL_H
#define BAL_ALGO_ROW_INTERNAL_H

#include "balans/algo/row.h"
#include "balans/kernel/kselect.h"
#include "balans/par/select.h"

/* One batch of which this rank holds points. */
typedef struct bal_local_batch {
    bal_size batch;
    bal_size k;    /* neighbours wanted, limited to the batch's size */
    bal_size list; /* where its lists start, in floats per landmark */
    bal_size room; /* length of one list: min(k, points here) */
    bool split;    /* whether other ranks hold points of it, too */
} bal_local_batch;

/* What one thread works with. */
typedef struct bal_row_scratch {
    float *d2;            /* [w, BAL_TILE] */
    float *buffer;        /* [w, capacity] */
    bal_kselect *select;  /* [w] */
    uint32_t *bins;       /* [w, BAL_BINS_ROOM] */
    bal_size *fill;       /* [w] where the next tile's candidates go */
    bal_size *within;     /* [w] those within the scale */
} bal_row_scratch;

struct bal_rows {
    const bal_tiles *z;
    const bal_layout *l;
    bal_row_params par;
    int w_most, threads;

    bal_size locals;      /* batches of this rank */
    bal_local_batch *local;   /* [locals], in order */
    bal_size lists;       /* floats in one landmark's lists */
    float *list;          /* [w, lists] k smallest of each local batch */
    bal_size *list_len;   /* [w, locals] how many there are */
    float *s2;            /* [w, locals] scales; -1: no neighbour there, or
                             beyond the gate */
    float *raw;           /* [w, locals] the same before any gate */

    bal_select *select;   /* over the ranks that share a batch */
    int shares;           /* batches that are shared */
    bal_size shared[2];   /* their local numbers */
    bal_size *want;       /* [shares, w] k of each landmark */
    float *kth;           /* [shares, w] */
    float *own;           /* [w] scales in the landmarks' own batches */

    uint32_t *word;       /* [w, p + 2] coordinates and position on the wire */
    float *landmark;      /* [w, p] */
    bal_lidx *self;       /* [w] local index of the landmark, -1 elsewhere */

    float *value;         /* [w, lanes] candidates, see bal_rows_segment() */
    uint64_t *mask;       /* [w, tiles, BAL_MASK_WORDS] their lanes */
    uint16_t *found;      /* [w, tiles] candidates of a tile */
    int64_t *bins;        /* [w, BAL_BINS] */
    int *elbow;           /* [w] bins from which rows keep */
    float *threshold;     /* [w] and their lower edges */
    bal_row_scratch *thread;     /* [threads] */
};

/** Room that `count` candidates of a tile take, filled up with +infinity.  The
 *  segments of a thread's run of tiles follow one another from the offset of
 *  its first tile on, so that passes over candidates run through memory.
 *  Local. */
static inline bal_size bal_rows_segment(int count)
{
    return (count + BAL_LANES - 1) / BAL_LANES * BAL_LANES;
}

/** Points of batch b.  Local. */
static inline bal_size bal_batch_size(const bal_layout *l, bal_size b)
{
    return l->batch_first[b + 1] - l->batch_first[b];
}

/** k of batch b, at most its size.  Local. */
bal_size bal_rows_wanted(const bal_layout *l, const bal_row_params *par,
                         bal_size b);

/** Makes room for searches of up to w landmarks.  Local.  Fails with
 *  BAL_ENOMEM. */
bal_status bal_scales_create(bal_rows *r, int w);

/** Bytes of it.  Local. */
bal_size bal_scales_memory(const bal_layout *l, const bal_row_params *par,
                           int w);

/** Local. */
void bal_scales_destroy(bal_rows *r);

/** Fills r->s2 for the landmarks at the given positions from r->list.
 *  Collective. */
void bal_scales_find(bal_comm *c, bal_rows *r, int w, const bal_gidx *pos);

#endif
