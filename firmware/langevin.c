/* SPDX-License-Identifier: Apache-2.0 */
#include "langevin.h"

#include <math.h>

#include "equilibrium.h"
#include "noise.h"

#define DIVERGED 1e6F
#define ACCURATE 0.05 /* of the stable step */

void langevin_prepare(struct langevin *computer, const struct program *program, double dt, double kT, uint64_t seed)
{
    computer->program = program;
    computer->dt = (float)dt;
    computer->noise = (float)sqrt(2 * kT * dt);
    computer->seed = seed;
}

void langevin_begin(struct langevin *computer, uint32_t chain)
{
    computer->chain = chain;
    computer->step = 0;
}

static float field(const struct program *program, const float *x, uint32_t unit)
{
    const uint32_t end = program->rows[unit + 1];
    float sum = program->biases[unit];
    uint32_t k;

    for (k = program->rows[unit]; k < end; k++)
        sum += program->coupling[k] * x[program->partner[k]];
    return sum;
}

void langevin_step(struct langevin *computer)
{
    static float change[UNITS_MAX + 3];
    const struct program *program = computer->program;
    const struct noise_key key = {computer->seed, computer->chain, computer->step, STREAM_DYNAMICS};
    uint32_t unit;

    for (unit = 0; unit < program->units; unit += 4)
        noise_normals(&key, unit / 4, change + unit);
    for (unit = 0; unit < program->units; unit++) {
        const float x = computer->x[unit];
        const float slope = (4.0F * program->J4[unit] * x * x + 2.0F * program->J2[unit]) * x;

        change[unit] = computer->noise * change[unit] - computer->dt * (slope + field(program, computer->x, unit));
    }
    for (unit = 0; unit < program->units; unit++)
        computer->x[unit] += change[unit];
    computer->step++;
}

bool langevin_sound(const struct langevin *computer)
{
    uint32_t unit;

    for (unit = 0; unit < computer->program->units; unit++)
        if (!(fabsf(computer->x[unit]) < DIVERGED))
            return false;
    return true;
}

uint32_t langevin_cost(const struct program *program)
{
    return 40 * program->units + program->rows[program->units];
}

double langevin_own_step(const struct program *program)
{
    double stiffest = 0;
    uint32_t unit;

    for (unit = 0; unit < program->units; unit++) {
        const double J2 = (double)program->J2[unit], J4 = (double)program->J4[unit];
        double low, high, reach;

        equilibrium_support(J2, J4, (double)program->biases[unit], 1.0, &low, &high);
        reach = fmax(fabs(low), fabs(high));
        stiffest = fmax(stiffest, 2 * J2 + 12 * J4 * reach * reach);
    }
    return ACCURATE * 2 / (stiffest + (double)program_largest_row(program));
}
