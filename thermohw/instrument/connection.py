# SPDX-License-Identifier: Apache-2.0
"""One client's line and its session: bytes moved without waiting, as fast as the line is, with its faults."""

import selectors
from collections import deque

from thermohw.instrument.faults import FaultRates, LineFaults
from thermohw.instrument.instrument import Instrument
from thermohw.instrument.line_rate import LineRate
from thermohw.instrument.session import Session
from thermohw.instrument.stream import READ_BYTES, Stream

MAX_UNSENT = 2**16
"""Unsent replies up to which further lines are carried out, bytes: a client that does not read gets no more."""

_AT_ONCE = 256
"""Lines that are carried out before the line is looked at again."""


class Connection:
    """A client's line.

    Args:
        stream: Its bytes.
        instrument: What the client talks to.
        baud: Speed of the line, both ways; None: no limit.
        faults: Its faults; None: none.
        now: Time, s.
    """

    def __init__(
        self, stream: Stream, instrument: Instrument, baud: int | None, faults: LineFaults | None, now: float
    ) -> None:
        self.stream = stream
        self.session = Session(instrument)
        self.ended = False
        self._faults = faults
        self._inward, self._outward = LineRate(baud, now), LineRate(baud, now)
        self._unsent: deque[memoryview] = deque()
        self._unsent_bytes = 0
        self._frozen: float | None = None
        self._listening = False
        if faults is not None:
            faults.disconnects(now)  # one that was due while nobody was there

    @property
    def over(self) -> bool:
        """Get whether nothing is left to do for a client that has ended its side."""
        return self.ended and not (self._unsent or self.session.busy or self.session.awaiting)

    def events(self, now: float) -> int:
        """Get what a selector has to watch for, as its mask; 0 for nothing."""
        self._frozen = None if self._faults is None else self._faults.frozen(now)
        wanted = not self.ended and self.session.hungry
        if not wanted and not self.ended:
            self.session.touch(now)
        self._listening = wanted and self._frozen is None and self._inward.allowance(now) > 0
        writing = bool(self._unsent) and self._frozen is None and self._outward.allowance(now) > 0
        return selectors.EVENT_READ * self._listening | selectors.EVENT_WRITE * writing

    def wake_at(self, now: float) -> float | None:
        """Get when to look again even if nothing happens, s."""
        if self._can_carry_out():
            return now
        times = [self.session.deadline, self._frozen, None if self._faults is None else self._faults.next_event()]
        if self._frozen is None and not self.ended and self.session.hungry and not self._listening:
            times.append(self._inward.ready_at(now))
        if self._frozen is None and self._unsent and not self._outward.allowance(now):
            times.append(self._outward.ready_at(now))
        return min((time for time in times if time is not None), default=None)

    def breaks(self, now: float) -> bool:
        """Get whether a fault breaks the line now."""
        return self._faults is not None and self._faults.disconnects(now)

    def proceed(self, ready: int, now: float) -> None:
        """Move bytes where the line is ready for it, and carry out what has arrived.

        Raises:
            OSError: The line broke.
        """
        arrived = ready & selectors.EVENT_READ and self._read(now)
        if not arrived and not self.ended:
            self.session.tick(now)
        for _ in range(_AT_ONCE):
            if not self._can_carry_out():
                break
            self._enqueue(self.session.replies(bool(self._unsent)))
        if self._unsent and self._frozen is None:
            self._write(now)

    def _can_carry_out(self) -> bool:
        return self._unsent_bytes < MAX_UNSENT and self.session.busy

    def _read(self, now: float) -> bool:
        """Read what is there, and no more at once than a socket gives: a terminal gives it in small pieces."""
        arrived = 0
        while arrived < READ_BYTES and (allowance := self._inward.allowance(now)):
            data = self.stream.read(allowance)
            if not data:
                self.ended = data is not None
                break
            arrived += len(data)
            self._inward.take(len(data))
            self.session.receive(data if self._faults is None else self._faults.inward.apply(data), now)
        return bool(arrived) or self.ended

    def _enqueue(self, pieces: list[bytes]) -> None:
        if sum(map(len, pieces)) < MAX_UNSENT:
            pieces = [b"".join(pieces)]  # small ones leave in one packet
        for piece in pieces:
            passed = piece if self._faults is None else self._faults.outward.apply(piece)
            if len(passed):
                self._unsent.append(memoryview(passed))
                self._unsent_bytes += len(passed)

    def _write(self, now: float) -> None:
        while self._unsent and (allowance := self._outward.allowance(now)):
            head = self._unsent[0]
            sent = self.stream.write(head[:allowance])
            self._outward.take(sent)
            self._unsent_bytes -= sent
            if sent < len(head):
                self._unsent[0] = head[sent:]
                if sent < min(len(head), allowance):
                    break
            else:
                self._unsent.popleft()


def faults_of(rates: FaultRates | None, seed: int, now: float) -> LineFaults | None:
    """Get the faults of a line; None where there are none."""
    return None if rates is None else LineFaults(rates, seed, now)
