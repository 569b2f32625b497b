/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of a line: headers with short and long forms, paths after `;`, arguments (docs/protocol.md, section 1). */
#ifndef SCPI_H
#define SCPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

#define HEADER_BYTES 80

struct argument {
    const uint8_t *bytes; /* of a block: its payload */
    size_t count;
    bool block;
};

struct command {
    char header[HEADER_BYTES]; /* whole path, upper case, without the first colon and the question mark */
    bool query;
    int which; /* of the commands with one handler; whoever finds that sets it */
    unsigned arguments;
    struct argument argument[ARGUMENTS_MAX];
};

struct scanner {
    const uint8_t *bytes;
    size_t count;
    size_t at;
    char level[HEADER_BYTES]; /* where the next header starts: "" or "RUN:" */
};

void scanner_start(struct scanner *scanner, const uint8_t *bytes, size_t count);

/* Tell whether nothing but blanks is there. */
bool scanner_empty(const struct scanner *scanner);

/* Read the next command; `last` tells whether it ended the line. Returns 0 or an SCPI error. */
int scanner_next(struct scanner *scanner, struct command *command, bool *last);

/* Tell whether a header means a pattern, such as `SYSTem:ERRor[:NEXT]`. */
bool scpi_matches(const char *header, const char *pattern);

/* Tell whether an argument is a word, such as `TRAJectory`. */
bool scpi_word(const struct argument *argument, const char *pattern);

#endif
