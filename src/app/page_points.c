/* Points in the distance space and in the plane: corrected ones as the output
 * has them, those before as the scaling and the components in it make them of
 * the original profiles. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "balans/base/log.h"
#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/base/watch.h"
#include "balans/io/h5ad_uns.h"
#include "balans/io/publish.h"
#include "balans/kernel/blas.h"
#include "balans/linalg/eigh.h"
#include "balans/metric/graph.h"
#include "balans/metric/umap.h"
#include "balans/page/sample.h"
#include "page_internal.h"

enum {
    NEIGHBORS = 15,
    ROWS_MOST = 4096, /* of one transfer */
    GAP = 16          /* rows that are rather read than left out */
};

/* ---- The space ---- */

static bool take_numbers(const json_t *list, bal_size count, double *out)
{
    if ((bal_size)json_array_size(list) != count)
        return false;
    for (bal_size i = 0; i < count; i++) {
        const json_t *v = json_array_get(list, (size_t)i);
        if (!json_is_number(v))
            return false;
        out[i] = json_number_value(v);
    }
    return true;
}

static bool take_components(const json_t *rows, bal_space *s)
{
    bool right = (bal_size)json_array_size(rows) == s->d;

    for (bal_size i = 0; right && i < s->d; i++)
        right = take_numbers(json_array_get(rows, (size_t)i), s->p,
                             s->components + i * s->p);
    return right;
}

static bal_status read_components(bal_page *p, json_t **out)
{
    bool is_obsm = strncmp(p->ran.matrix, "obsm/", 5) == 0;

    return bal_h5ad_value(
               p->file,
               is_obsm ? "uns/balans/pca/components" : "varm/balans_PCs", out)
        .code;
}

/* An output of an older release may lack a part of it: no space then. */
bal_status bal_page_make_space(bal_page *p)
{
    const json_t *scaling = bal_page_look(p->uns, "scaling");
    const json_t *clip = json_object_get(scaling, "clip");
    bal_size d = (bal_size)json_array_size(json_object_get(scaling, "mean"));
    json_t *rows = NULL;
    bal_space *s = NULL;
    bal_status st = BAL_OK;
    bool right;

    if (d == 0 || clip == NULL)
        return st;
    BAL_TRY(read_components(p, &rows));
    bal_size dims = (bal_size)json_array_size(json_array_get(rows, 0));
    BAL_TRY(bal_space_create(d, rows != NULL && dims > 0 ? dims : d,
                             rows != NULL && dims > 0, &s));
    s->clip = json_is_number(clip) ? json_number_value(clip) : INFINITY;
    right = take_numbers(json_object_get(scaling, "mean"), d, s->mean) &&
            take_numbers(json_object_get(scaling, "sd"), d, s->sd) &&
            take_numbers(json_object_get(scaling, "centre"), d, s->centre) &&
            (!s->pca || take_components(rows, s));
    if (right) {
        bal_space_ready(s);
        p->space = s;
        s = NULL;
    }
done:
    bal_space_destroy(&s);
    json_decref(rows);
    return st;
}

static bal_status project(const bal_space *s, const float *x, bal_size n,
                          float **z)
{
    double *room = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(z, n * s->p, "the coordinates of a figure"));
    BAL_TRY(bal_alloc(&room, BAL_TILE * s->d, "the coordinates of a figure"));
    for (bal_size i = 0; i < n; i += BAL_TILE) {
        int m = n - i < BAL_TILE ? (int)(n - i) : BAL_TILE;
        bal_space_apply(s, x + i * s->d, m, room, *z + i * s->p);
    }
done:
    bal_free(&room);
    return st;
}

/* ---- Rows of files ---- */

bal_status bal_page_read_rows(bal_h5ad *f, const bal_matrix_info *info,
                              const bal_gidx *row, bal_size n, float *out)
{
    bal_size d = info->d, i = 0, gap = info->chunked ? info->chunk[0] : GAP;
    float *room = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&room, ROWS_MOST * d, "rows of a file"));
    while (i < n) {
        bal_size next = i + 1;
        while (next < n && row[next] - row[i] < ROWS_MOST &&
               row[next] - row[next - 1] <= gap)
            next++;
        BAL_TRY(
            bal_h5ad_read_rows(f, row[i], row[next - 1] - row[i] + 1, room));
        for (bal_size j = i; j < next; j++)
            memcpy(out + j * d, room + (row[j] - row[i]) * d,
                   (size_t)d * sizeof *out);
        i = next;
        bal_progress("%lld of %lld rows", (long long)i, (long long)n);
    }
done:
    bal_free(&room);
    return st;
}

/* Opens a matrix, and reads rows of it. */
static bal_status read_matrix(bal_h5ad *f, const char *name,
                              const bal_gidx *row, bal_size n,
                              bal_matrix_info *info, float **x)
{
    bal_status st;

    BAL_TRY(bal_h5ad_matrix_open(f, name, info).code);
    BAL_TRY(bal_h5ad_matrix_load(f).code);
    BAL_TRY(bal_alloc(x, n * info->d, "rows of a file"));
    BAL_TRY(bal_page_read_rows(f, info, row, n, *x));
done:
    return st;
}

