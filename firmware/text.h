/* SPDX-License-Identifier: Apache-2.0 */
/* Text in a buffer of fixed size; what does not fit is left out and noted in `full`. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *to;
    size_t size;
    size_t used;
    bool full;
};

void text_start(struct text *text, char *to, size_t size);
void text_bytes(struct text *text, const char *bytes, size_t count);
void text_add(struct text *text, const char *string);
void text_whole(struct text *text, uint64_t value);
void text_signed(struct text *text, int value);
void text_hex(struct text *text, uint32_t value, unsigned digits);

/* Add a finite number with 15 digits, or as many up to 17 as it takes to read it back exactly. */
void text_number(struct text *text, double value);

#endif
