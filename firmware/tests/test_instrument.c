/* SPDX-License-Identifier: Apache-2.0 */
/* The whole instrument behind the line: dialogues of docs/protocol.md. */
#include <stdlib.h>

#include "check.h"
#include "instrument.h"
#include "make_table.h"
#include "no_board.h"
#include "scpi_errors.h"

static uint32_t now = 1000;
static uint8_t table[4096];
static size_t table_count;

static void send(const void *bytes, size_t count)
{
    size_t k;

    for (k = 0; k < count; k++)
        instrument_byte(((const uint8_t *)bytes)[k], now);
}

/* Send a line and get the answer without its line feed. */
static const char *ask(const char *text)
{
    sent_count = 0;
    sent[0] = 0;
    send(text, strlen(text));
    send("\n", 1);
    if (sent_count && sent[sent_count - 1] == '\n')
        sent[sent_count - 1] = 0;
    return sent;
}

#define SAYS(text, wanted) \
    do { \
        const char *said = ask(text); \
        CHECK(strcmp(said, wanted) == 0); \
        if (strcmp(said, wanted) != 0) \
            fprintf(stderr, "    said: %s\n", said); \
    } while (0)

#define FAILS(text, number) \
    do { \
        CHECK(*ask(text) == 0); \
        CHECK(atoi(ask("SYST:ERR?")) == (number)); \
        SAYS("SYST:ERR?", "0,\"No error\""); \
    } while (0)

/* Send a command with a block of a payload, whose checksum is added. */
static void send_block(const char *command, const uint8_t *content, size_t count)
{
    uint8_t block[4096];
    const int head = snprintf((char *)block, sizeof block, "%s#4%04d", command, (int)count + 4);
    uint8_t *payload = block + head;

    memcpy(payload, content, count);
    put_u32(payload + count, crc32(0, content, count));
    payload[count + 4] = '\n';
    sent_count = 0;
    send(block, (size_t)head + count + 5);
}

static void restart(void)
{
    static const unsigned both[] = {1, 0, 0};

    instrument_start();
    table_count = make_table(table, 3, 2, 0, 1, NULL, both);
    send_block("PROG:DATA ", table, table_count - 4);
}

/* Let the run go on to its end; returns what was said meanwhile. */
static const char *finish(void)
{
    sent_count = 0;
    sent[0] = 0;
    while (instrument_poll(now)) {
    }
    return sent;
}

static const char *checked(const char *message, unsigned tag)
{
    static char text[512];
    const int count = snprintf(text, sizeof text - 12, "%s ~%02X", message, tag);

    snprintf(text + count, 12, "%08lX", (unsigned long)crc32(0, (const uint8_t *)text, (size_t)count));
    return text;
}

/* Send a checked line; the answer must be a sound checked line of that tag, and is this message. */
static void says_checked(const char *message, unsigned tag, const char *wanted, unsigned answer_tag)
{
    char answer[512];

    snprintf(answer, sizeof answer, "%s", checked(wanted, answer_tag));
    SAYS(checked(message, tag), answer);
}

static void test_by_hand(void)
{
    char crc[16];

    restart();
    SAYS("*IDN?", "thermohw,none,0,0.1.0 protocol 1.0");
    snprintf(crc, sizeof crc, "#H%08lX", (unsigned long)get_u32(table + table_count - 4));
    SAYS("PROG:CRC?", crc);
    SAYS("RUN:DUR 0.1;SAMP 100;SEED 7;:INIT;*OPC?", "");
    CHECK(driven);
    CHECK(strcmp(finish(), "1\n") == 0);
    SAYS("RUN:PROG?", "1,DONE,100,100");
    ask("FETC? 0,100");
    CHECK(memcmp(sent, "#43236THWS", 10) == 0 && sent_count == 6 + 3236 + 1);
    CHECK(crc32_fits((const uint8_t *)sent + 6, 3236));
    SAYS("RUN:SAMP 0", "");
    SAYS("SYST:ERR?", "-222,\"Data out of range; RUN:SAMPles takes 1 ... 65536, got 0\"");
    SAYS("SYST:ERR?;VERS?", "0,\"No error\";1.0");
}

