/** @file  What the files of algo/row share; not for others. */
#ifndef BAL_ALGO_ROW_INTERNAL_H
#define BAL_ALGO_ROW_INTERNAL_H

#include "balans/algo/row.h"
#include "balans/kernel/affinity.h"
#include "balans/kernel/kselect.h"

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
    float *buffer;        /* [w, capacity for k_most] */
    bal_kselect *select;  /* [w] */
    float *guess;         /* [w] their first bounds */
    uint32_t *bins;       /* [w, BAL_BINS_ROOM] */
    bal_size *fill;       /* [w] where the next tile's candidates go */
    bal_size *held;       /* [w] entries within the scale */
    bal_size *reaching;   /* [w] entries that reach the affinity floor */
} bal_row_scratch;

/* Arguments of bal_kradix(). */
typedef struct bal_counting {
    const float **value;
    bal_size *count, *k;
    int64_t *work;
} bal_counting;

struct bal_rows {
    const bal_tiles *z;
    const bal_layout *l;
    bal_row_params par;
    int w_most, threads;

    bal_size locals;      /* batches of this rank */
    bal_local_batch *local;   /* [locals], in order */
    bal_size k_most;      /* largest k of them */
    bal_size lists;       /* floats in one landmark's lists */
    float *list;          /* [w, lists] k smallest of each local batch */
    bal_size *list_len;   /* [w, locals] how many there are */
    float *s2;            /* [w, locals] scales; -1: no neighbour there, or
                             beyond the gate */
    float *raw;           /* [w, locals] the same before any gate */

    bal_size splits;      /* batches on several ranks, over all ranks */
    bal_size *split;      /* [splits], ascending */
    bal_size merges;      /* lists merged over ranks for one landmark */
    bal_size k_merge;     /* largest k of those */
    float *merge;         /* [w, merges, k_merge], k up to BAL_KMERGE_MOST */
    bal_counting counting; /* [w, merges], for larger k */
    float *kth;           /* [w, merges] */

    uint32_t *word;       /* [w, p + 2] coordinates and position on the wire */
    float *landmark;      /* [w, p] */
    bal_lidx *self;       /* [w] local index of the landmark, -1 elsewhere */

    float *value;         /* [w, lanes] candidates, see bal_rows_segment() */
    uint64_t *mask;       /* [w, tiles, BAL_MASK_WORDS] their lanes */
    uint16_t *found;      /* [w, tiles] candidates of a tile */
    bal_size parts;       /* batches in all threads' runs, at most */
    bal_size *place;      /* [w, parts] where their candidates begin */
    int first;            /* bin from which histograms are counted */
    float ratio;          /* bound on d2 / s2 of what pass 2 leaves */
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

/** The i-th of nearly equal runs of tiles, one a thread.  Local. */
static inline bal_size bal_run_start(const bal_rows *r, int i)
{
    return r->l->tiles * i / r->threads;
}

/** A *part* is what a run has of one batch: where that ends which begins with
 *  tile `from`.  Local. */
static inline bal_size bal_part_end(const bal_rows *r, bal_size from,
                                    bal_size to)
{
    bal_size t = from;

    while (t < to && r->l->tile[t].batch == r->l->tile[from].batch)
        t++;
    return t;
}

/** The local number of tile t's batch.  Local. */
static inline bal_size bal_batch_here(const bal_rows *r, bal_size t)
{
    return r->l->tile[t].batch - r->local[0].batch;
}

/** Where the candidates of landmark i begin for a batch in a thread's run.
 *  Local. */
static inline bal_size *bal_place_of(const bal_rows *r, int i, int thread,
                                     bal_size lb)
{
    return r->place + i * r->parts + lb + thread;
}

/** Which lanes of a tile are candidates of landmark i.  Local. */
static inline uint64_t *bal_mask_of(const bal_rows *r, int i, bal_size tile)
{
    return r->mask + (i * r->l->tiles + tile) * BAL_MASK_WORDS;
}

/** What a thread has counted of landmark i.  Local. */
static inline uint32_t *bal_bins_of(const bal_rows *r, int thread, int i)
{
    return r->thread[thread].bins + (bal_size)i * BAL_BINS_ROOM;
}

/** Pass 1, and pass 2 where the scales follow at once.  Local. */
void bal_rows_scan(bal_rows *r, int w);

/** Pass 2 for the rest, when r->s2 is complete.  Local. */
void bal_rows_weigh(bal_rows *r, int w);

/** Both once more for landmark i, whose scales are known, and for everything
 *  that reaches the floor.  Local. */
void bal_rows_recount(bal_rows *r, int i);

/** k of batch b, at most its size.  Local. */
bal_size bal_rows_wanted(const bal_layout *l, const bal_row_params *par,
                         bal_size b);

/** Makes room for merging lists of up to w landmarks; uses r->merges and
 *  r->k_merge.  Local.  Fails with BAL_ENOMEM. */
bal_status bal_scales_create(bal_rows *r, int w);

/** Local. */
void bal_scales_destroy(bal_rows *r);

/** Fills r->s2 for the landmarks at the given positions from r->list.
 *  Collective. */
void bal_scales_find(bal_comm *c, bal_rows *r, int w, const bal_gidx *pos);

#endif
