/* Text that comes from files, and images, inside a page. */
#define _POSIX_C_SOURCE 200809L
#include "balans/page/html.h"

#include <stdlib.h>
#include <string.h>

#include "mpi_check.h"

#define BAD "\xef\xbf\xbd"

typedef struct text {
    const char *given, *want;
} text;

static const text texts[] = {
    {"", ""},
    {"plate 7", "plate 7"},
    {"<script>alert('x')</script>",
     "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"},
    {"a & b \"c\"", "a &amp; b &quot;c&quot;"},
    {"&lt;", "&amp;lt;"},
    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
     "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"x\xff<", "x" BAD "&lt;"},
    {"\xc3<b>", BAD "&lt;b&gt;"},
    {"\xe2\x82<", BAD BAD "&lt;"},
    {"\xed\xa0\x80", BAD BAD BAD},
    {"\xc0\xbc", BAD BAD},
    {"a\x01\x7f\tb\n", "a" BAD BAD "\tb\n"},
};

static char *written;
static size_t bytes;
static FILE *stream;

static void set_up(void)
{
    stream = open_memstream(&written, &bytes);
}

static void tear_down(void)
{
    free(written);
}

START_TEST(escapes_text)
{
    bal_html_text(stream, texts[_i].given);
    fclose(stream);
    ck_assert_str_eq(written, texts[_i].want);
}
END_TEST

START_TEST(escapes_what_is_put_together)
{
    bal_html_say(stream, "%s of '%d'", "<b>", 7);
    fclose(stream);
    ck_assert_str_eq(written, "&lt;b&gt; of &#39;7&#39;");
}
END_TEST

START_TEST(puts_images_into_the_page)
{
    static const char *const want[] = {"TWFu", "TWE=", "TQ=="};
    unsigned char man[] = "Man";
    bal_image i = {man, 3 - _i, 3, 20, 10};

    bal_html_image(stream, &i, "a \"b\"");
    fclose(stream);
    ck_assert_ptr_nonnull(strstr(written, "alt=\"a &quot;b&quot;\""));
    ck_assert_ptr_nonnull(strstr(written, "width=\"20\" height=\"10\""));
    ck_assert_ptr_nonnull(strstr(written, want[_i]));
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("page/html");
    TCase *tcase = tcase_create("html");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, escapes_text, 0,
                        (int)(sizeof texts / sizeof *texts));
    tcase_add_test(tcase, escapes_what_is_put_together);
    tcase_add_loop_test(tcase, puts_images_into_the_page, 0, 3);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
