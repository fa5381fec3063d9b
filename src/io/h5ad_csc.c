/* Columns turned into rows.
 *
 * Each rank reads a run of whole columns with about the same number of entries
 * and sends them, as (row, column, value), to the ranks in whose slabs the rows
 * lie.  That is done twice: the first time the receivers count the entries of
 * each row, the second time they put them where they belong, so that memory
 * holds the slab once and never more than ROUND entries in flight.  Runs of
 * columns follow the order of ranks and entries that of the file; hence the
 * entries of one row and column arrive in the file's order on any number of
 * ranks, as an exchange delivers by source.
 * Cost: the matrix is read twice and travels twice.  Memory: 12 bytes for each
 * entry of the slab, 24 ROUND bytes in flight. */
#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/exchange.h"
#include "balans/par/layout.h"
#include "h5ad_internal.h"

enum {
    ROUND = 1 << 22, /* entries that one rank may receive in a round */
    LEAST = 1 << 8,  /* entries that one rank sends in a round, at least */
};

typedef struct entry {
    int64_t row, col;
    double value;
} entry;

/* What one rank reads, and its buffers. */
typedef struct turning {
    bal_h5ad *f;
    int64_t *ptr;    /* [d + 1] */
    int64_t at, end; /* entries of this rank still to be sent */
    bal_size piece;  /* entries it sends in a round */
    bal_size col;    /* column of entry `at`, or one before it */
    int64_t *row;    /* [piece] */
    double *value;   /* [piece] */
    entry *send;     /* [piece] */
    bal_size *sent;  /* [ranks] */
    bal_size *came;  /* [ranks] */
    bal_size *place; /* [ranks] */
    bool counting;   /* the first time */
} turning;

void bal_slab_finish(bal_slab *slab)
{
    bal_free(&slab->ptr);
    bal_free(&slab->col);
    bal_free(&slab->value);
    *slab = (bal_slab){0};
}

