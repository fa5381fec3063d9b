/* Each rank brings its own table of names; the union is made on rank 0 from
 * the names that occur, sorted, and sent back, and every rank looks its own
 * names up in it. Cost: the names once to rank 0 and once to all. */
#include "balans/data/labels.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/layout.h"

/* Names one after the other, each ended by a zero byte. */
typedef struct pool {
    char *text;
    bal_size bytes;
    char **name; /* [count], into text */
    bal_size count;
} pool;

static void pool_finish(pool *p)
{
    bal_free(&p->text);
    bal_free(&p->name);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What is not a number comes last. */
static double value_of(const char *text)
{
    double v = strtod(text, NULL);

    return isnan(v) ? (double)INFINITY : v;
}

/* Numbers by value.  Integers that are one double differ in their digits: by
 * sign, then by how many they are, then as text. */
static int by_value(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    double value_x = value_of(x), value_y = value_of(y);
    int sign = *x == '-' ? -1 : 1;

    if (value_x < value_y || value_x > value_y)
        return value_x < value_y ? -1 : 1;
    if ((*x == '-') != (*y == '-'))
        return sign;
    size_t digits_x = strlen(x), digits_y = strlen(y);
    if (digits_x != digits_y)
        return digits_x < digits_y ? -sign : sign;
    return sign * strcmp(x, y);
}

typedef int comparison(const void *, const void *);

static comparison *order(bool numeric)
{
    return numeric ? by_value : by_bytes;
}

/* Finds the names in p->text, sorts them and drops repeats. */
static bal_status pool_index(pool *p, comparison *compare)
{
    bal_size count = 0, kept = 0;

    for (bal_size i = 0; i < p->bytes; i++)
        count += p->text[i] == '\0';
    bal_status st = bal_alloc(&p->name, count, "the names of the batches");
    if (bal_failed(st))
        return st;
    char *at = p->text;
    for (bal_size i = 0; i < count; i++, at += strlen(at) + 1)
        p->name[i] = at;
    if (count > 0)
        qsort(p->name, (size_t)count, sizeof *p->name, compare);
    for (bal_size i = 0; i < count; i++)
        if (kept == 0 || compare(&p->name[kept - 1], &p->name[i]) != 0)
            p->name[kept++] = p->name[i];
    p->count = kept;
    return BAL_OK;
}

/* The names of this rank that occur in its codes. */
static bal_status pool_used(char *const *name, bal_size names,
                            const int32_t *code, bal_size m, pool *out)
{
    bal_status st;
    char *used = NULL;
    bal_size bytes = 0;

    BAL_TRY(bal_alloc(&used, names, "the names of the batches"));
    for (bal_size i = 0; i < m; i++)
        used[code[i]] = 1;
    for (bal_size i = 0; i < names; i++)
        bytes += used[i] ? (bal_size)strlen(name[i]) + 1 : 0;
    BAL_TRY(bal_alloc(&out->text, bytes, "the names of the batches"));
    for (bal_size i = 0; i < names; i++)
        if (used[i]) {
            size_t len = strlen(name[i]) + 1;
            memcpy(out->text + out->bytes, name[i], len);
            out->bytes += (bal_size)len;
        }
done:
    bal_free(&used);
    return st;
}

static bal_status counts_for_root(const bal_comm *c, int **count, int **at,
                                  bal_size mine)
{
    bal_status st;

    BAL_TRY(bal_alloc(count, c->size, "the names of the batches"));
    BAL_TRY(bal_alloc(at, c->size, "the names of the batches"));
    if (mine > INT_MAX / c->size)
        st = BAL_FAIL(BAL_ERANGE, "cannot gather %lld bytes of names",
                      (long long)mine);
done:
    return st;
}

/* All ranks' texts on rank 0, one after the other. */
static bal_verdict gather_text(bal_comm *c, const pool *mine, pool *all)
{
    bal_verdict st;
    bal_status here = BAL_OK;
    int *count = NULL, *at = NULL;

    BAL_TRY(bal_agree(c, counts_for_root(c, &count, &at, mine->bytes)));
    int bytes = (int)mine->bytes;
    MPI_Gather(&bytes, 1, MPI_INT, count, 1, MPI_INT, 0, c->mpi);
    if (c->rank == 0) {
        for (int r = 0; r < c->size; r++) {
            at[r] = (int)all->bytes;
            all->bytes += count[r];
        }
        here = bal_alloc(&all->text, all->bytes, "the names of the batches");
    }
    BAL_TRY(bal_agree(c, here));
    MPI_Gatherv(mine->text, bytes, MPI_BYTE, all->text, count, at, MPI_BYTE, 0,
                c->mpi);
    bal_comm_count(c, bytes);
done:
    bal_free(&count);
    bal_free(&at);
    return st;
}

/* The sorted table as one text in l->name[0], on every rank. */
static bal_status table_create(const pool *sorted, bal_size bytes,
                               bal_labels *l)
{
    bal_status st;
    char *text = NULL;

    BAL_TRY(bal_alloc(&l->name, l->count, "the names of the batches"));
    BAL_TRY(bal_alloc(&l->size, l->count, "the sizes of the batches"));
    BAL_TRY(bal_alloc(&text, bytes, "the names of the batches"));
    l->name[0] = text;
    for (bal_size i = 0; i < sorted->count; i++) { /* rank 0 only */
        size_t len = strlen(sorted->name[i]) + 1;
        memcpy(text, sorted->name[i], len);
        text += len;
    }
done:
    return st;
}

/* Finds the names in the text. */
static void index_table(bal_labels *l)
{
    for (bal_size i = 1; i < l->count; i++)
        l->name[i] = l->name[i - 1] + strlen(l->name[i - 1]) + 1;
}

static bal_verdict share_table(bal_comm *c, const pool *sorted,
                               const char *what, bal_labels *l)
{
    bal_verdict st;
    int64_t size[2] = {sorted->count, 0}; /* names, bytes */
    bal_status mine = BAL_OK;

    for (bal_size i = 0; i < sorted->count; i++)
        size[1] += (int64_t)strlen(sorted->name[i]) + 1;
    bal_comm_bcast(c, size, (bal_size)sizeof size, 0);
    l->count = size[0];
    if (l->count > BAL_LABELS_MOST)
        mine = BAL_FAIL(BAL_EINPUT,
                        "cannot use %s: it has %lld different values, more "
                        "than %d; is it the right column?",
                        what, (long long)l->count, BAL_LABELS_MOST);
    else
        mine = table_create(sorted, size[1], l);
    BAL_TRY(bal_agree(c, mine));
    bal_comm_bcast(c, l->name[0], size[1], 0);
    index_table(l);
done:
    return st;
}

/* Translates this rank's codes into those of the table. */
static bal_status translate(char *const *name, bal_size names,
                            comparison *compare, int32_t *code, bal_labels *l)
{
    int32_t *to = NULL;
    bal_status st = bal_alloc(&to, names, "the names of the batches");

    if (bal_failed(st))
        return st;
    for (bal_size i = 0; i < names; i++) {
        char *const *hit = bsearch(&name[i], l->name, (size_t)l->count,
                                   sizeof *l->name, compare);
        to[i] = hit != NULL ? (int32_t)(hit - l->name) : -1;
    }
    for (bal_size i = 0; i < l->m; i++) {
        code[i] = to[code[i]];
        l->size[code[i]]++;
    }
    bal_free(&to);
    return BAL_OK;
}

static bal_status make_slab(const bal_comm *c, bal_size n, const char *what,
                            bal_labels **out)
{
    bal_status st = bal_alloc(out, 1, what);

    if (bal_failed(st))
        return st;
    (*out)->n = n;
    (*out)->first = bal_slab_first(n, c->rank, c->size);
    (*out)->m = bal_slab_first(n, c->rank + 1, c->size) - (*out)->first;
    return BAL_OK;
}

bal_verdict bal_labels_unify(bal_comm *c, bal_size n, char *const *name,
                             bal_size names, int32_t *code, bool numeric,
                             const char *what, bal_labels **out)
{
    bal_verdict st;
    bal_status mine;
    bal_labels *l = NULL;
    pool used = {0}, all = {0};

    *out = NULL;
    mine = make_slab(c, n, what, &l);
    if (!bal_failed(mine))
        mine = pool_used(name, names, code, l->m, &used);
    BAL_TRY(bal_agree(c, mine));
    BAL_TRY(gather_text(c, &used, &all));
    BAL_TRY(bal_agree(c, pool_index(&all, order(numeric))));
    BAL_TRY(share_table(c, &all, what, l));
    BAL_TRY(bal_agree(c, translate(name, names, order(numeric), code, l)));
    bal_comm_sum_i64(c, l->size, l->count);
    l->code = code;
    *out = l;
    l = NULL;
done:
    bal_labels_destroy(&l);
    pool_finish(&used);
    pool_finish(&all);
    return st;
}

/* The table of the names of `l` that `size` counts, the same on all ranks. */
static bal_status keep_names(const bal_labels *l, const int64_t *size,
                             int32_t *to, bal_labels *out)
{
    pool kept = {0};
    bal_size bytes = 0;
    bal_status st = bal_alloc(&kept.name, l->count, "the names of the batches");

    for (bal_size i = 0; i < l->count && !bal_failed(st); i++) {
        to[i] = (int32_t)kept.count;
        if (size[i] == 0)
            continue;
        kept.name[kept.count++] = l->name[i];
        bytes += (bal_size)strlen(l->name[i]) + 1;
    }
    out->count = kept.count;
    if (!bal_failed(st))
        st = table_create(&kept, bytes, out);
    if (!bal_failed(st))
        index_table(out);
    for (bal_size i = 0; i < l->count && !bal_failed(st); i++)
        if (size[i] > 0)
            out->size[to[i]] = size[i];
    pool_finish(&kept);
    return st;
}

bal_verdict bal_labels_subset(bal_comm *c, const bal_labels *l, bal_size n,
                              int32_t *code, bal_labels **out)
{
    int64_t *size = NULL;
    int32_t *to = NULL;
    bal_labels *kept = NULL;
    bal_status mine = make_slab(c, n, "the batches", &kept);
    bal_verdict st;

    *out = NULL;
    if (!bal_failed(mine))
        mine = bal_alloc(&size, l->count, "the batches");
    if (!bal_failed(mine))
        mine = bal_alloc(&to, l->count, "the batches");
    BAL_TRY(bal_agree(c, mine));
    for (bal_size i = 0; i < kept->m; i++)
        size[code[i]]++;
    bal_comm_sum_i64(c, size, l->count);
    BAL_TRY(bal_agree(c, keep_names(l, size, to, kept)));
    for (bal_size i = 0; i < kept->m; i++)
        code[i] = to[code[i]];
    kept->code = code;
    *out = kept;
    kept = NULL;
done:
    bal_labels_destroy(&kept);
    bal_free(&size);
    bal_free(&to);
    return st;
}

void bal_labels_destroy(bal_labels **l)
{
    if (*l == NULL)
        return;
    bal_free(&(*l)->code);
    if ((*l)->name != NULL && (*l)->count > 0)
        bal_free(&(*l)->name[0]);
    bal_free(&(*l)->name);
    bal_free(&(*l)->size);
    bal_free(l);
}
