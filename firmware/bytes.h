/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian numbers at any address, on a processor of any byte order. Floats are IEEE 754. */
#ifndef BYTES_H
#define BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t get_u16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | (uint16_t)(bytes[1] << 8));
}

static inline uint32_t get_u32(const uint8_t *bytes)
{
    return get_u16(bytes) | ((uint32_t)get_u16(bytes + 2) << 16);
}

static inline int32_t get_i16(const uint8_t *bytes)
{
    return (int32_t)(get_u16(bytes) ^ 0x8000U) - 0x8000;
}

static inline float get_f32(const uint8_t *bytes)
{
    const uint32_t bits = get_u32(bytes);
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline double get_f64(const uint8_t *bytes)
{
    const uint64_t bits = get_u32(bytes) | ((uint64_t)get_u32(bytes + 4) << 32);
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline void put_u32(uint8_t *bytes, uint32_t value)
{
    int k;

    for (k = 0; k < 4; k++)
        bytes[k] = (uint8_t)(value >> (8 * k));
}

static inline void put_f32(uint8_t *bytes, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    put_u32(bytes, bits);
}

static inline void put_f64(uint8_t *bytes, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    put_u32(bytes, (uint32_t)bits);
    put_u32(bytes + 4, (uint32_t)(bits >> 32));
}

#endif
