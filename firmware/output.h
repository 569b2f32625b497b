/* SPDX-License-Identifier: Apache-2.0 */
/* Answers on their way out: buffered, with the checksums of the line and of a payload taken on the way. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a line was, and so what its answer is. */
struct mark {
    bool checked;
    uint8_t tag;
};

void output_start(void);
void output_bytes(const uint8_t *bytes, size_t count);
void output_text(const char *text);
void output_u32(uint32_t value);
void output_f64(double value);

/* Begin a block: its head, for a payload of `count` bytes, checksum included; and end it with the checksum. */
void output_block_start(uint64_t count);
void output_block_end(void);

/* End the line and send what is left. */
void output_end(struct mark mark);

#endif
