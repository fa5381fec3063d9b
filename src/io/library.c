#include "balans/io/library.h"

#include <hdf5.h>
#include <stdio.h>

const char *bal_hdf5_version(void)
{
    static char text[48];
    unsigned major = 0, minor = 0, release = 0;

    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "HDF5 %u.%u.%u", major, minor, release);
    return text;
}
