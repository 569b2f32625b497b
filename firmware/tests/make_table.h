/* SPDX-License-Identifier: Apache-2.0 */
/* Coupling tables in binary form, made for tests. */
#ifndef MAKE_TABLE_H
#define MAKE_TABLE_H

#include <string.h>

#include "bytes.h"
#include "crc32.h"

#define BITS 5
#define SCALE 0.25
#define J2_OF(unit) (1.0 + 0.5 * (double)(unit))
#define J4_OF(unit) (0.5 + (double)(unit))

static inline void put_u16(uint8_t *bytes, unsigned value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

/* Write the checksum anew; returns the length. */
static inline size_t seal(uint8_t *table, size_t count)
{
    put_u32(table + count - 4, crc32(0, table, count - 4));
    return count;
}

/* Make a table of a topology; code k of pair k (+1), bias code -(unit % 15). `pairs` is NULL unless they are listed. */
static inline size_t make_table(uint8_t *table, int kind, uint32_t visible, uint32_t hidden, uint32_t count,
                                const uint16_t (*pairs)[2], const unsigned present[3])
{
    const uint32_t units = visible + hidden;
    size_t at = 72;
    uint32_t k;

    memset(table, 0, 72);
    memcpy(table, "THWTABLE", 8);
    put_u16(table + 8, 1);
    put_u16(table + 10, 72);
    table[12] = (uint8_t)kind;
    table[13] = 2;
    for (k = 0; k < 4; k++) {
        const int there = k == 3 || present[k];

        table[14 + k] = there ? BITS : 0;
        put_f64(table + 32 + 8 * k, there ? SCALE * (k + 1) : 0.0);
    }
    put_u32(table + 20, visible);
    put_u32(table + 24, hidden);
    put_u32(table + 28, count);
    for (k = 0; k < units; k++, at += 8)
        put_f64(table + at, J2_OF(k));
    for (k = 0; k < units; k++, at += 8)
        put_f64(table + at, J4_OF(k));
    for (k = 0; pairs && k < count; k++, at += 4) {
        put_u16(table + at, pairs[k][0]);
        put_u16(table + at + 2, pairs[k][1]);
    }
    for (k = 0; k < count; k++, at += 2)
        put_u16(table + at, k % 15 + 1);
    for (k = 0; k < units; k++, at += 2)
        put_u16(table + at, 0U - k % 15);
    for (k = 0; at % 4; k++, at++)
        table[at] = ' ';
    put_u32(table + 64, k);
    memset(table + at, 0, 32);
    put_u32(table + 68, (uint32_t)(at + 36));
    return seal(table, at + 36);
}

#endif
