/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include <string.h>

#include "board.h"
#include "bytes.h"
#include "crc32.h"
#include "text.h"

static uint8_t buffer[256];
static size_t used;
static uint32_t line_crc, payload_crc;

static void flush(void)
{
    board_write(buffer, used);
    used = 0;
}

void output_start(void)
{
    used = 0;
    line_crc = 0;
}

void output_bytes(const uint8_t *bytes, size_t count)
{
    line_crc = crc32(line_crc, bytes, count);
    payload_crc = crc32(payload_crc, bytes, count);
    while (count) {
        const size_t room = sizeof buffer - used, part = count < room ? count : room;

        memcpy(buffer + used, bytes, part);
        used += part;
        bytes += part;
        count -= part;
        if (used == sizeof buffer)
            flush();
    }
}

void output_text(const char *text)
{
    output_bytes((const uint8_t *)text, strlen(text));
}

void output_u32(uint32_t value)
{
    uint8_t bytes[4];

    put_u32(bytes, value);
    output_bytes(bytes, sizeof bytes);
}

void output_f64(double value)
{
    uint8_t bytes[8];

    put_f64(bytes, value);
    output_bytes(bytes, sizeof bytes);
}

void output_block_start(uint64_t count)
{
    char digits[20];
    struct text text;

    text_start(&text, digits, sizeof digits);
    text_whole(&text, count);
    output_text("#");
    output_bytes((const uint8_t *)&"0123456789"[text.used % 10], 1); /* counts here have fewer than ten digits */
    output_bytes((const uint8_t *)digits, text.used);
    payload_crc = 0;
}

void output_block_end(void)
{
    output_u32(payload_crc);
}

void output_end(struct mark mark)
{
    char suffix[8];
    struct text text;

    if (mark.checked) {
        text_start(&text, suffix, sizeof suffix);
        text_add(&text, " ~");
        text_hex(&text, mark.tag, 2);
        output_bytes((const uint8_t *)suffix, text.used);
        text_start(&text, suffix, sizeof suffix);
        text_hex(&text, line_crc, 8);
        output_bytes((const uint8_t *)suffix, text.used);
    }
    output_text("\n");
    flush();
}
