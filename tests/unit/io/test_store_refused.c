/* Stores that are damaged, or are not what the reader takes them for. */
#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "balans/data/checksum.h"
#include "balans/io/store.h"
#include "files_fixture.h"
#include "mpi_check.h"
#include "store_files.h"

enum { SEAL = 512 }; /* bytes; the last eight are its own checksum */

static void refuse(const char *path, const bal_store_kind *as, const char *why)
{
    bal_store *s = NULL;

    bal_error_clear();
    bal_verdict st = bal_store_open(&comm, path, as, &s);
    all_assert(st.code == BAL_EINPUT && s == NULL);
    all_assert_msg(error_has(path) && error_has(why), "%s",
                   bal_error_get()->text);
    bal_error_clear();
}

/* A file of rank 0 with these bytes. */
static void put_file(const char *path, const char *bytes, long size)
{
    if (comm.rank == 0) {
        FILE *f = fopen(path, "wb");
        (void)!fwrite(bytes, 1, (size_t)size, f);
        fclose(f);
    }
    MPI_Barrier(comm.mpi);
}

/* What a file holds, on every rank. */
static char *get_file(const char *path, long *size)
{
    char *bytes = NULL;
    FILE *f = fopen(path, "rb");

    fseek(f, 0, SEEK_END);
    *size = ftell(f);
    rewind(f);
    (void)bal_take(&bytes, *size, "a test");
    (void)!fread(bytes, 1, (size_t)*size, f);
    fclose(f);
    return bytes;
}

START_TEST(what_is_another_thing)
{
    const bal_store_kind other = {"balans other", 3, "make it anew"};
    const bal_store_kind later = {"balans test", 4, "make it anew"};
    char *bytes;
    long size;

    bal_error_clear();
    all_assert(!bal_failed(store_write(&comm, files_path("this"), 100)));
    refuse(files_path("this"), &other, "is a balans test, not a balans other");
    refuse(files_path("this"), &later, "version 3");
    refuse(files_path("absent"), &store_kind, "No such file");
    refuse(files_path("."), &store_kind, "directory");
    put_file(files_path("empty"), "", 0);
    refuse(files_path("empty"), &store_kind,
           "is not a balans test; make it anew");
    if (comm.rank == 0)
        H5Fclose(files_create("plain.h5", 3, 2));
    MPI_Barrier(comm.mpi);
    refuse(files_path("plain.h5"), &store_kind, "is not a balans test");
    bytes = get_file(files_path("this"), &size);
    bytes[16]++; /* of the format */
    uint64_t self = bal_checksum_bytes(0, bytes, SEAL - 8);
    memcpy(bytes + SEAL - 8, &self, sizeof self);
    put_file(files_path("format"), bytes, size);
    refuse(files_path("format"), &store_kind, "format");
    bal_free(&bytes);
}
END_TEST

START_TEST(what_is_damaged)
{
    enum { FLIPS = 200, CUTS = 50 };
    char *bytes;
    long size;

    bal_error_clear();
    all_assert(!bal_failed(store_write(&comm, files_path("whole"), 50000)));
    bytes = get_file(files_path("whole"), &size);
    for (uint32_t i = 0; i < FLIPS; i++) {
        uint64_t r = bal_rng_u64(7, i, 0, 0, 0);
        long most = i % 4 == 0 ? SEAL : size;
        long at = (long)bal_rng_below(r, (uint64_t)most);
        char bit = (char)(1 << r % 8);
        bytes[at] ^= bit;
        put_file(files_path("broken"), bytes, size);
        bytes[at] ^= bit;
        refuse(files_path("broken"), &store_kind,
               at < 16 ? "not a balans test" : "is damaged; make it anew");
    }
    for (int i = 0; i < CUTS; i++) {
        long left = i < 3 ? 200 * i + 100 : size * i / CUTS;
        put_file(files_path("broken"), bytes, left);
        refuse(files_path("broken"), &store_kind, "is truncated; make it anew");
    }
    put_file(files_path("broken"), bytes, size);
    all_assert(store_is_right(&comm, files_path("broken"), -1, 50000));
    bal_free(&bytes);
    all_assert(bal_mem_held() == 0);
}
END_TEST

static void refuse_find(const bal_store *s, const char *key,
                        bal_store_type type, bal_size n, bal_size d,
                        const char *why)
{
    bal_store_array a;

    all_assert(bal_store_find(s, key, type, n, d, &a) == BAL_EINPUT);
    all_assert_msg(error_has(why), "%s", bal_error_get()->text);
    bal_error_clear();
}

START_TEST(what_does_not_fit)
{
    bal_store *s = NULL;
    bal_store_array a;
    int64_t two[2];
    const bal_size any = BAL_STORE_ANY;

    bal_error_clear();
    all_assert(!bal_failed(store_write(&comm, files_path("fit"), 100)));
    all_assert(
        !bal_failed(bal_store_open(&comm, files_path("fit"), &store_kind, &s)));
    refuse_find(s, "row", BAL_STORE_F32, any, any, "has no 'row'");
    refuse_find(s, "rows", BAL_STORE_I32, STORE_N, STORE_D, "another type");
    refuse_find(s, "rows", BAL_STORE_F32, STORE_N + 1, any, "1003 x 7");
    refuse_find(s, "rows", BAL_STORE_F32, any, STORE_D - 1, "1003 x 7");
    all_assert(bal_store_find(s, "rows", BAL_STORE_F32, any, any, &a) ==
               BAL_OK);
    all_assert(a.n == STORE_N && a.d == STORE_D);
    all_assert(bal_store_get(s, "whole", BAL_STORE_I64, 2, 1, two).code ==
               BAL_EINPUT);
    bal_store_close(&s);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("io/store_refused");
    TCase *tcase = tcase_create("store_refused");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_is_another_thing);
    tcase_add_test(tcase, what_is_damaged);
    tcase_add_test(tcase, what_does_not_fit);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
