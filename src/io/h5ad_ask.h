/* Questions to the helper of rank 0, and answers for all ranks. */
#ifndef BAL_IO_H5AD_ASK_H
#define BAL_IO_H5AD_ASK_H

#include "aside_internal.h"
#include "balans/io/h5.h"

/* Rank 0 asks; every rank has the answer.  Collective. */
bal_verdict bal_ask(bal_comm *c, bal_aside_kind kind, const char *file,
                    bal_size bytes, const bal_pack *in, bal_pack *out);

/* The same for an answer that is a list.  Empty after a failure. */
bal_verdict bal_ask_list(bal_comm *c, bal_aside_kind kind, const char *file,
                         bal_size bytes, const bal_pack *in, bal_h5_list *list);

/* A list as it is packed. */
void bal_pack_list(bal_pack *p, const bal_h5_list *list);
bal_status bal_unpack_list(bal_pack *p, bal_h5_list *list);

/* What the helper does; each is with what it is about. */
bal_aside_work bal_work_look;
bal_aside_work bal_work_columns;
bal_aside_work bal_work_column;
bal_aside_work bal_work_matrices;
bal_aside_work bal_work_matrix;
bal_aside_work bal_work_features;
bal_aside_work bal_work_copy;
bal_aside_work bal_work_value;
bal_aside_work bal_work_entries;

#endif
