/* SPDX-License-Identifier: Apache-2.0 */
/* Exact samples of a unit on its own: the density exp(-V1(x)), V1 = J2 x^2 + J4 x^4 + b x in k_B T, tabulated and inverted. */
#ifndef EQUILIBRIUM_H
#define EQUILIBRIUM_H

#include <stdbool.h>

#include "config.h"

struct equilibrium {
    double J2, J4, bias;
    bool tabulated;
    double low, high;             /* beyond, the density is below e^-40 of its maximum */
    double cumulative[CELLS + 1]; /* at equally spaced points */
};

/* Get the interval outside of which V1 is higher than `depth` above its minimum. */
void equilibrium_support(double J2, double J4, double bias, double depth, double *low, double *high);

/* Tabulate the density of a unit, unless it is the one that is tabulated already. */
void equilibrium_tabulate(struct equilibrium *density, double J2, double J4, double bias);

/* Get the state below which lies a share u of the density. */
double equilibrium_invert(const struct equilibrium *density, double u);

#endif
