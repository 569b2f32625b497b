/* SPDX-License-Identifier: Apache-2.0 */
/* The whole instrument behind the line. Answers go out through the board. */
#ifndef INSTRUMENT_H
#define INSTRUMENT_H

#include <stdbool.h>
#include <stdint.h>

void instrument_start(void);

/* Take in a byte from the line at a tick. */
void instrument_byte(uint8_t byte, uint32_t now);

/* Work on: a slice of a run, lines that have broken off. Returns whether there is more to do. */
bool instrument_poll(uint32_t now);

#endif
