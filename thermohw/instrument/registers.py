# SPDX-License-Identifier: Apache-2.0
"""Error queue, event register and status byte of IEEE 488.2 (docs/protocol.md, section 4)."""

from collections import deque

from thermohw.instrument.command_error import CommandError
from thermohw.protocol.scpi_errors import error_text

QUEUE_LENGTH = 16

COMPLETE, QUERY_ERROR, DEVICE_ERROR, EXECUTION_ERROR, COMMAND_ERROR, POWER_ON = 1, 4, 8, 16, 32, 128
"""Bits of the event register."""

ERRORS_WAIT, REPLY_WAITS, EVENT_SUMMARY, REQUEST = 4, 16, 32, 64
"""Bits of the status byte."""

_EVENTS = {1: COMMAND_ERROR, 2: EXECUTION_ERROR, 3: DEVICE_ERROR, 4: QUERY_ERROR}


class StatusRegisters:
    """What an instrument remembers of what happened.

    Attributes:
        event_enable: Mask of events that the summary shows, `*ESE`.
        service_enable: Mask of bits of the status byte that make a request, `*SRE`.
        reply_waiting: Whether replies have not been read yet.
        completing: Whether an `*OPC` awaits the end of a run.
    """

    def __init__(self) -> None:
        self.event_enable = 0
        self.service_enable = 0
        self.reply_waiting = False
        self.completing = False
        self._events = POWER_ON
        self._errors: deque[str] = deque()

    def report(self, error: CommandError) -> None:
        """Put an error into the queue; where it is full, its newest entry says so instead."""
        self._events |= _EVENTS.get(-error.number // 100, 0)
        if len(self._errors) < QUEUE_LENGTH:
            self._errors.append(str(error))
        else:
            self._errors[-1] = error_text(-350)

    def next_error(self) -> str:
        """Take the oldest error out of the queue."""
        return self._errors.popleft() if self._errors else error_text(0)

    def complete(self) -> None:
        """Set the bit of an `*OPC`, if one waits: no run is going on."""
        if self.completing:
            self._events |= COMPLETE
            self.completing = False

    def take_events(self) -> int:
        """Read the event register, which clears it."""
        events, self._events = self._events, 0
        return events

    @property
    def status_byte(self) -> int:
        """Get the status byte."""
        status = ERRORS_WAIT if self._errors else 0
        status |= REPLY_WAITS if self.reply_waiting else 0
        status |= EVENT_SUMMARY if self._events & self.event_enable else 0
        return status | (REQUEST if status & self.service_enable & ~REQUEST else 0)

    def clear(self) -> None:
        """Forget errors, events and a waiting `*OPC`; the masks stay."""
        self._errors.clear()
        self._events = 0
        self.completing = False
