/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32 of zlib, Ethernet and PNG: polynomial 0xEDB88320 reflected, start and final XOR 0xFFFFFFFF. */
#ifndef CRC32_H
#define CRC32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Continue a checksum over further bytes; a new one starts from 0. */
uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t count);

/* Tell whether the last four bytes, little endian, are the checksum of those before. */
bool crc32_fits(const uint8_t *bytes, size_t count);

#endif
