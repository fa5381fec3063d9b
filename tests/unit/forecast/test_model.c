#include "mpi_check.h"
