/* SPDX-License-Identifier: Apache-2.0 */
#include "instrument.h"

#include "commands.h"
#include "job.h"
#include "line.h"
#include "scpi_errors.h"
#include "status.h"

static struct line line;
static struct job current;

void instrument_start(void)
{
    commands_start();
    line_clear(&line);
    job_forget_waiting(false);
}

/* Tell whether a line is nothing but ABORt or *CLS, which are carried out whether checked or not. */
static bool is_rescue(const struct scanner *start)
{
    struct scanner scanner = *start;
    struct command command;
    bool last = false;

    return !scanner_next(&scanner, &command, &last) && last && !command.query && command.arguments == 0 &&
           (scpi_matches(command.header, "ABORt") || scpi_matches(command.header, "*CLS"));
}

static void line_received(void)
{
    struct mark mark;
    const enum line_kind kind = line_check(&line, &mark.tag);

    mark.checked = kind == LINE_CHECKED;
    job_start(&current, mark, line.bytes, line.used);
    if (kind == LINE_PLAIN && current.last)
        return;
    if (kind == LINE_DAMAGED || (kind == LINE_PLAIN && lines_checked && !is_rescue(&current.scanner)))
        job_answer_broken();
    else
        job_run(&current);
    job_settle();
}

static void take(enum line_event event)
{
    if (event == LINE_NOTHING)
        return;
    if (event == LINE_READY)
        line_received();
    else if (lines_checked)
        job_answer_broken();
    else
        status_error(line.error, NULL);
    line_clear(&line);
}

void instrument_byte(uint8_t byte, uint32_t now)
{
    take(line_byte(&line, byte, now));
}

bool instrument_poll(uint32_t now)
{
    take(line_quiet(&line, now));
    if (run.state == RUN_RUNNING) {
        run_advance();
        if (run.state == RUN_FAILED)
            status_error(ERROR_EXECUTION, run.reason);
        job_settle();
    }
    return run.state == RUN_RUNNING;
}
