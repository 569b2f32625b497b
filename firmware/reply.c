/* SPDX-License-Identifier: Apache-2.0 */
#include "reply.h"

#include "payloads.h"

void reply_start(struct reply *reply)
{
    text_start(&reply->text, reply->bytes, sizeof reply->bytes);
    reply->commands = reply->blocks = 0;
}

struct text *reply_next(struct reply *reply)
{
    if (reply->commands++)
        text_add(&reply->text, ";");
    return &reply->text;
}

bool reply_block(struct reply *reply, enum block block, uint32_t first, uint32_t count)
{
    if (reply->blocks == REPLY_BLOCKS)
        return false;
    reply->block[reply->blocks].at = reply_next(reply)->used;
    reply->block[reply->blocks].block = block;
    reply->block[reply->blocks].first = first;
    reply->block[reply->blocks].count = count;
    reply->blocks++;
    return true;
}

void reply_send(struct reply *reply, struct mark mark)
{
    size_t at = 0;
    unsigned k;

    if (!reply->commands && !mark.checked)
        return;
    output_start();
    if (!reply->commands)
        output_text("OK");
    for (k = 0; k < reply->blocks; k++) {
        output_bytes((const uint8_t *)reply->bytes + at, reply->block[k].at - at);
        at = reply->block[k].at;
        payload_send(reply->block[k].block, reply->block[k].first, reply->block[k].count);
    }
    output_bytes((const uint8_t *)reply->bytes + at, reply->text.used - at);
    output_end(mark);
}
