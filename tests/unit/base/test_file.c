/* Runs of bytes longer than one transfer, and the ends of files. */
#define _POSIX_C_SOURCE 200809L
#include "balans/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mpi_check.h"

enum { BYTES = (1 << 23) + 3, HEAD = 5 }; /* three transfers */

static FILE *file;
static unsigned char written[BYTES], found[BYTES];

static void open_file(void)
{
    all_assert((file = tmpfile()) != NULL);
    for (int i = 0; i < BYTES; i++)
        written[i] = (unsigned char)(i % 251);
}

static void close_file(void)
{
    fclose(file);
}

START_TEST(gives_back_what_was_written)
{
    int fd = fileno(file);

    all_assert(bal_file_write(fd, HEAD, BYTES, written) == BYTES);
    all_assert(bal_file_read(fd, HEAD, BYTES, found) == BYTES);
    all_assert(memcmp(written, found, BYTES) == 0);
    all_assert(bal_file_read(fd, 0, HEAD, found) == HEAD);
    for (int i = 0; i < HEAD; i++)
        all_assert(found[i] == 0);
}
END_TEST

START_TEST(says_how_many_bytes_there_were)
{
    int fd = fileno(file);

    all_assert(bal_file_write(fd, 0, 100, written) == 100);
    errno = 0;
    all_assert(bal_file_read(fd, 40, 100, found) == 60 && errno == ENODATA);
    all_assert(memcmp(written + 40, found, 60) == 0);
    all_assert(bal_file_read(fd, 100, 1, found) == 0 && errno == ENODATA);
}
END_TEST

START_TEST(tells_a_failure_by_errno)
{
    int only_read = open("/dev/null", O_RDONLY);
    int only_write = open("/dev/full", O_WRONLY);

    all_assert(only_read >= 0 && only_write >= 0);
    all_assert(bal_file_write(only_read, 0, 1, written) == -1 &&
               errno == EBADF);
    all_assert(bal_file_read(only_write, 0, 1, found) == -1 && errno == EBADF);
    all_assert(bal_file_write(only_write, 0, 1, written) == -1 &&
               errno == ENOSPC);
    close(only_read);
    close(only_write);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("base/file");
    TCase *tcase = tcase_create("file");

    tcase_add_checked_fixture(tcase, open_file, close_file);
    tcase_add_test(tcase, gives_back_what_was_written);
    tcase_add_test(tcase, says_how_many_bytes_there_were);
    tcase_add_test(tcase, tells_a_failure_by_errno);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
