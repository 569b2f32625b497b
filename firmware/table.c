/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <string.h>

#include "bytes.h"
#include "crc32.h"

enum { VISIBLE_VISIBLE, VISIBLE_HIDDEN, HIDDEN_HIDDEN, BIASES, BLOCKS };
enum { LISTED, LAYERED, BIPARTITE, COMPLETE };

#define HEADER 72U
#define TRAILER 36U

static unsigned block_of(const struct table *table, const struct pair *pair)
{
    return (pair->i >= table->visible) + (unsigned)(pair->j >= table->visible);
}

/* Get the first partner j > i of a unit in a topology that is not listed; `units` if it has none. */
static uint32_t first_partner(const struct table *table, uint32_t i)
{
    if (table->kind == BIPARTITE && i >= table->visible)
        return table->units;
    if (table->kind == COMPLETE || i >= table->visible)
        return i + 1;
    return table->visible;
}

static uint32_t listed_unit(const struct table *table, uint32_t at)
{
    const uint8_t *bytes = table->listed + (size_t)table->width * at;

    return table->width == 2 ? get_u16(bytes) : get_u32(bytes);
}

static bool next_pair(const void *data, struct pair *pair)
{
    const struct table *table = data;
    const uint32_t number = pair->begun ? pair->number + 1 : 0;

    if (number >= table->pairs)
        return false;
    if (table->kind == LISTED) {
        pair->i = listed_unit(table, 2 * number);
        pair->j = listed_unit(table, 2 * number + 1);
    } else {
        uint32_t j = pair->begun ? pair->j + 1 : first_partner(table, pair->i);

        while (j >= table->units) {
            if (++pair->i >= table->units)
                return false;
            j = first_partner(table, pair->i);
        }
        pair->j = j;
    }
    pair->number = number;
    pair->begun = 1;
    pair->coupling = (double)get_i16(table->codes + 2 * (size_t)number) * table->scale[block_of(table, pair)];
    return true;
}

static double J2_of(const void *data, uint32_t unit)
{
    return get_f64(((const struct table *)data)->J2 + 8 * (size_t)unit);
}

static double J4_of(const void *data, uint32_t unit)
{
    return get_f64(((const struct table *)data)->J4 + 8 * (size_t)unit);
}

static double bias_of(const void *data, uint32_t unit)
{
    const struct table *table = data;

    return (double)get_i16(table->bias_codes + 2 * (size_t)unit) * table->scale[BIASES];
}

struct program_source table_source(const struct table *table)
{
    struct program_source source = {table, table->units, J2_of, J4_of, bias_of, {0, 0, 0, 0, 0}, next_pair};

    return source;
}

/* Check all that says where the parts lie. */
static const char *open_frame(struct table *table, const uint8_t *bytes, size_t count)
{
    uint32_t hidden, metadata;
    uint64_t total;

    if (count < HEADER + TRAILER || memcmp(bytes, "THWTABLE", 8) != 0)
        return "not a binary coupling table";
    if (!crc32_fits(bytes, count))
        return "the checksum of the table does not fit";
    if (get_u16(bytes + 8) != 1 || get_u16(bytes + 10) != HEADER || get_u16(bytes + 18) != 0)
        return "a version of the table that this firmware does not know";
    table->kind = bytes[12];
    table->width = bytes[13];
    table->visible = get_u32(bytes + 20);
    hidden = get_u32(bytes + 24);
    table->pairs = get_u32(bytes + 28);
    metadata = get_u32(bytes + 64);
    if (table->kind > COMPLETE || (table->width != 2 && table->width != 4))
        return "a topology or a width of unit numbers that version 1 lacks";
    if (table->visible > UNITS_MAX || hidden > UNITS_MAX - table->visible || table->visible + hidden == 0)
        return "the table has no units, or more than this board";
    if (table->pairs > PAIRS_MAX)
        return "the table has more pairs than this board";
    table->units = table->visible + hidden;
    table->J2 = bytes + HEADER;
    table->J4 = table->J2 + 8 * (size_t)table->units;
    total = (uint64_t)HEADER + 16 * table->units + TRAILER + metadata + 2 * (uint64_t)table->pairs + 2 * table->units;
    total += table->kind == LISTED ? 2 * (uint64_t)table->width * table->pairs : 0;
    if (total != count || get_u32(bytes + 68) != count)
        return "the counts in the table do not add up to its length";
    table->listed = table->J4 + 8 * (size_t)table->units;
    table->codes = table->listed + (table->kind == LISTED ? 2 * (size_t)table->width * table->pairs : 0);
    table->bias_codes = table->codes + 2 * (size_t)table->pairs;
    return NULL;
}

static const char *check_code(const struct table *table, const uint8_t *code, unsigned block)
{
    const int32_t largest = ((int32_t)1 << (table->bits[block] - 1)) - 1;
    const int32_t value = get_i16(code);

    return value < -largest || value > largest ? "a code is larger than its bits hold" : NULL;
}

static const char *check_blocks(struct table *table, const uint8_t *bytes)
{
    unsigned block;

    for (block = 0; block < BLOCKS; block++) {
        table->bits[block] = bytes[14 + block];
        table->scale[block] = get_f64(bytes + 32 + 8 * block);
        if (table->bits[block] == 0 && table->scale[block] >= 0 && table->scale[block] <= 0 && block != BIASES)
            continue; /* a block without pairs */
        if (table->bits[block] < 2 || table->bits[block] > 16)
            return "a block has fewer than 2 or more than 16 bits";
        if (!is_finite(table->scale[block]) || !(table->scale[block] > 0))
            return "an energy per code is not positive and finite";
    }
    return NULL;
}

static const char *check_pairs(const struct table *table)
{
    struct pair pair = {0, 0, 0, 0, 0}, before = pair;
    bool met[BLOCKS] = {false, false, false, true};
    const char *fault;
    uint32_t count = 0;
    unsigned block;

    for (; next_pair(table, &pair); before = pair, count++) {
        if (pair.i >= pair.j || pair.j >= table->units)
            return "a pair names a missing unit, or is not in ascending order";
        if (count && (pair.i < before.i || (pair.i == before.i && pair.j <= before.j)))
            return "the pairs are not in lexicographic order";
        block = block_of(table, &pair);
        if (table->bits[block] == 0)
            return "a block with pairs has no bits";
        met[block] = true;
        fault = check_code(table, table->codes + 2 * (size_t)count, block);
        if (fault)
            return fault;
    }
    for (block = 0; block < BLOCKS; block++)
        if (!met[block] && table->bits[block])
            return "a block without pairs has bits";
    return NULL;
}

/* Count the pairs of a topology that is not listed. */
static uint32_t count_pairs(const struct table *table)
{
    uint32_t count = 0, i;

    for (i = 0; i < table->units; i++)
        count += table->units - first_partner(table, i);
    return count;
}

const char *table_open(struct table *table, const uint8_t *bytes, size_t count)
{
    struct program_source source;
    const char *fault = open_frame(table, bytes, count);
    uint32_t unit;

    if (!fault)
        fault = check_blocks(table, bytes);
    if (!fault && table->kind != LISTED && count_pairs(table) != table->pairs)
        fault = "the topology has another number of pairs";
    if (!fault)
        fault = check_pairs(table);
    for (unit = 0; !fault && unit < table->units; unit++)
        fault = check_code(table, table->bias_codes + 2 * (size_t)unit, BIASES);
    if (fault)
        return fault;
    source = table_source(table);
    return program_fault(&source);
}
