#include <igraph.h>

#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/metric/cluster.h"
#include "balans/par/agree.h"
#include "balans/par/exchange.h"
#include "edges.h"

typedef struct work {
    igraph_t graph;
    igraph_vector_int_t ends, member;
    igraph_vector_t weight, strength;
} work;

static void start(work *w)
{
    igraph_set_error_handler(igraph_error_handler_ignore);
    w->graph = (igraph_t){0};
    w->ends = w->member = (igraph_vector_int_t){0};
    w->weight = w->strength = (igraph_vector_t){0};
}

static void finish(work *w, bool graph)
{
    if (graph)
        igraph_destroy(&w->graph);
    igraph_vector_int_destroy(&w->ends);
    igraph_vector_int_destroy(&w->member);
    igraph_vector_destroy(&w->weight);
    igraph_vector_destroy(&w->strength);
}

/* Weights, and what they add up to at each point and altogether. */
static double fill(work *w, const bal_edge *e, bal_size edges)
{
    double total = 0;

    for (bal_size i = 0; i < edges; i++) {
        VECTOR(w->ends)[2 * i] = e[i].a;
        VECTOR(w->ends)[2 * i + 1] = e[i].b;
        VECTOR(w->weight)[i] = e[i].w;
        VECTOR(w->strength)[e[i].a] += e[i].w;
        VECTOR(w->strength)[e[i].b] += e[i].w;
        total += e[i].w;
    }
    return total;
}

static const double EDGE_WORK = 1e5; /* operations for an edge, at most */
static const double BETA = 0.01; /* randomness of the refinement */

static igraph_error_t run(work *w, const bal_edge *e, bal_size edges,
                          bal_size n, double resolution, uint64_t seed,
                          bool *graph)
{
    igraph_error_t bad;
    double total;

    if ((bad = igraph_vector_int_init(&w->ends, 2 * edges)) ||
        (bad = igraph_vector_int_init(&w->member, n)) ||
        (bad = igraph_vector_init(&w->weight, edges)) ||
        (bad = igraph_vector_init(&w->strength, n)))
        return bad;
    total = fill(w, e, edges);
    bad = igraph_create(&w->graph, &w->ends, n, IGRAPH_UNDIRECTED);
    *graph = !bad;
    if (bad)
        return bad;
    igraph_rng_seed(igraph_rng_default(), (igraph_uint_t)seed);
    return igraph_community_leiden(&w->graph, &w->weight, &w->strength,
                                   resolution / (2 * total), BETA, 0, -1,
                                   &w->member, NULL, NULL);
}

static bal_status cluster(bal_edge *e, bal_size edges, bal_size n,
                          double resolution, uint64_t seed, int32_t *member)
{
    work w;
    bool graph = false;
    bal_status st = BAL_OK;

    edges = bal_edges_unite(e, edges);
    if (edges == 0) {
        for (bal_size i = 0; i < n; i++)
            member[i] = (int32_t)i;
        return BAL_OK;
    }
    start(&w);
    igraph_error_t bad = run(&w, e, edges, n, resolution, seed, &graph);
    if (bad)
        st = BAL_FAIL(bad == IGRAPH_ENOMEM ? BAL_ENOMEM : BAL_ENUMERIC,
                      "cannot cluster the neighbour graph of %lld points and "
                      "%lld edges: igraph says '%s'; a smaller --sample may "
                      "do",
                      (long long)n, (long long)edges, igraph_strerror(bad));
    else
        for (bal_size i = 0; i < n; i++)
            member[i] = (int32_t)VECTOR(w.member)[i];
    finish(&w, graph);
    return st;
}

/* Which of two partitions comes out may depend on the order of the edges; it is
 * that of the sort. */
bal_verdict bal_leiden(bal_comm *c, const bal_set *set, const bal_knn *g, int k,
                       const double *w, double resolution, uint64_t seed,
                       int32_t *member)
{
    bal_verdict st;
    bal_edge *mine = NULL;
    void *all = NULL;
    bal_size *to = NULL, *from = NULL, edges = 0;

    bal_status local = bal_alloc(&mine, g->m * k, "the edges of a graph");
    if (!bal_failed(local))
        local = bal_alloc(&to, c->size, "an exchange");
    if (!bal_failed(local))
        local = bal_alloc(&from, c->size, "an exchange");
    BAL_TRY(bal_agree(c, local));
    to[0] = bal_edges_list(g, k, w, set->first[c->rank], mine);
    BAL_TRY(bal_exchange(c, mine, to, sizeof *mine, &all, from));
    bal_free(&mine);
    for (int r = 0; r < c->size; r++)
        edges += from[r];
    bal_comm_max_i64(c, &edges, 1);
    bal_watch_grant(EDGE_WORK * (double)edges);
    if (c->rank == 0)
        local = cluster(all, edges, set->n, resolution, seed, member);
    BAL_TRY(bal_agree(c, local));
    bal_watch_grant(0);
    bal_comm_bcast(c, member, set->n * (bal_size)sizeof *member, 0);
done:
    bal_free(&mine);
    bal_mem_free(&all);
    bal_free(&to);
    bal_free(&from);
    return st;
}
