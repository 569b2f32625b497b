/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes for fuzzing, in the place of config.h: so small that short inputs reach every limit, and so that runs cost little. */
#ifndef CONFIG_H
#define CONFIG_H

#define FIRMWARE_VERSION "0.1.0"
#define PROTOCOL_VERSION "1.0"
#define UNITS_MAX 8
#define PAIRS_MAX 28
#define LINE_BYTES 160
#define BLOCK_BYTES 320
#define UPLOAD_BYTES 320
#define STATES_BYTES 64
#define STORED_BYTES 512
#define FETCH_BYTES 400
#define SAMPLES_MAX 64
#define QUIET_TICKS 250
#define QUIET_SECONDS "0.25"
#define REPLY_BYTES 256
#define REPLY_BLOCKS 2
#define WAITING_LINES 2
#define ERRORS_QUEUED 4
#define ERROR_TEXT 200
#define ARGUMENTS_MAX 2
#define SCRATCH_FLOATS 16
#define CELLS 32
#define SLICE 2000

#endif
