/*
 * Data for the demonstration, and a look at what a correction did to it.
 *
 *     demo make OUT.h5ad [POINTS [FEATURES]]
 *     demo compare BEFORE.h5ad AFTER.h5ad
 *
 * `make` writes profiles of several kinds (obs column "label"), measured in
 * several batches (column "batch") that each shift and stretch every feature in
 * a way of their own.  `compare` finds each point's nearest neighbours in both
 * files, features standardised, and prints how many share its batch (a good
 * correction brings that down to chance) and, among those from other batches,
 * its label (which should go up).
 */
#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/rng.h"

enum { LABELS = 12, BATCHES = 4, NEIGHBORS = 15, NAME = 16 };
enum { KIND = 1, SHIFT, STRETCH, NOISE }; /* purposes of random numbers */

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

/* ---- synthetic profiles ---- */

/* A standard normal number that depends on its arguments alone. */
static double normal(uint32_t purpose, uint32_t i, uint32_t f)
{
    uint64_t a = bal_rng_u64(1, purpose, i, f, 0);
    uint64_t b = bal_rng_u64(1, purpose, i, f, 1);
    double u = ((double)(a >> 11) + 0.5) * 0x1p-53;
    double v = (double)(b >> 11) * 0x1p-53;

    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static int8_t label_of(uint32_t i)
{
    return (int8_t)(bal_rng_u64(1, 9, i, 0, 0) % LABELS);
}

static int8_t batch_of(uint32_t i, uint32_t n)
{
    return (int8_t)((uint64_t)i * BATCHES / n);
}

static void fill(float *x, uint32_t n, uint32_t d)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t label = (uint32_t)label_of(i),
                 batch = (uint32_t)batch_of(i, n);
        for (uint32_t f = 0; f < d; f++) {
            double v = normal(KIND, label, f) + normal(NOISE, i, f);
            v *= exp(0.2 * normal(STRETCH, batch, f));
            x[(size_t)i * d + f] = (float)(v + 1.2 * normal(SHIFT, batch, f));
        }
    }
}

/* ---- an AnnData file, serially ---- */

static hid_t string_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

static void set_attribute(hid_t at, const char *name, hid_t type, hid_t space,
                          const void *value)
{
    hid_t a = H5Acreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT);

    if (a < 0 || (value != NULL && H5Awrite(a, type, value) < 0))
        stop("write an attribute");
    H5Aclose(a);
    H5Sclose(space);
}

static void set_text(hid_t at, const char *name, const char *text)
{
    hid_t type = string_type();

    set_attribute(at, name, type, H5Screate(H5S_SCALAR), &text);
    H5Tclose(type);
}

static void set_encoding(hid_t at, const char *type, const char *version)
{
    set_text(at, "encoding-type", type);
    set_text(at, "encoding-version", version);
}

static hid_t make_group(hid_t at, const char *name, const char *encoding,
                        const char *version)
{
    hid_t g = H5Gcreate2(at, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    if (g < 0)
        stop("make a group");
    set_encoding(g, encoding, version);
    return g;
}

static void write_array(hid_t at, const char *name, hid_t type, int rank,
                        const hsize_t *shape, const char *encoding,
                        const void *value)
{
    hid_t space = H5Screate_simple(rank, shape, NULL);
    hid_t d = H5Dcreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT,
                         H5P_DEFAULT);

    if (d < 0 || H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) < 0)
        stop("write an array");
    set_encoding(d, encoding, "0.2.0");
    H5Dclose(d);
    H5Sclose(space);
}

/* Names such as "well-17": the prefix and a number. */
static void write_names(hid_t at, const char *name, const char *prefix,
                        hsize_t count)
{
    char(*text)[NAME + 24] = room(count, sizeof *text);
    const char **list = room(count, sizeof *list);
    hid_t type = string_type();

    for (hsize_t i = 0; i < count; i++) {
        snprintf(text[i], sizeof text[i], "%s-%llu", prefix,
                 (unsigned long long)i + 1);
        list[i] = text[i];
    }
    write_array(at, name, type, 1, &count, "string-array", list);
    H5Tclose(type);
    free(list);
    free(text);
}

