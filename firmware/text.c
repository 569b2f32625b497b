/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <string.h>

#include "number.h"

void text_start(struct text *text, char *to, size_t size)
{
    text->to = to;
    text->size = size;
    text->used = 0;
    text->full = false;
}

void text_bytes(struct text *text, const char *bytes, size_t count)
{
    if (count > text->size - text->used) {
        count = text->size - text->used;
        text->full = true;
    }
    memcpy(text->to + text->used, bytes, count);
    text->used += count;
}

void text_add(struct text *text, const char *string)
{
    text_bytes(text, string, strlen(string));
}

void text_whole(struct text *text, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    text_bytes(text, digits + at, sizeof digits - at);
}

void text_signed(struct text *text, int value)
{
    if (value < 0)
        text_add(text, "-");
    text_whole(text, (uint64_t)(value < 0 ? -value : value));
}

void text_hex(struct text *text, uint32_t value, unsigned digits)
{
    while (digits--)
        text_bytes(text, &"0123456789ABCDEF"[(value >> (4 * digits)) & 15], 1);
}

void text_number(struct text *text, double value)
{
    char digits[NUMBER_BYTES];

    text_bytes(text, digits, number_write(digits, value));
}
