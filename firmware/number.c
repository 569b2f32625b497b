/* SPDX-License-Identifier: Apache-2.0 */
#include "number.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "big.h"
#include "scpi_errors.h"

#define DIGITS_READ 40    /* further digits only tell whether the number is above or below a tie */
#define FAR 9999          /* an exponent beyond all doubles */
#define CHUNK 1000000000U /* 10^9 */
#define DIGITS_ALL 800    /* of any double written out */

struct decimal {
    struct big digits;
    int exponent; /* value = digits * 10^exponent */
    int count;    /* of the digits, leading zeros left out */
    bool more;    /* further digits that are not zero */
    bool negative;
};

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

static void take_digit(struct decimal *decimal, uint8_t byte, bool fraction)
{
    if (decimal->count < DIGITS_READ) {
        big_multiply_add(&decimal->digits, 10, (uint32_t)(byte - '0'));
        decimal->count += decimal->digits.used != 0;
        decimal->exponent -= fraction;
    } else {
        decimal->more = decimal->more || byte != '0';
        decimal->exponent += !fraction;
    }
}

/* Read digits with at most one point; returns where they end, or `at` if there is no digit. */
static size_t read_mantissa(const uint8_t *text, size_t count, size_t at, struct decimal *decimal)
{
    const size_t begin = at;
    bool point = false, any = false;

    for (; at < count; at++) {
        if (is_digit(text[at])) {
            any = true;
            take_digit(decimal, text[at], point);
        } else if (text[at] == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    return any ? at : begin;
}

static size_t read_exponent(const uint8_t *text, size_t count, size_t at, struct decimal *decimal)
{
    bool negative = false;
    int value = 0;
    size_t k = at + 1;

    if (at == count || (text[at] != 'e' && text[at] != 'E'))
        return at;
    if (k < count && (text[k] == '+' || text[k] == '-'))
        negative = text[k++] == '-';
    if (k == count || !is_digit(text[k]))
        return at;
    for (; k < count && is_digit(text[k]); k++)
        value = value < FAR ? 10 * value + (text[k] - '0') : FAR;
    decimal->exponent += negative ? -value : value;
    return k;
}

static int parse(const uint8_t *text, size_t count, struct decimal *decimal)
{
    size_t at = 0, end;

    big_set(&decimal->digits, 0);
    decimal->exponent = decimal->count = 0;
    decimal->more = decimal->negative = false;
    if (count && (text[0] == '+' || text[0] == '-'))
        decimal->negative = text[at++] == '-';
    end = read_mantissa(text, count, at, decimal);
    if (end == at)
        return ERROR_TYPE;
    end = read_exponent(text, count, end, decimal);
    while (end < count && (text[end] == ' ' || text[end] == '\t'))
        end++;
    if (end == count)
        return 0;
    return is_letter(text[end]) ? ERROR_SUFFIX : ERROR_TYPE;
}

/* Round big * 2^-scale to the nearest double, ties to even; `more` stands for a little above. */
static double rounded(const struct big *big, int scale, bool more)
{
    const int bits = (int)big_bits(big);
    int low = bits - 53; /* the lowest bit kept */
    bool rest, half;
    uint64_t mantissa;
    double value;

    if (low < scale - 1074)
        low = scale - 1074; /* subnormal */
    if (low > bits)
        return 0;
    if (low < 1) {
        mantissa = big_top(big, 0, &rest);
        return ldexp((double)mantissa, -scale);
    }
    mantissa = big_top(big, (unsigned)low - 1, &rest);
    half = mantissa & 1;
    mantissa >>= 1;
    if (half && (rest || more || (mantissa & 1)))
        mantissa++;
    value = ldexp((double)mantissa, low - scale);
    return value;
}

int number_read(const uint8_t *text, size_t count, double *value)
{
    struct decimal decimal;
    const int error = parse(text, count, &decimal);
    int k, scale = 0;

    if (error)
        return error;
    *value = 0;
    if (decimal.digits.used == 0 || decimal.count + decimal.exponent < -330)
        return 0;
    if (decimal.count + decimal.exponent > 310)
        return ERROR_RANGE;
    for (k = decimal.exponent; k > 0; k--)
        big_multiply_add(&decimal.digits, 10, 0);
    if (decimal.exponent < 0) {
        scale = 128 + 32 * ((-decimal.exponent * 10 / 3) / 32); /* leaves 64 bits and more in the quotient */
        big_shift(&decimal.digits, (unsigned)scale);
        for (k = decimal.exponent; k <= -9; k += 9)
            decimal.more = big_divide(&decimal.digits, CHUNK) || decimal.more;
        for (; k < 0; k++)
            decimal.more = big_divide(&decimal.digits, 10) || decimal.more;
    }
    *value = rounded(&decimal.digits, scale, decimal.more);
    if (*value > DBL_MAX)
        return ERROR_RANGE;
    if (decimal.negative)
        *value = -*value;
    return 0;
}

int whole_read(const uint8_t *text, size_t count, uint64_t *value)
{
    struct decimal decimal;
    const int error = parse(text, count, &decimal);
    bool rest;

    if (error)
        return error;
    *value = 0;
    if (decimal.digits.used == 0)
        return 0;
    if (decimal.negative || decimal.count + decimal.exponent > 20)
        return ERROR_RANGE;
    for (; decimal.exponent > 0; decimal.exponent--)
        big_multiply_add(&decimal.digits, 10, 0);
    for (; decimal.exponent < 0 && decimal.digits.used; decimal.exponent++)
        decimal.more = big_divide(&decimal.digits, 10) || decimal.more;
    if (decimal.more)
        return ERROR_TYPE;
    if (big_bits(&decimal.digits) > 64)
        return ERROR_RANGE;
    *value = big_top(&decimal.digits, 0, &rest);
    return 0;
}

int hex_read(const uint8_t *text, size_t count, uint32_t *value)
{
    size_t k;

    if (count < 3 || count > 10 || text[0] != '#' || (text[1] != 'H' && text[1] != 'h'))
        return ERROR_TYPE;
    *value = 0;
    for (k = 2; k < count; k++) {
        const uint8_t upper = (uint8_t)(text[k] & ~0x20U);

        if (is_digit(text[k]))
            *value = 16 * *value + (uint32_t)(text[k] - '0');
        else if (upper >= 'A' && upper <= 'F')
            *value = 16 * *value + (uint32_t)(upper - 'A' + 10);
        else
            return ERROR_TYPE;
    }
    return 0;
}

/* Write out all digits of a positive number; returns their count, and the exponent of the first. */
static int all_digits(double value, char *digits, int *exponent)
{
    struct big big;
    int binary, decimal = 0, end = DIGITS_ALL, k;
    uint64_t mantissa = (uint64_t)ldexp(frexp(value, &binary), 53);

    for (binary -= 53; mantissa % 2 == 0; binary++)
        mantissa /= 2; /* so that subnormal numbers, too, have no more than 767 digits */
    big_set(&big, mantissa);
    if (binary >= 0)
        big_shift(&big, (unsigned)binary);
    for (; binary < 0; binary++, decimal--)
        big_multiply_add(&big, 5, 0); /* m 2^-k = m 5^k 10^-k */
    while (big.used) {
        uint32_t chunk = big_divide(&big, CHUNK);

        for (k = 0; k < 9 && (chunk || big.used); k++, chunk /= 10)
            digits[--end] = (char)('0' + chunk % 10);
    }
    memmove(digits, digits + end, (size_t)(DIGITS_ALL - end));
    *exponent = decimal + DIGITS_ALL - end - 1;
    return DIGITS_ALL - end;
}

/* Round digits to the first `wanted`, half up; returns 1 where that carries into a new first digit. */
static int round_digits(const char *digits, int count, int wanted, char *out)
{
    int k;
    bool up = wanted < count && digits[wanted] >= '5';

    for (k = 0; k < wanted; k++)
        out[k] = k < count ? digits[k] : '0';
    for (k = wanted; up && k-- > 0;) {
        up = out[k] == '9';
        out[k] = up ? '0' : (char)(out[k] + 1);
    }
    if (up)
        out[0] = '1';
    return up;
}

static size_t write_exponent(char *text, int exponent)
{
    size_t used = 0;

    text[used++] = 'e';
    text[used++] = exponent < 0 ? '-' : '+';
    exponent = exponent < 0 ? -exponent : exponent;
    if (exponent >= 100)
        text[used++] = (char)('0' + exponent / 100);
    text[used++] = (char)('0' + exponent / 10 % 10);
    text[used++] = (char)('0' + exponent % 10);
    return used;
}

/* Lay out digits as C's %g does. */
static size_t lay_out(char *text, const char *digits, int count, int exponent)
{
    const bool plain = exponent >= -5 && exponent < 17;
    int point = plain ? exponent : 0, k;
    size_t used = 0;

    while (count > 1 && digits[count - 1] == '0')
        count--;
    if (point < 0)
        text[used++] = '0';
    for (k = point < 0 ? point : 0; k <= (point > count - 1 ? point : count - 1); k++) {
        if ((k == point + 1 && k > 0) || (point < 0 && k == point))
            text[used++] = '.';
        if (point < 0 && k == point)
            continue; /* the zero before the point stands for this place */
        text[used++] = k >= 0 && k < count ? digits[k] : '0';
    }
    return plain ? used : used + write_exponent(text + used, exponent);
}

size_t number_write(char *text, double value)
{
    char digits[DIGITS_ALL], kept[17];
    size_t used = 0, end = 0;
    int count, exponent, wanted;

    if (value == 0) {
        text[0] = '0';
        return 1;
    }
    if (value < 0)
        text[used++] = '-';
    count = all_digits(fabs(value), digits, &exponent);
    for (wanted = 15; wanted <= 17; wanted++) {
        double back = 0;
        const int carry = round_digits(digits, count, wanted, kept);

        end = used + lay_out(text + used, kept, wanted, exponent + carry);
        if (!number_read((const uint8_t *)text, end, &back) && !(back < value) && !(back > value))
            break;
    }
    return end;
}
