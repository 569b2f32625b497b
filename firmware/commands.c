/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include <string.h>

#include "board.h"
#include "job.h"
#include "loading.h"
#include "number.h"
#include "payloads.h"
#include "scpi_errors.h"
#include "settings.h"
#include "status.h"

bool lines_checked;

static const char *detail; /* what exactly is wrong */

static int refuse(int error, const char *what)
{
    detail = what;
    return error;
}

void commands_start(void)
{
    status_power_on();
    lines_checked = false;
    run_reset();
    settings_reset();
    loading_reset();
    loading_builtin();
    board_safe();
}

/* IEEE 488.2 and SYSTem */

static int identify(const struct command *command, struct reply *reply)
{
    struct text *text = reply_next(reply);

    (void)command;
    text_add(text, "thermohw,");
    text_add(text, board_name);
    text_add(text, ",0," FIRMWARE_VERSION " protocol " PROTOCOL_VERSION);
    return 0;
}

static int reset(const struct command *command, struct reply *reply)
{
    (void)command;
    (void)reply;
    run_abort();
    run_reset();
    settings_reset();
    loading_reset();
    return 0;
}

static int clear(const struct command *command, struct reply *reply)
{
    (void)command;
    (void)reply;
    status_clear();
    job_forget_waiting(true);
    lines_checked = false;
    return 0;
}

static int enable_mask(const struct command *command, struct reply *reply)
{
    uint8_t *mask = command->which ? &status.service_enable : &status.event_enable;
    uint64_t value;
    int error;

    if (command->query) {
        text_whole(reply_next(reply), *mask);
        return 0;
    }
    error = whole_read(command->argument[0].bytes, command->argument[0].count, &value);
    if (error || value > 255)
        return refuse(error ? error : ERROR_RANGE, "a mask is 0 ... 255");
    *mask = (uint8_t)value;
    return 0;
}

static int events(const struct command *command, struct reply *reply)
{
    (void)command;
    text_whole(reply_next(reply), status_take_events());
    return 0;
}

static int status_byte_of(const struct command *command, struct reply *reply)
{
    (void)command;
    text_whole(reply_next(reply), status_byte());
    return 0;
}

static int complete(const struct command *command, struct reply *reply)
{
    if (command->query && run.state == RUN_RUNNING)
        return WAIT;
    if (command->query)
        text_add(reply_next(reply), "1");
    else if (run.state == RUN_RUNNING)
        status.completion_awaited = true;
    else
        status_event(EVENT_COMPLETE);
    return 0;
}

static int nothing(const struct command *command, struct reply *reply)
{
    (void)command;
    (void)reply;
    return 0;
}

static int self_test(const struct command *command, struct reply *reply)
{
    (void)command;
    text_add(reply_next(reply), "0");
    return 0;
}

static int next_error(const struct command *command, struct reply *reply)
{
    (void)command;
    status_take_error(reply_next(reply));
    return 0;
}

static int version(const struct command *command, struct reply *reply)
{
    (void)command;
    text_add(reply_next(reply), PROTOCOL_VERSION);
    return 0;
}

static int add_block(struct reply *reply, enum block block, uint32_t first, uint32_t count)
{
    return reply_block(reply, block, first, count) ? 0 : refuse(ERROR_TOO_MUCH, "too many blocks in one line");
}

static int capability(const struct command *command, struct reply *reply)
{
    (void)command;
    return add_block(reply, BLOCK_CAPABILITY, 0, 0);
}

static int check_lines(const struct command *command, struct reply *reply)
{
    if (command->query)
        text_whole(reply_next(reply), lines_checked);
    else if (scpi_word(&command->argument[0], "ON"))
        lines_checked = true;
    else if (scpi_word(&command->argument[0], "OFF"))
        lines_checked = false;
    else
        return refuse(ERROR_ILLEGAL, "SYSTem:CHECk takes ON or OFF");
    return 0;
}

/* Loading */

static int upload_data(const struct command *command, struct reply *reply)
{
    uint64_t offset;
    int error = whole_read(command->argument[0].bytes, command->argument[0].count, &offset);

    (void)reply;
    return error ? error : upload(offset, command->argument[1].bytes, command->argument[1].count, &detail);
}

/* Load from the block, or from the upload area by length and checksum. */
static int load(const struct command *command, struct reply *reply)
{
    const struct argument *argument = command->argument;
    uint64_t count;
    uint32_t crc;
    int error;

    (void)reply;
    if (argument[0].block)
        return load_payload((enum load)command->which, argument[0].bytes, argument[0].count, &detail);
    error = whole_read(argument[0].bytes, argument[0].count, &count);
    if (!error)
        error = hex_read(argument[1].bytes, argument[1].count, &crc);
    return error ? error : load_uploaded((enum load)command->which, count, crc, &detail);
}

