/* SPDX-License-Identifier: Apache-2.0 */
/* Error queue and IEEE 488.2 registers. */
#ifndef STATUS_H
#define STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

enum { EVENT_COMPLETE = 1, EVENT_QUERY = 4, EVENT_DEVICE = 8, EVENT_EXECUTION = 16, EVENT_COMMAND = 32, EVENT_POWER = 128 };

struct status {
    uint8_t event_enable;
    uint8_t service_enable;
    bool completion_awaited; /* by *OPC */
};

extern struct status status;

void status_power_on(void);
void status_clear(void); /* *CLS */
void status_event(uint8_t bits);
uint8_t status_take_events(void); /* *ESR? */
uint8_t status_byte(void);        /* *STB? */

/* Queue an error; `detail` says what exactly is wrong, or is NULL. */
void status_error(int error, const char *detail);

/* Take out the oldest error, as `number,"text"`. */
void status_take_error(struct text *text);

/* Write `number,"text; detail"`. */
void status_describe(struct text *text, int error, const char *detail);

#endif
