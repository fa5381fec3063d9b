/* From one batch order to another, by way of the order of the file. */
#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "passes.h"

bal_verdict bal_points_turn(bal_comm *c, bal_points *p, int column)
{
    enum { PIECE = 16 << 20 };
    bal_size step = PIECE / (4 * p->z->p) > 0 ? PIECE / (4 * p->z->p) : 1;
    bal_size m = p->x->m;
    int64_t pieces = (m + step - 1) / step;
    bal_tiles *z = NULL;
    float *rows = NULL;
    bal_status mine;
    bal_verdict st = {BAL_OK};

    if (column == p->column)
        goto done;
    mine = bal_tiles_create(p->orders[column]->layout, p->z->p, &z);
    if (!bal_failed(mine))
        mine = bal_take(&rows, (m < step ? m : step) * p->z->p,
                        "a piece of the coordinates");
    BAL_TRY(bal_agree(c, mine));
    bal_comm_max_i64(c, &pieces, 1);
    for (int64_t i = 0; i < pieces; i++) {
        bal_size from = i * step < m ? i * step : m;
        bal_size count = m - from < step ? m - from : step;
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
