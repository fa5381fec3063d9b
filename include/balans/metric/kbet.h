/**
 * @file
 * kBET: how often a chi-squared test finds the batches around a point to be
 * other than those of its label.
 */
#ifndef BAL_METRIC_KBET_H
#define BAL_METRIC_KBET_H

#include "balans/base/status.h"
#include "balans/metric/ring.h"
#include "balans/metric/set.h"
#include "balans/par/comm.h"

/** P(X > x) of a chi-squared variable, x >= 0, dof >= 1.  Local. */
double bal_chi2_survival(double x, double dof);

/**
 * The rejection rate of every label.
 *
 * For each label with at least 10 points and more than one batch,
 *
 *     k0 = min(70, max(10, floor(mean size of its batches / 4)));
 *
 * the batches of a point and its k0 - 1 nearest others of the label are
 * compared with the batches of the label, a test at level 0.05.  Where the
 * label is in several components, those of less than 3 k0 points are not
 * tested, and the rate is 1 if what is left is less than 75 % of the label.
 *
 * Collective.  Same on every rank: kind.
 * @param[in]  root  [n], of bal_label_components()
 * @param[out] rate  [labels]; NaN where it is not defined
 * Fails with BAL_ENOMEM.
 * Cost: 3 d flops a pair of points of one label.
 * Reference: Buettner et al., Nature Methods 16, 2019; per label as in scib
 * (Luecken et al., Nature Methods 19, 2022).
 */
bal_verdict bal_kbet(bal_comm *c, const bal_set *set, bal_space_kind kind,
                     const int32_t *root, int threads, double *rate);

#endif
