/* SPDX-License-Identifier: Apache-2.0 */
#include "noise.h"

#include <math.h>
#include <string.h>

void noise_words(const struct noise_key *key, uint32_t group, uint32_t words[4])
{
    uint32_t c0 = group, c1 = key->step, c2 = key->chain, c3 = key->stream;
    uint32_t k0 = (uint32_t)key->seed, k1 = (uint32_t)(key->seed >> 32);
    int round;

    for (round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)c0 * 0xD2511F53U, p1 = (uint64_t)c2 * 0xCD9E8D57U;

        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

/* -2 ln u of the uniform number u = (word / 2 + 1/2) 2^-31, by a series about a mantissa in [sqrt 1/2, sqrt 2). */
static float radius_squared(uint32_t word)
{
    const float mantissa = (float)(word >> 1) + 0.5F;
    uint32_t bits;
    float m, t, t2, exponent;

    memcpy(&bits, &mantissa, sizeof bits);
    bits += 0x3F800000U - 0x3F3504F3U;
    exponent = (float)((int32_t)(bits >> 23) - (127 + 31));
    bits = (bits & 0x007FFFFFU) + 0x3F3504F3U;
    memcpy(&m, &bits, sizeof m);
    m -= 1.0F;
    t = m / (2.0F + m);
    t2 = t * t;
    t *= 1.0F + t2 * (1.0F / 3 + t2 * (1.0F / 5 + t2 * (1.0F / 7 + t2 * (1.0F / 9))));
    return fmaxf(-2.0F * (exponent * 0.69314718F + 2.0F * t), 0.0F);
}

/* sin and cos of 2 pi word 2^-32: the quadrant from the word, polynomials in [-pi/4, pi/4]. */
static void circle(uint32_t word, float *sine, float *cosine)
{
    const uint32_t quadrant = (word + 0x20000000U) >> 30;
    const int32_t part = (int32_t)(word + 0x20000000U - (quadrant << 30)) - 0x20000000;
    const float a = (float)part * 1.4629181e-9F, a2 = a * a; /* 2 pi 2^-32 */
    const float s = a + a * a2 * (-1.6666667e-1F + a2 * (8.3333310e-3F + a2 * (-1.9840874e-4F + a2 * 2.7525562e-6F)));
    const float c = 1.0F + a2 * (-0.5F + a2 * (4.1666638e-2F + a2 * (-1.3888378e-3F + a2 * 2.4760495e-5F)));

    *sine = quadrant & 1 ? c : s;
    *cosine = quadrant & 1 ? s : c;
    if (quadrant & 2)
        *sine = -*sine;
    if ((quadrant + 1) & 2)
        *cosine = -*cosine;
}

void noise_normals(const struct noise_key *key, uint32_t group, float normals[4])
{
    uint32_t words[4];
    int pair;

    noise_words(key, group, words);
    for (pair = 0; pair < 2; pair++) {
        const float radius = sqrtf(radius_squared(words[2 * pair]));
        float sine, cosine;

        circle(words[2 * pair + 1], &sine, &cosine);
        normals[2 * pair] = radius * cosine;
        normals[2 * pair + 1] = radius * sine;
    }
}

double noise_uniform(const struct noise_key *key, uint32_t unit)
{
    uint32_t words[4];

    noise_words(key, unit / 4, words);
    return ((double)words[unit % 4] + 0.5) * 0x1p-32;
}
