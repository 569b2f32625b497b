/* SPDX-License-Identifier: Apache-2.0 */
/* Lines from bytes, and commands from lines. */
#include "check.h"
#include "line.h"
#include "no_board.h"
#include "scpi.h"
#include "scpi_errors.h"

static struct line line;

/* Feed bytes; returns what the last of them brought, and says where an earlier one brought something. */
static enum line_event feed_bytes(const void *bytes, size_t count)
{
    enum line_event event = LINE_NOTHING;
    size_t k;

    for (k = 0; k < count; k++) {
        CHECK(event == LINE_NOTHING);
        event = line_byte(&line, ((const uint8_t *)bytes)[k], 1000);
    }
    return event;
}

static enum line_event feed(const char *text)
{
    return feed_bytes(text, strlen(text));
}

static int holds(const char *text)
{
    return line.used == strlen(text) && memcmp(line.bytes, text, line.used) == 0;
}

static void test_text(void)
{
    line_clear(&line);
    CHECK(feed("*IDN?\r\n") == LINE_READY && holds("*IDN?"));
    line_clear(&line);
    CHECK(feed("\n") == LINE_READY && holds(""));
    line_clear(&line);
    CHECK(feed("A #H12 # #x,#\n") == LINE_READY && holds("A #H12 # #x,#"));
    line_clear(&line);
    CHECK(feed("*IDN?#13\nab\n") == LINE_READY && holds("*IDN?#13\nab")); /* a block wherever it stands */
}

static void test_blocks(void)
{
    uint8_t bytes[256 + 16] = "P:D #3256";
    int k;

    for (k = 0; k < 256; k++)
        bytes[9 + k] = (uint8_t)k;
    bytes[265] = '\n';
    line_clear(&line);
    CHECK(feed_bytes(bytes, 266) == LINE_READY && line.used == 265 && line.text == 9 && line.block_end == 265);
    CHECK(memcmp(line.bytes, bytes, 265) == 0);
    line_clear(&line);
    CHECK(feed("A #15\r\n\r\n#;B\t#13#15\r\n") == LINE_READY && holds("A #15\r\n\r\n#;B\t#13#15"));
    line_clear(&line);
    CHECK(feed("A #11\r\n") == LINE_READY && holds("A #11\r")); /* this CR is the block's */
    line_clear(&line);
    CHECK(feed("A #10\n") == LINE_READY && holds("A #10"));
    line_clear(&line);
    CHECK(feed("A #0abc\n") == LINE_DROPPED && line.error == ERROR_BLOCK);
    line_clear(&line);
    CHECK(feed("A #3a\n") == LINE_DROPPED && line.error == ERROR_BLOCK);
    line_clear(&line);
    CHECK(feed("A #3\n") == LINE_DROPPED && line.error == ERROR_BLOCK);
}

static void test_limits(void)
{
    char head[16];
    uint32_t k;

    line_clear(&line);
    for (k = 0; k < LINE_BYTES; k++)
        CHECK(feed("x") == LINE_NOTHING);
    CHECK(feed("\n") == LINE_READY && line.used == LINE_BYTES);
    line_clear(&line);
    for (k = 0; k < LINE_BYTES + 1; k++)
        CHECK(feed("x") == LINE_NOTHING);
    CHECK(feed("\n") == LINE_DROPPED && line.error == ERROR_OVERRUN);

    line_clear(&line);
    snprintf(head, sizeof head, "A #6%d", BLOCK_BYTES);
    feed(head);
    for (k = 0; k < BLOCK_BYTES; k++)
        line_byte(&line, '\n', 0);
    CHECK(feed("\n") == LINE_READY && line.used == BLOCK_BYTES + 10);
    line_clear(&line);
    snprintf(head, sizeof head, "A #6%d", BLOCK_BYTES + 1);
    feed(head);
    for (k = 0; k < BLOCK_BYTES + 1; k++)
        CHECK(line_byte(&line, '\n', 0) == LINE_NOTHING);
    CHECK(feed("tail\n") == LINE_DROPPED && line.error == ERROR_TOO_MUCH);
    line_clear(&line);
    CHECK(feed("A #816777217\n\n\n") == LINE_NOTHING);
    CHECK(line_quiet(&line, 1000 + QUIET_TICKS) == LINE_DROPPED && line.error == ERROR_TOO_MUCH);
}

static void test_quiet(void)
{
    line_clear(&line);
    CHECK(line_quiet(&line, 5000) == LINE_NOTHING);
    feed("PROG:DATA #512345");
    CHECK(line_quiet(&line, 1000 + QUIET_TICKS - 1) == LINE_NOTHING);
    CHECK(line_quiet(&line, 1000 + QUIET_TICKS) == LINE_DROPPED && line.error == ERROR_OVERRUN);
    line_clear(&line);
    CHECK(feed("*IDN?\n") == LINE_READY && holds("*IDN?"));
    line_clear(&line);
    line_byte(&line, 'x', UINT32_MAX - 5); /* ticks wrap around */
    CHECK(line_quiet(&line, 10) == LINE_NOTHING);
    CHECK(line_quiet(&line, QUIET_TICKS) == LINE_DROPPED);
}

