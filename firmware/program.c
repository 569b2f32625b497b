/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <float.h>
#include <math.h>
#include <string.h>

bool is_finite(double value)
{
    return fabs(value) <= (double)FLT_MAX; /* false for NaN */
}

const char *program_fault(const struct program_source *source)
{
    struct pair pair = source->first;
    uint32_t unit;

    for (unit = 0; unit < source->units; unit++) {
        const double J2 = source->J2(source->data, unit), J4 = source->J4(source->data, unit);

        if (!is_finite(J2) || !is_finite(J4) || !is_finite(source->bias(source->data, unit)))
            return "an energy of a unit is not finite in single precision";
        if (J4 < 0 || ((float)J4 <= 0 && (float)J2 <= 0))
            return "the energy of a unit is not bounded below";
    }
    while (source->next(source->data, &pair))
        if (!is_finite(pair.coupling))
            return "a coupling is not finite in single precision";
    return NULL;
}

void program_build(struct program *program, const struct program_source *source)
{
    struct pair pair;
    uint32_t unit;

    memset(program->rows, 0, sizeof program->rows);
    program->units = source->units;
    for (unit = 0; unit < source->units; unit++) {
        program->J2[unit] = (float)source->J2(source->data, unit);
        program->J4[unit] = (float)source->J4(source->data, unit);
        program->biases[unit] = (float)source->bias(source->data, unit);
    }
    for (pair = source->first; source->next(source->data, &pair);) {
        if ((float)pair.coupling != 0.0F) {
            program->rows[pair.i]++;
            program->rows[pair.j]++;
        }
    }
    for (unit = 1; unit <= UNITS_MAX; unit++) /* rows[i] is where row i ends */
        program->rows[unit] += program->rows[unit - 1];
    for (pair = source->first; source->next(source->data, &pair);) {
        const float coupling = (float)pair.coupling;
        uint32_t at;

        if (coupling != 0.0F) {
            at = --program->rows[pair.i];
            program->partner[at] = (uint16_t)pair.j;
            program->coupling[at] = coupling;
            at = --program->rows[pair.j];
            program->partner[at] = (uint16_t)pair.i;
            program->coupling[at] = coupling;
        }
    }
}

float program_largest_row(const struct program *program)
{
    float largest = 0;
    uint32_t unit, k;

    for (unit = 0; unit < program->units; unit++) {
        float sum = 0;

        for (k = program->rows[unit]; k < program->rows[unit + 1]; k++)
            sum += fabsf(program->coupling[k]);
        largest = fmaxf(largest, sum);
    }
    return largest;
}
