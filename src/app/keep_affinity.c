/* A in a checkpoint: by tile, as tiles are the same on any number of ranks; a
 * rank reads its own and makes rows of them again. */
#include "keep_store.h"

#include "balans/base/mem.h"
#include "balans/par/agree.h"

/* ---- Writing ---- */

typedef struct piece {
    const char *key;
    bal_store_type type;
    bal_size count, d;
    const void *at;
} piece;

/* This rank's part of an array, after those of the ranks before it. */
static bal_verdict write_piece(bal_store *s, bal_comm *c, const piece *p)
{
    bal_store_array a;
    bal_size first;
    bal_verdict st;

    BAL_TRY(
        bal_store_make_pieces(s, p->key, p->type, p->count, p->d, &a, &first));
    BAL_TRY(bal_agree(c, bal_store_write(s, &a, first, p->count, p->at)));
done:
    return st;
}

static bal_status count_tiles(const bal_affinity *a, int32_t **runs,
                              int32_t **entries)
{
    bal_status st;

    BAL_TRY(bal_take(runs, a->count, "the checkpoint"));
    BAL_TRY(bal_take(entries, a->count, "the checkpoint"));
    for (bal_size t = 0; t < a->count; t++) {
        (*runs)[t] = (int32_t)(a->run_first[t + 1] - a->run_first[t]);
        (*entries)[t] = (int32_t)(a->entry_first[t + 1] - a->entry_first[t]);
    }
done:
    return st;
}

bal_verdict bal_keeper_write_affinity(bal_store *s, bal_comm *c,
                                      const bal_csr *rows,
                                      const bal_order *order)
{
    bal_affinity *a = NULL;
    int32_t *runs = NULL, *entries = NULL;
    bal_status mine = bal_affinity_by_tile(rows, order, 1, &a);
    bal_verdict st;

    if (!bal_failed(mine))
        mine = count_tiles(a, &runs, &entries);
    BAL_TRY(bal_agree(c, mine));
    const piece part[] = {
        {"runs of a tile", BAL_STORE_I32, a->count, 1, runs},
        {"entries of a tile", BAL_STORE_I32, a->count, 1, entries},
        {"runs", BAL_STORE_I32, a->run_first[a->count], 2, a->run},
        {"rows", BAL_STORE_U16, bal_affinity_entries(a), 1, a->row},
        {"values", BAL_STORE_F32, bal_affinity_entries(a), 1, a->value},
    };
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        BAL_TRY(write_piece(s, c, &part[i]));
done:
    bal_free(&runs);
    bal_free(&entries);
    bal_affinity_destroy(&a);
    return st;
}

/* ---- Reading ---- */

/* A by tile as the store has it, and the landmarks. */
typedef struct found {
    bal_size m, tiles, before; /* landmarks; this rank's tiles; those before */
    int64_t *landmark;         /* [m] */
    int32_t *runs, *entries;   /* [all tiles] */
    bal_size all_tiles, all_runs, all_entries;
    bal_size run_first, run_count, entry_first, entry_count;
    bal_run *run;
    uint16_t *row;
    float *value;
    bal_size *size;    /* [m] entries of each landmark */
    bal_csr_row *rows; /* [m] */
} found;

static void release(found *f)
{
    for (bal_size i = 0; f->rows != NULL && i < f->m; i++)
        bal_csr_row_finish(&f->rows[i]);
    bal_free(&f->landmark);
    bal_free(&f->runs);
    bal_free(&f->entries);
    bal_free(&f->run);
    bal_free(&f->row);
    bal_free(&f->value);
    bal_free(&f->size);
    bal_free(&f->rows);
}

static bal_status allot(found *f, bal_size all_tiles)
{
    bal_status st;

    BAL_TRY(bal_alloc(&f->landmark, f->m + 1, "the checkpoint"));
    BAL_TRY(bal_alloc(&f->runs, all_tiles, "the checkpoint"));
    BAL_TRY(bal_alloc(&f->entries, all_tiles, "the checkpoint"));
    BAL_TRY(bal_alloc(&f->size, f->m, "the checkpoint"));
    BAL_TRY(bal_alloc(&f->rows, f->m, "the checkpoint"));
done:
    return st;
}

/* Landmarks are points, and no tile has less than nothing. */
static bool counts_are_right(const found *f, const bal_layout *l)
{
    bool right = true;

    for (bal_size i = 0; i < f->m; i++)
        right = right && f->landmark[i] >= 0 && f->landmark[i] < l->n;
    for (bal_size t = 0; t < f->all_tiles; t++)
        right = right && f->runs[t] >= 0 && f->entries[t] >= 0;
    return right;
}

/* The entries of a run: points of its tile, ascending. */
static bool run_is_right(const uint16_t *row, const float *value,
                         bal_size count, int32_t points)
{
    bool right = true;

    for (bal_size e = 0; e < count; e++)
        right = right && row[e] < points && (e == 0 || row[e] > row[e - 1]) &&
                value[e] > 0 && value[e] <= 1;
    return right;
}

