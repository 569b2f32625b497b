# SPDX-License-Identifier: Apache-2.0
"""One client's line: bytes in, replies out; plain and checked lines (docs/protocol.md, sections 1 and 2)."""

import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from thermohw.instrument.command_error import CommandError, NotYet, refusals
from thermohw.instrument.commands import Block, Commands, LineState, Reply
from thermohw.instrument.instrument import Instrument
from thermohw.instrument.parser import Line, LineParser
from thermohw.instrument.syntax import Call, calls
from thermohw.protocol.scpi_errors import error_text
from thermohw.transport.checked_lines import UNREADABLE, seal, seal_after

MAX_HELD_LINES = 1024
MAX_WAITING = 16
"""Lines that wait for the end of a run."""

_SPARE = 2**17
"""What replies of one line may have besides a fetch, bytes: a capability and small answers."""

_ALWAYS = ("ABOR", "ABORT", "*CLS")
"""What is carried out as a plain line even where checked lines are compulsory."""


@dataclass
class _Exchange:
    """A line that is being carried out: the calls still to come, and the replies so far."""

    line: Line
    calls: Iterator[Call]
    current: Call | None = None
    replies: list[bytes] = field(default_factory=list[bytes])
    size: int = 0


class Session:
    """The instrument's end of one client's line.

    Args:
        instrument: What the commands act on.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._parser = LineParser(instrument.limits)
        self._line = LineState()
        self._commands = Commands(instrument, self._line)
        self._held: deque[Line] = deque()
        self._held_bytes = 0
        self._waiting: deque[_Exchange] = deque()

    @property
    def checked(self) -> bool:
        """Get whether checked lines are compulsory."""
        return self._line.checked

    @property
    def deadline(self) -> float | None:
        """Get when `tick` has something to do, s."""
        return self._parser.deadline

    @property
    def hungry(self) -> bool:
        """Get whether more bytes may be given: what is held is bounded, and goes first."""
        return len(self._held) < MAX_HELD_LINES and self._held_bytes <= self._instrument.limits.block_bytes

    @property
    def busy(self) -> bool:
        """Get whether lines are held that can be carried out."""
        return bool(self._held) or (bool(self._waiting) and not self._instrument.running)

    @property
    def awaiting(self) -> bool:
        """Get whether a line waits for the end of a run."""
        return bool(self._waiting)

    def receive(self, data: bytes | bytearray | memoryview, now: float) -> None:
        """Take in bytes that arrived at a time, s."""
        self._hold(self._parser.feed(data, now))

    def tick(self, now: float) -> None:
        """Let time pass, s: a line that stopped halfway is dropped."""
        self._hold(self._parser.tick(now))

    def touch(self, now: float) -> None:
        """Do not count the time until now, s, as silence of the client: nobody listened."""
        self._parser.touch(now)

    def replies(self, unsent: bool = False) -> list[bytes]:
        """Carry out the next line; returns its reply, in pieces to be sent one after the other.

        Args:
            unsent: Whether earlier replies have not been read yet.
        """
        self._instrument.settle()
        self._instrument.status.reply_waiting = unsent
        if self._waiting and not self._instrument.running:
            return self._carry_on(self._waiting.popleft())
        if not self._held:
            return []
        line = self._held.popleft()
        self._held_bytes -= line.size
        return self._answer(line)

    def _hold(self, lines: list[Line]) -> None:
        self._held.extend(lines)
        self._held_bytes += sum(line.size for line in lines)

    def _answer(self, line: Line) -> list[bytes]:
        if line.tag == UNREADABLE and line.error is not None:
            return [_refusal(-361, line.error.detail, UNREADABLE)]
        if self._line.checked and line.tag is None:
            if line.error is not None:
                return [_refusal(-361, str(line.error), UNREADABLE)]
            if line.text.strip().removeprefix(":").upper() not in _ALWAYS:
                return [_refusal(-361, "lines must be checked, and this one was not", UNREADABLE)]
        exchange = _Exchange(line, calls(line.text, line.blocks))
        if line.error is not None:
            return self._end(exchange, line.error)
        return self._carry_on(exchange)

    def _carry_on(self, exchange: _Exchange) -> list[bytes]:
        """Carry out commands up to the end of the line, the first that fails, or one that has to wait."""
        try:
            with refusals():
                while (call := exchange.current or next(exchange.calls, None)) is not None:
                    exchange.current = call
                    self._reply(exchange, self._commands.carry_out(call))
                    exchange.current = None
                    self._forget_abandoned()
        except NotYet:
            return self._wait(exchange)
        except CommandError as error:
            return self._end(exchange, error)
        return self._end(exchange)

    def _wait(self, exchange: _Exchange) -> list[bytes]:
        """Keep a line until the run has ended."""
        held = sum(one.line.size + one.size for one in (*self._waiting, exchange))
        if len(self._waiting) == MAX_WAITING or held > 2 * self._instrument.limits.block_bytes:
            return self._end(exchange, CommandError(-350, "too many lines wait for the end of the run"))
        self._waiting.append(exchange)
        return []

    def _reply(self, exchange: _Exchange, reply: Reply) -> None:
        if reply is None:
            return
        if isinstance(reply, Block):
            count = str(len(reply.payload)).encode()
            pieces = [b"#%d%s" % (len(count), count), reply.payload]
        else:
            pieces = [reply.encode("ascii", "replace")]
        limit = self._instrument.limits.fetch_bytes + _SPARE
        exchange.size += sum(map(len, pieces))
        if exchange.size > limit:
            raise CommandError(-223, f"the replies of a line may have {limit} bytes")
        exchange.replies += [b";", *pieces] if exchange.replies else pieces
        self._instrument.status.reply_waiting = True

    def _end(self, exchange: _Exchange, error: CommandError | None = None) -> list[bytes]:
        """Get the reply of a line that has been carried out, or of which a command failed."""
        tag, replies = exchange.line.tag, exchange.replies
        if tag is None:
            if error is not None:
                self._instrument.status.report(error)
            return [*replies, b"\n"] if replies else []
        if error is not None:
            return [_refusal(error.number, error.detail, tag)]
        if not replies:
            return [seal(b"OK", tag)]
        crc = 0
        for piece in replies:
            crc = zlib.crc32(piece, crc)
        return [*replies, seal_after(crc, tag)]

    def _forget_abandoned(self) -> None:
        """Forget plain lines that wait, after `*CLS`; checked ones are answered whatever happens."""
        if self._line.abandoned:
            self._line.abandoned = False
            self._waiting = deque(one for one in self._waiting if one.line.tag is not None)


def _refusal(number: int, detail: str, tag: int) -> bytes:
    return seal(b"!" + error_text(number, detail).encode("ascii"), tag)