static int crc_of(const struct command *command, struct reply *reply)
{
    struct text *text = reply_next(reply);

    text_add(text, "#H");
    text_hex(text, loaded_crc((enum load)command->which), 8);
    return 0;
}

/* Running */

static int setting(const struct command *command, struct reply *reply)
{
    return command->query ? setting_ask(command->header, reply_next(reply))
                          : setting_set(command->header, &command->argument[0], &detail);
}

static int initiate(const struct command *command, struct reply *reply)
{
    uint64_t number = run.number == UINT32_MAX ? 1 : run.number + 1;
    int error = 0;

    (void)reply;
    if (command->arguments)
        error = whole_read(command->argument[0].bytes, command->argument[0].count, &number);
    if (error || number < 1 || number > UINT32_MAX)
        return refuse(error ? error : ERROR_RANGE, "a run's number is 1 ... 4294967295");
    if (number == run.number && run.state >= RUN_RUNNING)
        return 0; /* a repeated line */
    if (run.state == RUN_RUNNING)
        return refuse(ERROR_INIT_IGNORED, "another run goes on");
    if (run.state == RUN_IDLE)
        return refuse(ERROR_CONFLICT, "no program is loaded");
    error = run_start(&program, &settings, (uint32_t)number, &detail);
    if (!error)
        settings.told_dt = run.dt;
    return error;
}

static int abort_run(const struct command *command, struct reply *reply)
{
    (void)command;
    (void)reply;
    run_abort();
    return 0;
}

static int progress(const struct command *command, struct reply *reply)
{
    static const char *const names[] = {"IDLE", "READY", "RUNNING", "DONE", "FAILED"};
    struct text *text = reply_next(reply);

    (void)command;
    text_whole(text, run.number);
    text_add(text, ",");
    text_add(text, names[run.state]);
    text_add(text, ",");
    text_whole(text, run.done);
    text_add(text, ",");
    text_whole(text, run.state < RUN_RUNNING ? settings.samples : run.plan.samples);
    return 0;
}

static int reason(const struct command *command, struct reply *reply)
{
    struct text *text = reply_next(reply);

    (void)command;
    text_add(text, "\"");
    text_add(text, run.reason ? run.reason : "");
    text_add(text, "\"");
    return 0;
}

static int times(const struct command *command, struct reply *reply)
{
    (void)command;
    if (run.state != RUN_DONE || run.recorded == 0)
        return refuse(ERROR_STALE, "no trajectory is held");
    return add_block(reply, BLOCK_TIMES, 0, 0);
}

static int operation(const struct command *command, struct reply *reply)
{
    (void)command;
    text_whole(reply_next(reply), run.state == RUN_IDLE ? 0 : run.state == RUN_RUNNING ? 16 : 32);
    return 0;
}

static int fetch(const struct command *command, struct reply *reply)
{
    uint64_t range[2];
    int k, error = 0;

    for (k = 0; k < 2 && !error; k++)
        error = whole_read(command->argument[k].bytes, command->argument[k].count, &range[k]);
    if (error)
        return error;
    if (run.state != RUN_DONE)
        return refuse(ERROR_STALE, "no samples are held");
    if (range[0] >= run.done || range[1] < 1 || range[1] > run.done - range[0])
        return refuse(ERROR_RANGE, "the last run has fewer samples, see RUN:PROGress?");
    if (samples_bytes((uint32_t)range[1]) > FETCH_BYTES)
        return refuse(ERROR_TOO_MUCH, "that is more than limits.fetch_bytes");
    return add_block(reply, BLOCK_SAMPLES, (uint32_t)range[0], (uint32_t)range[1]);
}

/* How many arguments the command and the query take, -1 where there is none; the rest are flags. */
struct entry {
    const char *pattern;
    int (*run)(const struct command *command, struct reply *reply);
    int which; /* of the commands with one handler */
    int least, most, asked;
    bool block;  /* the command's last argument is a block */
    bool idle;   /* refused while a run goes on */
    bool alters; /* what was to be fetched by the same line may be gone */
};