static bal_status has_matrix(bal_h5ad *f, const char *name, bool *has)
{
    char **all = NULL;
    bal_size count = 0;
    bal_status st = bal_h5ad_matrices(f, &all, &count).code;

    *has = false;
    for (bal_size i = 0; i < count; i++)
        *has = *has || strcmp(all[i], name) == 0;
    bal_h5ad_names_free(&all, count);
    return st;
}

/* ---- The original ---- */

static bal_status look_inside(bal_page *p, bool *found)
{
    bal_status st;

    bal_input_original(&p->ran, p->original, sizeof p->original);
    st = has_matrix(p->file, p->original, found);
    if (!bal_failed(st) && *found)
        snprintf(p->where, sizeof p->where, "'%s' of the file itself",
                 p->original);
    return st;
}

/* The original has the recorded size, the rows of the output, and the
 * features of the run. */
static bal_status take_file(bal_page *p, const char *path)
{
    bal_size bytes = (bal_size)bal_page_number(p->uns, "input/bytes");
    bal_matrix_info info;
    bal_status st;

    BAL_TRY(bal_h5ad_open(p->comm, path, &p->other).code);
    BAL_TRY(bal_h5ad_matrix_open(p->other, p->ran.matrix, &info).code);
    if (bal_h5ad_file_bytes(p->other) != bytes || info.n != p->n ||
        (p->space != NULL && info.d != p->space->d))
        BAL_TRY(BAL_FAIL(BAL_EINPUT,
                         "cannot use '%s' as the original of '%s': that was a "
                         "file of %lld bytes, with %lld profiles",
                         path, p->par->input, (long long)bytes,
                         (long long)p->n));
    snprintf(p->original, sizeof p->original, "%s", p->ran.matrix);
    snprintf(p->where, sizeof p->where, "'%s' of '%s'", p->ran.matrix,
             bal_path_name(path));
done:
    return st;
}

/* A file that seems to be the original and cannot be used is none. */
static bool try_file(bal_page *p, const char *folder, const char *name)
{
    char path[4096];
    double bytes = bal_page_number(p->uns, "input/bytes");
    bal_file_mark mark;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    mark = bal_file_look(path);
    if (!mark.there || (double)mark.bytes != bytes)
        return false;
    if (!bal_failed(take_file(p, path)))
        return true;
    bal_error_clear();
    bal_h5ad_close(&p->other);
    return false;
}

bal_status bal_page_find_original(bal_page *p)
{
    const char *name = bal_path_name(bal_page_text(p->uns, "input/name", ""));
    char *folder = NULL;
    bool found = false;
    bal_status st;

    if (p->par->original != NULL)
        return take_file(p, p->par->original);
    BAL_TRY(look_inside(p, &found));
    if (found)
        goto done;
    BAL_TRY(bal_path_folder(p->par->input, &folder));
    found = name[0] != '\0' &&
            (try_file(p, folder, name) || try_file(p, ".", name));
    if (!found) {
        p->original[0] = '\0';
        snprintf(p->where, sizeof p->where,
                 "The profiles before the correction are not in this file, and "
                 "the input '%.300s' is not beside it. Name the input with "
                 "--original FILE, or correct with --keep-original.",
                 name);
    }
done:
    bal_free(&folder);
    return st;
}

/* ---- Coordinates ---- */

bal_status bal_page_after(bal_page *p, const bal_gidx *row, bal_size n,
                          bal_size *dims, float **z)
{
    bal_matrix_info info = {0};
    float *x = NULL;
    bool has;
    bal_status st;

    BAL_TRY(has_matrix(p->file, "obsm/X_balans", &has));
    if (has) {
        BAL_TRY(read_matrix(p->file, "obsm/X_balans", row, n, &info, z));
        *dims = info.d;
        goto done;
    }
    BAL_TRY(read_matrix(p->file, p->ran.matrix, row, n, &info, &x));
    if (p->space != NULL && p->space->d == info.d) {
        *dims = p->space->p;
        BAL_TRY(project(p->space, x, n, z));
    } else {
        *dims = info.d;
        *z = x;
        x = NULL;
    }
done:
    bal_free(&x);
    return st;
}

static bal_status find_before(bal_page *p, bal_view *v)
{
    bal_h5ad *f = p->other != NULL ? p->other : p->file;
    bal_matrix_info info = {0};
    float *x = NULL;
    bal_status st = BAL_OK;

    if (p->original[0] == '\0')
        return st;
    if (p->space == NULL || p->space->p != v->p) {
        snprintf(p->where, sizeof p->where,
                 "The file does not say in what space the run measured "
                 "distances, as an older release of the program made it. "
                 "Correct once more.");
        return st;
    }
    BAL_TRY(read_matrix(f, p->original, v->row, v->n, &info, &x));
    if (info.d == p->space->d)
        BAL_TRY(project(p->space, x, v->n, &v->before));
    else
        snprintf(p->where, sizeof p->where,
                 "The matrix '%.200s' does not have the features that were "
                 "corrected.",
                 p->original);
done:
    bal_free(&x);
    return st;
}

