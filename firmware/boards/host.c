/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware as a process on a computer: the line is standard input and output. It ends with its input. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../board.h"
#include "../instrument.h"

const char board_name[] = "host";

static uint8_t received[4096];
static size_t count, at;
static int ended;

void board_start(void)
{
}

static void receive(int timeout)
{
    struct pollfd line = {STDIN_FILENO, POLLIN, 0};
    ssize_t got;

    if (ended || poll(&line, 1, timeout) <= 0)
        return;
    got = read(STDIN_FILENO, received, sizeof received);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    ended = got <= 0;
    count = got > 0 ? (size_t)got : 0;
    at = 0;
}

int board_read(void)
{
    if (at == count)
        receive(0);
    return at < count ? received[at++] : -1;
}

void board_write(const uint8_t *bytes, size_t length)
{
    while (length) {
        const ssize_t sent = write(STDOUT_FILENO, bytes, length);

        if (sent < 0 && errno != EINTR && errno != EAGAIN)
            exit(EXIT_FAILURE);
        if (sent > 0) {
            bytes += sent;
            length -= (size_t)sent;
        }
    }
}

uint32_t board_ticks(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

void board_idle(void)
{
    if (ended)
        exit(EXIT_SUCCESS);
    receive(10);
}

void board_drive(const struct program *program)
{
    (void)program;
}

void board_safe(void)
{
}
