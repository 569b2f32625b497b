# SPDX-License-Identifier: Apache-2.0
"""Bytes in, lines out: blocks by their count, limits, skipping, and the quiet (docs/protocol.md, sections 1 and 2).

Every byte is looked at once, however the stream is cut into pieces, and no more is held than the limits allow.
"""

import re
import zlib
from dataclasses import dataclass
from enum import Enum, auto

from thermohw.errors import ProtocolError
from thermohw.instrument.command_error import CommandError
from thermohw.protocol import LineLimits
from thermohw.transport.checked_lines import SEAL_BYTES, UNREADABLE, unseal

BLOCK_MARK = "\0"
"""Stands in a line's text where a block stood."""

LONGEST_SKIP = 2**24
"""A block that is longer than allowed is skipped by its count up to here, bytes; above, the count is not believed."""

_SPECIAL = re.compile(rb"[\n#]")
_LINE_FEED = re.compile(rb"\n")
_FOREIGN = re.compile(rb"[^\t\x20-\x7e]")


@dataclass(frozen=True)
class Line:
    """A line, or what is left of one.

    Attributes:
        text: Its text, without seal; `BLOCK_MARK` stands for each block.
        blocks: Payloads of its blocks.
        tag: Tag of a checked line; `UNREADABLE` of one whose checksum does not fit; None of a plain line, and of
            whatever was dropped before its end.
        error: Why it cannot be carried out.
        size: Bytes that it holds.
    """

    text: str = ""
    blocks: tuple[bytearray, ...] = ()
    tag: int | None = None
    error: CommandError | None = None
    size: int = 0


class _State(Enum):
    TEXT = auto()
    HASH = auto()
    LENGTH = auto()
    BLOCK = auto()
    SKIP_BLOCK = auto()
    SKIP_LINE = auto()
    SKIP_QUIET = auto()


