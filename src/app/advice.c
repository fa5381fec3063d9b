/* What a run advises about trust. */
#include "advice.h"

#include <stdio.h>

#include "balans/base/log.h"

static const char strict_way[] =
    "; where kinds must not be mixed use --trust strict";

void bal_advise_pairs(const bal_params *par, const bal_order *order,
                      const bal_trust *t)
{
    const bal_layout *l = order->layout;
    char *const *name = order->labels->name;
    char text[BAL_ERROR_TEXT_MAX] = "", way[128] = "";
    bool all = 2 * l->n <= 3 * par->landmarks;
    size_t at = 0;

    for (int i = 0; i < t->told && at < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "%s'%.40s' and '%.40s'",
                               i > 0 ? ", " : "", name[t->least[i].from],
                               name[t->least[i].to]);
    if (par->trust != BAL_TRUST_STRICT && all)
        snprintf(way, sizeof way, "%s", strict_way);
    else if (par->trust != BAL_TRUST_STRICT && l->n <= 20000)
        snprintf(way, sizeof way, "%s --landmarks %lld", strict_way,
                 (long long)((2 * l->n + 2) / 3));
    bal_warn("batches share few kinds of points (%.0f %% of the landmarks find "
             "too little of their kind in another batch), least of all %s%s",
             100 * bal_trust_unseen(t), text, way);
}

void bal_advise_strict(const bal_params *par, const bal_order *order,
                       bal_size m)
{
    bal_size n = order->layout->n;

    if (par->trust == BAL_TRUST_STRICT && m < n)
        bal_warn("'--trust strict' with %lld landmarks for %lld points "
                 "believes too little; all points become landmarks with "
                 "'--landmarks %lld'",
                 (long long)m, (long long)n, (long long)((2 * n + 2) / 3));
}
