#ifndef BAL_APP_EVALUATE_INTERNAL_H
#define BAL_APP_EVALUATE_INTERNAL_H

#include <jansson.h>

#include "balans/app/evaluate.h"
#include "balans/data/labels.h"
#include "balans/io/h5ad.h"
#include "balans/metric/scores.h"

typedef struct bal_evaluation {
    bal_comm *comm;
    const bal_params *par;
    int threads;
    bal_h5ad *file;
    bal_labels *batch, *label;
    bal_size control;     /* code of the controls' label, -1 if there is none */
    bal_size controls;    /* their number */
    char **name;          /* [matrices] */
    bal_scores **score;   /* [matrices] */
    bal_size *label_size; /* [labels], without controls */
    bal_size *batch_size; /* [batches] */
    bal_size points;      /* without controls */
    bal_size matrices;
} bal_evaluation;

/* The table on stdout, with notes below.  Local. */
void bal_evaluation_print(const bal_evaluation *v);

/* What goes into the JSON file; NULL if memory ran out.  Local. */
json_t *bal_evaluation_report(const bal_evaluation *v);

#endif
