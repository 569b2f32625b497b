/* SPDX-License-Identifier: Apache-2.0 */
/* Error numbers of SCPI-99 that this firmware uses, and their texts. */
#ifndef SCPI_ERRORS_H
#define SCPI_ERRORS_H

enum scpi_error {
    ERROR_COMMAND = -100,
    ERROR_CHARACTER = -101,
    ERROR_SYNTAX = -102,
    ERROR_TYPE = -104,
    ERROR_NOT_ALLOWED = -108,
    ERROR_MISSING = -109,
    ERROR_HEADER = -113,
    ERROR_SUFFIX = -131,
    ERROR_BLOCK = -161,
    ERROR_NO_BLOCK = -168,
    ERROR_EXECUTION = -200,
    ERROR_INIT_IGNORED = -213,
    ERROR_CONFLICT = -221,
    ERROR_RANGE = -222,
    ERROR_TOO_MUCH = -223,
    ERROR_ILLEGAL = -224,
    ERROR_STALE = -230,
    ERROR_HARDWARE = -240,
    ERROR_QUEUE = -350,
    ERROR_PARITY = -361,
    ERROR_OVERRUN = -363
};

const char *scpi_error_text(int error);

#endif
