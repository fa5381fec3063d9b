/* Calls a fuzz target with the files of its corpus, whole and cut short. */
#include <stdio.h>
#include <stdlib.h>

#include "balans/base/mem.h"
#include "target.h"

static int replay(const char *path)
{
    enum { MOST = 1 << 16 };
    uint8_t *data = malloc(MOST);
    FILE *f = fopen(path, "rb");
    size_t size = 0;

    if (f != NULL && data != NULL) {
        size = fread(data, 1, MOST, f);
        for (size_t cut = 0; cut <= size; cut++) {
            /* Of its own size, so that a tool sees what lies beyond. */
            uint8_t *part = malloc(cut + 1);
            for (size_t i = 0; part != NULL && i < cut; i++)
                part[i] = data[i];
            if (part != NULL)
                LLVMFuzzerTestOneInput(part, cut);
            free(part);
        }
    }
    if (f != NULL)
        fclose(f);
    free(data);
    return size > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    int bad = 0;

    for (int i = 1; i < argc; i++)
        if (replay(argv[i]) != 0) {
            fprintf(stderr, "cannot read '%s'\n", argv[i]);
            bad++;
        }
    if (bal_mem_held() != 0) {
        fprintf(stderr, "%lld bytes were not given back\n",
                (long long)bal_mem_held());
        bad++;
    }
    printf("%d files\n", argc - 1);
    return bad > 0 || argc < 2 ? EXIT_FAILURE : EXIT_SUCCESS;
}