static void test_checked(void)
{
    restart();
    says_checked("SYST:CHEC ON", 1, "OK", 1);
    says_checked("RUN:SAMP 100", 2, "OK", 2);
    says_checked("RUN:SAMP 0;SEED 5", 3, "!-222,\"Data out of range; RUN:SAMPles takes 1 ... 65536, got 0\"", 3);
    says_checked("RUN:SEED?;SAMP?", 4, "0;100", 4); /* nothing behind the failed command was carried out */
    SAYS("RUN:SAMP 5", checked("!-361,\"Parity error in program message\"", 0));
    SAYS("RUN:SXMP 100 ~0400000000", checked("!-361,\"Parity error in program message\"", 0));
    says_checked("RUN:SAMP?;:SYST:ERR?", 0xFF, "100;0,\"No error\"", 0xFF);
    says_checked("", 6, "OK", 6);
    sent_count = 0;
    send("RUN:SA", 6);
    instrument_poll(now += 250);
    CHECK(memcmp(sent, "!-361", 5) == 0 && memcmp(sent + sent_count - 13, " ~00", 4) == 0);
    SAYS("ABOR", "");
    SAYS("*IDN?", checked("!-361,\"Parity error in program message\"", 0));
    SAYS("*CLS", "");
    SAYS("*IDN?", "thermohw,none,0,0.1.0 protocol 1.0");
    SAYS("RUN:SAMP 9 ~0100000000", checked("!-361,\"Parity error in program message\"", 0));
    SAYS("RUN:SAMP?", "100");
}

static void test_settings(void)
{
    restart();
    SAYS("RUN:DUR?;DT?;SAMP?;FIRS?;SEED?;KEEP?;REC?;INIT?", "1;0;1;0;0;BOTH;1;UNC");
    SAYS("RUN:DUR 0.1;DT 2.5E-3;SAMP 7;FIRS 4294967295;SEED 18446744073709551615;KEEP traj;REC 2;INIT unbiased", "");
    SAYS("RUN:DUR?;DT?;SAMP?;FIRS?;SEED?", "0.1;0.0025;7;4294967295;18446744073709551615");
    SAYS("RUN:KEEP?;REC?;INIT?", "TRAJ;2;UNB");
    SAYS("*RST", "");
    SAYS("RUN:DUR?;SAMP?;KEEP?;:PROG:CRC?;:RUN:PROG?", "1;1;BOTH;#H00000000;0,IDLE,0,1");
    FAILS("RUN:DUR 0", ERROR_RANGE);
    FAILS("RUN:DUR -1", ERROR_RANGE);
    FAILS("RUN:DUR 1 s", ERROR_SUFFIX);
    FAILS("RUN:DUR nan", ERROR_TYPE);
    FAILS("RUN:SAMP 1.5", ERROR_TYPE);
    FAILS("RUN:SAMP", ERROR_MISSING);
    FAILS("RUN:SAMP 1,2", ERROR_NOT_ALLOWED);
    FAILS("RUN:SAMP #11x", ERROR_NO_BLOCK);
    FAILS("RUN:KEEP SOME", ERROR_ILLEGAL);
    FAILS("RUN:SEED 18446744073709551616", ERROR_RANGE);
    FAILS("RUN:SXMP 1", ERROR_HEADER);
    FAILS("RUN:PROG 1", ERROR_HEADER);
    FAILS("PROG:DATA 5", ERROR_TYPE);
    FAILS("INIT", ERROR_CONFLICT);
    FAILS("FETC? 0,1", ERROR_STALE);
    FAILS("*ESE 256", ERROR_RANGE);
}

static void test_registers(void)
{
    int k;

    instrument_start();
    SAYS("*ESR?;*ESR?;*STB?;*TST?", "128;0;0;0");
    SAYS("*ESE 16;*SRE 32;*ESE?;*SRE?", "16;32");
    SAYS("RUN:SAMP 0", "");
    SAYS("*STB?;*ESR?;*STB?", "100;16;4");
    SAYS("X", "");
    SAYS("*ESR?;*OPC;*ESR?", "32;1");
    SAYS("*CLS;*STB?;:SYST:ERR?", "0;0,\"No error\"");
    for (k = 0; k < 20; k++)
        ask("X");
    for (k = 0; k < 15; k++)
        CHECK(atoi(ask("SYST:ERR:NEXT?")) == ERROR_HEADER);
    SAYS("SYST:ERR?;ERR?", "-350,\"Queue overflow\";0,\"No error\"");
}

