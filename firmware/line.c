/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include "crc32.h"
#include "scpi_errors.h"

#define LONGEST_SKIP 16777216U /* a longer block is more likely a hit length than a block */
#define SUFFIX 12U             /* " ~", tag and checksum */

void line_clear(struct line *line)
{
    line->used = line->text = line->block_end = 0;
    line->state = IN_TEXT;
    line->begun = false;
    line->error = 0;
}

static void keep(struct line *line, uint8_t byte)
{
    if (line->text == LINE_BYTES) {
        line->state = SKIP_LINE;
        line->error = ERROR_OVERRUN;
        return;
    }
    line->bytes[line->used++] = byte;
    line->text++;
}

static enum line_event text_byte(struct line *line, uint8_t byte)
{
    if (byte == '\n') {
        if (line->used > line->block_end && line->bytes[line->used - 1] == '\r')
            line->used--;
        return LINE_READY;
    }
    line->state = byte == '#' ? IN_HASH : IN_TEXT;
    keep(line, byte);
    return LINE_NOTHING;
}

static enum line_event skip(struct line *line, enum line_state state, int error, uint8_t byte)
{
    line->state = state;
    line->error = error;
    return state == SKIP_LINE && byte == '\n' ? LINE_DROPPED : LINE_NOTHING;
}

static enum line_event length_byte(struct line *line, uint8_t byte)
{
    if (byte < '0' || byte > '9')
        return skip(line, SKIP_LINE, ERROR_BLOCK, byte);
    line->left = 10 * line->left + (uint64_t)(byte - '0');
    line->digits--;
    keep(line, byte);
    if (line->digits || line->state == SKIP_LINE)
        return LINE_NOTHING;
    if (line->left > LONGEST_SKIP)
        return skip(line, SKIP_QUIET, ERROR_TOO_MUCH, byte);
    if (line->left > BLOCK_BYTES - (line->used - line->text))
        return skip(line, SKIP_BLOCK, ERROR_TOO_MUCH, byte);
    line->state = line->left ? IN_BLOCK : IN_TEXT;
    line->block_end = line->used;
    return LINE_NOTHING;
}

static enum line_event hash_byte(struct line *line, uint8_t byte)
{
    if (byte == '0')
        return skip(line, SKIP_LINE, ERROR_BLOCK, byte);
    if (byte < '1' || byte > '9')
        return text_byte(line, byte);
    line->state = IN_LENGTH;
    line->digits = (unsigned)(byte - '0');
    line->left = 0;
    keep(line, byte);
    return LINE_NOTHING;
}

enum line_event line_byte(struct line *line, uint8_t byte, uint32_t now)
{
    line->last = now;
    line->begun = true;
    switch (line->state) {
    case IN_TEXT:
        return text_byte(line, byte);
    case IN_HASH:
        return hash_byte(line, byte);
    case IN_LENGTH:
        return length_byte(line, byte);
    case IN_BLOCK:
        line->bytes[line->used++] = byte;
        line->block_end = line->used;
        if (--line->left == 0)
            line->state = IN_TEXT;
        return LINE_NOTHING;
    case SKIP_BLOCK:
        if (--line->left == 0)
            line->state = SKIP_LINE;
        return LINE_NOTHING;
    case SKIP_LINE:
        return byte == '\n' ? LINE_DROPPED : LINE_NOTHING;
    case SKIP_QUIET:
    default:
        return LINE_NOTHING;
    }
}

enum line_event line_quiet(struct line *line, uint32_t now)
{
    if (!line->begun || now - line->last < QUIET_TICKS)
        return LINE_NOTHING;
    if (!line->error)
        line->error = ERROR_OVERRUN;
    return LINE_DROPPED;
}

static int hexadecimal(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte = (uint8_t)(byte & ~0x20U);
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

enum line_kind line_check(struct line *line, uint8_t *tag)
{
    const size_t end = line->used;
    const uint8_t *suffix;
    uint64_t value = 0;
    size_t k;

    if (end < line->block_end + SUFFIX)
        return LINE_PLAIN;
    suffix = line->bytes + end - SUFFIX;
    if (suffix[0] != ' ' || suffix[1] != '~')
        return LINE_PLAIN;
    for (k = 2; k < SUFFIX; k++) {
        const int digit = hexadecimal(suffix[k]);

        if (digit < 0)
            return LINE_PLAIN;
        value = 16 * value + (uint64_t)digit;
    }
    *tag = (uint8_t)(value >> 32);
    line->used = end - SUFFIX;
    return crc32(0, line->bytes, end - 8) == (uint32_t)value ? LINE_CHECKED : LINE_DAMAGED;
}
