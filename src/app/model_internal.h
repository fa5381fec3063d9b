/** @file  What model.c and model_read.c share; not for others. */
#ifndef BAL_APP_MODEL_INTERNAL_H
#define BAL_APP_MODEL_INTERNAL_H

#include "balans/io/store.h"

/** Numbers in "settings", in "shares", and in the head of a pass. */
/* What a pass keeps of its trust; 0 without. */
enum { BAL_MODEL_TRUSTS = 1, BAL_MODEL_STRICT = 2 };
enum { BAL_MODEL_WHOLE = 8, BAL_MODEL_REAL = 2, BAL_MODEL_HEAD = 9 };

extern const bal_store_kind bal_model_kind;

#endif