/* First column that starts at or after entry nnz r / size. */
static bal_size first_column(const turning *t, int r)
{
    const bal_comm *c = t->f->comm;
    int64_t want = bal_share_first(t->f->info.nnz, r, c->size);
    bal_size low = 0, high = t->f->info.d;

    if (r == c->size)
        return high;
    while (low < high) {
        bal_size mid = low + (high - low) / 2;
        if (t->ptr[mid] < want)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bal_status prepare(turning *t)
{
    bal_h5ad *f = t->f;
    bal_size d = f->info.d, size = f->comm->size;
    bal_size n = f->chosen.n > 0 ? f->chosen.n : f->n;
    bal_status st;

    f->slab.first = bal_slab_first(n, f->comm->rank, f->comm->size);
    f->slab.m =
        bal_slab_first(n, f->comm->rank + 1, f->comm->size) - f->slab.first;
    t->piece = ROUND / size > LEAST ? ROUND / size : LEAST;
    if (t->piece > f->info.nnz)
        t->piece = f->info.nnz;
    BAL_TRY(bal_alloc(&f->slab.ptr, f->slab.m + 2, "rows of a sparse matrix"));
    BAL_TRY(bal_alloc(&t->ptr, d + 1, "pointers of sparse columns"));
    BAL_TRY(bal_alloc(&t->row, t->piece, "sparse entries"));
    BAL_TRY(bal_alloc(&t->value, t->piece, "sparse entries"));
    BAL_TRY(bal_alloc(&t->send, t->piece, "sparse entries"));
    BAL_TRY(bal_alloc(&t->sent, size, "counts by rank"));
    BAL_TRY(bal_alloc(&t->came, size, "counts by rank"));
    BAL_TRY(bal_alloc(&t->place, size, "counts by rank"));
    BAL_TRY(bal_h5_read(f->indptr, H5T_NATIVE_INT64, 0, d + 1, t->ptr));
    BAL_TRY(bal_h5ad_check_ptr(f, t->ptr, d + 1, 0));
done:
    return st;
}

static void finish(turning *t)
{
    bal_free(&t->ptr);
    bal_free(&t->row);
    bal_free(&t->value);
    bal_free(&t->send);
    bal_free(&t->sent);
    bal_free(&t->came);
    bal_free(&t->place);
}

static bal_status read_piece(turning *t, bal_size len)
{
    bal_h5ad *f = t->f;
    bal_status st =
        bal_h5_read(f->indices, H5T_NATIVE_INT64, t->at, len, t->row);

    if (!bal_failed(st))
        st = bal_h5_read(f->data, H5T_NATIVE_DOUBLE, t->at, len, t->value);
    for (bal_size i = 0; i < len && !bal_failed(st); i++)
        if (t->row[i] < 0 || t->row[i] >= f->n)
            st = BAL_FAIL(BAL_EINPUT,
                          "cannot use '%s', matrix '%s': entry %lld of its "
                          "'indices' is %lld, but there are %lld rows",
                          f->path, f->info.name, (long long)(t->at + i),
                          (long long)t->row[i], (long long)f->n);
    return st;
}

/* Fills `send` with the next piece, ordered by destination. */
static bal_status pack(turning *t)
{
    int size = t->f->comm->size;
    bal_size len = t->end - t->at < t->piece ? t->end - t->at : t->piece;
    bal_size before = 0;
    bal_status st;

    for (int r = 0; r < size; r++)
        t->sent[r] = 0;
    if (len == 0)
        return BAL_OK;
    st = read_piece(t, len);
    if (bal_failed(st))
        return st;
    for (bal_size i = 0; i < len; i++)
        t->sent[bal_h5ad_owner(t->f, t->row[i])]++;
    for (int r = 0; r < size; r++) {
        t->place[r] = before;
        before += t->sent[r];
    }
    for (bal_size i = 0; i < len; i++) {
        while (t->at + i >= t->ptr[t->col + 1])
            t->col++;
        t->send[t->place[bal_h5ad_owner(t->f, t->row[i])]++] =
            (entry){t->row[i], t->col, t->value[i]};
    }
    t->at += len;
    return BAL_OK;
}

/* While placing, ptr[i + 1] is where the next entry of row i goes; in the end
 * it is where row i + 1 begins. */
static void unpack(const turning *t, const entry *got)
{
    bal_slab *s = &t->f->slab;
    bal_size count = 0;

    for (int r = 0; r < t->f->comm->size; r++)
        count += t->came[r];
    for (bal_size i = 0; i < count; i++) {
        bal_size row = bal_h5ad_place(t->f, got[i].row);
        if (row < 0)
            continue;
        if (t->counting) {
            s->ptr[row + 2]++;
        } else {
            int64_t at = s->ptr[row + 1]++;
            s->col[at] = (int32_t)got[i].col;
            s->value[at] = got[i].value;
        }
    }
}

static bal_verdict go_through(turning *t, bool counting)
{
    bal_comm *c = t->f->comm;
    bal_status mine = BAL_OK;
    bal_verdict st;
    int64_t rounds;

    t->counting = counting;
    t->col = first_column(t, c->rank);
    t->at = t->ptr[t->col];
    t->end = t->ptr[first_column(t, c->rank + 1)];
    rounds = t->piece > 0 ? (t->end - t->at + t->piece - 1) / t->piece : 0;
    bal_comm_max_i64(c, &rounds, 1);
    for (int64_t i = 0; i < rounds; i++) {
        void *got = NULL;
        if (!bal_failed(mine))
            mine = pack(t);
        if (bal_failed(mine))
            for (int r = 0; r < c->size; r++)
                t->sent[r] = 0;
        st = bal_exchange(c, t->send, t->sent, sizeof *t->send, &got, t->came);
        if (bal_failed(st))
            return st;
        unpack(t, got);
        bal_mem_free(&got);
    }
    return bal_agree(c, mine);
}

static bal_status make_room(bal_slab *s)
{
    bal_status st;

    for (bal_size i = 0; i < s->m; i++)
        s->ptr[i + 2] += s->ptr[i + 1];
    BAL_TRY(bal_alloc(&s->col, s->ptr[s->m + 1], "rows of a sparse matrix"));
    BAL_TRY(bal_alloc(&s->value, s->ptr[s->m + 1], "rows of a sparse matrix"));
done:
    return st;
}

bal_verdict bal_h5ad_turn_csc(bal_h5ad *f)
{
    turning t = {.f = f};
    bal_verdict st;

    BAL_TRY(bal_agree(f->comm, prepare(&t)));
    BAL_TRY(go_through(&t, true));
    BAL_TRY(bal_agree(f->comm, make_room(&f->slab)));
    BAL_TRY(go_through(&t, false));
done:
    finish(&t);
    return st;
}
