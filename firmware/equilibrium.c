/* SPDX-License-Identifier: Apache-2.0 */
#include "equilibrium.h"

#include <math.h>

#define DEPTH 40.0 /* k_B T */
#define HALVINGS 64

struct unit {
    double J2, J4, push; /* V1 = J2 x^2 + J4 x^4 - push x, push >= 0 */
};

static double energy(const struct unit *unit, double x)
{
    return ((unit->J4 * x * x + unit->J2) * x - unit->push) * x;
}

static double slope(const struct unit *unit, double x)
{
    return (4 * unit->J4 * x * x + 2 * unit->J2) * x - unit->push;
}

typedef double (*function)(const struct unit *unit, double x);

/* Find where a function crosses a level between `below`, where it is lower, and `above`. */
static double crossing(function f, const struct unit *unit, double level, double below, double above)
{
    int k;

    for (k = 0; k < HALVINGS; k++) {
        const double middle = 0.5 * (below + above);

        if (f(unit, middle) < level)
            below = middle;
        else
            above = middle;
    }
    return 0.5 * (below + above);
}

/* The same from `below` outwards, in the direction of `step`, where the function rises without bound. */
static double crossing_outside(function f, const struct unit *unit, double level, double below, double step)
{
    while (f(unit, below + step) < level && fabs(step) < 1e60)
        step *= 2;
    return crossing(f, unit, level, below, below + step);
}

static double falling(const struct unit *unit, double x)
{
    return -slope(unit, x);
}

void equilibrium_support(double J2, double J4, double bias, double depth, double *low, double *high)
{
    const struct unit unit = {J2, J4, fabs(bias)};
    /* The slope has its extremes at +-bend; the lowest state lies on the side to which the bias pushes. */
    const double bend = J2 < 0 ? sqrt(-J2 / (6 * J4)) : 0.0, small = 1e-3;
    const double lowest = crossing_outside(slope, &unit, 0, bend, small);
    const double level = energy(&unit, lowest) + depth;
    const double right = crossing_outside(energy, &unit, level, lowest, small);
    double left = lowest;
    bool apart = false; /* a barrier higher than the level lies between the wells, and the other one is above it */

    if (J2 < 0 && slope(&unit, -bend) > 0) {
        const double other = crossing_outside(falling, &unit, 0, -bend, -small);

        apart = !(energy(&unit, other) < level);
        left = apart ? crossing(energy, &unit, level, lowest, other) : other;
    }
    if (!apart)
        left = crossing_outside(energy, &unit, level, left, -small);
    *low = bias > 0 ? -right : left;
    *high = bias > 0 ? -left : right;
}

void equilibrium_tabulate(struct equilibrium *density, double J2, double J4, double bias)
{
    const struct unit unit = {J2, J4, -bias};
    double width, lowest = HUGE_VAL, sum = 0, before;
    int k;

    if (density->tabulated && !(density->J2 < J2) && !(density->J2 > J2) && !(density->J4 < J4) &&
        !(density->J4 > J4) && !(density->bias < bias) && !(density->bias > bias))
        return;
    density->J2 = J2;
    density->J4 = J4;
    density->bias = bias;
    density->tabulated = true;
    equilibrium_support(J2, J4, bias, DEPTH, &density->low, &density->high);
    width = (density->high - density->low) / CELLS;
    for (k = 0; k <= CELLS; k++)
        lowest = fmin(lowest, energy(&unit, density->low + k * width));
    /* Weights are good to 1e-6 each, which their sum makes better. Simpson's rule on each cell. */
    before = (double)expf((float)(lowest - energy(&unit, density->low)));
    density->cumulative[0] = 0;
    for (k = 0; k < CELLS; k++) {
        const double x = density->low + k * width;
        const double middle = (double)expf((float)(lowest - energy(&unit, x + 0.5 * width)));
        const double after = (double)expf((float)(lowest - energy(&unit, x + width)));

        sum += before + 4 * middle + after;
        density->cumulative[k + 1] = sum;
        before = after;
    }
    for (k = 0; k <= CELLS; k++)
        density->cumulative[k] /= sum;
}

double equilibrium_invert(const struct equilibrium *density, double u)
{
    int low = 0, high = CELLS;
    double step, share;

    while (high - low > 1) {
        const int middle = (low + high) / 2;

        if (density->cumulative[middle] < u)
            low = middle;
        else
            high = middle;
    }
    step = density->cumulative[low + 1] - density->cumulative[low];
    share = step > 0 ? (u - density->cumulative[low]) / step : 0.5;
    return density->low + (density->high - density->low) * (low + share) / CELLS;
}
