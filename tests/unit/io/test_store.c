/* Stores: what was written is read, on other ranks in other runs of rows; and a
 * failure leaves what there was. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/io/h5.h"
#include "balans/io/store.h"
#include "balans/par/agree.h"
#include "files_fixture.h"
#include "mpi_check.h"
#include "store_files.h"

enum { BIG = 9 * (1 << 20) + 5 }; /* bytes, more than two transfers */

START_TEST(any_ranks_write_and_any_read)
{
    char command[1200];

    for (int k = 1; k <= comm.size; k++) {
        MPI_Comm mpi;
        bal_comm part;
        MPI_Comm_split(comm.mpi, comm.rank < k ? 0 : MPI_UNDEFINED, 0, &mpi);
        bal_verdict st = bal_agree(&comm, BAL_OK);
        if (comm.rank < k) {
            bal_comm_init(&part, mpi);
            st = store_write(&part, files_path(k == 1 ? "one" : "more"), BIG);
            bal_comm_finish(&part);
            MPI_Comm_free(&mpi);
        }
        all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
        all_assert_msg(
            store_is_right(&comm, files_path(k == 1 ? "one" : "more"), -1, BIG),
            "%s", bal_error_get()->text);
        all_assert(store_is_right(&comm, files_path(k == 1 ? "one" : "more"),
                                  comm.size - 1, BIG));
        snprintf(command, sizeof command, "cmp '%s' '%s'", files_path("one"),
                 files_path(k == 1 ? "one" : "more"));
        all_assert(files_run(&comm, command));
    }
    all_assert(bal_mem_held() == 0);
}
END_TEST

/* Rank r has 3 r rows, each its own number. */
START_TEST(pieces_of_unequal_length)
{
    bal_store *s = NULL;
    bal_store_array a = {.n = 0};
    int32_t x[64];
    bal_size first = -1, count = 3 * comm.rank;
    bal_size all = 3 * comm.size * (comm.size - 1) / 2;

    bal_error_clear();
    all_assert(!bal_failed(
        bal_store_create(&comm, files_path("pieces"), true, &store_kind, &s)));
    all_assert(!bal_failed(bal_store_make_pieces(s, "entries", BAL_STORE_I32,
                                                 count, 2, &a, &first)));
    all_assert(a.n == all && first == 3 * comm.rank * (comm.rank - 1) / 2);
    for (bal_size i = 0; i < 2 * count; i++)
        x[i] = (int32_t)(2 * first + i);
    all_assert(bal_store_write(s, &a, first, count, x) == BAL_OK);
    all_assert(!bal_failed(bal_store_finish(&s)));
    all_assert(!bal_failed(
        bal_store_open(&comm, files_path("pieces"), &store_kind, &s)));
    all_assert(bal_store_find(s, "entries", BAL_STORE_I32, BAL_STORE_ANY, 2,
                              &a) == BAL_OK);
    all_assert(a.n == all);
    all_assert(bal_store_read(s, &a, 0, all, x) == BAL_OK);
    bool right = true;
    for (bal_size i = 0; i < 2 * all; i++)
        right = right && x[i] == (int32_t)i;
    all_assert(right);
    bal_store_close(&s);
    all_assert(bal_mem_held() == 0);
}
END_TEST

static bool is_of(hid_t file, const char *key, hid_t wanted)
{
    hid_t dataset = bal_h5_find(file, key), type = H5Dget_type(dataset);
    bal_size dims[2];
    bool right = H5Tequal(type, wanted) > 0 &&
                 bal_h5_dims(dataset, dims) == 2 && dims[0] == 3 &&
                 dims[1] == 2;

    bal_h5_close(&type);
    bal_h5_close(&dataset);
    return right;
}

START_TEST(other_programs_can_look)
{
    float x[STORE_N * STORE_D];
    hid_t file = H5I_INVALID_HID;

    bal_error_clear();
    all_assert(!bal_failed(store_write(&comm, files_path("look"), 100)));
    all_assert(bal_h5_open(files_path("look"), BAL_H5_READ, NULL, &file) ==
               BAL_OK);
    hid_t rows = bal_h5_find(file, "rows");
    all_assert(bal_h5_read(rows, H5T_NATIVE_FLOAT, 0, STORE_N, x) == BAL_OK);
    all_assert(x[0] == 0 &&
               x[STORE_N * STORE_D - 1] == (float)(STORE_N * STORE_D - 1));
    bal_h5_close(&rows);
    all_assert(is_of(file, "type1", H5T_NATIVE_DOUBLE));
    all_assert(is_of(file, "type2", H5T_NATIVE_INT32));
    all_assert(is_of(file, "type3", H5T_NATIVE_INT64));
    all_assert(is_of(file, "type4", H5T_NATIVE_UINT64));
    all_assert(is_of(file, "type5", H5T_NATIVE_UINT16));
    all_assert(is_of(file, "type6", H5T_NATIVE_UINT8));
    bal_h5_close(&file);
}
END_TEST

