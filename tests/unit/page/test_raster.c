/* Images: whole PNG files, the same each time, showing what they are given. */
#include "balans/page/raster.h"

#include <cairo.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/page/style.h"
#include "mpi_check.h"

/* A PNG file, read back from memory. */
typedef struct reader {
    const bal_image *image;
    bal_size next;
} reader;

static cairo_status_t read_bytes(void *arg, unsigned char *to,
                                 unsigned int count)
{
    reader *r = arg;

    if (r->next + (bal_size)count > r->image->bytes)
        return CAIRO_STATUS_READ_ERROR;
    memcpy(to, r->image->at + r->next, count);
    r->next += (bal_size)count;
    return CAIRO_STATUS_SUCCESS;
}

static cairo_surface_t *decode(const bal_image *i)
{
    reader r = {i, 0};
    cairo_surface_t *s =
        cairo_image_surface_create_from_png_stream(read_bytes, &r);

    ck_assert_int_eq(cairo_surface_status(s), CAIRO_STATUS_SUCCESS);
    ck_assert_int_eq(cairo_image_surface_get_width(s), i->width);
    ck_assert_int_eq(cairo_image_surface_get_height(s), i->height);
    return s;
}

static uint32_t pixel(cairo_surface_t *s, int x, int y)
{
    uint32_t v;

    memcpy(&v,
           cairo_image_surface_get_data(s) +
               y * cairo_image_surface_get_stride(s) + 4 * x,
           sizeof v);
    return v & 0xffffff;
}

static uint32_t colour_of(int32_t style)
{
    bal_style s = bal_style_of(style);

    return (uint32_t)(s.red << 16 | s.green << 8 | s.blue);
}

START_TEST(draws_points_where_they_are)
{
    const double xy[] = {0, 0, 1, 1, -1, 1, -1, -1, 1, -1};
    const int32_t style[] = {0, 1, 2, 3, BAL_STYLE_OTHER};
    bal_image i = {0}, again = {0};
    cairo_surface_t *s;

    ck_assert_int_eq(bal_draw_points(xy, style, 5, 0, &i), BAL_OK);
    ck_assert_int_eq(bal_draw_points(xy, style, 5, 0, &again), BAL_OK);
    ck_assert_int_eq(i.bytes, again.bytes);
    ck_assert_mem_eq(i.at, again.at, (size_t)i.bytes);
    s = decode(&i);
    ck_assert_uint_eq(pixel(s, i.width / 2, i.height / 2), colour_of(0));
    ck_assert_uint_eq(pixel(s, i.width - 24, 24), colour_of(1));
    ck_assert_uint_eq(pixel(s, 24, 24), colour_of(2));
    ck_assert_uint_eq(pixel(s, 24, i.height - 24), colour_of(3));
    ck_assert_uint_eq(pixel(s, i.width - 24, i.height - 24),
                      colour_of(BAL_STYLE_OTHER));
    ck_assert_uint_eq(pixel(s, i.width / 4, i.height / 2), 0xffffff);
    cairo_surface_destroy(s);
    bal_image_finish(&i);
    bal_image_finish(&again);
    ck_assert_int_eq(bal_mem_held(), 0);
}
END_TEST

/* One point, or many in one place, are in the middle. */
START_TEST(draws_points_that_are_one)
{
    const double xy[] = {5e6, -3, 5e6, -3, 5e6, -3};
    const int32_t style[] = {4, 4, 4};
    bal_image i = {0};
    cairo_surface_t *s;

    ck_assert_int_eq(bal_draw_points(xy, style, _i == 0 ? 1 : 3, 0, &i),
                     BAL_OK);
    s = decode(&i);
    ck_assert_uint_eq(pixel(s, i.width / 2, i.height / 2), colour_of(4));
    cairo_surface_destroy(s);
    bal_image_finish(&i);
}
END_TEST

START_TEST(draws_a_matrix)
{
    enum { STRIP = 18 };
    const float a[] = {1, 0, 0.25F, 1};
    const int32_t style[] = {0, 1};
    bal_image i = {0};
    cairo_surface_t *s;
    int rgb[3], half;

    ck_assert_int_eq(bal_draw_matrix(a, style, 2, &i), BAL_OK);
    s = decode(&i);
    half = (i.width - STRIP) / 2;
    bal_shade(0.5, rgb);
    ck_assert_uint_eq(pixel(s, STRIP + half / 2, STRIP + half + half / 2),
                      (uint32_t)(rgb[0] << 16 | rgb[1] << 8 | rgb[2]));
    ck_assert_uint_eq(pixel(s, STRIP + half + half / 2, STRIP + half / 2),
                      0xffffff);
    bal_shade(1, rgb);
    ck_assert_uint_eq(pixel(s, STRIP + half / 2, STRIP + half / 2),
                      (uint32_t)(rgb[0] << 16 | rgb[1] << 8 | rgb[2]));
    ck_assert_uint_eq(pixel(s, 4, STRIP + half / 2), colour_of(0));
    ck_assert_uint_eq(pixel(s, STRIP + half + half / 2, 4), colour_of(1));
    cairo_surface_destroy(s);
    bal_image_finish(&i);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("page/raster");
    TCase *tcase = tcase_create("raster");

    tcase_add_test(tcase, draws_points_where_they_are);
    tcase_add_loop_test(tcase, draws_points_that_are_one, 0, 2);
    tcase_add_test(tcase, draws_a_matrix);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
