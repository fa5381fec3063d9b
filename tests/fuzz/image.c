#define _GNU_SOURCE
#include "image.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "balans/base/file.h"
#include "balans/base/mem.h"
#include "internal.h"

static char folder[64];

const char *fuzz_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/balans-fuzz-XXXXXX");
    fuzz_insist(mkdtemp(folder) != NULL);
    return folder;
}

void fuzz_folder_remove(void)
{
    char command[96];

    snprintf(command, sizeof command, "rm -r '%s'", folder);
    fuzz_insist(system(command) == 0);
}

void fuzz_image_read(fuzz_image *image, const char *path,
                     const bal_store_kind *kind)
{
    bal_store *s = NULL;

    fuzz_insist(!bal_failed(bal_store_open(fuzz_comm(), path, kind, &s)));
    *image = (fuzz_image){kind, NULL, lseek(s->fd, 0, SEEK_END), s->keys,
                          s->table};
    image->at = malloc((size_t)image->bytes);
    fuzz_insist(image->at != NULL &&
                bal_file_read(s->fd, 0, image->bytes, image->at) ==
                    image->bytes);
    bal_store_close(&s);
}

/* ---- Changes ---- */

static void change_key(bal_store_array *a, uint8_t what, int64_t value)
{
    int64_t *const field[] = {&a->type, &a->n, &a->d, &a->row, &a->at};

    *field[what] = value;
}

static void change_value(const fuzz_image *image, char *at,
                         const bal_store_array *a, uint16_t place,
                         int64_t value)
{
    size_t size = a->type == BAL_STORE_TEXT || a->d <= 0
                      ? 1
                      : (size_t)(a->row / a->d);
    bal_size count = a->n * a->row / (bal_size)size;

    if (count > 0 && size <= sizeof value && a->at >= 0 &&
        a->at + a->n * a->row <= image->bytes)
        memcpy(at + a->at + place % count * (bal_size)size, &value, size);
}

/* Each change takes a byte for the key, one for what of it, two for the place,
 * and a number: a small one, or eight bytes. */
static void change(const fuzz_image *image, char *at, fuzz_bytes *b)
{
    bal_store_array a;

    while (b->left > 0) {
        char *entry = at + image->table +
                      fuzz_byte(b) % image->keys * (bal_size)sizeof a;
        uint8_t what = fuzz_byte(b), small;
        uint16_t place = (uint16_t)(fuzz_byte(b) << 8 | fuzz_byte(b));
        small = fuzz_byte(b);
        int64_t value = small < 128 ? small - 8 : (int64_t)fuzz_word(b);
        if (what % 16 < 5) {
            memcpy(&a, entry, sizeof a);
            change_key(&a, what % 16, value);
            memcpy(entry, &a, sizeof a);
        } else {
            memcpy(&a, image->at + (entry - at), sizeof a);
            change_value(image, at, &a, place, value);
        }
    }
}

static int file = -1;

const char *fuzz_image_change(const fuzz_image *image, fuzz_bytes *b)
{
    static char path[64];
    char *at = malloc((size_t)image->bytes);
    bal_store *s = NULL;

    fuzz_insist(at != NULL);
    memcpy(at, image->at, (size_t)image->bytes);
    change(image, at, b);
    if (file >= 0)
        close(file);
    file = memfd_create("a store", MFD_CLOEXEC);
    fuzz_insist(file >= 0 && bal_file_write(file, 0, image->bytes, at) >= 0);
    free(at);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    fuzz_insist(
        !bal_failed(bal_store_new(fuzz_comm(), image->kind, BAL_EIO, &s)) &&
        !bal_failed(bal_alloc(&s->path, (bal_size)sizeof path, "a path")));
    memcpy(s->path, path, sizeof path);
    s->keys = image->keys;
    s->table = image->table;
    fuzz_insist(!bal_failed(bal_store_reopen(s, O_RDWR)) &&
                !bal_failed(bal_store_seal(s)));
    bal_store_close(&s);
    return path;
}
