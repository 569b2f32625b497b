/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text, in both directions, against the C library; checksums. */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "crc32.h"
#include "no_board.h"
#include "number.h"
#include "scpi_errors.h"

static int error_of(const char *text)
{
    double value;

    return number_read((const uint8_t *)text, strlen(text), &value);
}

static double read_back(const char *text)
{
    double value = NAN;

    CHECK(number_read((const uint8_t *)text, strlen(text), &value) == 0);
    return value;
}

static int same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void test_reading(void)
{
    static const char *const texts[] = {
        "0", "-1.5", "+.5", "2.", "1e3", "1E-3", "0.1", "123456789012345678901234567890", "4.9406564584124654e-324",
        "2.4703282292062328e-324", "2.2250738585072011e-308", "1.7976931348623157e308", "9007199254740993",
        "9007199254740993.0000000000000000000000000000000000000000000001", "1e-400", "0e99999", "5e-324", "1e23",
        "8.41e21", "9.5e-310", "0.000000000000000000000000000000000000000000000000000000000001",
    };
    size_t k;

    for (k = 0; k < sizeof texts / sizeof texts[0]; k++)
        CHECK(same(read_back(texts[k]), strtod(texts[k], NULL)));
    CHECK(error_of("") == ERROR_TYPE && error_of("-") == ERROR_TYPE && error_of(".") == ERROR_TYPE);
    CHECK(error_of("nan") == ERROR_TYPE && error_of("INF") == ERROR_TYPE && error_of("1.2.3") == ERROR_TYPE);
    CHECK(error_of("5 s") == ERROR_SUFFIX && error_of("5ms") == ERROR_SUFFIX && error_of("1e") == ERROR_SUFFIX);
    CHECK(error_of("1e309") == ERROR_RANGE && error_of("1e99999999999") == ERROR_RANGE);
    CHECK(error_of("1.7976931348623159e308") == ERROR_RANGE);
}

static void test_whole(void)
{
    uint64_t value = 0;
    uint32_t crc = 0;

#define WHOLE(text) whole_read((const uint8_t *)(text), strlen(text), &value)
#define HEX(text) hex_read((const uint8_t *)(text), strlen(text), &crc)
    CHECK(WHOLE("18446744073709551615") == 0 && value == UINT64_MAX);
    CHECK(WHOLE("18446744073709551616") == ERROR_RANGE && WHOLE("1e20") == ERROR_RANGE && WHOLE("-1") == ERROR_RANGE);
    CHECK(WHOLE("1e3") == 0 && value == 1000);
    CHECK(WHOLE("120e-1") == 0 && value == 12);
    CHECK(WHOLE("5.0") == 0 && value == 5);
    CHECK(WHOLE("-0") == 0 && value == 0);
    CHECK(WHOLE("5.5") == ERROR_TYPE && WHOLE("x") == ERROR_TYPE && WHOLE("5 V") == ERROR_SUFFIX);
    CHECK(HEX("#H0123aBcD") == 0 && crc == 0x0123ABCD);
    CHECK(HEX("#h1") == 0 && crc == 1);
    CHECK(HEX("#H") == ERROR_TYPE && HEX("#H123456789") == ERROR_TYPE && HEX("#HG") == ERROR_TYPE && HEX("12") < 0);
}

/* Every bit pattern must read back, and 15 digits or fewer must come out as they went in. */
static void test_writing(void)
{
    uint64_t state = 1;
    char text[NUMBER_BYTES + 1];
    int k;

    for (k = 0; k < 20000; k++) {
        double value;

        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        memcpy(&value, &state, sizeof value);
        if (k % 16 == 1) {
            const uint64_t subnormal = state >> (12 + k / 16 % 52);

            memcpy(&value, &subnormal, sizeof value);
        }
        if (k % 4 == 0)
            value = (double)(int64_t)(state >> 20) * 1e-6;
        if (!isfinite(value))
            continue;
        text[number_write(text, value)] = 0;
        CHECK(same(strtod(text, NULL), value));
        CHECK(same(read_back(text), value));
    }
#define WRITTEN(value, wanted) (text[number_write(text, value)] = 0, strcmp(text, wanted) == 0)
    CHECK(WRITTEN(0, "0") && WRITTEN(2.5, "2.5") && WRITTEN(0.1, "0.1") && WRITTEN(-100, "-100"));
    CHECK(WRITTEN(1e16, "10000000000000000") && WRITTEN(1e17, "1e+17") && WRITTEN(1e-5, "0.00001"));
    CHECK(WRITTEN(1.5e-7, "1.5e-07") && WRITTEN(5e-324, "4.94065645841247e-324") && WRITTEN(1e-323, "9.88131291682493e-324"));
    CHECK(WRITTEN(0.1 + 0.2, "0.30000000000000004") && WRITTEN(999999999999999.9, "999999999999999.9"));
}

static void test_checksum(void)
{
    uint8_t bytes[13] = "123456789";
    int bit, caught = 0;

    CHECK(crc32(0, bytes, 9) == 0xCBF43926);
    CHECK(crc32(crc32(0, bytes, 4), bytes + 4, 5) == 0xCBF43926);
    memcpy(bytes + 9, "\x26\x39\xF4\xCB", 4);
    CHECK(crc32_fits(bytes, 13));
    CHECK(!crc32_fits(bytes, 12) && !crc32_fits(bytes, 3));
    for (bit = 0; bit < 104; bit++) {
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ (1 << bit % 8));
        caught += !crc32_fits(bytes, 13);
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ (1 << bit % 8));
    }
    CHECK(caught == 104);
}

int main(void)
{
    test_reading();
    test_whole();
    test_writing();
    test_checksum();
    return REPORT();
}