static void test_checked(void)
{
    static const char sound[] = "SYST:CHEC ON ~01CEE3A906\n";
    char hit[sizeof sound];
    uint8_t tag = 0;
    size_t k;
    int caught = 0;

    line_clear(&line);
    feed("*IDN?\n");
    CHECK(line_check(&line, &tag) == LINE_PLAIN && holds("*IDN?"));
    line_clear(&line);
    feed(sound);
    CHECK(line_check(&line, &tag) == LINE_CHECKED && tag == 1 && holds("SYST:CHEC ON"));
    line_clear(&line);
    feed("SYST:CHEC ON ~01cee3a906\r\n");
    CHECK(line_check(&line, &tag) == LINE_CHECKED);
    for (k = 0; k < sizeof sound - 2; k++) {
        memcpy(hit, sound, sizeof sound);
        hit[k] = (char)(hit[k] ^ 1);
        line_clear(&line);
        caught += feed(hit) != LINE_READY || line_check(&line, &tag) != LINE_CHECKED;
    }
    CHECK(caught == sizeof sound - 2);
    line_clear(&line);
    feed("A #212 ~0102345678\n"); /* what looks like a checksum is the block */
    CHECK(line_check(&line, &tag) == LINE_PLAIN);
}

/* Read the commands of a line, written with `|` between what was understood, or the error. */
static const char *commands_of(const char *text)
{
    static char told[512];
    struct scanner scanner;
    struct command command;
    bool last = false;
    unsigned k;
    int error = 0;
    size_t used = 0;

    scanner_start(&scanner, (const uint8_t *)text, strlen(text));
    while (!last) {
        error = scanner_next(&scanner, &command, &last);
        if (error) {
            snprintf(told + used, sizeof told - used, "%d", error);
            return told;
        }
        used += (size_t)snprintf(told + used, sizeof told - used, "%s%s", command.header, command.query ? "?" : "");
        for (k = 0; k < command.arguments; k++)
            used += (size_t)snprintf(told + used, sizeof told - used, "%s%.*s", command.argument[k].block ? "#" : " ",
                                     (int)command.argument[k].count, (const char *)command.argument[k].bytes);
        used += (size_t)snprintf(told + used, sizeof told - used, "|");
    }
    return told;
}

#define READS(text, wanted) CHECK(strcmp(commands_of(text), wanted) == 0)

static void test_commands(void)
{
    READS("*idn?", "*IDN?|");
    READS("run:seed 1;samp 5", "RUN:SEED 1|RUN:SAMP 5|");
    READS("RUN:DUR 2.5;SAMP 100;*WAI;SEED 7;:INIT;*OPC?", "RUN:DUR 2.5|RUN:SAMP 100|*WAI|RUN:SEED 7|INIT|*OPC?|");
    READS("PROG:BIAS:CRC?;CRC?;:PROG:CRC?", "PROG:BIAS:CRC?|PROG:BIAS:CRC?|PROG:CRC?|");
    READS(" \tFETC? \t 0 , 5\t; *OPC ", "FETC? 0 5|*OPC|");
    READS("UPL:DATA 3,#15a;,\nb ; A", "UPL:DATA 3#a;,\nb|UPL:A|");
    READS("A 1;;B", "A 1|-102");
    READS("A 1;", "A 1|-102");
    READS("A 1,,2", "-102");
    READS("A 1,2,3", "-108");
    READS("A #11x,2", "-102");
    READS("A:", "-102");
    READS("::A", "-102");
    READS("A::B", "-102");
    READS("A!", "-101");
    READS("\"", "-101");
    READS("A??", "-101");
    READS("A \001", "-101");
    READS("A #15abc", "-161");
    READS("A 1 #15a;B;c;D", "-102"); /* no command is read out of a block */
    READS("A#15a;B;c;D", "-101");
    READS("A #11x #11x", "-102");
}

static void test_matching(void)
{
    CHECK(scpi_matches("SYST:ERR", "SYSTem:ERRor[:NEXT]") && scpi_matches("SYSTEM:ERROR:NEXT", "SYSTem:ERRor[:NEXT]"));
    CHECK(!scpi_matches("SYSTE:ERR", "SYSTem:ERRor[:NEXT]") && !scpi_matches("SYST", "SYSTem:ERRor[:NEXT]"));
    CHECK(!scpi_matches("SYST:ERR:NEX", "SYSTem:ERRor[:NEXT]") && !scpi_matches("SYST:ERR:NEXT:A", "SYSTem:ERRor[:NEXT]"));
    CHECK(scpi_matches("INIT", "INITiate[:IMMediate]") && scpi_matches("INITIATE:IMM", "INITiate[:IMMediate]"));
    CHECK(scpi_matches("*IDN", "*IDN") && !scpi_matches("IDN", "*IDN") && !scpi_matches("*IDNX", "*IDN"));
    CHECK(!scpi_matches("RUN:S", "RUN:SAMPles") && !scpi_matches("RUN:SEEDS", "RUN:SEED"));
}

int main(void)
{
    test_text();
    test_blocks();
    test_limits();
    test_quiet();
    test_checked();
    test_commands();
    test_matching();
    return REPORT();
}
