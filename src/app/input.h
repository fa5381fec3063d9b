/** @file  The input of a run: the file, its matrix, its batches. */
#ifndef BAL_APP_INPUT_H
#define BAL_APP_INPUT_H

#include <stddef.h>

#include "balans/app/params.h"
#include "balans/data/labels.h"
#include "balans/io/h5ad.h"
#include "balans/par/comm.h"

typedef struct bal_input {
    bal_comm *comm;
    const bal_params *par;
    bal_h5ad *file;
    bal_matrix_info info; ///< of the matrix that is corrected
    int columns;          ///< of obs that name batches, coarse to fine
    char **column;        ///< [columns] their names
    bal_labels **labels;  ///< [columns] their batches
    bal_size lost;        ///< batches of the last column that have no profile
                          ///< in the sample
} bal_input;

/** Opens the file, describes the matrix and reads the batches: of the column
 *  par->batch, or of the columns that it lists, with commas between; with
 *  par->fit_sample a sample of the profiles is all that there is.
 *  Collective.  Fails as opening does, and where the output could not be made
 *  of it. */
bal_verdict bal_input_open(bal_comm *c, const bal_params *par, bal_input *out);

/** Room for `most` columns, of which there are none yet.  Local.  Fails with
 *  BAL_ENOMEM. */
bal_status bal_input_allot(bal_input *in, int most);

/** Collective; one that was zeroed is fine. */
void bal_input_close(bal_input *in);

/** Says what the run works on.  Only once it has been read, as a failure before
 *  that is to be all that is on stderr.  Local. */
void bal_input_say(const bal_input *in);

enum { BAL_PATH_MOST = 512 }; ///< of elements named after the matrix

/** The element that --keep-original makes.  Local. */
void bal_input_original(const bal_params *par, char *path, size_t size);

#endif
