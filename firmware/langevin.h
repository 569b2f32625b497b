/* SPDX-License-Identifier: Apache-2.0 */
/* The computer: overdamped Langevin dynamics of the loaded program, by Euler-Maruyama (mobility = kT = 1).
 *
 *     x_(k+1) = x_k - mu V'(x_k) dt + sqrt(2 mu kT dt) eta_k
 *
 * A board with analog units replaces this file: it starts its units and reads them out.
 */
#ifndef LANGEVIN_H
#define LANGEVIN_H

#include <stdbool.h>

#include "program.h"

struct langevin {
    const struct program *program;
    float dt;
    float noise; /* sqrt(2 mu kT dt) */
    uint64_t seed;
    uint32_t chain;
    uint32_t step;
    float x[UNITS_MAX];
};

/* Set up; kT is 1 but in tests, where 0 switches the noise off. */
void langevin_prepare(struct langevin *computer, const struct program *program, double dt, double kT, uint64_t seed);

/* Start the trajectory of a chain at `computer->x`. */
void langevin_begin(struct langevin *computer, uint32_t chain);

void langevin_step(struct langevin *computer);

/* Tell whether the states are still such as a computer can have. */
bool langevin_sound(const struct langevin *computer);

/* Get what a step costs, in multiplications or so. */
uint32_t langevin_cost(const struct program *program);

/* Get the longest time step that is accurate: a twentieth of the stable one. */
double langevin_own_step(const struct program *program);

#endif
