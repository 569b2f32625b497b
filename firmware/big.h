/* SPDX-License-Identifier: Apache-2.0 */
/* Whole numbers of up to 2688 bits: enough to write any double exactly. */
#ifndef BIG_H
#define BIG_H

#include <stdbool.h>
#include <stdint.h>

#define BIG_WORDS 84

struct big {
    uint32_t words[BIG_WORDS]; /* lowest first */
    unsigned used;
};

void big_set(struct big *big, uint64_t value);
void big_multiply_add(struct big *big, uint32_t factor, uint32_t addend);
uint32_t big_divide(struct big *big, uint32_t divisor); /* returns the remainder */
void big_shift(struct big *big, unsigned bits);         /* to the left */
unsigned big_bits(const struct big *big);               /* 0 for zero */

/* Get up to 64 bits from bit `from` on; `rest` tells whether any bit below is set. */
uint64_t big_top(const struct big *big, unsigned from, bool *rest);

#endif
