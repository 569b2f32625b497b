/* SPDX-License-Identifier: Apache-2.0 */
/* A program, in single precision:
 *
 *     V(x) = sum_i (J2_i x_i^2 + J4_i x_i^4 + b_i x_i) + sum_(ij) J_ij x_i x_j
 *
 * Energies in k_B T. The couplings stand in compressed rows, each pair in both.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

struct program {
    uint32_t units; /* 0: none is loaded */
    float J2[UNITS_MAX];
    float J4[UNITS_MAX];
    float biases[UNITS_MAX];
    uint32_t rows[UNITS_MAX + 1]; /* where each row begins */
    uint16_t partner[2 * PAIRS_MAX];
    float coupling[2 * PAIRS_MAX];
};

/* What a program is made of: a coupling table that was sent, or one that was compiled in. */
struct program_source {
    const void *data;
    uint32_t units;
    double (*J2)(const void *data, uint32_t unit);
    double (*J4)(const void *data, uint32_t unit);
    double (*bias)(const void *data, uint32_t unit);
    /* Go to the pair behind the one in `pair`, which starts from {0}; false at the end. */
    struct pair {
        uint32_t i, j, number, begun;
        double coupling;
    } first;
    bool (*next)(const void *data, struct pair *pair);
};

/* Tell what is wrong with energies, or NULL: they must be finite in single precision and bounded below. */
const char *program_fault(const struct program_source *source);

/* Build a program from a source without fault. */
void program_build(struct program *program, const struct program_source *source);

/* Get the largest sum of |J_ij| over the partners of a unit. */
float program_largest_row(const struct program *program);

bool is_finite(double value); /* in single precision */

#endif
