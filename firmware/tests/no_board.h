/* SPDX-License-Identifier: Apache-2.0 */
/* A board without a line: it collects what is sent. */
#ifndef NO_BOARD_H
#define NO_BOARD_H

#include <string.h>

#include "board.h"

const char board_name[] = "none";

static char sent[1 << 16];
static size_t sent_count;
static int driven; /* outputs */

void board_start(void)
{
}

int board_read(void)
{
    return -1;
}

void board_write(const uint8_t *bytes, size_t count)
{
    if (count > sizeof sent - 1 - sent_count)
        count = sizeof sent - 1 - sent_count;
    memcpy(sent + sent_count, bytes, count);
    sent_count += count;
    sent[sent_count] = 0;
}

uint32_t board_ticks(void)
{
    return 0;
}

void board_idle(void)
{
}

void board_drive(const struct program *program)
{
    (void)program;
    driven = 1;
}

void board_safe(void)
{
    driven = 0;
}

#endif
