/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands do (docs/protocol.md, section 4). */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "reply.h"
#include "run.h"
#include "scpi.h"

enum { WAIT = 1 }; /* instead of an error: to be carried out again when the run has ended */

extern struct settings settings;
extern bool lines_checked; /* compulsory: SYSTem:CHECk ON */

/* State after power-on. */
void commands_start(void);

/* Carry out a command. Returns 0, WAIT or an SCPI error, with what exactly is wrong in `why` (NULL: nothing to add). */
int command_run(struct command *command, struct reply *reply, const char **why);

#endif
