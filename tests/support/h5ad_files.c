#define _XOPEN_SOURCE 700
#include "h5ad_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[256];

void files_begin(const bal_comm *c)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(folder, sizeof folder, "%s/balans-test-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    if (c->rank == 0 && mkdtemp(folder) == NULL)
        folder[0] = '\0';
    MPI_Bcast(folder, sizeof folder, MPI_CHAR, 0, c->mpi);
    if (folder[0] == '\0') {
        fprintf(stderr, "no folder for the files of the test\n");
        MPI_Abort(c->mpi, 1);
    }
}

bool files_run(const bal_comm *c, const char *command)
{
    int ok = 1;

    if (c->rank == 0)
        ok = system(command) == 0;
    MPI_Bcast(&ok, 1, MPI_INT, 0, c->mpi);
    return ok != 0;
}

bool files_make(const bal_comm *c)
{
    char command[2048];

    snprintf(command, sizeof command,
             "/usr/bin/python3 -W ignore '%s' '%s' > '%s' 2>&1",
             files_source("tests/support/make_h5ad.py"), files_path("."),
             files_path("log"));
    return files_run(c, command);
}

void files_end(const bal_comm *c)
{
    char command[320];

    MPI_Barrier(c->mpi);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    (void)files_run(c, command);
}

static char *next_text(void)
{
    static char text[4][512];
    static int turn;

    turn = (turn + 1) % 4;
    return text[turn];
}

const char *files_path(const char *name)
{
    char *path = next_text();

    snprintf(path, 512, "%s/%s", folder, name);
    return path;
}

/* The root is where this file is compiled from. */
const char *files_source(const char *name)
{
    static const char here[] = __FILE__, below[] = "tests/support/h5ad_files.c";
    char *path = next_text();

    snprintf(path, 512, "%.*s%s", (int)(sizeof here - sizeof below), here,
             name);
    return path;
}

const char *files_real(const bal_comm *c, const char *name)
{
    const char *data = getenv("BALANS_DATA");
    char root[256], *path = next_text();
    int there = 0;

    snprintf(root, sizeof root, "%s",
             data != NULL ? data : files_source("../shared/data"));
    snprintf(path, 512, "%s/%s", root, name);
    if (c->rank == 0)
        there = access(path, R_OK) == 0;
    MPI_Bcast(&there, 1, MPI_INT, 0, c->mpi);
    if (!there && c->rank == 0)
        printf("skipped: no %s\n", path);
    return there ? path : NULL;
}

static hid_t text_type(size_t size)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, size > 0 ? size : H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

void files_text(hid_t object, const char *name, const char *value)
{
    hid_t type = text_type(0), space = H5Screate(H5S_SCALAR);
    hid_t a = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);

    H5Awrite(a, type, &value);
    H5Aclose(a);
    H5Sclose(space);
    H5Tclose(type);
}

void files_encoding(hid_t object, const char *type)
{
    bool old = strstr(type, "matrix") != NULL || strcmp(type, "dict") == 0 ||
               strncmp(type, "nullable", 8) == 0 ||
               strcmp(type, "anndata") == 0;

    files_text(object, "encoding-type", type);
    files_text(object, "encoding-version", old ? "0.1.0" : "0.2.0");
}

void files_group(hid_t file, const char *path, const char *encoding)
{
    hid_t g = H5Gcreate2(file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    files_encoding(g, encoding);
    H5Gclose(g);
}

void files_numbers(hid_t file, const char *path, hid_t type,
                   const double *value, int rank, const hsize_t *extent,
                   hsize_t chunk)
{
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(rank, extent, NULL);
    hsize_t chunks[2] = {chunk, chunk};

    if (chunk > 0) {
        H5Pset_chunk(dcpl, rank, chunks);
        H5Pset_shuffle(dcpl);
        H5Pset_deflate(dcpl, 4);
    }
    hid_t d =
        H5Dcreate2(file, path, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, value);
    files_encoding(d, "array");
    H5Dclose(d);
    H5Sclose(space);
    H5Pclose(dcpl);
}

void files_texts(hid_t file, const char *path, const char *const *value,
                 int count, bool fixed)
{
    enum { SIZE = 16 };
    hsize_t extent = (hsize_t)count;
    hid_t type = text_type(fixed ? SIZE : 0);
    hid_t space = H5Screate_simple(1, &extent, NULL);
    hid_t d = H5Dcreate2(file, path, type, space, H5P_DEFAULT, H5P_DEFAULT,
                         H5P_DEFAULT);
    char *room = calloc((size_t)count + 1, SIZE);

    for (int i = 0; i < count; i++)
        snprintf(room + i * SIZE, SIZE, "%s", value[i]);
    H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT,
             fixed ? (const void *)room : (const void *)value);
    files_encoding(d, "string-array");
    free(room);
    H5Dclose(d);
    H5Sclose(space);
    H5Tclose(type);
}

