/* SPDX-License-Identifier: Apache-2.0 */
/* Coupling tables: what is read from sound ones, and that damaged ones are refused. */
#include <math.h>

#include "check.h"
#include "make_table.h"
#include "no_board.h"
#include "table.h"

static uint8_t bytes[1 << 16];
static struct table table;
static struct program program;

static const uint16_t listed[][2] = {{0, 2}, {1, 2}, {1, 3}, {2, 3}};
static const unsigned two_layers[] = {0, 1, 1};

static size_t make_listed(void)
{
    return make_table(bytes, 0, 2, 2, 4, listed, two_layers);
}

static void build(size_t count)
{
    struct program_source source;
    const char *fault = table_open(&table, bytes, count);

    CHECK(fault == NULL);
    if (fault) {
        fprintf(stderr, "%s\n", fault);
        return;
    }
    source = table_source(&table);
    program_build(&program, &source);
}

/* Get J_ij as the program has it, and check that it has it in both directions. */
static float coupling(uint32_t i, uint32_t j)
{
    float values[2] = {0, 0};
    uint32_t k, end;

    for (end = 0; end < 2; end++) {
        const uint32_t from = end ? j : i, to = end ? i : j;

        for (k = program.rows[from]; k < program.rows[from + 1]; k++)
            if (program.partner[k] == to)
                values[end] += program.coupling[k];
    }
    CHECK(fabsf(values[0] - values[1]) <= 0.0F);
    return values[0];
}

#define IS(value, wanted) (fabs((double)(value) - (wanted)) < 1e-6)

static void test_listed(void)
{
    uint32_t unit;

    build(make_listed());
    CHECK(program.units == 4 && program.rows[4] == 8);
    for (unit = 0; unit < 4; unit++) {
        CHECK(IS(program.J2[unit], J2_OF(unit)) && IS(program.J4[unit], J4_OF(unit)));
        CHECK(IS(program.biases[unit], -(double)unit * 4 * SCALE));
    }
    CHECK(IS(coupling(0, 2), 1 * 2 * SCALE) && IS(coupling(1, 2), 2 * 2 * SCALE) && IS(coupling(1, 3), 3 * 2 * SCALE));
    CHECK(IS(coupling(2, 3), 4 * 3 * SCALE) && IS(coupling(0, 1), 0));
}

static void test_kinds(void)
{
    static const unsigned bipartite[] = {0, 1, 0}, complete[] = {1, 1, 0}, one_layer[] = {1, 0, 0};

    build(make_table(bytes, 1, 2, 2, 5, NULL, two_layers));
    CHECK(IS(coupling(0, 2), 2 * SCALE) && IS(coupling(0, 3), 4 * SCALE) && IS(coupling(1, 2), 6 * SCALE));
    CHECK(IS(coupling(1, 3), 8 * SCALE) && IS(coupling(2, 3), 15 * SCALE) && IS(coupling(0, 1), 0));
    build(make_table(bytes, 2, 2, 2, 4, NULL, bipartite));
    CHECK(IS(coupling(0, 3), 4 * SCALE) && IS(coupling(1, 3), 8 * SCALE) && IS(coupling(2, 3), 0));
    build(make_table(bytes, 3, 2, 1, 3, NULL, complete));
    CHECK(program.units == 3 && IS(coupling(0, 1), SCALE) && IS(coupling(0, 2), 4 * SCALE));
    CHECK(IS(coupling(1, 2), 6 * SCALE));
    build(make_table(bytes, 3, 64, 0, 2016, NULL, one_layer));
    CHECK(program.rows[64] == 4032 && IS(coupling(62, 63), (2015 % 15 + 1) * SCALE));
    build(make_table(bytes, 1, 0, 3, 3, NULL, (const unsigned[]){0, 0, 1}));
    build(make_table(bytes, 3, 1, 0, 0, NULL, (const unsigned[]){0, 0, 0}));
    CHECK(program.units == 1 && program.rows[1] == 0);
}

