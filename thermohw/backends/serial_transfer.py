# SPDX-License-Identifier: Apache-2.0
"""Payloads to a board and samples from it, in chunks that suit the line: large while it is clean, small on a noisy one.

Every chunk is a checked line, so that what arrives is what was sent; the size decides only how much is repeated.
"""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from thermohw.backends.serial_link import AFTER_LOAD, Question, Refusal, SerialLink
from thermohw.errors import DeviceLimitError, ProtocolError
from thermohw.protocol import LineLimits, SampleLayout, unpack_samples
from thermohw.protocol.capability import MAX_BLOCK_BYTES
from thermohw.protocol.sample_payload import HEADER, PARTS
from thermohw.transport import block, with_checksum
from thermohw.transport.blocks import CHECKSUM_BYTES

FIRST_CHUNK = 4096
"""Bytes of the first chunk; each that gets through at once doubles the next, until one is damaged."""

LARGEST_CHUNK = 2**24
SMALLEST_CHUNK = 64

_OVERHEAD = HEADER.size + CHECKSUM_BYTES
_CLEAN = 4  # chunks without damage after which a noisy line is tried with more: one in six is then damaged
_BRISK = 1.0  # a chunk that takes longer, s, is large enough
_INCOMPLETE = (-161, -222)  # what a board says that restarted meanwhile and lost the first chunks
_CODES = re.compile(r"#[Hh]([0-9A-Fa-f]{8})")


class ChunkSize:
    """How many bytes go at once."""

    def __init__(self, largest: int) -> None:
        self._largest = min(largest, LARGEST_CHUNK)
        self.size = min(FIRST_CHUNK, self._largest)
        self._noisy, self._clean, self._repeated = False, 0, 0
        self._started = time.monotonic()

    def asked(self, damages: int, smallest: int = SMALLEST_CHUNK) -> int:
        """Get the size for an attempt after so many damaged ones: a quarter after the first ever, half after others."""
        if damages > self._repeated:
            self.size = min(max(smallest, self.size // (2 if self._noisy else 4)), self._largest)
            self._noisy, self._clean = True, 0
        self._repeated, self._started = damages, time.monotonic()
        return self.size

    def passed(self) -> None:
        """Note that the chunk got through."""
        self._clean += 1
        if time.monotonic() - self._started < _BRISK and (not self._noisy or self._clean >= _CLEAN):
            self.size = min(2 * self.size, self._largest)
            self._clean = 0
        self._repeated = 0


class Transfer:
    """Loads and fetches over one link.

    Args:
        link: The line.
        limits: What fits through it.
    """

    def __init__(self, link: SerialLink, limits: LineLimits) -> None:
        self._link, self._limits = link, limits
        self._up = ChunkSize(min(limits.block_bytes, MAX_BLOCK_BYTES) - CHECKSUM_BYTES)
        self._down = ChunkSize(min(limits.fetch_bytes, MAX_BLOCK_BYTES) - _OVERHEAD)

    def held(self, *paths: str) -> list[int]:
        """Get the checksums of the payloads that the board holds under commands such as `PROG`; 0 for none.

        Raises:
            ProtocolError: It answers something else.
        """
        reply = self._link.ask(";:".join(f"{path}:CRC?" for path in paths))
        found = [_CODES.fullmatch(code.strip()) for code in reply.split(";")]
        codes = [int(code[1], 16) for code in found if code is not None]
        if len(codes) != len(paths):
            raise ProtocolError(
                f"{self._link.name} answered {paths[0]}:CRC? with {reply[:60]!r}; #H0123ABCD was awaited"
            )
        return codes

    def load(self, path: str, payload: bytes) -> None:
        """Bring a payload to the board and load it by `path:LOAD`.

        Raises:
            DeviceLimitError: The board has no room for it.
            InstrumentError: The board refuses it.
        """
        room = self._limits.upload_bytes
        if len(payload) > room:
            raise DeviceLimitError(f"{self._link.name} takes payloads of {room} bytes; this one has {len(payload)}")
        command = f"{path}:LOAD {len(payload)},#H{payload[-CHECKSUM_BYTES:][::-1].hex().upper()}"
        try:
            self._upload(payload)
            self._link.ask(command, AFTER_LOAD)
        except Refusal as refusal:
            if refusal.number not in _INCOMPLETE:
                raise
            self._upload(payload)
            self._link.ask(command, AFTER_LOAD)

    def fetch(self, run: int, layout: SampleLayout, rows: range) -> Iterator[tuple[int, Mapping[str, NDArray[Any]]]]:
        """Get the samples `rows` of a run: the number of the first of each chunk, and arrays by their names.

        Raises:
            InstrumentError: The board does not hold them any more.
            ProtocolError: It sends others.
        """
        first = rows.start
        while first < rows.stop:
            count = 0

            def question(damages: int, first: int = first) -> Question:
                nonlocal count
                fitting = self._down.asked(damages, layout.record_bytes) // layout.record_bytes
                count = min(max(1, fitting), rows.stop - first)
                return Question(b"FETC? %d,%d" % (first, count), count * layout.record_bytes + _OVERHEAD)

            payload = self._link.payload_of(self._link.converse(question), "FETCh?")
            self._down.passed()
            yield first, self._unpacked(payload, run, first, count, layout)
            first += count

    def layout(self, run: int, sample: int, parts: int, optional: int, units: int, recorded: int) -> SampleLayout:
        """Get how a run's samples are laid out, from the header of one of them.

        Args:
            run: Number of the run.
            sample: Number of the sample.
            parts: Sum of the parts that must be there.
            optional: Sum of those that may be.
            units: Number of units.
            recorded: Recorded states in a trajectory, 0 if none is asked for.

        Raises:
            ProtocolError: The board sends something else.
        """
        most = SampleLayout(parts | optional, units, recorded)
        payload = self._link.ask_block(f"FETC? {sample},1", most.record_bytes + _OVERHEAD)
        header = HEADER.unpack_from(payload) if len(payload) >= HEADER.size else (b"", 0, 0, 0, 0, 0, units)
        found = header[2]
        if found & parts != parts or found & ~(parts | optional):
            raise ProtocolError(f"{self._link.name} sends samples of the parts {found}; {parts} were asked for")
        vectors = found & ~PARTS["entropy"]
        layout = SampleLayout(found, units if vectors else max(1, header[6]), recorded)  # no state: no matter of units
        self._unpacked(payload, run, sample, 1, layout)
        return layout

    def _unpacked(
        self, payload: bytes, run: int, first: int, count: int, layout: SampleLayout
    ) -> Mapping[str, NDArray[Any]]:
        try:
            return unpack_samples(payload, run, first, count, layout)
        except ProtocolError as error:
            raise ProtocolError(f"{self._link.name}: {error}") from error

    def _upload(self, payload: bytes) -> None:
        offset = 0
        while offset < len(payload):
            size = 0

            def question(damages: int, offset: int = offset) -> Question:
                nonlocal size
                size = min(self._up.asked(damages), len(payload) - offset)
                chunk = block(with_checksum(memoryview(payload)[offset : offset + size]))
                return Question(b"UPL:DATA %d,%s" % (offset, chunk), seconds=AFTER_LOAD)

            self._link.converse(question)
            self._up.passed()
            offset += size
