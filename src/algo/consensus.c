/* Up, a thread has landmarks of its own, so that no two add to one row of the
 * table; the entries of a landmark, a group and a block are summed in double in
 * registers and added to the exact sum (par/sum) once, with the bound (most
 * entries of a row) max|x_f|. Down, a thread has blocks of its own: their
 * entries are ordered by point, in each point by landmark, and a point's sums
 * stay in registers too.
 *
 * Cost: 4 flops an entry and feature, m G exact sums of a panel in one
 * allreduce of 16 bytes each. Memory: 16 m G bytes a feature of the panel.
 * Reference: docs/algorithm.md, sections 6 and 8. */
#include "consensus.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/base/watch.h"
#include "balans/kernel/spmm.h"
#include "balans/par/agree.h"

enum { STRIP = BAL_VECTOR * BAL_VECTORS }; /* features in registers at a time */

typedef struct bal_strip strip;

static bal_size round_up(bal_size n)
{
    return (n + BAL_VECTOR - 1) / BAL_VECTOR * BAL_VECTOR;
}

/* Features that fit, in whole vectors. */
static bal_status choose_room(bal_consensus *p, bal_size memory, bal_size extra)
{
    char need[32], have[32];
    bal_size rows = p->a->m * p->groups;
    bal_size each = 16 * rows + 4 * p->threads + 64;
    bal_size fixed =
        extra * rows +
        p->threads * 16 * (bal_affinity_most(p->a) + 2 * p->x->longest);
    bal_size most = (memory - fixed) / each / BAL_VECTOR * BAL_VECTOR;
    bal_size wide = round_up(p->x->d);

    p->room = most < wide ? most : wide;
    if (p->room >= BAL_VECTOR)
        return BAL_OK;
    return BAL_FAIL(
        BAL_EUSAGE,
        "cannot correct in the %s of work space that are left: %lld landmarks "
        "x %lld batches need %s; use a larger --memory-per-rank, or fewer "
        "--landmarks",
        bal_bytes(have, sizeof have, memory > 0 ? memory : 0),
        (long long)p->a->m,
        (long long)p->groups,
        bal_bytes(need, sizeof need, fixed + BAL_VECTOR * each));
}

static bal_status scratch_create(const bal_consensus *p,
                                 bal_consensus_scratch *s)
{
    bal_size most = bal_affinity_most(p->a) + BAL_GATHER_AHEAD;
    bal_size longest = p->x->longest;
    bal_status st;

    BAL_TRY(bal_alloc(&s->index, most, "the correction"));
    BAL_TRY(bal_alloc(&s->weight, most, "the correction"));
    BAL_TRY(bal_alloc(&s->first, longest + 2, "the correction"));
    BAL_TRY(bal_alloc(&s->den, longest, "the correction"));
    BAL_TRY(bal_alloc(&s->rho, longest, "the correction"));
    BAL_TRY(bal_alloc(&s->acc, STRIP, "the correction"));
    BAL_TRY(bal_alloc(&s->most, p->room, "the correction"));
    BAL_TRY(bal_alloc(&s->strip, p->room / STRIP + 1, "the correction"));
done:
    return st;
}

/* Runs of landmarks with about as many entries for each thread. */
static bal_status share_landmarks(bal_consensus *p)
{
    const bal_affinity *a = p->a;
    int64_t *entries = NULL;
    bal_size all = bal_affinity_entries(a), sum = 0, l = 0;
    bal_status st = bal_alloc(&entries, a->m, "the correction");

    for (bal_size b = 0; !bal_failed(st) && b < a->count; b++)
        for (bal_size r = a->run_first[b]; r < a->run_first[b + 1]; r++)
            entries[a->run[r].landmark] +=
                bal_run_end(a, b, r) - bal_run_first(a, b, r);
    for (int t = 0; !bal_failed(st) && t < p->threads; t++) {
        p->share[t] = l;
        while (l < a->m && sum < bal_share_first(all, t + 1, p->threads))
            sum += entries[l++];
    }
    p->share[p->threads] = a->m;
    bal_free(&entries);
    return st;
}

/* How many landmarks to take at a time: all, unless rows are wide and on
 * average fewer than two entries follow one another that add to one row of a
 * table too large for any cache. */