static void write_categorical(hid_t obs, const char *name, hsize_t kinds,
                              const int8_t *code, hsize_t n)
{
    static const int8_t no = 0, yes = 1;
    hid_t g = make_group(obs, name, "categorical", "0.2.0");
    hid_t flag = H5Tenum_create(H5T_NATIVE_INT8);

    H5Tenum_insert(flag, "FALSE", &no);
    H5Tenum_insert(flag, "TRUE", &yes);
    set_attribute(g, "ordered", flag, H5Screate(H5S_SCALAR), &no);
    H5Tclose(flag);
    write_array(g, "codes", H5T_NATIVE_INT8, 1, &n, "array", code);
    write_names(g, "categories", name, kinds);
    H5Gclose(g);
}

static hid_t make_frame(hid_t file, const char *name, const char *const *column,
                        hsize_t columns)
{
    hid_t g = make_group(file, name, "dataframe", "0.2.0");
    hid_t type = string_type();

    set_text(g, "_index", "_index");
    set_attribute(g, "column-order", type, H5Screate_simple(1, &columns, NULL),
                  column);
    H5Tclose(type);
    return g;
}

static void write_obs(hid_t file, uint32_t n)
{
    static const char *const columns[] = {"batch", "label"};
    hid_t obs = make_frame(file, "obs", columns, 2);
    int8_t *batch = room(n, 1), *label = room(n, 1);

    for (uint32_t i = 0; i < n; i++) {
        batch[i] = batch_of(i, n);
        label[i] = label_of(i);
    }
    write_names(obs, "_index", "well", n);
    write_categorical(obs, "batch", BATCHES, batch, n);
    write_categorical(obs, "label", LABELS, label, n);
    free(batch);
    free(label);
    H5Gclose(obs);
}

static void make(const char *path, uint32_t n, uint32_t d)
{
    static const char *const dicts[] = {"layers", "obsm", "obsp",
                                        "varm",   "varp", "uns"};
    hsize_t shape[2] = {n, d};
    float *x = room((size_t)n * d, sizeof *x);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);

    if (file < 0)
        stop("create the file");
    fill(x, n, d);
    set_encoding(file, "anndata", "0.1.0");
    write_array(file, "X", H5T_NATIVE_FLOAT, 2, shape, "array", x);
    write_obs(file, n);
    hid_t var = make_frame(file, "var", NULL, 0);
    write_names(var, "_index", "feature", d);
    H5Gclose(var);
    for (size_t i = 0; i < sizeof dicts / sizeof *dicts; i++)
        H5Gclose(make_group(file, dicts[i], "dict", "0.1.0"));
    if (H5Fclose(file) < 0)
        stop("complete the file");
    free(x);
    printf("%s: %u points of %d kinds in %d batches, %u features\n", path, n,
           LABELS, BATCHES, d);
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
    if (argc >= 3 && strcmp(argv[1], "make") == 0) {
        long n = argc > 3 ? atol(argv[3]) : 4000;
        long d = argc > 4 ? atol(argv[4]) : 64;
        if (n < BATCHES || n > 10000000 || d < 1 || d > 100000)
            stop("make so many points or features");
        make(argv[2], (uint32_t)n, (uint32_t)d);
        return EXIT_SUCCESS;
    }
    if (argc == 4 && strcmp(argv[1], "compare") == 0) {
        compare(argv[2], argv[3]);
        return EXIT_SUCCESS;
    }
    fputs("usage: demo make OUT.h5ad [POINTS [FEATURES]]\n"
          "       demo compare BEFORE.h5ad AFTER.h5ad\n",
          stderr);
    return 2;
}
