/* SPDX-License-Identifier: Apache-2.0 */
#include "scpi.h"

#include <string.h>

#include "scpi_errors.h"

void scanner_start(struct scanner *scanner, const uint8_t *bytes, size_t count)
{
    scanner->bytes = bytes;
    scanner->count = count;
    scanner->at = 0;
    scanner->level[0] = 0;
}

static bool blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static bool upper(char byte)
{
    return byte >= 'A' && byte <= 'Z';
}

static bool digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static char raised(uint8_t byte)
{
    return (char)(byte >= 'a' && byte <= 'z' ? byte - 'a' + 'A' : byte);
}

static void skip_blanks(struct scanner *scanner)
{
    while (scanner->at < scanner->count && blank(scanner->bytes[scanner->at]))
        scanner->at++;
}

/* Get the next byte, 0 at the end of the line. */
static uint8_t next(const struct scanner *scanner)
{
    return scanner->at < scanner->count ? scanner->bytes[scanner->at] : 0;
}

bool scanner_empty(const struct scanner *scanner)
{
    struct scanner ahead = *scanner;

    skip_blanks(&ahead);
    return ahead.at == ahead.count;
}

/* Read letters, digits and colons behind what the header holds already. */
static int read_words(struct scanner *scanner, char *header, size_t used)
{
    const size_t begin = used;

    for (;; scanner->at++) {
        const char byte = raised(next(scanner));

        if (!upper(byte) && !digit(byte) && byte != ':')
            break;
        if (byte == ':' && (used == begin || header[used - 1] == ':'))
            return ERROR_SYNTAX;
        if (used + 1 == HEADER_BYTES)
            return ERROR_HEADER;
        header[used++] = byte;
    }
    header[used] = 0;
    if (used == begin)
        return scanner->at < scanner->count && next(scanner) != ';' ? ERROR_CHARACTER : ERROR_SYNTAX;
    return header[used - 1] == ':' ? ERROR_SYNTAX : 0;
}

static int read_header(struct scanner *scanner, struct command *command)
{
    const uint8_t first = next(scanner);
    char *colon;
    int error;

    command->header[0] = 0;
    if (first == '*') {
        scanner->at++;
        memcpy(command->header, "*", 2);
    } else if (first == ':') {
        scanner->at++;
    } else {
        memcpy(command->header, scanner->level, sizeof command->header);
    }
    error = read_words(scanner, command->header, strlen(command->header));
    if (error)
        return error;
    if (first != '*') {
        memcpy(scanner->level, command->header, sizeof scanner->level);
        colon = strrchr(scanner->level, ':');
        if (colon)
            colon[1] = 0;
        else
            scanner->level[0] = 0;
    }
    command->query = next(scanner) == '?';
    scanner->at += command->query;
    if (scanner->at < scanner->count && next(scanner) != ';' && !blank(next(scanner)))
        return ERROR_CHARACTER;
    return 0;
}

/* Read a block whose count the line has seen already. */
static int read_block(struct scanner *scanner, struct argument *argument)
{
    const uint8_t *bytes = scanner->bytes + scanner->at;
    const size_t digits = (size_t)(bytes[1] - '0'), there = scanner->count - scanner->at;
    size_t k, count = 0;

    if (there < 2 + digits)
        return ERROR_BLOCK;
    for (k = 0; k < digits; k++)
        count = 10 * count + (size_t)(bytes[2 + k] - '0');
    if (count > there - 2 - digits)
        return ERROR_BLOCK;
    argument->bytes = bytes + 2 + digits;
    argument->count = count;
    argument->block = true;
    scanner->at += 2 + digits + count;
    return 0;
}

static bool block_begins(const struct scanner *scanner)
{
    return next(scanner) == '#' && scanner->at + 1 < scanner->count && digit((char)scanner->bytes[scanner->at + 1]);
}

static int read_argument(struct scanner *scanner, struct argument *argument)
{
    const size_t begin = scanner->at;

    if (block_begins(scanner))
        return read_block(scanner, argument);
    for (; scanner->at < scanner->count && next(scanner) != ',' && next(scanner) != ';'; scanner->at++) {
        if (block_begins(scanner))
            return ERROR_SYNTAX; /* a block is an argument of its own */
        if (next(scanner) < ' ' && !blank(next(scanner)))
            return ERROR_CHARACTER;
    }
    argument->bytes = scanner->bytes + begin;
    argument->count = scanner->at - begin;
    argument->block = false;
    while (argument->count && blank(argument->bytes[argument->count - 1]))
        argument->count--;
    return argument->count ? 0 : ERROR_SYNTAX;
}

static int read_arguments(struct scanner *scanner, struct command *command)
{
    command->arguments = 0;
    skip_blanks(scanner);
    if (scanner->at == scanner->count || next(scanner) == ';')
        return 0;
    for (;;) {
        int error;

        skip_blanks(scanner);
        if (command->arguments == ARGUMENTS_MAX)
            return ERROR_NOT_ALLOWED;
        error = read_argument(scanner, &command->argument[command->arguments++]);
        if (error)
            return error;
        skip_blanks(scanner);
        if (scanner->at == scanner->count || next(scanner) == ';')
            return 0;
        if (next(scanner) != ',' || command->argument[command->arguments - 1].block)
            return ERROR_SYNTAX; /* a block is the last argument */
        scanner->at++;
    }
}

int scanner_next(struct scanner *scanner, struct command *command, bool *last)
{
    int error;

    skip_blanks(scanner);
    error = read_header(scanner, command);
    if (!error)
        error = read_arguments(scanner, command);
    if (error)
        return error;
    *last = scanner->at == scanner->count;
    if (!*last)
        scanner->at++; /* the semicolon */
    return 0;
}

/* Match one word with the beginning of a pattern; returns what follows in the pattern, or NULL. */
static const char *match_word(const char *word, size_t count, const char *pattern)
{
    size_t k = 0, brief = 0, length = 0;

    while (upper(pattern[brief]) || pattern[brief] == '*')
        brief++;
    length = brief;
    while (pattern[length] >= 'a' && pattern[length] <= 'z')
        length++;
    if (count != brief && count != length)
        return NULL;
    for (k = 0; k < count; k++)
        if (raised((uint8_t)word[k]) != raised((uint8_t)pattern[k]))
            return NULL;
    return pattern + length;
}

bool scpi_matches(const char *header, const char *pattern)
{
    if (*header != *pattern) /* most do not, and no pattern starts with an optional word */
        return false;
    while (pattern) {
        const bool optional = *pattern == '[';
        const char *colon = strchr(header, ':');
        const size_t count = colon ? (size_t)(colon - header) : strlen(header);

        pattern += optional;
        pattern += *pattern == ':';
        if (count == 0)
            return optional || *pattern == 0;
        pattern = match_word(header, count, pattern);
        if (pattern && *pattern == ']')
            pattern++;
        header += count + (colon != NULL);
    }
    return false;
}

bool scpi_word(const struct argument *argument, const char *pattern)
{
    const char *rest;

    if (argument->block)
        return false;
    rest = match_word((const char *)argument->bytes, argument->count, pattern);
    return rest && *rest == 0;
}
