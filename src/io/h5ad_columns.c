#include "balans/par/agree.h"

#include "h5ad_internal.h"

static bal_status list(const bal_h5ad *f, bal_h5_list *out)
{
    hid_t obs = H5Oopen(f->file, "obs", H5P_DEFAULT);
    bal_status st =
        obs >= 0 ? bal_h5ad_list_columns(obs, out)
                 : BAL_FAIL(BAL_EINPUT, "cannot open 'obs' in '%s'", f->path);

    bal_h5_close(&obs);
    return st;
}

bal_verdict bal_h5ad_columns(bal_h5ad *f, char ***name, bal_size *count)
{
    bal_h5_list found = {0};
    bal_verdict st = bal_agree(f->comm, list(f, &found));

    if (bal_failed(st)) {
        bal_h5_list_free(&found);
        return st;
    }
    *name = found.item;
    *count = found.count;
    return st;
}