static void frame(hid_t file, const char *path, const char *stem, int n)
{
    char index[64], (*text)[24] = calloc((size_t)n + 1, sizeof *text);
    const char **name = calloc((size_t)n + 1, sizeof *name);

    for (int i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], "%s%d", stem, i);
        name[i] = text[i];
    }
    files_group(file, path, "dataframe");
    snprintf(index, sizeof index, "%s/_index", path);
    files_texts(file, index, name, n, false);
    hid_t g = H5Gopen2(file, path, H5P_DEFAULT);
    files_text(g, "_index", "_index");
    H5Gclose(g);
    free(name);
    free(text);
}

hid_t files_create(const char *name, int n, int d)
{
    hid_t file =
        H5Fcreate(files_path(name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);

    files_encoding(file, "anndata");
    frame(file, "obs", "cell", n);
    frame(file, "var", "feature", d);
    files_group(file, "layers", "dict");
    files_group(file, "obsm", "dict");
    return file;
}

void files_columns(hid_t file, const char *const *name, int count)
{
    hsize_t extent = (hsize_t)count;
    hid_t type = text_type(0), space = H5Screate_simple(1, &extent, NULL);
    hid_t g = H5Gopen2(file, "obs", H5P_DEFAULT);
    hid_t a =
        H5Acreate2(g, "column-order", type, space, H5P_DEFAULT, H5P_DEFAULT);

    H5Awrite(a, type, name);
    H5Aclose(a);
    H5Gclose(g);
    H5Sclose(space);
    H5Tclose(type);
}

void files_categorical(hid_t file, const char *path, const char *const *name,
                       int names, const int *code, int n)
{
    char below[64];
    double *value = calloc((size_t)n + 1, sizeof *value);
    hsize_t extent = (hsize_t)n;

    for (int i = 0; i < n; i++)
        value[i] = code[i];
    files_group(file, path, "categorical");
    snprintf(below, sizeof below, "%s/categories", path);
    files_texts(file, below, name, names, false);
    snprintf(below, sizeof below, "%s/codes", path);
    files_numbers(file, below, H5T_STD_I8LE, value, 1, &extent, 0);
    free(value);
}

void files_sparse(hid_t file, const char *path, const char *encoding,
                  const int64_t shape[2], const double *data,
                  const double *indices, const double *indptr, int nnz,
                  int pointers)
{
    char below[64];
    hsize_t extent = (hsize_t)nnz, two = 2, ends = (hsize_t)pointers;
    hid_t space = H5Screate_simple(1, &two, NULL);

    files_group(file, path, encoding);
    hid_t g = H5Gopen2(file, path, H5P_DEFAULT);
    hid_t a =
        H5Acreate2(g, "shape", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(a, H5T_NATIVE_INT64, shape);
    H5Aclose(a);
    H5Gclose(g);
    H5Sclose(space);
    snprintf(below, sizeof below, "%s/data", path);
    files_numbers(file, below, H5T_IEEE_F64LE, data, 1, &extent, 0);
    snprintf(below, sizeof below, "%s/indices", path);
    files_numbers(file, below, H5T_STD_I32LE, indices, 1, &extent, 0);
    snprintf(below, sizeof below, "%s/indptr", path);
    files_numbers(file, below, H5T_STD_I64LE, indptr, 1, &ends, 0);
}
