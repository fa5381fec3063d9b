/* LZF by hand; files of h5py in test_h5ad_encodings.c. */
#include "balans/io/lzf.h"

#include <string.h>

#include "mpi_check.h"

/* "abcabcabcabc": three letters, then 9 bytes from 3 back. */
START_TEST(unpacks)
{
    static const unsigned char packed[] = {2, 'a', 'b', 'c', 0xe0, 0, 2};
    static const unsigned char before[] = {0, 'a', 0x20, 1};
    unsigned char to[16];
    size_t size;

    ck_assert(bal_lzf_decode(packed, sizeof packed, to, sizeof to, &size));
    ck_assert(size == 12 && memcmp(to, "abcabcabcabc", 12) == 0);
    ck_assert(!bal_lzf_decode(packed, sizeof packed, to, 5, &size));
    ck_assert(size == 12);
    ck_assert(!bal_lzf_decode(packed, 5, to, sizeof to, &size) && size == 0);
    ck_assert(!bal_lzf_decode(before, 4, to, sizeof to, &size) && size == 0);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *s = suite_create("lzf");
    TCase *c = tcase_create("lzf");

    tcase_add_test(c, unpacks);
    suite_add_tcase(s, c);
    return mpi_check_run(s, argc, argv);
}
