#include "h5ad_ask.h"

#include "balans/base/mem.h"
#include "balans/par/agree.h"

bal_aside_work *const bal_aside_work_table[BAL_ASIDE_COUNT] = {
    [BAL_ASIDE_LOOK] = bal_work_look,
    [BAL_ASIDE_COLUMNS] = bal_work_columns,
    [BAL_ASIDE_COLUMN] = bal_work_column,
    [BAL_ASIDE_MATRICES] = bal_work_matrices,
    [BAL_ASIDE_MATRIX] = bal_work_matrix,
    [BAL_ASIDE_FEATURES] = bal_work_features,
    [BAL_ASIDE_COPY] = bal_work_copy,
    [BAL_ASIDE_VALUE] = bal_work_value,
    [BAL_ASIDE_ENTRIES] = bal_work_entries,
};

bal_verdict bal_ask(bal_comm *c, bal_aside_kind kind, const char *file,
                    bal_size bytes, const bal_pack *in, bal_pack *out)
{
    bal_status mine = BAL_OK;
    bal_verdict st;
    int64_t size;

    if (c->rank == 0)
        mine = bal_aside(kind, file, bytes, in, out);
    BAL_TRY(bal_agree(c, mine));
    size = out->bytes;
    bal_comm_bcast(c, &size, (bal_size)sizeof size, 0);
    if (c->rank != 0)
        mine = bal_take(&out->at, size, "what was read");
    BAL_TRY(bal_agree(c, mine));
    out->bytes = out->room = size;
    bal_comm_bcast(c, out->at, size, 0);
done:
    if (bal_failed(st))
        bal_pack_finish(out);
    return st;
}

void bal_pack_list(bal_pack *p, const bal_h5_list *list)
{
    bal_pack_int(p, list->count);
    for (bal_size i = 0; i < list->count; i++)
        bal_pack_text(p, list->item[i]);
}

bal_status bal_unpack_list(bal_pack *p, bal_h5_list *list)
{
    bal_size count = bal_unpack_int(p);
    bal_status st = BAL_OK;

    for (bal_size i = 0; i < count && !bal_failed(st); i++)
        st = bal_h5_list_add(list, bal_unpack_text(p));
    return bal_failed(st) ? st : bal_pack_status(p);
}

bal_verdict bal_ask_list(bal_comm *c, bal_aside_kind kind, const char *file,
                         bal_size bytes, const bal_pack *in, bal_h5_list *list)
{
    bal_pack out = {0};
    bal_verdict st = bal_ask(c, kind, file, bytes, in, &out);

    if (!bal_failed(st))
        st = bal_agree(c, bal_unpack_list(&out, list));
    if (bal_failed(st))
        bal_h5_list_free(list);
    bal_pack_finish(&out);
    return st;
}
