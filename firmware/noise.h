/* SPDX-License-Identifier: Apache-2.0 */
/* Noise that is a function of (seed, chain, step, unit), the same one as in thermohw/langevin/noise.py:
 * Philox4x32-10 turns the counter (unit / 4, step, chain, stream) under the key `seed` into four words,
 * Box-Muller turns these into standard normal numbers of four neighbouring units.
 */
#ifndef NOISE_H
#define NOISE_H

#include <stdint.h>

enum { STREAM_DYNAMICS, STREAM_INITIAL };

struct noise_key {
    uint64_t seed;
    uint32_t chain, step, stream;
};

void noise_words(const struct noise_key *key, uint32_t group, uint32_t words[4]);

/* Get four standard normal numbers. */
void noise_normals(const struct noise_key *key, uint32_t group, float normals[4]);

/* Get a number in the open interval (0, 1). */
double noise_uniform(const struct noise_key *key, uint32_t unit);

#endif
