/* SPDX-License-Identifier: Apache-2.0 */
/* What this firmware is called, and how much it holds. All memory is static: these sizes decide how much. */
#ifndef CONFIG_H
#define CONFIG_H

#define FIRMWARE_VERSION "0.1.0"
#define PROTOCOL_VERSION "1.0"

/* Numbers that stand in the capability are written without suffix and brackets, so that they can be quoted there. */
#define UNITS_MAX 256
#define PAIRS_MAX 32640 /* all-to-all */

#define LINE_BYTES 1024    /* of a line, blocks not counted */
#define BLOCK_BYTES 262144 /* of the blocks of a line together */
#define UPLOAD_BYTES 524288
#define STATES_BYTES 524288  /* states in which runs start */
#define STORED_BYTES 1048576 /* samples of a run */
#define FETCH_BYTES 2097152
#define SAMPLES_MAX 65536
#define QUIET_TICKS 250 /* a tick is a millisecond */
#define QUIET_SECONDS "0.25"

#define REPLY_BYTES 2048
#define REPLY_BLOCKS 4   /* in the replies to one line */
#define WAITING_LINES 4  /* held back by *OPC? */
#define ERRORS_QUEUED 16
#define ERROR_TEXT 200
#define ARGUMENTS_MAX 2
#define SCRATCH_FLOATS 65536 /* initial states drawn at a time */
#define CELLS 2048           /* of a tabulated density */
#define SLICE 40000          /* work between two looks at the line, in multiplications or so */

#endif