/* The board must refuse what a hit bit makes of a table, wherever it is hit. */
static void test_damage(void)
{
    const size_t count = make_listed();
    size_t bit, refused = 0;

    for (bit = 0; bit < 8 * count; bit++) {
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ (1 << bit % 8));
        refused += table_open(&table, bytes, count) != NULL;
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ (1 << bit % 8));
    }
    CHECK(refused == 8 * count);
    for (bit = 0; bit < count; bit++)
        CHECK(table_open(&table, bytes, bit) != NULL);
    CHECK(table_open(&table, bytes, count + 1) != NULL);
    CHECK(table_open(&table, bytes, count) == NULL);
}

/* Change some bytes of a sound table, seal it, and see that it is refused for a reason that says so. */
static void refused(size_t at, const void *change, size_t length, const char *word)
{
    const size_t count = make_listed();
    const char *fault;

    memcpy(bytes + at, change, length);
    fault = table_open(&table, bytes, seal(bytes, count));
    CHECK(fault != NULL && strstr(fault, word) != NULL);
    if (fault && !strstr(fault, word))
        fprintf(stderr, "%zu: %s, not %s\n", at, fault, word);
}

static void test_content(void)
{
    const size_t arrays = 72 + 16 * 4, codes = arrays + 16, biases = codes + 8;
    const double infinite = HUGE_VAL, large = 1e39, negative = -1, none = 0;

    refused(0, "X", 1, "not a binary");
    refused(8, "\2", 1, "version");
    refused(10, "\111", 1, "version");
    refused(12, "\4", 1, "topology");
    refused(12, "\3", 1, "add up");
    refused(13, "\1", 1, "width");
    refused(13, "\4", 1, "add up");
    refused(14, "\5", 1, "positive");
    refused(15, "\0", 1, "fewer than 2");
    refused(15, "\21", 1, "more than 16");
    refused(15, "\2", 1, "larger than its bits");
    refused(17, "\2", 1, "larger than its bits");
    refused(18, "\1", 1, "version");
    refused(20, "\377\377\377\377", 4, "more than this board");
    refused(24, "\377\377\377\377", 4, "more than this board");
    refused(20, "\0\0\0\0\0\0\0\0", 8, "no units");
    refused(20, "\3", 1, "add up");
    refused(28, "\377\377\377\377", 4, "more pairs");
    refused(28, "\3", 1, "add up");
    refused(40, &infinite, 8, "positive and finite");
    refused(40, &negative, 8, "positive and finite");
    refused(40, &none, 8, "positive and finite");
    refused(64, "\377\377\377\377", 4, "add up");
    refused(68, "\377\377\377\377", 4, "add up");
    refused(72, &infinite, 8, "not finite");
    refused(72, &large, 8, "not finite");
    refused(72 + 32, &negative, 8, "bounded below");
    refused(arrays, "\2\0", 2, "ascending");
    refused(arrays + 2, "\4\0", 2, "missing unit");
    refused(arrays + 2, "\377\377", 2, "missing unit");
    refused(arrays + 4, "\0\0", 2, "lexicographic");
    refused(codes, "\20\0", 2, "larger than its bits");
    refused(codes, "\360\377", 2, "larger than its bits");
    refused(codes, "\0\200", 2, "larger than its bits");
    refused(biases + 6, "\0\200", 2, "larger than its bits");
}

static void test_blocks(void)
{
    static const unsigned all[] = {1, 1, 1}, few[] = {0, 1, 0};

    CHECK(table_open(&table, bytes, make_table(bytes, 0, 2, 2, 4, listed, all)) != NULL);
    CHECK(table_open(&table, bytes, make_table(bytes, 0, 2, 2, 4, listed, few)) != NULL);
    CHECK(table_open(&table, bytes, make_table(bytes, 1, 2, 2, 4, NULL, two_layers)) != NULL);
    CHECK(table_open(&table, bytes, make_table(bytes, 2, 2, 2, 5, NULL, two_layers)) != NULL);
}

int main(void)
{
    test_listed();
    test_kinds();
    test_damage();
    test_content();
    test_blocks();
    return REPORT();
}
