/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include <string.h>

#include "config.h"
#include "scpi_errors.h"

struct status status;

static uint8_t events;
static struct {
    int error;
    char detail[ERROR_TEXT];
} queue[ERRORS_QUEUED];
static unsigned first, count;

const char *scpi_error_text(int error)
{
    switch (error) {
    case 0:
        return "No error";
    case ERROR_CHARACTER:
        return "Invalid character";
    case ERROR_SYNTAX:
        return "Syntax error";
    case ERROR_TYPE:
        return "Data type error";
    case ERROR_NOT_ALLOWED:
        return "Parameter not allowed";
    case ERROR_MISSING:
        return "Missing parameter";
    case ERROR_HEADER:
        return "Undefined header";
    case ERROR_SUFFIX:
        return "Invalid suffix";
    case ERROR_BLOCK:
        return "Invalid block data";
    case ERROR_NO_BLOCK:
        return "Block data not allowed";
    case ERROR_EXECUTION:
        return "Execution error";
    case ERROR_INIT_IGNORED:
        return "Init ignored";
    case ERROR_CONFLICT:
        return "Settings conflict";
    case ERROR_RANGE:
        return "Data out of range";
    case ERROR_TOO_MUCH:
        return "Too much data";
    case ERROR_ILLEGAL:
        return "Illegal parameter value";
    case ERROR_STALE:
        return "Data corrupt or stale";
    case ERROR_HARDWARE:
        return "Hardware error";
    case ERROR_QUEUE:
        return "Queue overflow";
    case ERROR_PARITY:
        return "Parity error in program message";
    case ERROR_OVERRUN:
        return "Input buffer overrun";
    default:
        return "Command error";
    }
}

void status_power_on(void)
{
    memset(&status, 0, sizeof status);
    status_clear();
    events = EVENT_POWER;
}

void status_clear(void)
{
    events = 0;
    first = count = 0;
    status.completion_awaited = false;
}

void status_event(uint8_t bits)
{
    events |= bits;
}

uint8_t status_take_events(void)
{
    const uint8_t taken = events;

    events = 0;
    return taken;
}

uint8_t status_byte(void)
{
    uint8_t byte = count ? 4 : 0;

    if (events & status.event_enable)
        byte |= 32;
    if (byte & status.service_enable)
        byte |= 64;
    return byte;
}

void status_error(int error, const char *detail)
{
    const unsigned at = (first + count) % ERRORS_QUEUED;

    events |= error > -200 ? EVENT_COMMAND : error > -300 ? EVENT_EXECUTION : EVENT_DEVICE;
    if (count == ERRORS_QUEUED) {
        queue[(first + count - 1) % ERRORS_QUEUED].error = ERROR_QUEUE;
        queue[(first + count - 1) % ERRORS_QUEUED].detail[0] = 0;
        return;
    }
    count++;
    queue[at].error = error;
    queue[at].detail[0] = 0;
    if (detail)
        strncat(queue[at].detail, detail, ERROR_TEXT - 1);
}

void status_take_error(struct text *text)
{
    if (!count) {
        status_describe(text, 0, NULL);
        return;
    }
    status_describe(text, queue[first].error, queue[first].detail);
    first = (first + 1) % ERRORS_QUEUED;
    count--;
}

void status_describe(struct text *text, int error, const char *detail)
{
    const char *standard = scpi_error_text(error);

    text_signed(text, error);
    text_add(text, ",\"");
    text_add(text, standard);
    if (detail && detail[0]) {
        const size_t room = ERROR_TEXT - strlen(standard) - 2, length = strlen(detail);

        text_add(text, "; ");
        text_bytes(text, detail, length < room ? length : room);
    }
    text_add(text, "\"");
}
