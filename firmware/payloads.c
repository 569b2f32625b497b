/* SPDX-License-Identifier: Apache-2.0 */
#include "payloads.h"

#include <math.h>
#include <string.h>

#include "board.h"
#include "bytes.h"
#include "run.h"

#define QUOTED(number) QUOTED_(number)
#define QUOTED_(number) #number

static const char before_name[] = "{\"protocol\": \"" PROTOCOL_VERSION "\", \"spec\": {\"name\": \"";
static const char after_name[] =
    "\", \"mobility\": 1.0, \"kT\": 1.0, \"units\": " QUOTED(UNITS_MAX)
    ", \"coupling_limit\": null, \"bias_limit\": null, \"mass\": 0.0, \"scale\": null, \"schedules\": false, "
    "\"trajectories\": true, \"details\": {\"firmware\": \"" FIRMWARE_VERSION "\"}}, "
    "\"programs\": [\"table\"], \"heat\": false, "
    "\"limits\": {\"line_bytes\": " QUOTED(LINE_BYTES) ", \"block_bytes\": " QUOTED(BLOCK_BYTES)
    ", \"upload_bytes\": " QUOTED(UPLOAD_BYTES) ", \"fetch_bytes\": " QUOTED(FETCH_BYTES)
    ", \"samples\": " QUOTED(SAMPLES_MAX) ", \"stored_bytes\": " QUOTED(STORED_BYTES)
    ", \"knots\": 0, \"quiet\": " QUIET_SECONDS "}}";

static void send_capability(void)
{
    output_block_start(sizeof before_name - 1 + strlen(board_name) + sizeof after_name - 1 + 4);
    output_text(before_name);
    output_text(board_name);
    output_text(after_name);
    output_block_end();
}

static void send_times(void)
{
    uint32_t k;

    output_block_start(8 * (uint64_t)run.recorded + 4);
    for (k = 0; k < run.recorded; k++)
        output_f64((double)k * ((double)run.plan.record * run.dt));
    output_block_end();
}

uint64_t samples_bytes(uint32_t count)
{
    return 32 + count * (16 + 4 * (uint64_t)run.floats) + 4;
}

static void send_samples(uint32_t first, uint32_t count)
{
    const uint32_t header[] = {1 | (run_parts() << 16), run.number,   first,
                               count,                   run.units,    run.recorded,
                               16 + 4 * run.floats};
    uint32_t sample, k;

    output_block_start(samples_bytes(count));
    output_text("THWS");
    for (k = 0; k < sizeof header / sizeof header[0]; k++)
        output_u32(header[k]);
    for (sample = first; sample < first + count; sample++) {
        const float *record = run_record(sample);

        output_f64((double)NAN); /* heat and work follow from the states */
        output_f64((double)NAN);
        for (k = 0; k < run.floats; k++) {
            uint8_t bytes[4];

            put_f32(bytes, record[k]);
            output_bytes(bytes, sizeof bytes);
        }
    }
    output_block_end();
}

void payload_send(enum block block, uint32_t first, uint32_t count)
{
    switch (block) {
    case BLOCK_CAPABILITY:
        send_capability();
        break;
    case BLOCK_TIMES:
        send_times();
        break;
    case BLOCK_SAMPLES:
    default:
        send_samples(first, count);
        break;
    }
}
