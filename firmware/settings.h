/* SPDX-License-Identifier: Apache-2.0 */
/* The settings RUN:... of runs to come, as text and as numbers. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "run.h"
#include "scpi.h"
#include "text.h"

extern struct settings settings;

void settings_reset(void);

/* Read or write the setting that a header names. Both return 0 or an SCPI error. */
int setting_set(const char *header, const struct argument *argument, const char **why);
int setting_ask(const char *header, struct text *reply);

#endif
