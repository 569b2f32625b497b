/* SPDX-License-Identifier: Apache-2.0 */
/* Coupling tables in binary form (docs/formats.md, `.bin`), read in place. */
#ifndef TABLE_H
#define TABLE_H

#include "program.h"

#include <stddef.h>

struct table {
    uint32_t visible, units, pairs;
    unsigned kind, width; /* of the topology; bytes a unit number */
    unsigned bits[4];
    double scale[4];
    const uint8_t *J2, *J4, *listed, *codes, *bias_codes;
};

/* Open a table and check all of it. Returns NULL, or what is wrong with it. The bytes must stay where they are. */
const char *table_open(struct table *table, const uint8_t *bytes, size_t count);

/* Get an opened table as the source of a program. */
struct program_source table_source(const struct table *table);

#endif