static bal_size choose_chunk(const bal_consensus *p)
{
    enum { NEAR = 1 << 19, FAR = 1 << 25, WIDE = 128 };
    const bal_affinity *a = p->a;
    bal_size rows = a->m * p->groups, parts = 0, chunk;

    for (bal_size b = 0; b < a->count && p->groups > 1; b++)
        for (bal_size e = a->entry_first[b]; e < a->entry_first[b + 1]; e++)
            parts += e == a->entry_first[b] ||
                     a->batch[a->start[b] + a->row[e]] !=
                         a->batch[a->start[b] + a->row[e - 1]];
    if (rows * 16 * p->room <= FAR || p->room < WIDE ||
        bal_affinity_entries(a) >= 2 * parts)
        return a->m;
    chunk = NEAR / (16 * p->room * p->groups);
    return chunk > 1 ? chunk : 1;
}

static bal_status allot(bal_consensus *p, bal_size memory, bal_size extra)
{
    bal_size rows = p->a->m * p->groups;
    bal_status st = bal_fault("correct");

    if (bal_failed(st))
        return st;
    if (rows > UINT32_MAX)
        return BAL_FAIL(BAL_ERANGE,
                        "cannot correct with %lld landmarks x %lld batches; "
                        "use fewer --landmarks",
                        (long long)p->a->m, (long long)p->groups);
    BAL_TRY(choose_room(p, memory, extra));
    BAL_TRY(bal_alloc(&p->scale, p->room, "the correction"));
    BAL_TRY(bal_alloc(&p->up, p->room, "the correction"));
    BAL_TRY(bal_alloc(&p->share, p->threads + 1, "the correction"));
    BAL_TRY(share_landmarks(p));
    p->chunk = choose_chunk(p);
    BAL_TRY(bal_alloc(&p->scratch, p->threads, "the correction"));
    for (int t = 0; t < p->threads; t++)
        BAL_TRY(scratch_create(p, &p->scratch[t]));
done:
    return st;
}

bal_verdict bal_consensus_init(bal_consensus *p, bal_size memory,
                               bal_size extra)
{
    bal_verdict st;

    BAL_TRY(bal_agree(p->comm, allot(p, memory, extra)));
    /* Panels are the same on every rank. */
    bal_comm_min_i64(p->comm, &p->room, 1);
    BAL_TRY(bal_agree(p->comm,
                      bal_alloc(&p->table, p->a->m * p->groups * 2 * p->room,
                                "the consensus of the landmarks")));
done:
    return st;
}

void bal_consensus_finish(bal_consensus *p)
{
    for (int t = 0; p->scratch != NULL && t < p->threads; t++) {
        bal_free(&p->scratch[t].index);
        bal_free(&p->scratch[t].weight);
        bal_free(&p->scratch[t].first);
        bal_free(&p->scratch[t].den);
        bal_free(&p->scratch[t].rho);
        bal_free(&p->scratch[t].acc);
        bal_free(&p->scratch[t].most);
        bal_free(&p->scratch[t].strip);
    }
    bal_free(&p->scratch);
    bal_free(&p->table);
    bal_free(&p->scale);
    bal_free(&p->up);
    bal_free(&p->share);
}

/* ---- Up ---- */

static bal_size group_of(const bal_consensus *p, bal_size point)
{
    return p->groups > 1 ? p->a->batch[point] : 0;
}

/* Adds entries from .. to - 1 of a block, all of landmark l and group g. */
static void add_entries(const bal_consensus *p, const strip *s, bal_size from,
                        bal_size to, bal_size l, bal_size g)
{
    const bal_affinity *a = p->a;
    int64_t *hi = (int64_t *)(void *)bal_consensus_row(p, l * p->groups + g);

    bal_spmm_sum(s->x + p->first + s->f, p->x->d, a->row + from,
                 a->value + from, to - from, s->vectors, p->up + s->f,
                 p->scale[0].up_lo, hi + s->f, hi + p->wide + s->f);
}

/* Strips s .. last of runs `from` .. `to` - 1 of one block. */
static void sum_strips(const bal_consensus *p, bal_size b, const strip *s,
                       const strip *last, bal_size from, bal_size to)
{
    const bal_affinity *a = p->a;

    for (bal_size r = from; r < to; r++) {
        bal_size e = bal_run_first(a, b, r), end = bal_run_end(a, b, r);
        while (e < end) {
            bal_size g = group_of(p, a->start[b] + a->row[e]), at = e;
            do
                e++;
            while (e < end && group_of(p, a->start[b] + a->row[e]) == g);
            for (const strip *f = s; f <= last; f++)
                add_entries(p, f, at, e, a->run[r].landmark, g);
        }
    }
}

