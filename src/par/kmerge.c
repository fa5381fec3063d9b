/* Two ways to the k-th smallest of a batch that several ranks hold.
 *
 * Lists (small k): each rank has its k smallest, ascending; merging two lists
 * and keeping the k smallest is associative and commutative, so MPI can do it
 * in a tree. 4 k bytes a row and level.
 *
 * Counting (large k): the bit pattern of a float >= 0, read as an integer, is
 * ordered as the float is. Its 31 bits are found from the top, 11, 10 and 10 at
 * a time: count the values by the next digit among those that share the digits
 * found so far, add the counts of all ranks, and see in which digit the k-th
 * falls. The cost does not depend on k. Source: algorithm.md, section 9. */
#include "balans/par/kmerge.h"

#include <string.h>


static void merge_two(const float *a, float *b, int k)
{
    float out[BAL_KMERGE_MOST];
    int i = 0, j = 0;

    for (int at = 0; at < k; at++)
        out[at] = a[i] <= b[j] ? a[i++] : b[j++];
    memcpy(b, out, (size_t)k * sizeof *b);
}

static void merge_lists(void *in, void *inout, int *len, MPI_Datatype *type)
{
    int bytes;

    MPI_Type_size(*type, &bytes);
    int k = bytes / (int)sizeof(float);
    for (int i = 0; i < *len; i++)
        merge_two((const float *)in + (size_t)i * (size_t)k,
                  (float *)inout + (size_t)i * (size_t)k, k);
}

void bal_kmerge(bal_comm *c, float *list, bal_size rows, int k)
{
    enum { PIECE = 1 << 20 };
    MPI_Datatype type;
    MPI_Op op;

    BAL_REQUIRE(k >= 1 && k <= BAL_KMERGE_MOST);
    if (c->size == 1)
        return;
    MPI_Type_contiguous(k, MPI_FLOAT, &type);
    MPI_Type_commit(&type);
    MPI_Op_create(merge_lists, 1, &op);
    for (bal_size at = 0; at < rows; at += PIECE) {
        int now = rows - at < PIECE ? (int)(rows - at) : PIECE;
        bal_comm_reduce(c, list + at * k, now, type, op);
    }
    MPI_Op_free(&op);
    MPI_Type_free(&type);
}

enum { DIGIT_MOST = 11, BUCKETS = 1 << DIGIT_MOST, TICKETS_MOST = 64 };

static uint32_t bits_of(float v)
{
    uint32_t u;

    memcpy(&u, &v, sizeof u);
    return u;
}

/* Counts the values whose bits above `shift + digit` equal those of `prefix` by
 * their next `digit` bits. */
static void count_digits(const float *value, bal_size count, uint32_t prefix,
                         int shift, int digit, int64_t *bucket)
{
    uint32_t above = (uint32_t)(shift + digit), mask = (1u << digit) - 1;

    for (bal_size i = 0; i < count; i++) {
        uint32_t u = bits_of(value[i]);
        if (u >> above == prefix >> above)
            bucket[(u >> shift) & mask]++;
    }
}

/* The bucket in which the k-th falls; k becomes its number inside it. */
static uint32_t find_bucket(const int64_t *bucket, int digit, int64_t *k)
{
    uint32_t b = 0, last = (1u << digit) - 1;

    while (b < last && *k > bucket[b])
        *k -= bucket[b++];
    return b;
}

void bal_kradix(bal_comm *c, const float *const *value, const bal_size *count,
                const bal_size *k, bal_size rows, int64_t *work, float *kth)
{
    static const int digits[] = {11, 10, 10};
    int64_t *bucket = work, *rest = work + rows * BUCKETS;
    int64_t *prefix = rest + rows;
    int shift = 31;

    memcpy(rest, k, (size_t)rows * sizeof *rest);
    memset(prefix, 0, (size_t)rows * sizeof *prefix);
    for (int turn = 0; turn < 3; turn++) {
        int digit = digits[turn];
        shift -= digit;
        memset(bucket, 0, (size_t)rows * BUCKETS * sizeof *bucket);
        for (bal_size i = 0; i < rows; i++)
            count_digits(value[i], count[i], (uint32_t)prefix[i], shift, digit,
                         bucket + i * BUCKETS);
        bal_comm_sum_i64(c, bucket, rows * BUCKETS);
        for (bal_size i = 0; i < rows; i++)
            prefix[i] |= (int64_t)find_bucket(bucket + i * BUCKETS, digit,
                                              &rest[i])
                         << shift;
    }
    for (bal_size i = 0; i < rows; i++) {
        uint32_t bits = (uint32_t)prefix[i];
        memcpy(&kth[i], &bits, sizeof bits);
    }
}

int bal_ticket_order(const bal_ticket *a, const bal_ticket *b)
{
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static void merge_tickets(void *in, void *inout, int *len, MPI_Datatype *type)
{
    bal_ticket out[TICKETS_MOST];
    int bytes;

    MPI_Type_size(*type, &bytes);
    int w = bytes / (int)sizeof *out;
    for (int i = 0; i < *len; i++) {
        const bal_ticket *a = (const bal_ticket *)in + (size_t)i * (size_t)w;
        bal_ticket *b = (bal_ticket *)inout + (size_t)i * (size_t)w;
        int x = 0, y = 0;
        for (int at = 0; at < w; at++)
            out[at] = bal_ticket_order(&a[x], &b[y]) <= 0 ? a[x++] : b[y++];
        memcpy(b, out, (size_t)w * sizeof *out);
    }
}

void bal_ticket_merge(bal_comm *c, bal_ticket *list, int w)
{
    MPI_Datatype type;
    MPI_Op op;

    BAL_REQUIRE(w >= 1 && w <= TICKETS_MOST);
    MPI_Type_contiguous(w * (int)sizeof *list, MPI_BYTE, &type);
    MPI_Type_commit(&type);
    MPI_Op_create(merge_tickets, 1, &op);
    bal_comm_reduce(c, list, 1, type, op);
    MPI_Op_free(&op);
    MPI_Type_free(&type);
}
