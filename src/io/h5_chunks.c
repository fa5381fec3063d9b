/* Where the index of a dataset's chunks is damaged, HDF5 finds some chunks no
 * more and gives fill values without a word.  An index that can be trusted
 * lists each chunk once, at a place where the dataset has one. */
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/h5.h"

/* Looking for the n-th chunk, HDF5 goes through those before it. */
enum { MOST = 2000 };

/* The number of a chunk in the order of places, or -1 where there is no such
 * place. */
static int64_t place_of(int rank, const hsize_t *offset, const hsize_t *extent,
                        const hsize_t *chunk)
{
    int64_t place = 0;

    for (int i = 0; i < rank; i++) {
        if (chunk[i] == 0 || offset[i] >= extent[i] || offset[i] % chunk[i] > 0)
            return -1;
        place = place * (int64_t)((extent[i] + chunk[i] - 1) / chunk[i]) +
                (int64_t)(offset[i] / chunk[i]);
    }
    return place;
}

static int by_place(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static bool is_sound(hid_t dataset, hid_t space, hid_t dcpl, hsize_t chunks,
                     int64_t *place)
{
    hsize_t extent[H5S_MAX_RANK], chunk[H5S_MAX_RANK], offset[H5S_MAX_RANK];
    int rank = H5Sget_simple_extent_dims(space, extent, NULL);

    if (H5Pget_chunk(dcpl, H5S_MAX_RANK, chunk) != rank)
        return false;
    for (hsize_t i = 0; i < chunks; i++) {
        unsigned filters;
        haddr_t address;
        hsize_t bytes;
        if (H5Dget_chunk_info(dataset, space, i, offset, &filters, &address,
                              &bytes) < 0)
            return false;
        place[i] = place_of(rank, offset, extent, chunk);
    }
    qsort(place, (size_t)chunks, sizeof *place, by_place);
    for (hsize_t i = 0; i < chunks; i++)
        if (place[i] < 0 || (i > 0 && place[i] == place[i - 1]))
            return false;
    return true;
}

bal_status bal_h5_check_chunks(hid_t dataset)
{
    hid_t dcpl = H5Dget_create_plist(dataset), space = H5Dget_space(dataset);
    hsize_t chunks = 0;
    int64_t *place = NULL;
    bal_status st = BAL_OK;

    if (H5Pget_layout(dcpl) != H5D_CHUNKED)
        goto done;
    if (H5Dget_num_chunks(dataset, space, &chunks) < 0) {
        st = bal_h5_fail(BAL_EINPUT, "read", dataset);
        goto done;
    }
    if (chunks > MOST)
        goto done;
    BAL_TRY(bal_alloc(&place, (bal_size)chunks, "a list of chunks"));
    if (!is_sound(dataset, space, dcpl, chunks, place)) {
        char path[BAL_H5_TEXT_MAX], file[BAL_H5_PATH_MAX] = "?";
        H5Fget_name(dataset, file, sizeof file);
        st = BAL_FAIL(BAL_EINPUT,
                      "cannot read '%s', '%s': the index of its chunks is "
                      "damaged",
                      file, bal_h5_path(dataset, path, sizeof path));
    }
done:
    bal_free(&place);
    bal_h5_close(&space);
    bal_h5_close(&dcpl);
    return st;
}
