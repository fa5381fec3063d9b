#include "balans/par/ticket.h"

#include <string.h>

enum { TICKETS_MOST = 64 };

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
