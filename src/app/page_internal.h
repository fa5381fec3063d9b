/* What a page is made of. */
#ifndef BAL_APP_PAGE_INTERNAL_H
#define BAL_APP_PAGE_INTERNAL_H

#include <jansson.h>
#include <stdio.h>

#include "balans/algo/space.h"
#include "balans/app/page.h"
#include "balans/data/labels.h"
#include "balans/io/h5ad.h"
#include "input.h"

enum { BAL_PAGE_POINTS = 20000, BAL_PAGE_LANDMARKS = 600 };

/* A set of points as the figures have them. */
typedef struct bal_view {
    bal_size n;
    bal_gidx *row; /* [n] in the file, ascending */
    bal_size p;
    float *before, *after;       /* [n, p]; before may be NULL */
    double *xy_before, *xy_after; /* [n, 2] */
} bal_view;

/* A way to group points, and how the groups look. */
typedef struct bal_look {
    char column[256];
    bal_labels *labels;
    int32_t *style; /* [groups] */
    bal_size *order; /* [groups] by size, the largest first */
    bal_size plain;  /* groups that look like the others that are few */
} bal_look;

/* Affinities of some landmarks, or points, to each other. */
typedef struct bal_heat {
    bal_size n;
    bal_gidx *row;  /* [n] in the file */
    float *a;       /* [n, n] */
    bool stored;    /* by the run; else made of the corrected coordinates */
    bool landmarks; /* else a sample of points */
    bal_size of;    /* that there are */
} bal_heat;

typedef struct bal_page {
    bal_comm *comm; /* of rank 0 alone */
    const bal_params *par;
    int threads;
    bal_h5ad *file, *other; /* the output; where the original is */
    char original[BAL_PATH_MOST]; /* its matrix, "" where there is none */
    char where[BAL_ERROR_TEXT_MAX]; /* it is, or why there is none */
    json_t *uns, *scores;
    bal_params ran; /* matrix, neighbours and sparsity of the run */
    bal_size n;
    bal_look batch, label; /* label.labels is NULL where none was named */
    bal_space *space;      /* NULL where it cannot be made again */
    bal_view view;
    bal_heat heat;
} bal_page;

/* A value of a tree by its path, such as "run/phases"; NULL if none.  Local. */
json_t *bal_page_look(const json_t *tree, const char *path);

/* The text there, or `otherwise`; the number there, or NaN.  Local. */
const char *bal_page_text(const json_t *tree, const char *path,
                          const char *otherwise);
double bal_page_number(const json_t *tree, const char *path);

/* Finds the original and the space, samples points and brings them into the
 * space and the plane.  Local: on rank 0. */
bal_status bal_page_find_original(bal_page *p);
bal_status bal_page_make_space(bal_page *p);
bal_status bal_page_make_view(bal_page *p);

/* Rows of a file's open matrix, [n, d].  Local. */
bal_status bal_page_read_rows(bal_h5ad *f, const bal_matrix_info *info,
                              const bal_gidx *row, bal_size n, float *out);

/* The corrected coordinates of rows, [n, p].  Local. */
bal_status bal_page_after(bal_page *p, const bal_gidx *row, bal_size n,
                          bal_size *dims, float **z);

/* The affinities of landmarks to each other.  Local. */
bal_status bal_page_make_heat(bal_page *p);

/* Writes all of it.  Local.  Fails with BAL_ENOMEM. */
bal_status bal_page_write(const bal_page *p, FILE *f);
bal_status bal_page_write_points(const bal_page *p, FILE *f);
bal_status bal_page_write_heat(const bal_page *p, FILE *f);
bal_status bal_page_write_batches(const bal_page *p, FILE *f);

#endif
