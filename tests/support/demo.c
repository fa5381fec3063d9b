/*
 * A look at what a correction did, for the demonstration.
 *
 *     demo BEFORE.h5ad AFTER.h5ad
 *
 * Finds each point's nearest neighbours in both files, features standardised,
 * and prints how many share its batch (obs column "batch"; a good correction
 * brings that down to chance) and, among those from other batches, its label
 * (column "label"; that should go up).
 */
#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS = 12, BATCHES = 4, NEIGHBORS = 15 };

static void stop(const char *what)
{
    fprintf(stderr, "demo: cannot %s\n", what);
    exit(EXIT_FAILURE);
}

static void *room(size_t count, size_t size)
{
    void *p = calloc(count > 0 ? count : 1, size);

    if (p == NULL)
        stop("get memory");
    return p;
}

/* ---- what a correction did ---- */

typedef struct cells {
    size_t n, d;
    float *x; /* [n, d], standardised */
    int8_t *batch, *label;
} cells;

static void read_array(hid_t file, const char *path, hid_t type, void *out)
{
    hid_t d = H5Dopen2(file, path, H5P_DEFAULT);

    if (d < 0 || H5Dread(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        stop("read an array");
    H5Dclose(d);
}

static void standardise(cells *c)
{
    for (size_t f = 0; f < c->d; f++) {
        double sum = 0, square = 0;
        for (size_t i = 0; i < c->n; i++)
            sum += (double)c->x[i * c->d + f];
        double mean = sum / (double)c->n;
        for (size_t i = 0; i < c->n; i++)
            square += pow((double)c->x[i * c->d + f] - mean, 2);
        double sd = sqrt(square / (double)c->n);
        for (size_t i = 0; i < c->n; i++) {
            double v = (double)c->x[i * c->d + f] - mean;
            c->x[i * c->d + f] = (float)(sd > 0 ? v / sd : 0);
        }
    }
}

static cells load(const char *path)
{
    hsize_t shape[2];
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t x = file >= 0 ? H5Dopen2(file, "X", H5P_DEFAULT) : -1;

    if (x < 0)
        stop("open a file to compare");
    hid_t space = H5Dget_space(x);
    H5Sget_simple_extent_dims(space, shape, NULL);
    H5Sclose(space);
    H5Dclose(x);
    cells c = {.n = (size_t)shape[0], .d = (size_t)shape[1]};
    c.x = room(c.n * c.d, sizeof *c.x);
    c.batch = room(c.n, 1);
    c.label = room(c.n, 1);
    read_array(file, "X", H5T_NATIVE_FLOAT, c.x);
    read_array(file, "obs/batch/codes", H5T_NATIVE_INT8, c.batch);
    read_array(file, "obs/label/codes", H5T_NATIVE_INT8, c.label);
    H5Fclose(file);
    standardise(&c);
    return c;
}

static float distance(const cells *c, size_t i, size_t j)
{
    float sum = 0;

    for (size_t f = 0; f < c->d; f++) {
        float v = c->x[i * c->d + f] - c->x[j * c->d + f];
        sum += v * v;
    }
    return sum;
}

/* The points nearest to i, among all or among those of other batches. */
static int nearest(const cells *c, size_t i, bool others, size_t *out)
{
    float best[NEIGHBORS];
    int have = 0;

    for (size_t j = 0; j < c->n; j++) {
        if (j == i || (others && c->batch[j] == c->batch[i]))
            continue;
        float d = distance(c, i, j);
        if (have == NEIGHBORS && d >= best[have - 1])
            continue;
        int at = have < NEIGHBORS ? have++ : have - 1;
        for (; at > 0 && best[at - 1] > d; at--) {
            best[at] = best[at - 1];
            out[at] = out[at - 1];
        }
        best[at] = d;
        out[at] = j;
    }
    return have;
}

/* Shares among the nearest neighbours: of the same batch; of the same label
 * among those from other batches. */
static void measure(const cells *c, double *batch, double *label)
{
    size_t found[NEIGHBORS], same_batch = 0, same_label = 0, of = 0,
                             of_others = 0;

    for (size_t i = 0; i < c->n; i++) {
        int k = nearest(c, i, false, found);
        for (int s = 0; s < k; s++, of++)
            same_batch += c->batch[found[s]] == c->batch[i];
        k = nearest(c, i, true, found);
        for (int s = 0; s < k; s++, of_others++)
            same_label += c->label[found[s]] == c->label[i];
    }
    *batch = (double)same_batch / (double)(of > 0 ? of : 1);
    *label = (double)same_label / (double)(of_others > 0 ? of_others : 1);
}

/* The same shares for neighbours drawn at random. */
static void chance(const cells *c, double *batch, double *label)
{
    double batches[BATCHES] = {0}, both[BATCHES][LABELS] = {{0}};
    double labels[LABELS] = {0}, n = (double)c->n, sum_b = 0, sum_l = 0;

    for (size_t i = 0; i < c->n; i++) {
        batches[c->batch[i]]++;
        labels[c->label[i]]++;
        both[c->batch[i]][c->label[i]]++;
    }
    for (int b = 0; b < BATCHES; b++) {
        sum_b += batches[b] * (batches[b] - 1) / (n - 1);
        for (int l = 0; l < LABELS; l++)
            sum_l += both[b][l] * (labels[l] - both[b][l]) / (n - batches[b]);
    }
    *batch = sum_b / n;
    *label = sum_l / n;
}

static void release(cells *c)
{
    free(c->x);
    free(c->batch);
    free(c->label);
}

static void compare(const char *before, const char *after)
{
    double batch[3], label[3];
    cells c = load(before);

    chance(&c, &batch[2], &label[2]);
    measure(&c, &batch[0], &label[0]);
    release(&c);
    c = load(after);
    measure(&c, &batch[1], &label[1]);
    release(&c);
    printf(
        "of a point's %d nearest neighbours           before  after  chance\n"
        "  share from its own batch                    %.3f   %.3f  %.3f\n"
        "  share with its label, in other batches      %.3f   %.3f  %.3f\n",
        NEIGHBORS, batch[0], batch[1], batch[2], label[0], label[1], label[2]);
}

int main(int argc, char **argv)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (argc != 3) {
        fputs("usage: demo BEFORE.h5ad AFTER.h5ad\n", stderr);
        return 2;
    }
    compare(argv[1], argv[2]);
    return EXIT_SUCCESS;
}
