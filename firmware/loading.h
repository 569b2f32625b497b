/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads that the board takes in: programs, biases, states, straight from a block or from the upload area. */
#ifndef LOADING_H
#define LOADING_H

#include <stddef.h>
#include <stdint.h>

#include "program.h"

enum load { LOAD_PROGRAM, LOAD_BIASES, LOAD_SCHEDULE, LOAD_STATES };

extern struct program program;

/* Forget everything that was loaded. */
void loading_reset(void);

/* Load the program that was compiled in, if there is one. */
void loading_builtin(void);

/* Load a payload; returns 0 or an SCPI error, with what exactly is wrong in `why`. */
int load_payload(enum load what, const uint8_t *bytes, size_t count, const char **why);

/* Write a payload into the upload area, and load from there. */
int upload(uint64_t offset, const uint8_t *bytes, size_t count, const char **why);
int load_uploaded(enum load what, uint64_t count, uint32_t crc, const char **why);

/* Get the checksum of the payload that is loaded, 0 if none is. */
uint32_t loaded_crc(enum load what);

#endif
