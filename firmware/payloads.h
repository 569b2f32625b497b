/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads that the board sends (docs/protocol.md, sections 3 and 5). */
#ifndef PAYLOADS_H
#define PAYLOADS_H

#include "reply.h"

/* Get the bytes of a payload with samples, checksum included. */
uint64_t samples_bytes(uint32_t count);

void payload_send(enum block block, uint32_t first, uint32_t count);

#endif
