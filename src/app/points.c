/* The points of a run: room for both orders, and the way from one batch order
 * to another, by way of the order of the file. */
#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "passes.h"

bal_verdict bal_points_order(const bal_input *in, bal_points *out)
{
    bal_verdict st;

    BAL_TRY(bal_agree(in->comm, bal_alloc(&out->orders, in->columns,
                                          "the orders of points")));
    out->columns = in->columns;
    for (int i = 0; i < in->columns; i++)
        BAL_TRY(bal_order_create(in->comm, in->labels[i], &out->orders[i]));
    out->order = out->orders[0];
done:
    return st;
}

bal_status bal_points_make(bal_blocks *x, bal_size p, bal_points *points)
{
    bal_status st;

    points->x = x;
    BAL_TRY(bal_tiles_create(points->order->layout, (int)p, &points->z));
    BAL_TRY(bal_alloc(&points->most_z, p, "the coordinates"));
    BAL_TRY(bal_alloc(&points->most_x, x->d, "the features"));
done:
    return st;
}

bal_verdict bal_points_bound(bal_comm *c, bal_points *p)
{
    bal_blocks *z = NULL;
    bal_verdict st;

    BAL_TRY(bal_agree(c, bal_tiles_blocks(p->z, 1 << 20, &z)));
    BAL_TRY(bal_correct_bounds(c, z, p->most_z));
done:
    bal_blocks_destroy(&z);
    return st;
}

bal_verdict bal_points_turn(bal_comm *c, bal_points *p, int column)
{
    enum { PIECE = 16 << 20 };
    bal_pieces cut;
    bal_tiles *z = NULL;
    float *rows = NULL;
    bal_status mine;
    bal_verdict st = {BAL_OK};

    if (column == p->column)
        goto done;
    cut = bal_pieces_cut(c, p->x->m, 4 * p->z->p, PIECE);
    mine = bal_tiles_create(p->orders[column]->layout, p->z->p, &z);
    if (!bal_failed(mine))
        mine = bal_take(&rows, bal_pieces_most(&cut) * p->z->p,
                        "a piece of the coordinates");
    BAL_TRY(bal_agree(c, mine));
    for (int64_t i = 0; i < cut.count; i++) {
        bal_size from, count = bal_piece(&cut, i, &from);
        BAL_TRY(bal_route_to_file(c, p->order, from, count, p->z, rows));
        BAL_TRY(bal_route_to_tiles(c, p->orders[column], from, count, rows, z));
    }
    bal_tiles_destroy(&p->z);
    p->z = z;
    z = NULL;
    p->column = column;
    p->order = p->orders[column];
done:
    bal_tiles_destroy(&z);
    bal_free(&rows);
    return st;
}

void bal_points_finish(bal_points *p)
{
    bal_tiles_destroy(&p->z);
    bal_free(&p->most_z);
    bal_free(&p->most_x);
    for (int i = 0; p->orders != NULL && i < p->columns; i++)
        bal_order_destroy(&p->orders[i]);
    bal_free(&p->orders);
}
