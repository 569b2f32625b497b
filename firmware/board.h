/* SPDX-License-Identifier: Apache-2.0 */
/* The board: what a lab replaces to bring this firmware onto its own. One file in boards/ implements it. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

struct program;

/* Names the board in `*IDN?` and in the capability: letters, digits and _ only. */
extern const char board_name[];

void board_start(void);

/* Get the next byte of the line, or -1 if none is there. Bytes that arrive during a computation must be kept. */
int board_read(void);

/* Send bytes, waiting while the line is busy. */
void board_write(const uint8_t *bytes, size_t count);

/* Get the time, milliseconds; wraps around. */
uint32_t board_ticks(void);

/* Nothing to do until a byte arrives or a tick passes. */
void board_idle(void);

/* Set couplings and biases to those of a program; set all of them to zero. A computer in software has no outputs. */
void board_drive(const struct program *program);
void board_safe(void);

#endif