static void test_a_run(void)
{
    restart();
    SAYS("RUN:DUR 100;SAMP 50;:INIT 3;INIT 3;:STAT:OPER?;:RUN:PROG?", "16;3,RUNNING,0,50");
    FAILS("RUN:SAMP 5", ERROR_CONFLICT);
    FAILS("INIT 4", ERROR_INIT_IGNORED);
    FAILS("FETC? 0,1", ERROR_STALE);
    send_block("PROG:DATA ", table, table_count - 4);
    CHECK(atoi(ask("SYST:ERR?")) == ERROR_CONFLICT);
    SAYS("*OPC?;*IDN?;:RUN:PROG?", "");
    SAYS("RUN:SAMP?", "50"); /* lines behind *OPC? are read meanwhile */
    SAYS("ABOR", "1;thermohw,none,0,0.1.0 protocol 1.0;3,READY,0,50");
    CHECK(!driven);
    SAYS("RUN:DUR 0.1;:INIT 3;*CLS;*OPC;*ESR?", "0");
    finish();
    SAYS("*ESR?", "1");
    SAYS("RUN:PROG?;DT?;:STAT:OPER?;:INIT 3;:RUN:PROG?", "3,DONE,50,50;0.00625;32;3,DONE,50,50");
    FAILS("FETC? 0,51", ERROR_RANGE);
    FAILS("FETC? 50,1", ERROR_RANGE);
    FAILS("FETC? 0,0", ERROR_RANGE);
    SAYS("RUN:TIM?", "");
    CHECK(atoi(ask("SYST:ERR?")) == ERROR_STALE);
    FAILS("RUN:SAMP 65536;KEEP TRAJ;:INIT", ERROR_TOO_MUCH);
    FAILS("RUN:SAMP 1;DT 0.03;:INIT", ERROR_CONFLICT);
    SAYS("RUN:PROG?", "3,DONE,50,50"); /* a refused start keeps the samples */
    SAYS("RUN:DT 10;DUR 1e3;:INIT;*OPC?", "");
    CHECK(strcmp(finish(), "1\n") == 0);
    SAYS("RUN:PROG?", "4,FAILED,0,1");
    CHECK(strstr(ask("RUN:ERR?"), "\"a trajectory diverged") == sent);
    CHECK(atoi(ask("SYST:ERR?")) == ERROR_EXECUTION);
}

/* Get the states of samples of a finished run. */
static void fetch(uint32_t first, uint32_t count, float *states, size_t floats)
{
    char text[32];
    size_t k, digits;

    snprintf(text, sizeof text, "FETC? %u,%u", (unsigned)first, (unsigned)count);
    ask(text);
    digits = (size_t)(sent[1] - '0');
    for (k = 0; k < count * floats; k++)
        states[k] = get_f32((const uint8_t *)sent + 2 + digits + 32 + (k / floats + 1) * 16 + 4 * k);
}

static void test_parts_of_a_run(void)
{
    float whole[20 * 4], part[13 * 4];

    restart();
    ask("RUN:DUR 0.1;SEED 5;SAMP 20;FIRS 100;:INIT");
    finish();
    fetch(0, 20, whole, 4);
    ask("RUN:SAMP 13;FIRS 107;:INIT");
    finish();
    fetch(0, 13, part, 4);
    CHECK(memcmp(part, whole + 7 * 4, sizeof part) == 0);
    fetch(12, 1, part, 4);
    CHECK(memcmp(part, whole + 19 * 4, 4 * sizeof(float)) == 0);
    ask("RUN:SEED 6;:INIT");
    finish();
    fetch(0, 13, part, 4);
    CHECK(memcmp(part, whole + 7 * 4, sizeof part) != 0);
}

static void test_trajectories_and_states(void)
{
    uint8_t states[8 + 3 * 8], biases[8];
    float record[2 + 2 + 6 * 2];
    uint32_t k;

    restart();
    put_u32(states, 3);
    put_u32(states + 4, 2);
    for (k = 0; k < 6; k++)
        put_f32(states + 8 + 4 * k, 0.125F * (float)k);
    send_block("RUN:STAT ", states, sizeof states);
    SAYS("RUN:DUR 0.1;DT 0.01;SAMP 3;KEEP TRAJ;REC 2;INIT STAT;:INIT;:SYST:ERR?", "0,\"No error\"");
    finish();
    fetch(1, 1, record, 16);
    CHECK(record[2] >= 0.25F && record[2] <= 0.25F && record[3] >= 0.375F && record[3] <= 0.375F);
    CHECK(memcmp(record + 2, record + 4, 8) == 0 && memcmp(record, record + 14, 8) == 0);
    CHECK(memcmp(record, record + 12, 8) != 0);
    ask("RUN:TIM?");
    CHECK(memcmp(sent, "#252", 4) == 0 && get_f64((const uint8_t *)sent + 4) <= 0);
    for (k = 1; k < 6; k++)
        CHECK(get_f64((const uint8_t *)sent + 4 + 8 * k) > 0.02 * k - 1e-12 &&
              get_f64((const uint8_t *)sent + 4 + 8 * k) < 0.02 * k + 1e-12);
    FAILS("RUN:SAMP 2;:INIT", ERROR_CONFLICT);
    put_f32(biases, 0.5F);
    put_f32(biases + 4, -0.5F);
    send_block("PROG:BIAS ", biases, 8);
    CHECK(strtoul(ask("PROG:BIAS:CRC?") + 2, NULL, 16) == crc32(0, biases, 8));
    send_block("PROG:BIAS ", biases, 4);
    CHECK(atoi(ask("SYST:ERR?")) == ERROR_BLOCK);
    put_u32(biases, 1);
    send_block("PROG:SCH ", biases, 8);
    CHECK(atoi(ask("SYST:ERR?")) == ERROR_CONFLICT);
    put_u32(biases, 0);
    send_block("PROG:SCH ", biases, 8);
    SAYS("SYST:ERR?;:PROG:SCH:CRC?", "0,\"No error\";#H00000000");
    send_block("PROG:DATA ", table, table_count - 4);
    SAYS("PROG:BIAS:CRC?;:RUN:STAT:CRC?;:RUN:PROG?", "#H00000000;#H00000000;1,READY,0,2");
}

