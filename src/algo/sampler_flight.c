/* Rows of the blocks in flight.
 *
 * A group of W blocks has W J places, block by block. Each step begins the next
 * place of every block that may go on: with a limit on the landmarks a place
 * waits until it is certain that those before it in canonical order, all of
 * them new landmarks, will not reach the limit. So no row is begun that the
 * limit forbids, and the last block waits for repeats in those before it.
 *
 * How many blocks: with a known number of landmarks, as many as they take. Else
 * four fifths of what the caller expects, and from there on as the latest rows
 * show the end to be far. Let a share f of rows cover something new; after any
 * one of those, tau that do not follow with probability (1 - f)^tau, so a row
 * ends the sampling with probability h(f) = f (1 - f)^tau / (1 - (1 - f)^tau)
 * (Feller, An Introduction to Probability Theory, XIII.7). f falls about as one
 * over the number of rows. The group has as many blocks as keep the sum of h
 * below 0.35; at least an eighth of those done, and at most half as many, once
 * there are some.
 *
 * And no more than fit: rows are as long as they are on the rank where they are
 * longest. Where it shows on the way that they will not fit, the last blocks of
 * the group are dropped. */
#include <math.h>
#include <string.h>

#include "sampler_internal.h"

bool bal_flight_is_there(const bal_sampler *s, bal_size i)
{
    return i % s->par->block < s->started[i / s->par->block];
}

bool bal_flight_is_new(const bal_sampler *s, bal_size i)
{
    bal_gidx pos = s->ahead[i].landmark;

    return bal_places_find(&s->flying, pos) == i &&
           bal_places_find(&s->kept, pos) < 0;
}

/* Takes note of the point drawn at place i: of those drawn more than once, all
 * but the canonically first are repeats. */
static void take_note(bal_sampler *s, bal_size i)
{
    bal_gidx pos = s->ahead[i].landmark;
    bal_size j = s->par->block, first = bal_places_find(&s->flying, pos);

    if (bal_places_find(&s->kept, pos) >= 0 || (first >= 0 && first < i)) {
        s->again[i / j]++;
        return;
    }
    if (first >= 0)
        s->again[first / j]++;
    /* There is room for all places, so this does not fail. */
    (void)bal_places_set(&s->flying, pos, i);
}

int bal_flight_choose(bal_sampler *s)
{
    bal_size j = s->par->block, before = s->report->landmarks;
    int count = 0, most = s->report->rows > 0 ? s->width : s->first_most;

    for (int q = 0; q < s->width && count < most; q++) {
        if (s->limit > 0 && before + s->started[q] - s->again[q] >= s->limit)
            break;
        if (s->started[q] < j)
            s->active[count++] = q;
        before += j - s->again[q];
    }
    return count;
}

/* Whether a row for the point is there, or will be by the slots before x of
 * this step. */
static bool has_row(const bal_sampler *s, const bal_gidx *pos, int x)
{
    if (bal_places_find(&s->kept, pos[x]) >= 0 ||
        bal_places_find(&s->flying, pos[x]) >= 0)
        return true;
    for (int y = 0; y < x; y++)
        if (pos[y] == pos[x])
            return true;
    return false;
}

void bal_flight_look_up(bal_sampler *s, int count, const bal_gidx *pos,
                        bool *want)
{
    for (int x = 0; x < count; x++) {
        want[x] = !has_row(s, pos, x);
        s->begun[x] = pos[x];
    }
    s->next = 0;
}

static bal_status copy_row(const bal_csr_row *from, bal_csr_row *to)
{
    bal_status st = bal_csr_row_create(to, from->count);

    if (bal_failed(st) || from->count == 0)
        return st;
    memcpy(to->index, from->index, (size_t)from->count * sizeof *to->index);
    memcpy(to->value, from->value, (size_t)from->count * sizeof *to->value);
    return st;
}

/* Fills place i with the row of the point at `pos`: a copy of the one there is,
 * or the next one computed. */
static void fill(bal_sampler *s, bal_size i, bal_gidx pos)
{
    bal_size l = bal_places_find(&s->kept, pos);
    bal_size first = bal_places_find(&s->flying, pos);
    const float *scale = NULL;

    if (l >= 0 || first >= 0) {
        const bal_csr_row *from = l >= 0 ? &s->a->row[l] : &s->ahead[first];
        if (!bal_failed(s->mine))
            s->mine = copy_row(from, &s->ahead[i]);
        if (l < 0)
            scale = s->ahead_scale + first * s->locals;
    } else {
        scale = s->locals > 0 ? bal_sampler_scales(s, s->next) : NULL;
        s->ahead[i] = s->step[s->next];
        s->step[s->next++] = (bal_csr_row){0};
    }
    if (s->locals > 0 && scale != NULL)
        memcpy(s->ahead_scale + i * s->locals, scale,
               (size_t)s->locals * sizeof *scale);
    s->ahead[i].landmark = pos;
}

void bal_flight_add(bal_sampler *s, int x)
{
    int q = s->active[x];
    bal_size i = q * s->par->block + s->started[q];

    fill(s, i, s->begun[x]);
    take_note(s, i);
    s->held += 8 * (s->ahead[i].count + BAL_LANES);
    s->held_rows++;
    s->started[q]++;
}