/* ---- The plane ---- */

/* Sums of the products of centred coordinates. */
static void fill_covariance(const float *z, bal_size n, bal_size p,
                            const double *mean, double *c)
{
    for (bal_size i = 0; i < n; i++)
        for (bal_size a = 0; a < p; a++) {
            double v = (double)z[i * p + a] - mean[a];
            for (bal_size b = a; b < p; b++)
                c[a * p + b] += v * ((double)z[i * p + b] - mean[b]);
        }
}

static double sign_of(const double *v, bal_size p)
{
    double most = 0;

    for (bal_size a = 0; a < p; a++)
        if (fabs(v[a]) > fabs(most))
            most = v[a];
    return most < 0 ? -1 : 1;
}

/* The two leading principal components of these points. */
static bal_status place_by_pca(const float *z, bal_size n, bal_size p,
                               double *xy)
{
    double *mean = NULL, *c = NULL, *vector = NULL, value[2];
    int k = p > 1 ? 2 : 1;
    bal_status st;

    BAL_TRY(bal_alloc(&mean, p, "principal components"));
    BAL_TRY(bal_alloc(&c, p * p, "principal components"));
    BAL_TRY(bal_alloc(&vector, 2 * p, "principal components"));
    for (bal_size i = 0; i < n * p; i++)
        mean[i % p] += (double)z[i] / (double)n;
    fill_covariance(z, n, p, mean, c);
    BAL_TRY(bal_eigh_largest(c, (int)p, k, value, vector));
    for (int f = 0; f < k; f++) {
        double sign = sign_of(vector + f * p, p);
        for (bal_size i = 0; i < n; i++) {
            double sum = 0;
            for (bal_size a = 0; a < p; a++)
                sum += vector[f * p + a] * ((double)z[i * p + a] - mean[a]);
            xy[2 * i + f] = sign * sum;
        }
    }
done:
    bal_free(&mean);
    bal_free(&c);
    bal_free(&vector);
    return st;
}

/* The points as a set, all in one group. */
static bal_status make_set(bal_page *p, const float *z, bal_size n, bal_size d,
                           bal_set **out)
{
    char all[] = "all", *name[] = {all};
    bal_labels one = {.n = n, .m = n, .count = 1, .name = name, .size = &n};
    bal_status st;

    BAL_TRY(bal_alloc(&one.code, n, "the points of a figure"));
    BAL_TRY(bal_set_create(p->comm, &one, &one, d, out).code);
    memcpy((*out)->x, z, (size_t)(n * d) * sizeof *z);
done:
    bal_free(&one.code);
    return st;
}

static bal_status place_by_umap(bal_page *p, const float *z, bal_size n,
                                bal_size d, double *xy)
{
    int k = n > NEIGHBORS ? NEIGHBORS : (int)n - 1;
    bal_set *set = NULL;
    bal_knn *g = NULL;
    double *w = NULL;
    bal_status st;

    BAL_TRY(make_set(p, z, n, d, &set));
    BAL_TRY(bal_knn_create(p->comm, set, BAL_EUCLIDEAN, NULL, k, p->threads, &g)
                .code);
    BAL_TRY(bal_alloc(&w, n * k, "the edges of a graph"));
    BAL_TRY(bal_graph_weights(p->comm, set, g, k, p->threads, w).code);
    bal_umap_begin(xy, n);
    BAL_TRY(bal_umap(g, w, p->par->seed, xy));
done:
    bal_free(&w);
    bal_knn_destroy(&g);
    bal_set_destroy(&set);
    return st;
}

static bal_status place(bal_page *p, const float *z, double **xy)
{
    const bal_view *v = &p->view;
    bal_status st;

    if (z == NULL)
        return BAL_OK;
    BAL_TRY(bal_alloc(xy, 2 * v->n, "a layout"));
    BAL_TRY(place_by_pca(z, v->n, v->p, *xy));
    if (p->par->layout == BAL_LAYOUT_UMAP && v->n > 2)
        BAL_TRY(place_by_umap(p, z, v->n, v->p, *xy));
done:
    return st;
}

bal_status bal_page_make_view(bal_page *p)
{
    const bal_labels *l = p->batch.labels;
    bal_view *v = &p->view;
    bal_status st;

    v->n = p->n < BAL_PAGE_POINTS ? p->n : BAL_PAGE_POINTS;
    BAL_TRY(bal_alloc(&v->row, v->n, "a sample"));
    BAL_TRY(bal_sample_by_group(l->code, p->n, l->size, l->count,
                                BAL_PAGE_POINTS, p->par->seed, v->row));
    BAL_TRY(bal_page_after(p, v->row, v->n, &v->p, &v->after));
    BAL_TRY(find_before(p, v));
    bal_comm_enter(p->comm, BAL_PHASE_DRAW);
    BAL_TRY(place(p, v->after, &v->xy_after));
    BAL_TRY(place(p, v->before, &v->xy_before));
done:
    return st;
}
