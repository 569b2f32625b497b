/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the protocol, put together from single bytes (docs/protocol.md, sections 1 and 2). */
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

enum line_event { LINE_NOTHING, LINE_READY, LINE_DROPPED };
enum line_kind { LINE_PLAIN, LINE_CHECKED, LINE_DAMAGED };

enum line_state { IN_TEXT, IN_HASH, IN_LENGTH, IN_BLOCK, SKIP_BLOCK, SKIP_LINE, SKIP_QUIET };

struct line {
    uint8_t bytes[LINE_BYTES + BLOCK_BYTES];
    size_t used;      /* bytes there */
    size_t text;      /* of them, those outside of blocks */
    size_t block_end; /* where the last block ends */
    enum line_state state;
    unsigned digits; /* of a block's length, still to come */
    uint64_t left;   /* bytes of a block, still to come */
    uint32_t last;   /* tick of the last byte */
    bool begun;
    int error; /* why the line is dropped: an SCPI number */
};

/* Forget what was received: for the start, and for a line that was carried out. */
void line_clear(struct line *line);

/* Take in a byte. READY: the line lies in `bytes`, without its line feed. DROPPED: `error` says why. */
enum line_event line_byte(struct line *line, uint8_t byte, uint32_t now);

/* Drop a line of which no byte has arrived for a quiet. */
enum line_event line_quiet(struct line *line, uint32_t now);

/* Tell whether a line that is READY carries a checksum, which is cut off, and whether that fits. */
enum line_kind line_check(struct line *line, uint8_t *tag);

#endif