/* Threads keep their own record of a failure, so the sentence is said here. */
void bal_flight_cover(bal_sampler *s, int count)
{
    int failed = 0;

    if (bal_failed(s->mine))
        return;
#pragma omp parallel for schedule(dynamic, 1) num_threads(s->threads) \
    reduction(|                                                       \
              : failed)
    for (int x = 0; x < count; x++) {
        int q = s->active[x];
        failed |= bal_failed(bal_cover_add(&s->cover[q],
                                           s->ahead + q * s->par->block,
                                           s->started[q] - 1));
    }
    if (failed)
        s->mine = BAL_FAIL(BAL_ENOMEM, "cannot get memory for coverage; use "
                                       "more ranks on more hosts");
}

/* ---- How many blocks ---- */

/* Rows that the group may come to hold. */
static bal_size rows_planned(const bal_sampler *s)
{
    bal_size rows = s->width * s->par->block;
    bal_size left = s->limit - s->report->landmarks;

    return s->limit > 0 && left < rows ? left : rows;
}

bool bal_flight_is_crowded(const bal_sampler *s)
{
    if (s->width == 1 || s->held_rows == 0)
        return false;
    double each = (double)s->held / (double)s->held_rows;
    return each * (double)rows_planned(s) >
           (double)bal_sampler_rows_share(s->par);
}

void bal_flight_fit(bal_sampler *s)
{
    int64_t fit = s->w_most;

    if (s->held > 0) {
        double each = (double)s->held / (double)s->held_rows;
        double blocks = 0.9 * (double)bal_sampler_rows_share(s->par) /
                        (each * (double)s->par->block);
        fit = blocks < s->w_most ? (int64_t)blocks : s->w_most;
    }
    bal_comm_min_i64(s->comm, &fit, 1);
    s->w_fit = fit > 1 ? (int)fit : 1;
}

static void drop_row(bal_sampler *s, bal_size i)
{
    s->held -= 8 * (s->ahead[i].count + BAL_LANES);
    s->held_rows--;
    bal_csr_row_finish(&s->ahead[i]);
}

bool bal_flight_narrow(bal_sampler *s)
{
    bal_size j = s->par->block;
    int before = s->width;

    bal_flight_fit(s);
    s->width = s->w_fit < before ? s->w_fit : before - 1;
    for (bal_size i = s->width * j; i < before * j; i++)
        if (bal_flight_is_there(s, i))
            drop_row(s, i);
    for (int q = s->width; q < before; q++)
        s->started[q] = 0;
    bal_places_clear(&s->flying);
    memset(s->again, 0, (size_t)before * sizeof *s->again);
    for (bal_size i = 0; i < s->width * j; i++)
        if (bal_flight_is_there(s, i))
            take_note(s, i);
    return true;
}

void bal_flight_clear(bal_sampler *s, bal_size places)
{
    for (bal_size i = 0; i < places; i++)
        bal_csr_row_finish(&s->ahead[i]);
    memset(s->started, 0, (size_t)s->w_most * sizeof *s->started);
    memset(s->again, 0, (size_t)s->w_most * sizeof *s->again);
    bal_places_clear(&s->flying);
    s->held = s->held_rows = 0;
}

/* x^n, the same on any machine. */
static double power(double x, bal_size n)
{
    double y = 1;

    for (; n > 0; n /= 2, x *= x)
        if (n % 2 == 1)
            y *= x;
    return y;
}

/* Blocks that will likely not see the end. */
static double blocks_ahead(const bal_sampler *s)
{
    const double risk = 0.35;
    double done = (double)s->block, j = (double)s->par->block, sum = 0, w = 0;
    double most = done < 7 ? done + 1 : done / 2 + 1;

    if (s->looked == 0)
        return 1;
    double f = (double)s->news / (double)s->looked;
    double at = done - (double)s->looked / (2 * j); /* where it was seen */
    for (; w < most && w < s->w_most; w++) {
        double now = f * at / (done + w + 0.5);
        double dry = power(1 - now, s->par->patience);
        sum += j *
               (now > 0 ? now * dry / (1 - dry) : 1 / (double)s->par->patience);
        if (sum > risk)
            break;
    }
    return w < done / 8 ? done / 8 : w;
}

/* Blocks of the next group, `left` by the limit, INFINITY without one: a
 * quarter of those at first, and all of them rather than a few at a time. */
static double likely_blocks(const bal_sampler *s, double left)
{
    double j = (double)s->par->block;
    double told = 0.8 * (double)s->par->expected / j - (double)s->block;
    double w = fmax(floor(told), blocks_ahead(s));

    if (left < INFINITY && s->looked == 0)
        w = fmax(w, ceil(left / 4));
    return left <= 2 * w ? left : w;
}

int bal_sampler_width(const bal_sampler *s)
{
    double j = (double)s->par->block, left = INFINITY;

    if (s->limit > 0)
        left = ceil((double)(s->limit - s->report->landmarks) / j);
    double w = s->par->landmarks > 0 ? left : likely_blocks(s, left);
    w = fmin(fmin(w, left), s->w_fit);
    return w > 1 ? (int)w : 1;
}
