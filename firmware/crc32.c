/* SPDX-License-Identifier: Apache-2.0 */
#include "crc32.h"

#include "bytes.h"

/* Checksums of the sixteen half bytes: a table small enough for any board. */
static const uint32_t halves[16] = {
    0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
    0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
};

uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t count)
{
    size_t k;

    crc = ~crc;
    for (k = 0; k < count; k++) {
        crc ^= bytes[k];
        crc = (crc >> 4) ^ halves[crc & 15];
        crc = (crc >> 4) ^ halves[crc & 15];
    }
    return ~crc;
}

bool crc32_fits(const uint8_t *bytes, size_t count)
{
    return count >= 4 && crc32(0, bytes, count - 4) == get_u32(bytes + count - 4);
}
