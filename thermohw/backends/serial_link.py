# SPDX-License-Identifier: Apache-2.0
"""Exchanges with a board: checked lines with tags, repeated until one gets through (docs/protocol.md, section 2)."""

import contextlib
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from thermohw.errors import InstrumentError, ProtocolError, ThermoHWError, TransportError, TransportTimeout
from thermohw.transport import Transport, seal, unseal
from thermohw.transport.checked_lines import SEAL_BYTES, UNREADABLE, Sealed

AFTER_LOAD = 10.0
"""Longest silence before the answer to a load, s."""

WITHIN_REPLY = 0.2
"""Longest silence inside a reply, s."""

SILENCES = 10
"""Attempts without any answer after which a board counts as gone."""

PATIENCE = 20.0
"""Time in which a line that broke must open again, s."""

FIRST_PATIENCE = 2.0
"""Likewise of a line that breaks as soon as it is opened for the first time."""

_SETTLED = 0.02  # the line has been silent already: forget what had arrived
_LAST_WORDS = 3  # attempts at what a client says when it leaves
_TAIL = 64  # bytes at the end of a block's line in which its end is looked for
_END = re.compile(rb" ~[0-9A-F]{10}\n\Z")
_STALE = 256  # answers to questions of long ago that are passed over
_LONGEST_PAUSE = 2.0
_SHOWN = 60

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """What is asked of a board.

    Attributes:
        message: The line, without its seal.
        block: Longest payload of the block that answers it; None where a line of text does.
        seconds: Longest silence before the answer; None for the link's own.
    """

    message: bytes
    block: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class LinkStatistics:
    """What has happened on a line.

    Attributes:
        exchanges: Questions that were answered.
        retries: Attempts that failed and were repeated.
        reconnects: Times that the line was opened again.
    """

    exchanges: int = 0
    retries: int = 0
    reconnects: int = 0


class Refusal(InstrumentError):
    """A command that a board refused, with the error's number."""

    def __init__(self, message: str, number: int = 0) -> None:
        super().__init__(message)
        self.number = number


class _Damaged(ProtocolError):
    """An answer that did not arrive as it was sent."""

    def __init__(self, message: str, silence: float = WITHIN_REPLY) -> None:
        super().__init__(message)
        self.silence = silence  # of the line, s, after which the next byte begins a line


