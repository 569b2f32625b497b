/* SPDX-License-Identifier: Apache-2.0 */
#include "big.h"

static void trim(struct big *big)
{
    while (big->used && big->words[big->used - 1] == 0)
        big->used--;
}

void big_set(struct big *big, uint64_t value)
{
    big->words[0] = (uint32_t)value;
    big->words[1] = (uint32_t)(value >> 32);
    big->used = 2;
    trim(big);
}

void big_multiply_add(struct big *big, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;
    unsigned k;

    for (k = 0; k < big->used; k++) {
        carry += (uint64_t)big->words[k] * factor;
        big->words[k] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry && big->used < BIG_WORDS)
        big->words[big->used++] = (uint32_t)carry;
}

uint32_t big_divide(struct big *big, uint32_t divisor)
{
    uint64_t rest = 0;
    unsigned k;

    for (k = big->used; k-- > 0;) {
        rest = (rest << 32) | big->words[k];
        big->words[k] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    trim(big);
    return (uint32_t)rest;
}

void big_shift(struct big *big, unsigned bits)
{
    const unsigned whole = bits / 32;
    unsigned k;

    if (big->used == 0 || big->used + whole > BIG_WORDS)
        return;
    for (k = big->used; k-- > 0;)
        big->words[k + whole] = big->words[k];
    for (k = 0; k < whole; k++)
        big->words[k] = 0;
    big->used += whole;
    big_multiply_add(big, UINT32_C(1) << (bits % 32), 0);
}

unsigned big_bits(const struct big *big)
{
    uint32_t top;
    unsigned bits;

    if (big->used == 0)
        return 0;
    top = big->words[big->used - 1];
    for (bits = 32 * (big->used - 1); top; top >>= 1)
        bits++;
    return bits;
}

uint64_t big_top(const struct big *big, unsigned from, bool *rest)
{
    uint64_t value = 0;
    unsigned bit, k;

    for (bit = 64; bit-- > 0;) {
        const unsigned at = from + bit;
        const uint32_t word = at / 32 < big->used ? big->words[at / 32] : 0;

        value = (value << 1) | ((word >> (at % 32)) & 1);
    }
    *rest = false;
    for (k = 0; k < from / 32 && k < big->used; k++)
        *rest = *rest || big->words[k] != 0;
    if (from / 32 < big->used)
        *rest = *rest || (big->words[from / 32] & ((UINT32_C(1) << (from % 32)) - 1)) != 0;
    return value;
}
