/* SPDX-License-Identifier: Apache-2.0 */
/* The least of a test framework: CHECK says where it failed, and main returns how often. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

static int checks, failures;

#define CHECK(condition) \
    do { \
        checks++; \
        if (!(condition)) { \
            failures++; \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
        } \
    } while (0)

#define REPORT() (printf("%s: %d checks, %d failed\n", __FILE__, checks, failures), failures != 0)

#endif
