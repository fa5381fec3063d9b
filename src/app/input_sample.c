/* Some of the profiles as all that there are: the same share of each batch of
 * the last column, the finest, drawn without replacement.
 *
 * Of the first b batches together, floor(N (n_1 + .. + n_b) / n) rows are
 * taken, so each batch gives its share to less than a row, and all give N. They
 * are the first of a random order of the batch (base/rng), which every rank
 * knows in full; it keeps those that it holds. They are shared out anew into
 * slabs of N rows.
 * Cost: N random numbers on every rank, 8 bytes a row of the sample exchanged,
 * and 4 for each column; a byte for each row of the file. */
#include "input_sample.h"

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "balans/data/route.h"
#include "balans/par/agree.h"
#include "balans/par/exchange.h"

__extension__ typedef unsigned __int128 wide;

static const char what[] = "the sample of the profiles";

enum { PURPOSE = 0x66697473 }; /* apart from other uses of the seed */

typedef struct sampling {
    bal_input *in;
    const bal_labels *labels; /* of the finest column */
    bal_size n;               /* rows wanted */
    int64_t *here, *before;   /* [batches] rows on this rank; on those below */
    bool *drawn;              /* [m], batch by batch */
    bal_size *at;             /* [batches] the next of each batch in `drawn` */
    bal_size kept;            /* drawn rows of this rank */
    bal_size *kept_row;       /* [kept], from the rank's first */
    bal_size *to, *from;      /* [ranks] */
    void *send;               /* [kept] */
} sampling;

static bal_status allot(const bal_comm *c, sampling *s)
{
    bal_size batches = s->labels->count;
    bal_status st;

    BAL_TRY(bal_alloc(&s->here, batches, what));
    BAL_TRY(bal_alloc(&s->before, batches, what));
    BAL_TRY(bal_alloc(&s->at, batches, what));
    BAL_TRY(bal_alloc(&s->drawn, s->labels->m, what));
    BAL_TRY(bal_alloc(&s->to, c->size, what));
    BAL_TRY(bal_alloc(&s->from, c->size, what));
done:
    return st;
}

static void release(sampling *s)
{
    bal_free(&s->here);
    bal_free(&s->before);
    bal_free(&s->at);
    bal_free(&s->drawn);
    bal_free(&s->kept_row);
    bal_free(&s->to);
    bal_free(&s->from);
    bal_mem_free(&s->send);
}

/* Rows that the first `rows` of all rows give. */
static bal_size share(const sampling *s, bal_size rows)
{
    return (bal_size)((wide)s->n * (wide)rows / (wide)s->labels->n);
}

/* Marks those of this rank's rows that are drawn. */
static void draw(sampling *s)
{
    const bal_labels *l = s->labels;
    bal_size past = 0, start = 0;

    for (bal_size b = 0; b < l->count; b++) {
        bal_size count = share(s, past + l->size[b]) - share(s, past);
        for (bal_size i = 0; i < count; i++) {
            uint64_t item =
                bal_rng_order(s->in->par->seed, PURPOSE, (uint32_t)b,
                              (uint64_t)l->size[b], (uint64_t)i);
            bal_size own = (bal_size)item - s->before[b];
            if (own < 0 || own >= s->here[b])
                continue;
            s->drawn[start + own] = true;
            s->kept++;
        }
        s->at[b] = start;
        start += s->here[b];
        past += l->size[b];
    }
}

/* Lists them in the order of the file, and says where they go. */
static bal_status list(bal_comm *c, sampling *s)
{
    const bal_labels *l = s->labels;
    int64_t first = 0, kept = s->kept;
    bal_size count = 0;
    bal_status st = bal_alloc(&s->kept_row, kept, what);

    if (!bal_failed(st))
        st = bal_mem_alloc(&s->send, kept, sizeof(int64_t), what);
    bal_comm_exscan_i64(c, &kept, 1, &first);
    if (bal_failed(st))
        return st;
    for (bal_size i = 0; i < l->m; i++)
        if (s->drawn[s->at[l->code[i]]++])
            s->kept_row[count++] = i;
    for (bal_size i = 0; i < count; i++)
        s->to[bal_slab_owner(s->n, c->size, first + i)]++;
    return BAL_OK;
}

static bal_verdict take_rows(sampling *s)
{
    bal_comm *c = s->in->comm;
    int64_t *row = s->send;
    void *got = NULL;
    bal_verdict st;

    for (bal_size i = 0; i < s->kept; i++)
        row[i] = s->labels->first + s->kept_row[i];
    BAL_TRY(bal_exchange(c, row, s->to, sizeof *row, &got, s->from));
    BAL_TRY(bal_h5ad_choose(s->in->file, s->n, got));
done:
    return st;
}

static bal_verdict take_labels(sampling *s, int column)
{
    bal_comm *c = s->in->comm;
    bal_labels **l = &s->in->labels[column], *kept = NULL;
    int32_t *code = s->send;
    void *got = NULL;
    bal_verdict st;

    for (bal_size i = 0; i < s->kept; i++)
        code[i] = (*l)->code[s->kept_row[i]];
    BAL_TRY(bal_exchange(c, code, s->to, sizeof *code, &got, s->from));
    BAL_TRY(bal_labels_subset(c, *l, s->n, got, &kept));
    got = NULL;
    s->in->lost = (*l)->count - kept->count; /* most in the finest column */
    bal_labels_destroy(l);
    *l = kept;
done:
    bal_mem_free(&got);
    return st;
}

static bal_status check(const bal_input *in)
{
    if (in->par->fit_sample <= in->info.n)
        return BAL_OK;
    return BAL_FAIL(BAL_EUSAGE,
                    "cannot take '%lld' for option '--sample': '%s' has %lld "
                    "profiles",
                    (long long)in->par->fit_sample, in->par->input,
                    (long long)in->info.n);
}

bal_verdict bal_input_sample(bal_input *in)
{
    bal_comm *c = in->comm;
    sampling s = {
        .in = in,
        .labels = in->labels[in->columns - 1],
        .n = in->par->fit_sample,
    };
    bal_verdict st;

    BAL_TRY(bal_agree(c, check(in)));
    if (s.n == in->info.n)
        goto done;
    BAL_TRY(bal_agree(c, allot(c, &s)));
    for (bal_size i = 0; i < s.labels->m; i++)
        s.here[s.labels->code[i]]++;
    bal_comm_exscan_i64(c, s.here, s.labels->count, s.before);
    draw(&s);
    BAL_TRY(bal_agree(c, list(c, &s)));
    BAL_TRY(take_rows(&s));
    for (int i = 0; i < in->columns; i++)
        BAL_TRY(take_labels(&s, i));
    in->info.n = s.n;
done:
    release(&s);
    return st;
}
