/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <string.h>

#include "number.h"
#include "scpi_errors.h"

struct settings settings;

static const char *const keeps[] = {"NONE", "FINal", "BOTH", "TRAJectory", NULL};
static const char *const initials[] = {"UNCoupled", "UNBiased", "STATes", NULL};

static char detail[ERROR_TEXT];

void settings_reset(void)
{
    memset(&settings, 0, sizeof settings);
    settings.duration = 1;
    settings.samples = settings.record = 1;
    settings.keep = KEEP_BOTH;
}

/* Say what a setting takes and what it got. */
static int refuse(int error, const char *header, const char *takes, const struct argument *argument, const char **why)
{
    struct text text;
    size_t k;

    text_start(&text, detail, sizeof detail - 1);
    text_add(&text, header);
    text_add(&text, " takes ");
    text_add(&text, takes);
    text_add(&text, ", got ");
    for (k = 0; k < argument->count && k < 24; k++) {
        const uint8_t byte = argument->bytes[k];

        text_bytes(&text, byte < ' ' || byte > '~' || byte == '"' ? "?" : (const char *)&argument->bytes[k], 1);
    }
    detail[text.used] = 0;
    *why = detail;
    return error;
}

static int choose(const char *const *words, const struct argument *argument, int *value)
{
    int k;

    for (k = 0; words[k]; k++) {
        if (scpi_word(argument, words[k])) {
            *value = k;
            return 0;
        }
    }
    return ERROR_ILLEGAL;
}

static int whole_within(const struct argument *argument, uint64_t least, uint64_t most, uint64_t *value)
{
    const int error = whole_read(argument->bytes, argument->count, value);

    return error || (*value >= least && *value <= most) ? error : ERROR_RANGE;
}

static int set_whole(const char *header, const struct argument *argument, const char **why)
{
    const bool seed = scpi_matches(header, "RUN:SEED"), first = scpi_matches(header, "RUN:FIRSt");
    const bool samples = scpi_matches(header, "RUN:SAMPles");
    const uint64_t most = seed ? UINT64_MAX : samples ? SAMPLES_MAX : UINT32_MAX;
    const char *name = seed ? "RUN:SEED" : first ? "RUN:FIRSt" : samples ? "RUN:SAMPles" : "RUN:RECord";
    uint64_t value;
    const int error = whole_within(argument, seed || first ? 0 : 1, most, &value);
    char takes[32];
    struct text text;

    if (error) {
        text_start(&text, takes, sizeof takes - 1);
        text_add(&text, seed || first ? "0 ... " : "1 ... ");
        text_whole(&text, most);
        takes[text.used] = 0;
        return refuse(error, name, takes, argument, why);
    }
    if (seed)
        settings.seed = value;
    else if (first)
        settings.first = (uint32_t)value;
    else if (samples)
        settings.samples = (uint32_t)value;
    else
        settings.record = (uint32_t)value;
    return 0;
}

static int set_time(const char *header, const struct argument *argument, const char **why)
{
    const bool step = scpi_matches(header, "RUN:DT");
    double value;
    const int error = number_read(argument->bytes, argument->count, &value);

    if (error || value < 0 || (!step && !(value > 0)))
        return refuse(error ? error : ERROR_RANGE, step ? "RUN:DT" : "RUN:DURation",
                      step ? "a time, or 0 for the board's own choice" : "a time above 0", argument, why);
    if (step)
        settings.dt = settings.told_dt = value;
    else
        settings.duration = value;
    return 0;
}

int setting_set(const char *header, const struct argument *argument, const char **why)
{
    int value, error;

    if (scpi_matches(header, "RUN:DURation") || scpi_matches(header, "RUN:DT"))
        return set_time(header, argument, why);
    if (scpi_matches(header, "RUN:KEEP")) {
        error = choose(keeps, argument, &value);
        if (error)
            return refuse(error, "RUN:KEEP", "NONE, FINal, BOTH or TRAJectory", argument, why);
        settings.keep = (enum keep)value;
        return 0;
    }
    if (scpi_matches(header, "RUN:INITial")) {
        error = choose(initials, argument, &value);
        if (error)
            return refuse(error, "RUN:INITial", "UNCoupled, UNBiased or STATes", argument, why);
        settings.initial = (enum initial)value;
        return 0;
    }
    return set_whole(header, argument, why);
}

/* Answer the short form of a word. */
static void answer_word(const char *word, struct text *reply)
{
    size_t count = 0;

    while (word[count] >= 'A' && word[count] <= 'Z')
        count++;
    text_bytes(reply, word, count);
}

int setting_ask(const char *header, struct text *reply)
{
    if (scpi_matches(header, "RUN:DURation"))
        text_number(reply, settings.duration);
    else if (scpi_matches(header, "RUN:DT"))
        text_number(reply, settings.told_dt);
    else if (scpi_matches(header, "RUN:KEEP"))
        answer_word(keeps[settings.keep], reply);
    else if (scpi_matches(header, "RUN:INITial"))
        answer_word(initials[settings.initial], reply);
    else if (scpi_matches(header, "RUN:SEED"))
        text_whole(reply, settings.seed);
    else
        text_whole(reply, scpi_matches(header, "RUN:FIRSt")     ? settings.first
                          : scpi_matches(header, "RUN:SAMPles") ? settings.samples
                                                                : settings.record);
    return 0;
}