class SerialLink:
    """A line to one board, on which every question gets its answer, or an error says what was tried.

    Args:
        opener: Opens the line; called again when it breaks.
        name: What the instrument is called in messages.
        timeout: Longest silence before an answer, s.
        retries: Repetitions of one question.
    """

    def __init__(self, opener: Callable[[], Transport], name: str, timeout: float = 1.0, retries: int = 50) -> None:
        self.name = name
        self.quiet = 0.25
        self._opener, self._timeout, self._retries = opener, timeout, retries
        self._transport: Transport | None = None
        self._statistics = LinkStatistics()
        self._tag, self._largest, self._midway = 0, 0, False

    @property
    def statistics(self) -> LinkStatistics:
        """Get what has happened on the line so far."""
        return self._statistics

    def open(self) -> None:
        """Open the line and make checked lines compulsory.

        Raises:
            TransportError: It cannot be opened, or nobody answers.
            ProtocolError: Who answers does not speak the protocol.
        """
        transport = self._opener()  # what is not there now is not waited for
        try:
            self._begin(transport)
        except TransportTimeout:
            raise
        except TransportError as error:
            self._reconnected(str(error), FIRST_PATIENCE)
        else:
            self._transport = transport

    def ask(self, message: str, seconds: float | None = None) -> str:
        """Ask for a line of text; commands without a reply are answered `OK`.

        Raises:
            InstrumentError: The board refuses.
            ProtocolError: It answers with a block.
            TransportError: No attempt succeeded.
        """
        reply = self.converse(lambda _: Question(message.encode("ascii"), seconds=seconds))
        if reply.startswith(b"#") and reply[1:2] not in b"Hh":
            raise ProtocolError(f"{self.name} answered {message[:_SHOWN]} with a block; text was awaited")
        return reply.decode("ascii", "replace")

    def ask_block(self, message: str, longest: int) -> bytes:
        """Ask for a block's payload of at most `longest` bytes.

        Raises:
            InstrumentError: The board refuses.
            ProtocolError: It answers with text.
            TransportError: No attempt succeeded.
        """
        return self.payload_of(self.converse(lambda _: Question(message.encode("ascii"), longest)), message)

    def payload_of(self, reply: bytes, message: str) -> bytes:
        """Get the payload of a reply that is a block.

        Raises:
            ProtocolError: It is text.
        """
        if not reply.startswith(b"#"):
            raise ProtocolError(f"{self.name} answered {message[:_SHOWN]} with {reply[:_SHOWN]!r}; a block was awaited")
        return reply[2 + int(reply[1:2]) :]

    def converse(self, question: Callable[[int], Question]) -> bytes:
        """Ask until an answer comes through.

        Args:
            question: Gets what to ask after so many damaged attempts, so that a transfer can ask for less.

        Raises:
            InstrumentError: The board refuses; that is not repeated.
            TransportError: No attempt succeeded; says what was tried.
        """
        damages = silences = breaks = 0
        last = ""
        while damages + silences + breaks <= self._retries and silences < SILENCES:
            transport = self._transport or self._reconnected(last)
            asked = question(damages + silences)
            try:
                reply = self._exchange(transport, asked)
            except TransportTimeout as error:
                last, silences = str(error), silences + 1
                self._resynchronise(transport, _SETTLED)
            except TransportError as error:
                last, breaks = str(error), breaks + 1
                self._drop()
            except _Damaged as error:
                last, damages, silences = str(error), damages + 1, 0
                self._resynchronise(transport, error.silence)
            else:
                self._count(exchanges=1)
                return self._accepted(reply, asked)
            self._count(retries=1)
        tried = f"{damages} damaged answers, {silences} silences, {breaks} broken lines"
        message = _shown(question(damages + silences).message)
        raise TransportError(f"{self.name} gave no answer to {message}: {tried}; the last: {last}")

    def abort(self) -> None:
        """Stop the board, whatever is under way; an error is only logged, since another goes on its way already."""
        if self._transport is not None:
            self._say(self._transport, b"ABOR")

    def part(self) -> None:
        """Leave the board safe and release the line; never raises, as nobody is left who could do something."""
        transport = self._transport
        if transport is None:
            with contextlib.suppress(TransportError):
                transport = self._opener()
        if transport is not None:
            if self._say(transport, b"ABOR"):
                self._say(transport, b"SYST:CHEC OFF")
            transport.close()
        self._transport = None

    def _accepted(self, reply: bytes, asked: Question) -> bytes:
        if not reply.startswith(b"!"):
            return reply
        words = reply[1:].decode("ascii", "replace")
        number = words.partition(",")[0]
        known = int(number) if number.removeprefix("-").isdecimal() and len(number) < 8 else 0
        raise Refusal(f"{self.name} refused {_shown(asked.message)}: {words[:300]}", known)

    def _exchange(self, transport: Transport, asked: Question) -> bytes:
        """Send one line and wait for its answer.

        Raises:
            TransportTimeout: The line fell silent.
            TransportError: It broke.
            _Damaged: What came is not whole, or the board says that the line was not.
        """
        self._tag = self._tag % 255 + 1
        self._largest = max(self._largest, asked.block or 0)
        self._midway = True
        transport.write(seal(asked.message, self._tag))
        seconds = self._timeout if asked.seconds is None else asked.seconds
        for _ in range(_STALE):
            sealed = self._sealed(transport, transport.read_exactly(1, seconds))
            if sealed.tag == self._tag:
                self._midway = False
                return sealed.message
            if sealed.tag == UNREADABLE:
                silence = WITHIN_REPLY if b"#" in asked.message else 0.0  # a broken block may count as many lines
                raise _Damaged(f"{self.name} received a damaged line: {sealed.message[:_SHOWN]!r}", silence)
        raise _Damaged(f"{self.name} sends answers to other questions only")

    def _sealed(self, transport: Transport, head: bytes) -> Sealed:
        """Read the rest of a checked line whose first byte is `head`."""
        try:
            line = self._read_reply(transport, head)
        except TransportTimeout as error:
            raise _Damaged(str(error), _SETTLED) from error
        try:
            sealed = unseal(line)
        except ProtocolError as error:
            raise _Damaged(str(error), silence=0.0) from error
        if sealed is None:
            raise _Damaged(f"{self.name} answered {line[: 2 * _SHOWN]!r}, which is no checked line")
        return sealed

    def _read_reply(self, transport: Transport, head: bytes) -> bytes:
        """Read the rest of a line, by its count where it is a block; no more than was ever asked for."""
        if head == b"\n":
            return b""
        if head != b"#":
            return head + transport.read_line(WITHIN_REPLY)
        digit = transport.read_exactly(1, WITHIN_REPLY)
        if digit in b"Hh":
            return head + digit + transport.read_line(WITHIN_REPLY)
        if digit not in b"123456789":
            raise _Damaged(f"{self.name} began a block with {head + digit!r}")
        length = transport.read_exactly(int(digit), WITHIN_REPLY)
        if not length.isdigit() or int(length) > self._largest:
            raise _Damaged(f"{self.name} began a block of {length!r} bytes; at most {self._largest} were asked for")
        count = int(length) + SEAL_BYTES + 1
        body = transport.read_exactly(max(0, count - _TAIL), WITHIN_REPLY)
        tail = self._read_tail(transport, count - len(body))
        return b"".join((head, digit, length, body, memoryview(tail)[:-1]))

    def _read_tail(self, transport: Transport, count: int) -> bytes:
        """Read the end of a block's line; the seal tells at once, without a silence, of bytes lost or doubled."""
        tail = b""
        while len(tail) < count:
            tail += transport.read_line(WITHIN_REPLY) + b"\n"
            ended = _END.search(tail) is not None
            if ended and len(tail) != count:
                raise _Damaged(f"{self.name} sent a block {len(tail) - count:+d} bytes longer than it states", 0.0)
        if len(tail) > count:
            raise _Damaged(f"{self.name} sent a block that has not the length that it states")
        return tail

    def _resynchronise(self, transport: Transport, silence: float) -> None:
        if silence:
            try:
                transport.drain(silence)
            except TransportError as error:
                _log.info("%s: %s", self.name, error)
                self._drop()

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _reconnected(self, why: str, patience: float | None = None) -> Transport:
        _log.warning("%s: the line broke; opening it again", self.name)
        _log.info("%s: %s", self.name, why)
        patience = PATIENCE if patience is None else patience
        deadline, pause = time.monotonic() + patience, 0.05
        while True:
            try:
                transport = self._opener()
                self._begin(transport)
            except TransportError as error:
                if time.monotonic() + pause > deadline:
                    raise TransportError(
                        f"{self.name}: no line for {patience:g} s; the last attempt: {error}"
                    ) from error
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self._count(reconnects=1)
                self._transport = transport
                return transport

    def _begin(self, transport: Transport) -> None:
        """Forget what still arrives from before, and make checked lines compulsory; a line that fails is released."""
        try:
            transport.drain(WITHIN_REPLY / 4)
            self._accepted(self._insist(transport, b"SYST:CHEC ON", self._retries), Question(b"SYST:CHEC ON"))
        except BaseException:
            transport.close()
            raise

    def _insist(self, transport: Transport, message: bytes, attempts: int) -> bytes:
        """Ask on this line only, without opening another."""
        last = ""
        for _ in range(min(attempts, SILENCES)):
            try:
                if last:
                    transport.drain(WITHIN_REPLY)
                return self._exchange(transport, Question(message))
            except (TransportTimeout, _Damaged) as error:
                last = str(error)
                self._count(retries=1)
            except TransportError as error:
                raise TransportError(f"{error}; before: {last}" if last else str(error)) from error
        raise TransportTimeout(f"{self.name} does not answer {message.decode()} in checked lines; the last: {last}")

    def _say(self, transport: Transport, message: bytes) -> bool:
        try:
            if self._midway:  # the board may be in the middle of a line: it drops that when the line is quiet
                time.sleep(self.quiet)
                transport.drain(WITHIN_REPLY)
            self._insist(transport, message, _LAST_WORDS)
        except (ThermoHWError, OSError) as error:
            _log.warning("%s: %s did not get through: %s", self.name, message.decode(), error)
            return False
        return True

    def _count(self, exchanges: int = 0, retries: int = 0, reconnects: int = 0) -> None:
        known = self._statistics
        self._statistics = replace(
            known,
            exchanges=known.exchanges + exchanges,
            retries=known.retries + retries,
            reconnects=known.reconnects + reconnects,
        )


def _shown(message: bytes) -> str:
    """Get the beginning of a message for people, without what a block holds."""
    return message.partition(b"#")[0][:_SHOWN].decode("ascii", "replace").rstrip(", ")
