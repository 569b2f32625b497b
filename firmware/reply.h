/* SPDX-License-Identifier: Apache-2.0 */
/* The replies to one line, kept until it is clear that no command of it failed. Blocks are made while they are sent. */
#ifndef REPLY_H
#define REPLY_H

#include "config.h"
#include "output.h"
#include "text.h"

enum block { BLOCK_CAPABILITY, BLOCK_TIMES, BLOCK_SAMPLES };

struct reply {
    char bytes[REPLY_BYTES];
    struct text text;
    unsigned commands; /* that replied */
    unsigned blocks;
    struct {
        size_t at; /* in the text */
        enum block block;
        uint32_t first, count; /* of samples */
    } block[REPLY_BLOCKS];
};

void reply_start(struct reply *reply);

/* Begin the reply of a further query; returns where its text goes. */
struct text *reply_next(struct reply *reply);

/* Reply a block; false if this line has too many. */
bool reply_block(struct reply *reply, enum block block, uint32_t first, uint32_t count);

/* Send the replies, or `OK` if there are none and the line was checked. */
void reply_send(struct reply *reply, struct mark mark);

#endif
