/* SPDX-License-Identifier: Apache-2.0 */
/* A run: its settings, how far it is, and the samples that it leaves (docs/protocol.md, section 4). */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>

#include "program.h"

enum run_state { RUN_IDLE, RUN_READY, RUN_RUNNING, RUN_DONE, RUN_FAILED };
enum keep { KEEP_NONE, KEEP_FINAL, KEEP_BOTH, KEEP_TRAJECTORY };
enum initial { INITIAL_UNCOUPLED, INITIAL_UNBIASED, INITIAL_STATES };

struct settings {
    double duration;
    double dt;      /* 0: own choice */
    double told_dt; /* the answer to RUN:DT?: dt, or the step that the last run used */
    uint32_t samples;
    uint32_t first;
    uint64_t seed;
    enum keep keep;
    uint32_t record;
    enum initial initial;
};

/* States in which runs start. */
struct given_states {
    uint32_t samples; /* 0: none */
    uint32_t crc;
    float states[STATES_BYTES / 4];
};

struct run {
    enum run_state state;
    uint32_t number;
    struct settings plan; /* the settings of this run */
    double dt;
    uint32_t steps;
    uint32_t units;
    uint32_t done;     /* samples */
    uint32_t recorded; /* states in a trajectory */
    uint32_t floats;   /* a record */
    const char *reason; /* of the last failure, or NULL */
};

extern struct run run;
extern struct given_states given_states;

void run_reset(void);

/* Forget samples; READY if a program is loaded. */
void run_forget(const struct program *program);

/* Start a run. Returns 0 or an SCPI error, with what exactly is wrong in `why`. */
int run_start(const struct program *program, const struct settings *settings, uint32_t number, const char **why);

/* Do a slice of the work. */
void run_advance(void);

void run_abort(void);

/* Which parts a record has: the bits of the payload `samples`. */
uint32_t run_parts(void);

/* Get the states of a sample of a run that is DONE: final, initial, trajectory. */
const float *run_record(uint32_t sample);

#endif
