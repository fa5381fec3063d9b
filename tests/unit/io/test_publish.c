#define _XOPEN_SOURCE 700
#include "balans/io/publish.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "balans/par/comm.h"
#include "files_fixture.h"
#include "mpi_check.h"

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    ck_assert(f != NULL);
    fputs(text, f);
    fclose(f);
}

static bool holds(const char *path, const char *text)
{
    char is[64] = "";
    FILE *f = fopen(path, "r");

    if (f == NULL)
        return false;
    is[fread(is, 1, sizeof is - 1, f)] = '\0';
    fclose(f);
    return strcmp(is, text) == 0;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Whether the last failure said so, which is cleared. */
static bool error_was(const char *part)
{
    bool has = error_has(part);

    if (!has)
        printf("'%s' instead of '%s'\n", bal_error_get()->text, part);
    bal_error_clear();
    return has;
}

static bal_publish *begin(const char *path, bool replace, const char *text)
{
    bal_publish *p = NULL;

    ck_assert_msg(!bal_failed(bal_publish_begin(path, replace, &p)), "%s",
                  bal_error_get()->text);
    write_text(bal_publish_temporary(p), text);
    return p;
}

START_TEST(a_file_appears_complete)
{
    char path[512], temporary[600];

    snprintf(path, sizeof path, "%s", files_path("a"));
    bal_publish *p = begin(path, false, "all");
    snprintf(temporary, sizeof temporary, "%s", bal_publish_temporary(p));
    ck_assert(!is_there(path) && is_there(temporary));
    ck_assert(strncmp(temporary, path, strlen(path)) == 0);
    ck_assert(!bal_failed(bal_publish_finish(&p, NULL)) && p == NULL);
    ck_assert(holds(path, "all") && !is_there(temporary));
    ck_assert(bal_failed(bal_publish_check(path, false)));
    ck_assert(error_was("--force"));
}
END_TEST

static bal_status refuse(const char *path)
{
    return BAL_FAIL(BAL_EIO, "'%s' will not do", path);
}

START_TEST(a_file_that_fails_its_test_does_not_appear)
{
    bal_publish *p = begin(files_path("b"), false, "all");
    char temporary[600];

    snprintf(temporary, sizeof temporary, "%s", bal_publish_temporary(p));
    ck_assert(bal_failed(bal_publish_finish(&p, refuse)) && p == NULL);
    ck_assert(error_was("will not do"));
    ck_assert(!is_there(files_path("b")) && !is_there(temporary));
}
END_TEST

/* Of two that write one file, the second to end says so. */
START_TEST(one_of_two_fails)
{
    for (int old = 0; old < 2; old++) {
        const char *path = files_path(old ? "c1" : "c0");
        if (old)
            write_text(path, "old");
        bal_publish *one = begin(path, true, "one");
        bal_publish *two = begin(path, true, "two");
        ck_assert(strcmp(bal_publish_temporary(one),
                         bal_publish_temporary(two)) != 0);
        ck_assert(!bal_failed(bal_publish_finish(&two, NULL)));
        ck_assert(bal_failed(bal_publish_finish(&one, NULL)));
        ck_assert(error_was("another program"));
        ck_assert(holds(path, "two"));
    }
}
END_TEST

START_TEST(what_is_left_of_others_stays)
{
    const char *path = files_path("d");
    char left[600];

    snprintf(left, sizeof left, "%s.partial", path);
    write_text(left, "theirs");
    bal_publish *p = begin(path, false, "mine");
    ck_assert(!bal_failed(bal_publish_finish(&p, NULL)));
    ck_assert(holds(left, "theirs") && holds(path, "mine"));
    p = begin(path, true, "mine");
    bal_publish_discard(&p);
    ck_assert(p == NULL && holds(path, "mine"));
    bal_publish_discard(&p);
}
END_TEST

/* A process of this program that lives and has the file in the making. */
START_TEST(a_running_process_is_found)
{
    const char *path = files_path("e");
    int told[2];
    char byte = 0;
    bal_publish *p = NULL;

    ck_assert(pipe(told) == 0);
    pid_t child = fork();
    if (child == 0) {
        bool begun = !bal_failed(bal_publish_begin(path, true, &p));
        ssize_t sent = write(told[1], begun ? "y" : "n", 1);
        while (sent == 1)
            pause();
        _exit(1);
    }
    ck_assert(read(told[0], &byte, 1) == 1 && byte == 'y');
    ck_assert(bal_failed(bal_publish_check(path, true)));
    ck_assert(error_was("another run"));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ck_assert(!bal_failed(bal_publish_check(path, true)));
    close(told[0]);
    close(told[1]);
}
END_TEST

static bool are_apart(const char *one, const char *other)
{
    const bal_named_file file[] = {{"the input", one, false},
                                   {"the report", NULL, true},
                                   {"the output", other, true}};
    bool apart = !bal_failed(bal_publish_apart(file, 3));

    bal_error_clear();
    return apart;
}

START_TEST(names_of_one_file)
{
    char there[512], none[512], linked[512], way[600], folder[512];

    snprintf(there, sizeof there, "%s", files_path("f"));
    snprintf(none, sizeof none, "%s", files_path("g"));
    snprintf(linked, sizeof linked, "%s", files_path("f-link"));
    write_text(there, "f");
    ck_assert(are_apart(there, none) && are_apart(none, there));
    ck_assert(!are_apart(there, there) && !are_apart(none, none));
    ck_assert(link(there, linked) == 0);
    ck_assert(!are_apart(there, linked));
    snprintf(folder, sizeof folder, "%s", there);
    *strrchr(folder, '/') = '\0';
    snprintf(way, sizeof way, "%s/./g", folder);
    ck_assert(!are_apart(none, way));
    ck_assert(chdir(folder) == 0);
    ck_assert(!are_apart(none, "g") && !are_apart("./g", "g"));
    ck_assert(symlink("g", files_path("g-link")) == 0);
    ck_assert(!are_apart(none, files_path("g-link")));
    ck_assert(chdir("/") == 0);
}
END_TEST

START_TEST(a_long_name)
{
    char path[900];

    snprintf(path, sizeof path, "%s", files_path("x"));
    size_t at = strlen(path);
    memset(path + at, 'x', 254);
    path[at + 254] = '\0';
    bal_publish *p = begin(path, false, "long");
    ck_assert(!bal_failed(bal_publish_finish(&p, NULL)));
    ck_assert(holds(path, "long"));
    strcat(path, "x");
    ck_assert(bal_failed(bal_publish_check(path, false)));
    bal_error_clear();
}
END_TEST

START_TEST(marks_tell_changes)
{
    const char *path = files_path("m");

    ck_assert(!bal_file_look(path).there);
    write_text(path, "1");
    bal_file_mark before = bal_file_look(path), now = bal_file_look(path);
    ck_assert(before.there && bal_file_same(&before, &now, true));
    write_text(path, "12");
    now = bal_file_look(path);
    ck_assert(!bal_file_same(&before, &now, true));
}
END_TEST

int main(int argc, char **argv)
{
    Suite *s = suite_create("publish");
    TCase *c = tcase_create("publish");

    tcase_add_unchecked_fixture(c, set_up, tear_down);
    tcase_add_test(c, a_file_appears_complete);
    tcase_add_test(c, a_file_that_fails_its_test_does_not_appear);
    tcase_add_test(c, one_of_two_fails);
    tcase_add_test(c, what_is_left_of_others_stays);
    tcase_add_test(c, a_running_process_is_found);
    tcase_add_test(c, names_of_one_file);
    tcase_add_test(c, a_long_name);
    tcase_add_test(c, marks_tell_changes);
    suite_add_tcase(s, c);
    return mpi_check_run(s, argc, argv);
}
