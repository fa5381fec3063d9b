#include "landmarks.h"

#include "balans/base/mem.h"
#include "balans/par/agree.h"

void bal_landmarks_finish(bal_landmarks *k)
{
    bal_free(&k->position);
    bal_free(&k->row);
    bal_free(&k->length);
    bal_affinity_destroy(&k->by_tile);
    bal_affinity_destroy(&k->by_block);
    bal_parts_destroy(&k->parts);
    bal_trust_destroy(&k->trust);
    bal_sample_report_finish(&k->report);
    *k = (bal_landmarks){0};
}

static bal_status name_landmarks(const bal_csr *a, const bal_order *order,
                                 bal_landmarks *k)
{
    const bal_layout *l = order->layout;
    bal_status st;

    k->m = a->m;
    BAL_TRY(bal_alloc(&k->position, a->m, "the landmarks"));
    BAL_TRY(bal_alloc(&k->row, a->m, "the landmarks"));
    BAL_TRY(bal_alloc(&k->length, a->m, "the landmarks"));
    for (bal_size i = 0; i < a->m; i++) {
        bal_gidx local = a->row[i].landmark - l->rank_first[l->rank];
        k->position[i] = a->row[i].landmark;
        if (local >= 0 && local < l->m)
            k->row[i] = order->row[local];
    }
done:
    return st;
}

static bal_size bytes_of(const bal_affinity *a)
{
    return 6 * bal_affinity_entries(a) +
           (bal_size)sizeof(bal_run) * a->run_first[a->count];
}

bal_verdict bal_landmarks_arrange(bal_comm *c, const bal_csr *a,
                                  bal_size memory, int threads,
                                  const bal_points *points, bal_landmarks *k,
                                  bal_size *bytes)
{
    bal_verdict st;
    bal_size now;

    BAL_TRY(bal_agree(c, name_landmarks(a, points->order, k)));
    bal_comm_sum_i64(c, k->row, k->m);
    BAL_TRY(bal_affinity_by_block(c, a, points->order, points->x, memory,
                                  threads, &k->by_block));
    BAL_TRY(bal_agree(
        c, bal_affinity_by_tile(a, points->order, threads, &k->by_tile)));
    bal_affinity_row_sizes(c, k->by_block, k->length);
    now = a->bytes + bytes_of(k->by_block) + bytes_of(k->by_tile);
    *bytes = now > *bytes ? now : *bytes;
done:
    return st;
}
