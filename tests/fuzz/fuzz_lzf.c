#include <stdlib.h>
#include <string.h>

#include "balans/io/lzf.h"
#include "target.h"

/* The first byte says how much room there is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t room = size > 0 ? 8 * (size_t)data[0] : 0, used = 0;
    unsigned char *to = malloc(room + 1);

    if (to == NULL || size == 0) {
        free(to);
        return 0;
    }
    if (bal_lzf_decode(data + 1, size - 1, to, room, &used) && used > room)
        abort();
    free(to);
    return 0;
}