/* ---- Failures ---- */

static int files_in_folder(void)
{
    DIR *folder = opendir(files_path("."));
    int count = 0;

    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* The verdict is everybody's, the old file stays, and no other does. */
START_TEST(failures_on_demand)
{
    static const char *const point[] = {"keep", "fill", "publish", "open",
                                        "read"};
    char wish[64];

    bal_error_clear();
    bal_fault_set_rank(comm.rank);
    all_assert(!bal_failed(store_write(&comm, files_path("old"), 100)));
    int before = files_in_folder();
    for (int p = 0; p < 5; p++)
        for (int rank = 0; rank < comm.size; rank++) {
            bal_store *s = NULL;
            snprintf(wish, sizeof wish, "%s:%d", point[p], rank);
            setenv("BAL_FAULT", wish, 1);
            bal_error_clear();
            bal_verdict st = bal_agree(&comm, BAL_OK);
            if (p < 3)
                st = store_write(&comm, files_path("old"), 200);
            else
                st = bal_store_open(&comm, files_path("old"), &store_kind, &s);
            if (p == 4)
                st = bal_agree(&comm, store_rows_are_right(&comm, s, -1)
                                          ? BAL_OK
                                          : BAL_EIO);
            all_assert_msg(st.code == BAL_EIO && error_has(point[p]), "%s: %s",
                           wish, bal_error_get()->text);
            bal_store_close(&s);
            unsetenv("BAL_FAULT");
            all_assert(store_is_right(&comm, files_path("old"), -1, 100));
            all_assert(files_in_folder() == before);
        }
    all_assert(bal_mem_held() == 0);
}
END_TEST

START_TEST(a_name_that_is_taken)
{
    bal_store *s = NULL;

    bal_error_clear();
    all_assert(!bal_failed(store_write(&comm, files_path("taken"), 100)));
    bal_verdict st =
        bal_store_create(&comm, files_path("taken"), false, &store_kind, &s);
    all_assert(st.code == BAL_EIO && s == NULL && error_has("it exists"));
    all_assert(store_is_right(&comm, files_path("taken"), -1, 100));
}
END_TEST

START_TEST(a_disk_without_room)
{
    bal_store *s = NULL;
    bal_store_array a;

    bal_error_clear();
    all_assert(!bal_failed(
        bal_store_create(&comm, files_path("huge"), true, &store_kind, &s)));
    bal_verdict st =
        bal_store_make(s, "x", BAL_STORE_F64, INT64_C(1) << 50, 1, &a);
    all_assert_msg(st.code == BAL_EIO && error_has("PiB of disk space"), "%s",
                   bal_error_get()->text);
    bal_error_clear();
    st = bal_store_make(s, "y", BAL_STORE_F64, INT64_C(1) << 50, 1 << 20, &a);
    all_assert(st.code == BAL_ERANGE && error_has("too large"));
    bal_store_close(&s);
    all_assert(access(files_path("huge"), F_OK) != 0);
}
END_TEST

/* From now on what HDF5 writes to the growing file meets a full disk. */
static void fill_disk(void)
{
    char link[64], to[1024];
    int full = open("/dev/full", O_WRONLY);

    for (int fd = 0; fd < 1024; fd++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(link, to, sizeof to - 1);
        to[len > 0 ? len : 0] = '\0';
        if (strstr(to, "/kept.") != NULL &&
            (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR)
            dup2(full, fd);
    }
    close(full);
}

START_TEST(a_file_that_cannot_be_closed)
{
    bal_store *s = NULL;
    const int64_t one = 1;

    bal_error_clear();
    all_assert(!bal_failed(store_write(&comm, files_path("kept"), 100)));
    int before = files_in_folder();
    all_assert(!bal_failed(
        bal_store_create(&comm, files_path("kept"), true, &store_kind, &s)));
    all_assert(!bal_failed(bal_store_put(s, "one", BAL_STORE_I64, 1, 1, &one)));
    fill_disk();
    bal_verdict st = bal_store_finish(&s);
    all_assert_msg(st.code == BAL_EIO && s == NULL && error_has("cannot write"),
                   "%s", bal_error_get()->text);
    all_assert_msg(store_is_right(&comm, files_path("kept"), -1, 100), "%s",
                   bal_error_get()->text);
    all_assert(files_in_folder() == before);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("io/store");
    TCase *tcase = tcase_create("store");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, any_ranks_write_and_any_read);
    tcase_add_test(tcase, pieces_of_unequal_length);
    tcase_add_test(tcase, other_programs_can_look);
    tcase_add_test(tcase, failures_on_demand);
    tcase_add_test(tcase, a_name_that_is_taken);
    tcase_add_test(tcase, a_disk_without_room);
    tcase_add_test(tcase, a_file_that_cannot_be_closed);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
