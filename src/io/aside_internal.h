/* What a helper process can do. */
#ifndef BAL_IO_ASIDE_INTERNAL_H
#define BAL_IO_ASIDE_INTERNAL_H

#include "balans/io/aside.h"

/* Takes a request apart and packs the answer. */
typedef bal_status bal_aside_work(bal_pack *in, bal_pack *out);

extern bal_aside_work *const bal_aside_work_table[BAL_ASIDE_COUNT];

#endif
