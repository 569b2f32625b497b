/* SPDX-License-Identifier: Apache-2.0 */
#include "builtin.h"

#include <stddef.h>

#ifdef TABLE
#include TABLE

#if THERMOHW_UNITS > UNITS_MAX || THERMOHW_PAIRS > PAIRS_MAX
#error "the table has more units or pairs than this firmware holds: see config.h"
#endif

/* A block without pairs has no scale. */
#ifndef THERMOHW_SCALE_VISIBLE_VISIBLE
#define THERMOHW_SCALE_VISIBLE_VISIBLE 0.0
#endif
#ifndef THERMOHW_SCALE_VISIBLE_HIDDEN
#define THERMOHW_SCALE_VISIBLE_HIDDEN 0.0
#endif
#ifndef THERMOHW_SCALE_HIDDEN_HIDDEN
#define THERMOHW_SCALE_HIDDEN_HIDDEN 0.0
#endif

static double J2_of(const void *data, uint32_t unit)
{
    (void)data;
    return thermohw_J2[unit];
}

static double J4_of(const void *data, uint32_t unit)
{
    (void)data;
    return thermohw_J4[unit];
}

static double bias_of(const void *data, uint32_t unit)
{
    (void)data;
    return thermohw_bias_codes[unit] * THERMOHW_SCALE_BIASES;
}

static bool next_pair(const void *data, struct pair *pair)
{
#if THERMOHW_PAIRS > 0
    static const double scales[] = {THERMOHW_SCALE_VISIBLE_VISIBLE, THERMOHW_SCALE_VISIBLE_HIDDEN,
                                    THERMOHW_SCALE_HIDDEN_HIDDEN};
    const uint32_t number = pair->begun ? pair->number + 1 : 0;
    const uint32_t visible = THERMOHW_VISIBLE;

    (void)data;
    if (number >= THERMOHW_PAIRS)
        return false;
    pair->i = thermohw_pairs[number][0];
    pair->j = thermohw_pairs[number][1];
    pair->number = number;
    pair->begun = 1;
    pair->coupling = thermohw_codes[number] * scales[(pair->i >= visible) + (pair->j >= visible)];
    return true;
#else
    (void)data;
    (void)pair;
    return false;
#endif
}

bool builtin_load(struct program *program)
{
    const struct program_source source = {NULL, THERMOHW_UNITS, J2_of, J4_of, bias_of, {0, 0, 0, 0, 0}, next_pair};

    if (program_fault(&source))
        return false;
    program_build(program, &source);
    return true;
}

#else

bool builtin_load(struct program *program)
{
    (void)program;
    return false;
}

#endif
