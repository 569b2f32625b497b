/* SPDX-License-Identifier: Apache-2.0 */
#include "loading.h"

#include <math.h>
#include <string.h>

#include "builtin.h"
#include "bytes.h"
#include "crc32.h"
#include "run.h"
#include "scpi_errors.h"
#include "table.h"

struct program program;

static uint32_t crcs[LOAD_STATES + 1];
static uint8_t area[UPLOAD_BYTES];
static size_t written; /* bytes of the area, from its start on */

static void forget_all_but_program(void)
{
    memset(crcs, 0, sizeof crcs);
    given_states.samples = 0;
    run_forget(&program);
}

void loading_reset(void)
{
    program.units = 0;
    written = 0;
    forget_all_but_program();
}

void loading_builtin(void)
{
    if (builtin_load(&program))
        forget_all_but_program();
}

uint32_t loaded_crc(enum load what)
{
    return crcs[what];
}

static int refuse(int error, const char *detail, const char **why)
{
    *why = detail;
    return error;
}

static int load_program(const uint8_t *bytes, size_t count, const char **why)
{
    struct table table;
    struct program_source source;
    const char *fault = table_open(&table, bytes, count);

    if (fault)
        return refuse(ERROR_BLOCK, fault, why);
    source = table_source(&table);
    program_build(&program, &source);
    forget_all_but_program();
    return 0;
}

static int load_biases(const uint8_t *bytes, size_t count, const char **why)
{
    uint32_t unit;

    if (count != 4 * (size_t)program.units + 4)
        return refuse(ERROR_BLOCK, "biases are one f32 a unit of the program, and a checksum", why);
    for (unit = 0; unit < program.units; unit++)
        if (!isfinite(get_f32(bytes + 4 * (size_t)unit)))
            return refuse(ERROR_RANGE, "a bias is not finite", why);
    for (unit = 0; unit < program.units; unit++)
        program.biases[unit] = get_f32(bytes + 4 * (size_t)unit);
    return 0;
}

static int load_schedule(const uint8_t *bytes, size_t count, const char **why)
{
    if (count < 12)
        return refuse(ERROR_BLOCK, "a schedule begins with the numbers of knots and of units", why);
    if (get_u32(bytes) != 0)
        return refuse(ERROR_CONFLICT, "this board cannot change biases during a run", why);
    return count == 12 ? 0 : refuse(ERROR_BLOCK, "a schedule without knots is 12 bytes long", why);
}

static int load_states(const uint8_t *bytes, size_t count, const char **why)
{
    uint32_t samples;
    uint64_t floats, k;

    if (count < 12 || get_u32(bytes + 4) != program.units)
        return refuse(ERROR_BLOCK, "states begin with their number and the number of units of the program", why);
    samples = get_u32(bytes);
    floats = (uint64_t)samples * program.units;
    if (count != 4 * floats + 12)
        return refuse(ERROR_BLOCK, "the numbers of states and of units do not add up to the length", why);
    if (samples == 0 || floats > STATES_BYTES / 4)
        return refuse(samples ? ERROR_TOO_MUCH : ERROR_RANGE, "no states, or more than this board holds", why);
    for (k = 0; k < floats; k++)
        if (!isfinite(get_f32(bytes + 8 + 4 * k)))
            return refuse(ERROR_RANGE, "a state is not finite", why);
    for (k = 0; k < floats; k++)
        given_states.states[k] = get_f32(bytes + 8 + 4 * k);
    given_states.samples = samples;
    return 0;
}

int load_payload(enum load what, const uint8_t *bytes, size_t count, const char **why)
{
    static int (*const loaders[])(const uint8_t *, size_t, const char **) = {
        load_program,
        load_biases,
        load_schedule,
        load_states,
    };
    int error;

    if (!crc32_fits(bytes, count))
        return refuse(ERROR_BLOCK, "the checksum at the end of the payload does not fit", why);
    if (what != LOAD_PROGRAM && program.units == 0)
        return refuse(ERROR_CONFLICT, "no program is loaded", why);
    error = loaders[what](bytes, count, why);
    if (!error)
        crcs[what] = what == LOAD_SCHEDULE ? 0 : get_u32(bytes + count - 4); /* only schedules that end are taken */
    return error;
}

int upload(uint64_t offset, const uint8_t *bytes, size_t count, const char **why)
{
    if (!crc32_fits(bytes, count))
        return refuse(ERROR_BLOCK, "the checksum at the end of the payload does not fit", why);
    if (offset > UPLOAD_BYTES || count - 4 > UPLOAD_BYTES - offset)
        return refuse(ERROR_TOO_MUCH, "that is beyond the end of the upload area, limits.upload_bytes", why);
    if (offset > written)
        memset(area + written, 0, (size_t)offset - written);
    if (offset + count - 4 > written)
        written = (size_t)offset + count - 4;
    memcpy(area + offset, bytes, count - 4);
    return 0;
}

int load_uploaded(enum load what, uint64_t count, uint32_t crc, const char **why)
{
    if (count < 4 || count > UPLOAD_BYTES)
        return refuse(ERROR_RANGE, "the length must be that of a payload in the upload area", why);
    if (count > written || get_u32(area + count - 4) != crc)
        return refuse(ERROR_BLOCK, "the upload area holds another checksum there", why);
    return load_payload(what, area, (size_t)count, why);
}