static const struct entry entries[] = {
    {"*IDN", identify, 0, -1, -1, 0, false, false, false},
    {"*RST", reset, 0, 0, 0, -1, false, false, true},
    {"*CLS", clear, 0, 0, 0, -1, false, false, false},
    {"*ESE", enable_mask, 0, 1, 1, 0, false, false, false},
    {"*SRE", enable_mask, 1, 1, 1, 0, false, false, false},
    {"*ESR", events, 0, -1, -1, 0, false, false, false},
    {"*STB", status_byte_of, 0, -1, -1, 0, false, false, false},
    {"*OPC", complete, 0, 0, 0, 0, false, false, false},
    {"*WAI", nothing, 0, 0, 0, -1, false, false, false},
    {"*TST", self_test, 0, -1, -1, 0, false, false, false},
    {"SYSTem:ERRor[:NEXT]", next_error, 0, -1, -1, 0, false, false, false},
    {"SYSTem:VERSion", version, 0, -1, -1, 0, false, false, false},
    {"SYSTem:CAPability", capability, 0, -1, -1, 0, false, false, false},
    {"SYSTem:CHECk", check_lines, 0, 1, 1, 0, false, false, false},
    {"UPLoad:DATA", upload_data, 0, 2, 2, -1, true, false, false},
    {"PROGram:DATA", load, LOAD_PROGRAM, 1, 1, -1, true, true, true},
    {"PROGram:LOAD", load, LOAD_PROGRAM, 2, 2, -1, false, true, true},
    {"PROGram:CRC", crc_of, LOAD_PROGRAM, -1, -1, 0, false, false, false},
    {"PROGram:BIAS", load, LOAD_BIASES, 1, 1, -1, true, true, false},
    {"PROGram:BIAS:LOAD", load, LOAD_BIASES, 2, 2, -1, false, true, false},
    {"PROGram:BIAS:CRC", crc_of, LOAD_BIASES, -1, -1, 0, false, false, false},
    {"PROGram:SCHedule", load, LOAD_SCHEDULE, 1, 1, -1, true, true, false},
    {"PROGram:SCHedule:LOAD", load, LOAD_SCHEDULE, 2, 2, -1, false, true, false},
    {"PROGram:SCHedule:CRC", crc_of, LOAD_SCHEDULE, -1, -1, 0, false, false, false},
    {"RUN:STATes", load, LOAD_STATES, 1, 1, -1, true, true, false},
    {"RUN:STATes:LOAD", load, LOAD_STATES, 2, 2, -1, false, true, false},
    {"RUN:STATes:CRC", crc_of, LOAD_STATES, -1, -1, 0, false, false, false},
    {"RUN:DURation", setting, 0, 1, 1, 0, false, true, false},
    {"RUN:DT", setting, 0, 1, 1, 0, false, true, false},
    {"RUN:SAMPles", setting, 0, 1, 1, 0, false, true, false},
    {"RUN:FIRSt", setting, 0, 1, 1, 0, false, true, false},
    {"RUN:SEED", setting, 0, 1, 1, 0, false, true, false},
    {"RUN:KEEP", setting, 0, 1, 1, 0, false, true, false},
    {"RUN:RECord", setting, 0, 1, 1, 0, false, true, false},
    {"RUN:INITial", setting, 0, 1, 1, 0, false, true, false},
    {"RUN:PROGress", progress, 0, -1, -1, 0, false, false, false},
    {"RUN:TIMes", times, 0, -1, -1, 0, false, false, false},
    {"RUN:ERRor", reason, 0, -1, -1, 0, false, false, false},
    {"INITiate[:IMMediate]", initiate, 0, 0, 1, -1, false, false, true},
    {"ABORt", abort_run, 0, 0, 0, -1, false, false, false},
    {"STATus:OPERation[:CONDition]", operation, 0, -1, -1, 0, false, false, false},
    {"FETCh", fetch, 0, -1, -1, 2, false, false, false},
};

static int check_arguments(const struct command *command, const struct entry *entry)
{
    const int least = command->query ? entry->asked : entry->least, most = command->query ? entry->asked : entry->most;
    const int count = (int)command->arguments;
    const bool block = count && command->argument[count - 1].block;

    if (most < 0)
        return refuse(ERROR_HEADER, command->query ? "this command has no query" : "this is a query: it ends in ?");
    if (count < least)
        return ERROR_MISSING;
    if (count > most)
        return ERROR_NOT_ALLOWED;
    if (block && !entry->block)
        return ERROR_NO_BLOCK;
    if (entry->block && !block)
        return refuse(ERROR_TYPE, "a block is wanted");
    return 0;
}

int command_run(struct command *command, struct reply *reply, const char **why)
{
    size_t k = 0;
    int error;

    detail = NULL;
    while (k < sizeof entries / sizeof entries[0] && !scpi_matches(command->header, entries[k].pattern))
        k++;
    if (k == sizeof entries / sizeof entries[0]) {
        error = ERROR_HEADER;
    } else {
        error = check_arguments(command, &entries[k]);
        if (!error && !command->query && entries[k].idle && run.state == RUN_RUNNING)
            error = refuse(ERROR_CONFLICT, "a run goes on");
        if (!error && entries[k].alters && reply->blocks)
            error = refuse(ERROR_CONFLICT, "put FETCh? on a line of its own");
        command->which = entries[k].which;
        if (!error)
            error = entries[k].run(command, reply);
    }
    if (!error && reply->text.full)
        error = refuse(ERROR_TOO_MUCH, "the replies of one line are too long");
    *why = detail;
    return error;
}
