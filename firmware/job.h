/* SPDX-License-Identifier: Apache-2.0 */
/* Lines that are carried out, command by command, and those that *OPC? holds back until the run ends. */
#ifndef JOB_H
#define JOB_H

#include "reply.h"
#include "scpi.h"

struct job {
    struct mark mark;
    struct scanner scanner;
    struct reply reply;
    bool last; /* the scanner has read the last command */
};

/* Begin a line. */
void job_start(struct job *job, struct mark mark, const uint8_t *bytes, size_t count);

/* Carry out a line and answer it, or hold it back. */
void job_run(struct job *job);

/* Answer what was not carried out, since it may be a piece of a checked line. */
void job_answer_broken(void);

/* Do what waits for the end of a run, unless one goes on. */
void job_settle(void);

/* Forget the lines that wait: all of them, or the plain ones only, since a checked one is owed its answer. */
void job_forget_waiting(bool plain_only);

#endif
