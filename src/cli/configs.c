#define _XOPEN_SOURCE 700
#include "balans/cli/configs.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".yaml"

enum { FOLDERS = 3 };

/* The folder beside the program; empty if that cannot be told. */
static void beside_program(char *folder, size_t size)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);

    folder[0] = '\0';
    if (length <= 0)
        return;
    program[length] = '\0';
    char *slash = strrchr(program, '/');
    if (slash == NULL)
        return;
    *slash = '\0';
    int need = snprintf(folder, size, "%s/../share/balans/configs", program);
    if (need < 0 || (size_t)need >= size)
        folder[0] = '\0';
}

static int is_configuration(const struct dirent *d)
{
    size_t length = strlen(d->d_name), suffix = strlen(SUFFIX);

    return length > suffix && d->d_name[0] != '.' &&
           strcmp(d->d_name + length - suffix, SUFFIX) == 0;
}

/* "a, b, c": the names in a folder; empty if it cannot be read. */
static void list_folder(const char *folder, char *buf, size_t size)
{
    struct dirent **entry;
    size_t used = 0;
    int count = scandir(folder, &entry, is_configuration, alphasort);

    buf[0] = '\0';
    if (count < 0)
        return;
    for (int i = 0; i < count; i++) {
        int length = (int)(strlen(entry[i]->d_name) - strlen(SUFFIX));
        int need = snprintf(buf + used, size - used, "%s%.*s",
                            i > 0 ? ", " : "", length, entry[i]->d_name);
        if (need > 0)
            used += (size_t)need < size - used ? (size_t)need : 0;
        free(entry[i]);
    }
    free(entry);
}

static bal_status fail_unknown(const char *given, const char *const *folder)
{
    char names[256] = "";

    for (int i = 0; i < FOLDERS && names[0] == '\0'; i++)
        list_folder(folder[i], names, sizeof names);
    if (names[0] == '\0')
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot use configuration '%s': none are installed "
                        "beside the program; give the path of a file",
                        given);
    return BAL_FAIL(BAL_EUSAGE,
                    "cannot use configuration '%s': there is none of that "
                    "name, but %s; a file of your own is named with its path, "
                    "as in './%s" SUFFIX "'",
                    given, names, given);
}

bal_status bal_configs_find(const char *given, char *path, size_t size)
{
    char beside[PATH_MAX + 32];
    const char *const folder[FOLDERS] = {beside, BAL_CONFIGS_INSTALLED,
                                         BAL_CONFIGS_SOURCE};
    int need = 0;

    if (strpbrk(given, "/.") != NULL) {
        need = snprintf(path, size, "%s", given);
    } else {
        bool found = false;
        beside_program(beside, sizeof beside);
        for (int i = 0; i < FOLDERS && !found; i++) {
            need = snprintf(path, size, "%s/%s" SUFFIX, folder[i], given);
            found = need >= 0 && (size_t)need < size && access(path, R_OK) == 0;
        }
        if (!found)
            return fail_unknown(given, folder);
    }
    if (need < 0 || (size_t)need >= size)
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot use a path of %d bytes for "
                        "'--config'; it is too long",
                        need);
    return BAL_OK;
}
