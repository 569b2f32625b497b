/* SPDX-License-Identifier: Apache-2.0 */
/* The program that is held after power-on: a coupling table of `thermohw export --format c`, compiled in. */
#ifndef BUILTIN_H
#define BUILTIN_H

#include "program.h"

/* Load it; false if none is compiled in (`make TABLE=path.h`), or if it does not fit. */
bool builtin_load(struct program *program);

#endif