/* The runs of a tile: of landmarks in order, with all of its entries. */
static bool tile_is_right(const found *f, const bal_run *run, bal_size runs,
                          bal_size entry, bal_size entries, int32_t points)
{
    bal_size from = 0, last = -1;

    for (bal_size r = 0; r < runs; r++) {
        if (run[r].landmark <= last || run[r].landmark >= f->m ||
            run[r].end < from || run[r].end > entries ||
            !run_is_right(f->row + entry + from, f->value + entry + from,
                          run[r].end - from, points))
            return false;
        from = run[r].end;
        last = run[r].landmark;
    }
    return from == entries;
}

static bool tiles_are_right(const found *f, const bal_layout *l)
{
    bal_size r = 0, entry = 0;

    for (bal_size t = 0; t < f->tiles; t++) {
        bal_size runs = f->runs[f->before + t];
        bal_size entries = f->entries[f->before + t];
        if (!tile_is_right(f, f->run + r, runs, entry, entries, l->tile[t].m))
            return false;
        r += runs;
        entry += entries;
    }
    return true;
}

/* This rank's tiles of A. */
static bal_status read_tiles(const bal_store *s, found *f)
{
    bal_store_array run, row, value;
    bal_status st;

    for (bal_size t = 0; t < f->all_tiles; t++) {
        bool own = t >= f->before && t < f->before + f->tiles;
        f->run_first += t < f->before ? f->runs[t] : 0;
        f->entry_first += t < f->before ? f->entries[t] : 0;
        f->run_count += own ? f->runs[t] : 0;
        f->entry_count += own ? f->entries[t] : 0;
        f->all_runs += f->runs[t];
        f->all_entries += f->entries[t];
    }
    /* Nothing is made of a size that the store does not have. */
    BAL_TRY(bal_store_find(s, "runs", BAL_STORE_I32, f->all_runs, 2, &run));
    BAL_TRY(bal_store_find(s, "rows", BAL_STORE_U16, f->all_entries, 1, &row));
    BAL_TRY(
        bal_store_find(s, "values", BAL_STORE_F32, f->all_entries, 1, &value));
    BAL_TRY(bal_take(&f->run, f->run_count, "the checkpoint"));
    BAL_TRY(bal_take(&f->row, f->entry_count, "the checkpoint"));
    BAL_TRY(bal_take(&f->value, f->entry_count, "the checkpoint"));
    BAL_TRY(bal_store_read(s, &run, f->run_first, f->run_count, f->run));
    BAL_TRY(bal_store_read(s, &row, f->entry_first, f->entry_count, f->row));
    BAL_TRY(
        bal_store_read(s, &value, f->entry_first, f->entry_count, f->value));
done:
    return st;
}

/* Counts the entries of every landmark, or puts them into its row. */
static void walk_tiles(const found *f, const bal_layout *l, bool place)
{
    bal_size r = 0, entry = 0;

    for (bal_size t = 0; t < f->tiles; t++) {
        bal_size from = 0, runs = r + f->runs[f->before + t];
        for (; r < runs; r++) {
            bal_size i = f->run[r].landmark;
            for (; from < f->run[r].end; from++) {
                if (place) {
                    bal_csr_row *row = &f->rows[i];
                    row->index[row->count] =
                        l->tile[t].first + f->row[entry + from];
                    row->value[row->count++] = f->value[entry + from];
                } else {
                    f->size[i]++;
                }
            }
        }
        entry += f->entries[f->before + t];
    }
}

static bal_status make_rows(found *f, const bal_layout *l, bal_csr *a)
{
    bal_status st = BAL_OK;

    walk_tiles(f, l, false);
    for (bal_size i = 0; i < f->m; i++) {
        BAL_TRY(bal_csr_row_create(&f->rows[i], f->size[i]));
        f->rows[i].count = 0;
        f->rows[i].landmark = f->landmark[i];
    }
    walk_tiles(f, l, true);
    for (bal_size i = 0; i < f->m; i++)
        BAL_TRY(bal_csr_push(a, &f->rows[i]));
done:
    return st;
}

bal_verdict bal_keeper_read_affinity(bal_store *s, bal_keeper *k)
{
    const bal_layout *l = k->points->order->layout;
    found f = {.m = k->from.report.landmarks,
               .tiles = l->tiles,
               .all_tiles = l->all_tiles};
    int64_t tiles = l->tiles;
    bal_status mine = bal_csr_create(l, &k->from.a);
    bal_verdict st;

    if (!bal_failed(mine))
        mine = allot(&f, l->all_tiles);
    BAL_TRY(bal_agree(k->comm, mine));
    bal_comm_exscan_i64(k->comm, &tiles, 1, &f.before);
    BAL_TRY(bal_store_get(s, "landmarks", BAL_STORE_I64, f.m, 1, f.landmark));
    BAL_TRY(bal_store_get(s, "runs of a tile", BAL_STORE_I32, l->all_tiles, 1,
                          f.runs));
    BAL_TRY(bal_store_get(s, "entries of a tile", BAL_STORE_I32, l->all_tiles,
                          1, f.entries));
    BAL_TRY(bal_agree(k->comm, bal_keeper_check(k, counts_are_right(&f, l))));
    mine = read_tiles(s, &f);
    if (!bal_failed(mine))
        mine = bal_keeper_check(k, tiles_are_right(&f, l));
    if (!bal_failed(mine))
        mine = make_rows(&f, l, k->from.a);
    BAL_TRY(bal_agree(k->comm, mine));
done:
    release(&f);
    return st;
}
