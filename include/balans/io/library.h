/** @file  Which HDF5 the program runs with. */
#ifndef BAL_IO_LIBRARY_H
#define BAL_IO_LIBRARY_H

/** Name and version of the library in use, such as "HDF5 1.10.8".  Local. */
const char *bal_hdf5_version(void);

#endif