/* The strips of a panel over the rows of a block.  @return how many */
static int cut_strips(const bal_consensus *p, const float *x, strip *out)
{
    int count = 0;

    for (bal_size f = 0; f < p->wide; f += STRIP) {
        bal_size left = p->wide - f;
        out[count++] = (strip){
            x, f, (int)(left < STRIP ? left : STRIP) / BAL_VECTOR};
    }
    return count;
}

/* Strip by strip, so that the strip of the block's rows stays in a cache while
 * the landmarks come by. */
static void sum_block(const bal_consensus *p, bal_size b, strip *s, int strips,
                      bal_size from, bal_size to)
{
    bal_size first = bal_affinity_run_from(p->a, b, from);
    bal_size last = bal_affinity_run_from(p->a, b, to);

    for (int f = 0; f < strips; f++)
        sum_strips(p, b, &s[f], &s[f], first, last);
    bal_alive();
}

/* All strips at a time, for few landmarks: where batches lie mixed in the file
 * and hardly two entries add to one row of the table, it is these rows that
 * stay in a cache, while the blocks come by. */
static void sum_scattered(const bal_consensus *p, const bal_sweep *sweep,
                          strip *s, bal_size from, bal_size to)
{
    for (bal_size l = from; l < to; l += p->chunk) {
        bal_size end = l + p->chunk < to ? l + p->chunk : to;
        for (bal_size b = sweep->from; b < sweep->to; b++) {
            int strips = cut_strips(p, bal_sweep_block(sweep, b), s);
            sum_strips(p, b, s, s + strips - 1,
                       bal_affinity_run_from(p->a, b, l),
                       bal_affinity_run_from(p->a, b, end));
        }
        bal_alive();
    }
}

static void sum_span(const bal_consensus *p, const bal_sweep *sweep, int thread)
{
    strip *s = p->scratch[thread].strip;
    bal_size from = p->share[thread], to = p->share[thread + 1];

    if (p->chunk < p->a->m) {
        sum_scattered(p, sweep, s, from, to);
        return;
    }
    for (bal_size b = sweep->from; b < sweep->to; b++)
        sum_block(p, b, s, cut_strips(p, bal_sweep_block(sweep, b), s), from,
                  to);
}

static void prepare_sums(bal_consensus *p, bal_size first)
{
    bal_size left = p->x->d - first;

    p->first = first;
    p->count = left < p->room ? left : p->room;
    p->wide = round_up(p->count);
    for (bal_size f = 0; f < p->wide; f++) {
        double most = f < p->count ? (double)p->most[first + f] : 0;
        p->scale[f] = bal_scale_for(p->longest * most, p->x->all);
        p->up[f] = f < p->count ? p->scale[f].up_hi : 0;
    }
    memset(p->table, 0,
           (size_t)(p->a->m * p->groups * 2 * p->wide) * sizeof *p->table);
}

bal_verdict bal_consensus_load(bal_consensus *p, bal_size first)
{
    bal_sweep s = bal_sweep_begin(p->x);
    bal_size numbers;

    prepare_sums(p, first);
    numbers = p->a->m * p->groups * 2 * p->wide;
    while (bal_sweep_next(&s)) {
#pragma omp parallel for schedule(static, 1) num_threads(p->threads)
        for (int t = 0; t < p->threads; t++)
            sum_span(p, &s, t);
    }
    bal_comm_sum_i64(p->comm, (int64_t *)(void *)p->table, numbers);
    return bal_agree(p->comm, s.status);
}

double bal_consensus_sum(const bal_consensus *p, bal_size row, bal_size f)
{
    const int64_t *hi = (const int64_t *)(void *)bal_consensus_row(p, row);

    return bal_fixed_value((bal_fixed){hi[f], hi[p->wide + f]}, &p->scale[f]);
}

/* ---- Down ---- */

/* Orders the entries of a block by point, in each by landmark; sums what does
 * not depend on features. */
