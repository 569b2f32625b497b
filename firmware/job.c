/* SPDX-License-Identifier: Apache-2.0 */
#include "job.h"

#include <string.h>

#include "commands.h"
#include "scpi_errors.h"
#include "status.h"

/* A job, and the commands behind its *OPC?. */
struct waiting {
    struct job job;
    uint8_t rest[LINE_BYTES];
};

static struct waiting waiting[WAITING_LINES];
static unsigned waiting_count;

void job_start(struct job *job, struct mark mark, const uint8_t *bytes, size_t count)
{
    job->mark = mark;
    scanner_start(&job->scanner, bytes, count);
    reply_start(&job->reply);
    job->last = scanner_empty(&job->scanner);
}

static void answer_error(struct mark mark, int error, const char *why)
{
    char bytes[ERROR_TEXT + 16];
    struct text text;

    text_start(&text, bytes, sizeof bytes - 1);
    text_add(&text, "!");
    status_describe(&text, error, why);
    bytes[text.used] = 0;
    output_start();
    output_text(bytes);
    output_end(mark);
}

void job_answer_broken(void)
{
    const struct mark mark = {true, 0};

    answer_error(mark, ERROR_PARITY, NULL);
}

static void finish(struct job *job, int error, const char *why)
{
    if (error && job->mark.checked) {
        answer_error(job->mark, error, why);
        return;
    }
    if (error)
        status_error(error, why);
    if (!job->reply.text.full) /* half a reply is none */
        reply_send(&job->reply, job->mark);
}

/* Hold a line back; what is left of it must survive the lines to come. */
static int hold(struct job *job, const char **why)
{
    const size_t count = job->last ? 0 : job->scanner.count - job->scanner.at;
    struct waiting *place = &waiting[waiting_count];

    if (waiting_count == WAITING_LINES || count > LINE_BYTES) {
        *why = "too many lines, or too long ones, wait for the end of the run";
        return ERROR_CONFLICT;
    }
    place->job = *job;
    place->job.reply.text.to = place->job.reply.bytes;
    memcpy(place->rest, job->scanner.bytes + job->scanner.at, count);
    place->job.scanner.bytes = place->rest;
    place->job.scanner.count = count;
    place->job.scanner.at = 0;
    waiting_count++;
    return 0;
}

void job_run(struct job *job)
{
    struct command command;
    const char *why = NULL;
    int error = 0;

    while (!job->last && !error) {
        error = scanner_next(&job->scanner, &command, &job->last);
        if (!error)
            error = command_run(&command, &job->reply, &why);
    }
    if (error == WAIT) {
        error = hold(job, &why);
        if (!error)
            return;
    }
    finish(job, error, why);
}

/* Go on with the lines that were held back, oldest first, until one of them starts a run. */
static void release(void)
{
    static struct waiting oldest;

    while (waiting_count && run.state != RUN_RUNNING) {
        oldest = waiting[0];
        waiting_count--;
        memmove(waiting, waiting + 1, waiting_count * sizeof waiting[0]);
        oldest.job.reply.text.to = oldest.job.reply.bytes;
        oldest.job.scanner.bytes = oldest.rest;
        text_add(reply_next(&oldest.job.reply), "1");
        job_run(&oldest.job);
    }
}

void job_settle(void)
{
    if (run.state == RUN_RUNNING)
        return;
    if (status.completion_awaited) {
        status.completion_awaited = false;
        status_event(EVENT_COMPLETE);
    }
    release();
}

void job_forget_waiting(bool plain_only)
{
    unsigned from, to = 0;

    for (from = 0; from < waiting_count; from++) {
        if (!plain_only || !waiting[from].job.mark.checked)
            continue;
        if (to != from)
            waiting[to] = waiting[from];
        to++;
    }
    waiting_count = to;
}