class LineParser:
    """Puts lines together from a stream of bytes.

    Args:
        limits: Longest line, longest payload of the blocks of one line, and the quiet.
    """

    def __init__(self, limits: LineLimits) -> None:
        self._limits = limits
        self._last = 0.0
        self._steps = {
            _State.TEXT: self._text,
            _State.HASH: self._hash,
            _State.LENGTH: self._length,
            _State.BLOCK: self._block,
            _State.SKIP_BLOCK: self._skip_block,
            _State.SKIP_LINE: self._skip_line,
            _State.SKIP_QUIET: self._skip_quiet,
        }
        self._restart()

    @property
    def held(self) -> int:
        """Get how many bytes of an unfinished line are held."""
        return self._text_bytes + self._block_bytes

    @property
    def deadline(self) -> float | None:
        """Get when what has begun is dropped if nothing more arrives, s; None if nothing has begun."""
        return self._last + self._limits.quiet if self._begun else None

    def feed(self, data: bytes | bytearray | memoryview, now: float) -> list[Line]:
        """Take in bytes that arrived at a time, s; returns the lines that they complete, broken ones too."""
        self._last = now
        lines: list[Line] = []
        view = memoryview(data)
        at = 0
        while at < len(view):
            at = self._steps[self._state](view, at, lines)
        return lines

    def touch(self, now: float) -> None:
        """Start the quiet anew: until now nobody listened."""
        self._last = now

    def tick(self, now: float) -> list[Line]:
        """Let time pass, s: what has begun is dropped once the line has been quiet for long enough."""
        deadline = self.deadline
        if deadline is None or now < deadline:
            return []
        silence = CommandError(-363, f"nothing arrived for {self._limits.quiet:g} s in the middle of a line")
        dropped = Line(error=self._fault or silence)
        self._restart()
        return [dropped]

    def _restart(self) -> None:
        self._state = _State.TEXT
        self._fault: CommandError | None = None
        self._begun = False
        self._left = 0  # bytes of a block or of its length still to come
        self._digits = bytearray()
        self._release()

    def _release(self) -> None:
        self._segment = bytearray()  # text since the last block
        self._text_bytes = self._block_bytes = 0
        self._crc = 0  # of all that stands before the segment
        self._words: list[str] = []
        self._foreign: int | None = None
        self._blocks: list[bytearray] = []

    def _fail(self, number: int, detail: str, state: _State = _State.SKIP_LINE) -> None:
        """Give the line up: nothing of it is kept, and the rest of it is skipped."""
        self._fault = CommandError(number, detail)
        self._release()
        self._state = state

    def _append(self, text: memoryview) -> None:
        self._begun = True
        self._text_bytes += len(text)
        if self._text_bytes > self._limits.line_bytes:
            self._fail(-363, f"a line may have {self._limits.line_bytes} bytes besides its blocks")
        else:
            self._segment += text

    def _text(self, view: memoryview, at: int, lines: list[Line]) -> int:
        found = _SPECIAL.search(view, at)
        end = found.start() if found else len(view)
        if end > at:
            self._append(view[at:end])
        if found is None or self._state is not _State.TEXT:
            return end
        if view[end] == 0x23:  # '#'
            self._state = _State.HASH
            self._append(view[end : end + 1])
        else:
            self._finish(lines)
        return end + 1

    def _hash(self, view: memoryview, at: int, lines: list[Line]) -> int:
        if 0x31 <= view[at] <= 0x39:
            self._left = view[at] - 0x30
            self._digits.clear()
            self._state = _State.LENGTH
            self._append(view[at : at + 1])
            return at + 1
        if view[at] == 0x30:
            self._fail(-161, "blocks of indefinite length, #0, are not taken")
        else:
            self._state = _State.TEXT
        return at

    def _length(self, view: memoryview, at: int, lines: list[Line]) -> int:
        if not 0x30 <= view[at] <= 0x39:
            self._fail(-161, "a block starts with #, the number of digits of its length, and its length")
            return at
        self._digits.append(view[at])
        self._left -= 1
        self._append(view[at : at + 1])
        if not self._left and self._state is _State.LENGTH:
            self._start_block(int(self._digits))
        return at + 1

    def _start_block(self, count: int) -> None:
        self._left = count
        if self._block_bytes + count > self._limits.block_bytes:
            believed = count <= LONGEST_SKIP
            detail = f"the blocks of a line may have {self._limits.block_bytes} bytes, this one has {count}"
            self._fail(-223, detail, _State.SKIP_BLOCK if believed else _State.SKIP_QUIET)
            return
        self._close_segment(len(self._digits) + 2)
        self._words.append(BLOCK_MARK)
        self._blocks.append(bytearray())
        self._state = _State.BLOCK if count else _State.TEXT

    def _close_segment(self, header_bytes: int) -> None:
        """Take the text up to a block's header into account."""
        self._crc = zlib.crc32(self._segment, self._crc)
        self._take_words(self._segment[: len(self._segment) - header_bytes])
        self._segment = bytearray()

    def _take_words(self, segment: bytes | bytearray) -> None:
        foreign = _FOREIGN.search(segment)
        if foreign is not None and self._foreign is None:
            self._foreign = segment[foreign.start()]
        self._words.append(segment.decode("ascii", "replace").replace(BLOCK_MARK, "?"))

    def _block(self, view: memoryview, at: int, lines: list[Line]) -> int:
        piece = view[at : at + self._left]
        self._blocks[-1] += piece
        self._block_bytes += len(piece)
        self._crc = zlib.crc32(piece, self._crc)
        self._left -= len(piece)
        if not self._left:
            self._state = _State.TEXT
        return at + len(piece)

    def _skip_block(self, view: memoryview, at: int, lines: list[Line]) -> int:
        skipped = min(self._left, len(view) - at)
        self._left -= skipped
        if not self._left:
            self._state = _State.SKIP_LINE
        return at + skipped

    def _skip_line(self, view: memoryview, at: int, lines: list[Line]) -> int:
        found = _LINE_FEED.search(view, at)
        if found is None:
            return len(view)
        lines.append(Line(error=self._fault))
        self._restart()
        return found.end()

    def _skip_quiet(self, view: memoryview, at: int, lines: list[Line]) -> int:
        return len(view)

    def _finish(self, lines: list[Line]) -> None:
        size = self.held
        last = bytes(self._segment).rstrip(b"\r")
        try:
            sealed = unseal(last, self._crc)
        except ProtocolError as error:
            lines.append(Line(tag=UNREADABLE, error=CommandError(-361, str(error))))
            self._restart()
            return
        self._take_words(last if sealed is None else last[:-SEAL_BYTES])
        text = "".join(self._words)
        if sealed is not None or self._blocks or self._foreign is not None or text.strip():
            odd = None if self._foreign is None else CommandError(-101, f"byte 0x{self._foreign:02X}")
            lines.append(Line(text, tuple(self._blocks), None if sealed is None else sealed.tag, odd, size))
        self._restart()