static void test_upload(void)
{
    char text[64];
    const uint32_t crc = get_u32(table + table_count - 4);

    restart();
    ask("*RST");
    send_block("UPL:DATA 0,", table, 100);
    send_block("UPL:DATA 100,", table + 100, table_count - 100);
    snprintf(text, sizeof text, "PROG:LOAD %u,#H%lx;CRC?", (unsigned)table_count, (unsigned long)crc);
    CHECK(strtoul(ask(text) + 2, NULL, 16) == crc);
    snprintf(text, sizeof text, "PROG:LOAD %u,#H%lx", (unsigned)table_count, (unsigned long)crc + 1);
    FAILS(text, ERROR_BLOCK);
    snprintf(text, sizeof text, "PROG:LOAD %u,#H%lx", (unsigned)table_count - 1, (unsigned long)crc);
    FAILS(text, ERROR_BLOCK);
    ask("*RST");
    snprintf(text, sizeof text, "PROG:LOAD %u,#H%lx", (unsigned)table_count, (unsigned long)crc);
    FAILS(text, ERROR_BLOCK); /* forgotten */
    FAILS("PROG:LOAD 3,#H0", ERROR_RANGE);
    FAILS("PROG:LOAD 524289,#H0", ERROR_RANGE);
    send_block("UPL:DATA 524288,", table, 1);
    CHECK(atoi(ask("SYST:ERR?")) == ERROR_TOO_MUCH);
    send_block("UPL:DATA 524287,", table, 1);
    SAYS("SYST:ERR?", "0,\"No error\"");
    ask("UPL:DATA 0,#15abcde");
    CHECK(atoi(ask("SYST:ERR?")) == ERROR_BLOCK);
}

static void test_waiting(void)
{
    char answer[128];

    restart();
    says_checked("RUN:DUR 0.2;SAMP 4;:INIT 1", 1, "OK", 1);
    SAYS(checked("*OPC?;:RUN:PROG?", 2), "");
    SAYS("*OPC?;*IDN?", "");
    SAYS("*CLS", ""); /* forgets the plain one */
    snprintf(answer, sizeof answer, "%s\n", checked("1;1,DONE,4,4", 2));
    CHECK(strcmp(finish(), answer) == 0);
    SAYS("INIT;*OPC?;INIT;*OPC?;*IDN?", "");
    CHECK(strcmp(finish(), "1;1;thermohw,none,0,0.1.0 protocol 1.0\n") == 0);
    SAYS("RUN:PROG?", "3,DONE,4,4");
    SAYS("*RST;*OPC?", "1");
    restart();
    says_checked("INIT 1", 1, "OK", 1);
    ask("*OPC?");
    ask("*OPC?");
    ask("*OPC?");
    ask("*OPC?");
    says_checked("*OPC?", 9, "!-221,\"Settings conflict; too many lines, or too long ones, wait for the end of the run\"", 9);
    CHECK(strcmp(finish(), "1\n1\n1\n1\n") == 0);
    says_checked("FETC? 0,1;INIT", 1, "!-221,\"Settings conflict; put FETCh? on a line of its own\"", 1);
}

int main(void)
{
    test_by_hand();
    test_checked();
    test_settings();
    test_registers();
    test_a_run();
    test_parts_of_a_run();
    test_trajectories_and_states();
    test_upload();
    test_waiting();
    return REPORT();
}
