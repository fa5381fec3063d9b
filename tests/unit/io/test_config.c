#define _POSIX_C_SOURCE 200809L
/* Configuration files: what is read, and which line is blamed. */
#include "balans/io/config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "balans/base/mem.h"
#include "mpi_check.h"

static bal_comm comm;

static void set_up(void)
{
    bal_comm_init(&comm, MPI_COMM_WORLD);
}

static void tear_down(void)
{
    bal_comm_finish(&comm);
}

static bal_config *parse(const char *text)
{
    bal_config *f;

    bal_error_clear();
    (void)bal_config_parse("a.yaml", text, (bal_size)strlen(text), &f);
    return f;
}

START_TEST(reads_a_mapping)
{
    bal_config *f =
        parse("# first\na: 1\nb-c: 'x: y'\n\nd: \"2\"  # two\ne:\n");

    all_assert(f != NULL && f->count == 4);
    all_assert(strcmp(f->path, "a.yaml") == 0);
    all_assert(strcmp(f->at[0].key, "a") == 0 && f->at[0].line == 2);
    all_assert(strcmp(f->at[0].value, "1") == 0 && !f->at[0].quoted);
    all_assert(strcmp(f->at[1].value, "x: y") == 0 && f->at[1].quoted);
    all_assert(strcmp(f->at[2].value, "2") == 0 && f->at[2].line == 5);
    all_assert(f->at[3].value[0] == '\0' && !f->at[3].quoted);
    bal_config_destroy(&f);
    all_assert(f == NULL && bal_mem_held() == 0);
}
END_TEST

START_TEST(accepts_nothing)
{
    static const char *const empty[] = {"", "\n\n", "# only a comment\n", "{}"};

    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        bal_config *f = parse(empty[i]);
        all_assert_msg(f != NULL && f->count == 0, "'%s'", empty[i]);
        bal_config_destroy(&f);
    }
}
END_TEST

typedef struct wrong {
    const char *text, *word, *line;
} wrong;

static const wrong cases[] = {
    {"a: 1\na: 2\n", "'a'", "line 2"},
    {"a: 1\nb: [1]\n", "'b'", "line 2"},
    {"a: 1\nb:\n  c: 2\n", "'b'", "line 2"},
    {"? [a]\n: 1\n", "key", "line 1"},
    {"- a\n", "mapping", "line 1"},
    {"just words\n", "mapping", "line 1"},
    {"a: 1\n\tb: 2\n", "YAML", "line 2"},
    {"a: 'x\n", "YAML", "line"},
    {"a: 1\n---\nb: 2\n", "document", "line 2"},
    {"a: \"x\\0y\"\n", "'a'", "line 1"},
};

START_TEST(blames_the_line)
{
    const wrong *w = &cases[_i];
    bal_config *f = parse(w->text);
    const char *text = bal_error_get()->text;

    all_assert(f == NULL);
    all_assert(bal_error_get()->code == BAL_EUSAGE);
    all_assert_msg(strstr(text, w->word) != NULL &&
                       strstr(text, w->line) != NULL &&
                       strstr(text, "'a.yaml'") != NULL,
                   "%s", text);
    all_assert(bal_mem_held() == 0);
    bal_error_clear();
}
END_TEST

/* A file of rank 0's, whose name all know. */
static void write_file(char *path, size_t size, const char *text)
{
    int number = (int)getpid();

    MPI_Bcast(&number, 1, MPI_INT, 0, MPI_COMM_WORLD);
    snprintf(path, size, "test_config_%d.yaml", number);
    if (comm.rank == 0) {
        FILE *f = fopen(path, "w");
        fputs(text, f);
        fclose(f);
    }
    bal_comm_barrier(&comm);
}

START_TEST(all_ranks_get_the_file)
{
    char path[64];
    bal_config *f;

    write_file(path, sizeof path, "a: 1\nb: 2\n");
    all_assert(!bal_failed(bal_config_read(&comm, path, &f)));
    all_assert(f->count == 2 && strcmp(f->at[1].value, "2") == 0);
    bal_config_destroy(&f);
    if (comm.rank == 0)
        remove(path);
}
END_TEST

START_TEST(all_ranks_get_the_failure)
{
    bal_config *f;

    bal_error_clear();
    bal_verdict st = bal_config_read(&comm, "no/such/file.yaml", &f);
    all_assert(st.code == BAL_EUSAGE && f == NULL);
    all_assert(strstr(bal_error_get()->text, "no/such/file.yaml") != NULL);
    all_assert(bal_error_get()->rank == 0);
    bal_error_clear();
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("io/config");
    TCase *tcase = tcase_create("config");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, reads_a_mapping);
    tcase_add_test(tcase, accepts_nothing);
    tcase_add_loop_test(tcase, blames_the_line, 0,
                        (int)(sizeof cases / sizeof *cases));
    tcase_add_test(tcase, all_ranks_get_the_file);
    tcase_add_test(tcase, all_ranks_get_the_failure);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
