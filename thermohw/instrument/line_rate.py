# SPDX-License-Identifier: Apache-2.0
"""The speed of a serial line, which pseudo-terminals and sockets do not have."""

BITS_A_BYTE = 10
"""Start bit, eight bits, stop bit."""

UNLIMITED = 2**20
"""Most bytes that are moved at once, without a rate."""

_BUFFER_BYTES = 16
_BUFFER_SECONDS = 0.02
_ROUNDING = 1 + 1e-9


class LineRate:
    """How many bytes may pass in one direction: a bucket that fills at the line's rate.

    What it holds at most is what passes at once after a pause: 16 bytes or 20 ms of the line.

    Args:
        baud: Bits a second; None: no limit.
        now: Time, s.
    """

    def __init__(self, baud: int | None, now: float) -> None:
        self._rate = None if baud is None else baud / BITS_A_BYTE
        self._largest = max(_BUFFER_BYTES, (self._rate or 0.0) * _BUFFER_SECONDS)
        self._batch = self._largest / 4
        self._filled = 0.0
        self._updated = now

    def allowance(self, now: float) -> int:
        """Get how many bytes may pass at a time, s: none until some are due, as each by itself would cost a wake-up."""
        if self._rate is None:
            return UNLIMITED
        self._filled = min(self._largest, self._filled + (now - self._updated) * self._rate)
        self._updated = now
        return int(self._filled) if self._filled >= self._batch else 0

    def take(self, count: int) -> None:
        """Let bytes pass."""
        self._filled -= count

    def ready_at(self, now: float) -> float:
        """Get when bytes may pass again, s."""
        if self._rate is None:
            return now
        return now + max(0.0, self._batch * _ROUNDING - self._filled) / self._rate
