/* Models: a sound one, fitted to made-up points, tampered with.  What is read
 * is refused, or what `apply` may count on. */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply_internal.h"
#include "balans/app/correct.h"
#include "balans/base/mem.h"
#include "image.h"
#include "model_internal.h"

enum { N = 48, D = 4, BATCHES = 3 };

static fuzz_image image;

/* ---- The sound one ---- */

static void write_texts(hid_t loc, const char *name, int count,
                        const char *form, int times)
{
    char text[N][8];
    hid_t type = H5Tcopy(H5T_C_S1);
    hid_t space = H5Screate_simple(1, &(hsize_t){(hsize_t)count}, NULL), id;

    for (int i = 0; i < count; i++)
        snprintf(text[i], sizeof text[i], form, i % times);
    H5Tset_size(type, sizeof text[0]);
    id = H5Dcreate2(loc, name, type, space, H5P_DEFAULT, H5P_DEFAULT,
                    H5P_DEFAULT);
    H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text);
    H5Dclose(id);
    H5Sclose(space);
    H5Tclose(type);
}

static void write_input(const char *path)
{
    static const char *const frame[] = {"obs", "var"};
    float x[N][D];
    hid_t file =
        H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(2, (hsize_t[]){N, D}, NULL);
    hid_t id = H5Dcreate2(file, "X", H5T_IEEE_F32LE, space, H5P_DEFAULT,
                          H5P_DEFAULT, H5P_DEFAULT);

    for (int i = 0; i < N * D; i++)
        x[i / D][i % D] = (float)((i * 37 + i * i) % 101) + (float)(i % 3);
    H5Dwrite(id, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x);
    H5Dclose(id);
    H5Sclose(space);
    for (int k = 0; k < 2; k++) {
        id = H5Gcreate2(file, frame[k], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        write_texts(id, "_index", k == 0 ? N : D, "i%d", N);
        if (k == 0)
            write_texts(id, "batch", N, "b%d", BATCHES);
        H5Gclose(id);
    }
    H5Fclose(file);
}

static void make_sound(void)
{
    char input[96], batch[] = "batch", model[96];
    const char *folder = fuzz_folder();
    bal_params par = {0};

    fuzz_insist(!bal_failed(bal_params_default(&par)));
    snprintf(input, sizeof input, "%s/in.h5ad", folder);
    snprintf(model, sizeof model, "%s/model.h5", folder);
    write_input(input);
    par.input = input;
    par.save_model = model;
    par.batch = batch;
    par.pca = 2;
    par.landmarks = 10;
    par.neighbors = (bal_neighbors){3, 0};
    par.quiet = true;
    fuzz_insist(!bal_failed(bal_correct_file(fuzz_comm(), &par)));
    par.input = par.save_model = par.batch = NULL;
    bal_params_destroy(&par);
    fuzz_image_read(&image, model, &bal_model_kind);
    fuzz_folder_remove();
}

/* ---- What is tried ---- */

static void check_pass(bal_model *m, const bal_fit_pass *f)
{
    const bal_model_pass *head = f->head;
    bal_size sampled = 0;

    for (bal_size b = 0; b < head->batches; b++) {
        fuzz_insist(f->size[b] > 0 && f->k[b] > 0);
        sampled += bal_model_sampled(f->size[b]);
    }
    fuzz_insist(sampled == head->sampled);
    for (bal_size i = 0; i < head->m; i++) {
        fuzz_insist(f->own[i] >= 0 && f->own[i] < head->batches);
        fuzz_insist(f->cut == NULL || (f->cut[i] >= 0 && f->cut[i] < BAL_BINS));
    }
    for (bal_size b = 0; b < head->batches; b++) {
        bal_stand_in s = {0};
        if (bal_failed(bal_stand_in_read(m, f, b, &s)))
            fuzz_insist(bal_error_get()->code == BAL_EINPUT);
        bal_stand_in_finish(&s);
        bal_error_clear();
    }
}

static void look(bal_model *m, bool *read)
{
    for (int64_t t = 1; t <= m->passes; t++) {
        bal_fit_pass f;
        *read = !bal_failed(bal_fit_pass_read(m, t, &f));
        if (*read)
            check_pass(m, &f);
        else
            fuzz_insist(bal_error_get()->code == BAL_EINPUT);
        bal_fit_pass_finish(&f);
        bal_error_clear();
        if (!*read)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes b = {data, size};
    bal_model m;
    bool read = false;

    if (image.at == NULL)
        make_sound();
    bal_size held = bal_mem_held();
    if (!bal_failed(
            bal_model_open(fuzz_comm(), fuzz_image_change(&image, &b), &m)))
        look(&m, &read);
    else
        fuzz_insist(bal_error_get()->code == BAL_EINPUT);
    fuzz_insist(read || size > 0);
    bal_model_close(&m);
    bal_error_clear();
    fuzz_insist(bal_mem_held() == held);
    return 0;
}
