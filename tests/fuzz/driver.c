/* Calls a fuzz target with the files of its corpus, whole and cut short. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "balans/base/mem.h"
#include "target.h"

/* Of its own size, so that a tool sees what lies beyond. */
static void try(const uint8_t *data, size_t size)
{
    uint8_t *part = malloc(size + 1);

    for (size_t i = 0; part != NULL && i < size; i++)
        part[i] = data[i];
    if (part != NULL)
        LLVMFuzzerTestOneInput(part, size);
    free(part);
}

/* At most about CUTS pieces of a file. */
static int replay(const char *path)
{
    enum { MOST = 1 << 16, CUTS = 64 };
    uint8_t *data = malloc(MOST);
    FILE *f = fopen(path, "rb");
    size_t size = 0;

    if (f != NULL && data != NULL) {
        size = fread(data, 1, MOST, f);
        for (size_t cut = 0; cut < size; cut += 1 + size / CUTS)
            try(data, cut);
        try(data, size);
    }
    if (f != NULL)
        fclose(f);
    free(data);
    return size > 0 ? 0 : 1;
}

/* @return how many files of a folder were tried, or -1 */
static int replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    char path[4096];
    int files = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (replay(path) != 0) {
            fprintf(stderr, "cannot read '%s'\n", path);
            files = -1;
            break;
        }
        files++;
    }
    if (dir != NULL)
        closedir(dir);
    return files;
}

int main(int argc, char **argv)
{
    int files;
    bal_size held;

    LLVMFuzzerInitialize(&argc, &argv);
    try(NULL, 0); /* it may make what it keeps */
    held = bal_mem_held();
    files = argc == 2 ? replay_folder(argv[1]) : -1;
    if (bal_mem_held() != held) {
        fprintf(stderr, "%lld bytes were not given back\n",
                (long long)(bal_mem_held() - held));
        files = -1;
    }
    printf("%d files\n", files);
    return files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
