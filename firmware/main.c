/* SPDX-License-Identifier: Apache-2.0 */
#include "board.h"
#include "instrument.h"

int main(void)
{
    board_start();
    instrument_start();
    for (;;) {
        int byte;

        while ((byte = board_read()) >= 0)
            instrument_byte((uint8_t)byte, board_ticks());
        if (!instrument_poll(board_ticks()))
            board_idle();
    }
}
