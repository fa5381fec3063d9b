/* Looks: all different, and neighbours so in grey, too. */
#include "balans/page/style.h"

#include <math.h>
#include <string.h>

#include "mpi_check.h"

/* What is left of a colour in grey. */
static double lightness(const int rgb[3])
{
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
}

static double grey(const bal_style *s)
{
    const int rgb[3] = {s->red, s->green, s->blue};

    return lightness(rgb);
}

static bool same_shape(const bal_style *a, const bal_style *b)
{
    return a->corners == b->corners &&
           memcmp(a->corner, b->corner, sizeof a->corner) == 0;
}

START_TEST(gives_48_groups_a_look_each)
{
    for (int i = 0; i < BAL_STYLES; i++)
        for (int j = 0; j < i; j++) {
            bal_style a = bal_style_of(i), b = bal_style_of(j);
            bool colour =
                a.red == b.red && a.green == b.green && a.blue == b.blue;
            ck_assert_msg(!colour || !same_shape(&a, &b), "%d is %d", i, j);
        }
}
END_TEST

/* The first six differ in shape, whatever becomes of their colours; neighbours
 * do, and nearly all of them in lightness. */
START_TEST(can_be_read_in_grey)
{
    int alike = 0;

    for (int i = 0; i < 6; i++)
        for (int j = 0; j < i; j++) {
            bal_style a = bal_style_of(i), b = bal_style_of(j);
            ck_assert(!same_shape(&a, &b));
        }
    for (int i = 0; i + 1 < BAL_STYLES; i++) {
        bal_style a = bal_style_of(i), b = bal_style_of(i + 1);
        ck_assert(!same_shape(&a, &b));
        alike += fabs(grey(&a) - grey(&b)) < 8;
    }
    ck_assert_int_le(alike, 6);
}
END_TEST

START_TEST(draws_others_pale)
{
    bal_style s = bal_style_of(BAL_STYLE_OTHER);

    ck_assert(grey(&s) > 190 && s.red == s.green && s.green == s.blue);
}
END_TEST

START_TEST(shades_get_darker_all_the_way)
{
    double before = 256;
    int rgb[3];

    for (int i = 0; i <= 100; i++) {
        bal_shade(i / 100.0, rgb);
        ck_assert(lightness(rgb) < before);
        before = lightness(rgb);
    }
    bal_shade(-1, rgb);
    ck_assert_int_eq(rgb[0] + rgb[1] + rgb[2], 3 * 255);
    bal_shade(2, rgb);
    ck_assert_double_lt(lightness(rgb), 20);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("page/style");
    TCase *tcase = tcase_create("style");

    tcase_add_test(tcase, gives_48_groups_a_look_each);
    tcase_add_test(tcase, can_be_read_in_grey);
    tcase_add_test(tcase, draws_others_pale);
    tcase_add_test(tcase, shades_get_darker_all_the_way);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
