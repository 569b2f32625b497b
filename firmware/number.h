/* SPDX-License-Identifier: Apache-2.0 */
/* Decimal numbers, exactly rounded in both directions. The C library's functions for this allocate memory. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stddef.h>
#include <stdint.h>

#define NUMBER_BYTES 32

/* Read a decimal number, or a whole one in 0 ... 2^64 - 1; returns 0 or an SCPI error. */
int number_read(const uint8_t *text, size_t count, double *value);
int whole_read(const uint8_t *text, size_t count, uint64_t *value);

/* Read `#H` and one to eight hexadecimal digits; returns 0 or an SCPI error. */
int hex_read(const uint8_t *text, size_t count, uint32_t *value);

/* Write a finite number; returns the count of characters, at most NUMBER_BYTES. */
size_t number_write(char *text, double value);

#endif
