/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target: the whole instrument, fed with bytes. After each input comes a quiet and `*CLS`, and `*IDN?` must
 * answer. Checksums of payloads and of lines are mended in three of four mutations, so that what lies behind is reached.
 */
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "bytes.h"
#include "config.h"
#include "crc32.h"
#include "instrument.h"

#define SLICES 8   /* of a run, an input */
#define PAUSE 0xFD /* a quiet comes before this byte */
#define ANSWER "thermohw,fuzz,0," FIRMWARE_VERSION " protocol " PROTOCOL_VERSION "\n"

const char board_name[] = "fuzz";

static char sent[512];
static size_t sent_count;

void board_start(void)
{
}

int board_read(void)
{
    return -1;
}

void board_write(const uint8_t *bytes, size_t count)
{
    while (count--) {
        sent[sent_count % sizeof sent] = (char)*bytes++;
        sent_count++;
    }
}

uint32_t board_ticks(void)
{
    return 0;
}

void board_idle(void)
{
}

void board_drive(const struct program *program)
{
    (void)program;
}

void board_safe(void)
{
}

static void feed(const char *text, uint32_t now)
{
    while (*text)
        instrument_byte((uint8_t)*text++, now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t now = UINT32_MAX - 100; /* ticks wrap around */
    unsigned slices = 0;
    size_t k;

    instrument_start();
    for (k = 0; k < size; k++) {
        if (data[k] == PAUSE && slices++ < SLICES)
            instrument_poll(now += QUIET_TICKS);
        instrument_byte(data[k], now);
        if (data[k] == '\n' && slices++ < SLICES)
            instrument_poll(now);
    }
    instrument_poll(now += QUIET_TICKS);
    feed("*CLS\n", now);
    sent_count = 0;
    feed("*IDN?\n", now);
    if (sent_count != sizeof ANSWER - 1 || memcmp(sent, ANSWER, sizeof ANSWER - 1) != 0)
        abort();
    return 0;
}

/* Mend the checksum at the end of each block that is all there. */
static void mend_blocks(uint8_t *data, size_t size)
{
    size_t k, at, end, count;

    for (k = 0; k + 2 < size; k++) {
        if (data[k] != '#' || data[k + 1] < '1' || data[k + 1] > '9')
            continue;
        at = k + 2 + (size_t)(data[k + 1] - '0');
        for (count = 0, end = k + 2; end < at && end < size && data[end] >= '0' && data[end] <= '9'; end++)
            count = 10 * count + (size_t)(data[end] - '0');
        if (end != at || count < 4 || count > size - at)
            continue;
        put_u32(data + at + count - 4, crc32(0, data + at, count - 4));
        k = at + count - 1;
    }
}

/* Mend the checksum at the end of each line, as if there were no blocks with line feeds. */
static void mend_lines(uint8_t *data, size_t size)
{
    size_t begin = 0, k, digit;

    for (k = 0; k < size; k++) {
        if (data[k] != '\n')
            continue;
        if (k - begin >= 12 && data[k - 12] == ' ' && data[k - 11] == '~') {
            const uint32_t crc = crc32(0, data + begin, k - 8 - begin);

            for (digit = 0; digit < 8; digit++)
                data[k - 8 + digit] = (uint8_t) "0123456789ABCDEF"[(crc >> (28 - 4 * digit)) & 15];
        }
        begin = k + 1;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, most);
    if (seed % 4) {
        mend_blocks(data, size);
        mend_lines(data, size);
    }
    return size;
}