static void order_entries(const bal_consensus *p, bal_consensus_scratch *s,
                          bal_size b)
{
    const bal_affinity *a = p->a;
    const uint16_t *row = a->row + a->entry_first[b];
    const float *value = a->value + a->entry_first[b];
    bal_size entries = a->entry_first[b + 1] - a->entry_first[b], from = 0;
    int m = bal_block_size(p->x, b);

    memset(s->first, 0, (size_t)(m + 2) * sizeof *s->first);
    for (bal_size e = 0; e < entries; e++)
        s->first[row[e] + 2]++;
    for (int j = 0; j < m; j++) {
        s->first[j + 2] += s->first[j + 1];
        s->den[j] = s->rho[j] = 0;
    }
    for (bal_size r = a->run_first[b]; r < a->run_first[b + 1]; r++) {
        bal_size l = a->run[r].landmark;
        double share = 1 / p->sum[l];
        for (; from < a->run[r].end; from++) {
            int j = row[from];
            bal_size pair = l * p->groups + group_of(p, a->start[b] + j);
            int32_t at = s->first[j + 1]++;
            s->index[at] = (uint32_t)pair;
            s->weight[at] = (double)value[from] * p->weight[pair];
            s->den[j] += (double)value[from] * p->divisor[pair];
            s->rho[j] += (double)value[from] * share;
        }
    }
    for (int i = 0; i < BAL_GATHER_AHEAD; i++)
        s->index[entries + i] = 0;
}

static void note(bal_consensus_scratch *s, bal_size at, bal_size f, float x)
{
    float size = fabsf(x);

    if (!(size <= s->most[at]))
        s->most[at] = size;
    if (!isfinite(x) && f < s->broken)
        s->broken = f;
}

static void spread_block(const bal_consensus *p, bal_consensus_scratch *s,
                         bal_size b, float *x, bal_arrive *take,
                         const void *self)
{
    bal_size d = p->x->d;
    int m = bal_block_size(p->x, b);

    order_entries(p, s, b);
    for (bal_size f = 0; f < p->count; f += STRIP) {
        bal_size left = p->count - f, wide = p->wide - f;
        int vectors = (int)(wide < STRIP ? wide : STRIP) / BAL_VECTOR;
        for (int j = 0; j < m; j++) {
            bal_arrival a = {
                .point = p->a->start[b] + j,
                .first = p->first + f,
                .count = left < STRIP ? left : STRIP,
                .acc = s->acc,
                .den = s->den[j],
                .rho = s->rho[j],
                .x = x + j * d + p->first + f,
            };
            bal_spmm_gather(p->table + f, 2 * p->wide, s->index + s->first[j],
                            s->weight + s->first[j],
                            s->first[j + 1] - s->first[j], vectors, s->acc);
            take(self, &a);
            for (bal_size i = 0; i < a.count; i++)
                note(s, f + i, a.first + i, a.x[i]);
        }
    }
}

static bal_status check_finite(const bal_consensus *p, bal_size broken)
{
    if (broken >= p->x->d)
        return BAL_OK;
    return BAL_FAIL(BAL_ENUMERIC,
                    "cannot correct feature %lld: its values become larger "
                    "than single precision holds; rescale it or leave it out",
                    (long long)broken);
}

/* What the threads found, over all ranks. */
static bal_verdict gather_notes(bal_consensus *p, bal_status mine)
{
    int64_t broken = p->x->d;
    bal_verdict st;

    for (bal_size f = 0; f < p->count; f++)
        p->most[p->first + f] = 0;
    for (int t = 0; t < p->threads; t++) {
        const bal_consensus_scratch *s = &p->scratch[t];
        broken = s->broken < broken ? s->broken : broken;
        for (bal_size f = 0; f < p->count; f++)
            if (s->most[f] > p->most[p->first + f])
                p->most[p->first + f] = s->most[f];
    }
    bal_comm_max_f32(p->comm, p->most + p->first, p->count);
    bal_comm_min_i64(p->comm, &broken, 1);
    BAL_TRY(bal_agree(p->comm, mine));
    BAL_TRY(bal_agree(p->comm, check_finite(p, broken)));
done:
    return st;
}

bal_verdict bal_consensus_spread(bal_consensus *p, bal_arrive *take,
                                 const void *self, bool keep)
{
    bal_sweep s = bal_sweep_begin(p->x);

    for (int t = 0; t < p->threads; t++) {
        memset(p->scratch[t].most, 0, (size_t)p->room * sizeof(float));
        p->scratch[t].broken = p->x->d;
    }
    while (bal_sweep_next(&s)) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(p->threads)
        for (bal_size b = s.from; b < s.to; b++) {
            spread_block(p, &p->scratch[omp_get_thread_num()], b,
                         bal_sweep_block(&s, b), take, self);
            bal_alive();
        }
        if (keep)
            bal_sweep_keep(&s);
    }
    return gather_notes(p, s.status);
}
