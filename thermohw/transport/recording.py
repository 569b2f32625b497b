# SPDX-License-Identifier: Apache-2.0
"""A transport that keeps what passes through another one."""

from thermohw.errors import TransportTimeout
from thermohw.transport.stream import Transport

Exchange = tuple[bytes, bytes]
"""What was sent, and what came back before the next was sent."""


class RecordingTransport:
    """Passes everything on, and keeps it in `exchanges`.

    Args:
        inner: The transport that does the work.
    """

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self._exchanges: list[tuple[bytearray, bytearray]] = []

    @property
    def name(self) -> str:
        """Get what is at the other end."""
        return self._inner.name

    @property
    def exchanges(self) -> list[Exchange]:
        """Get what was sent and received so far, in its order."""
        return [(bytes(sent), bytes(answer)) for sent, answer in self._exchanges]

    def write(self, data: bytes) -> None:
        """Send all of the data."""
        if not self._exchanges or self._exchanges[-1][1]:
            self._exchanges.append((bytearray(), bytearray()))
        self._exchanges[-1][0].extend(data)
        self._inner.write(data)

    def read_line(self, seconds: float) -> bytes:
        """Read up to a LF, without it."""
        line = self._inner.read_line(seconds)
        self._received(line + b"\n")
        return line

    def read_exactly(self, count: int, seconds: float) -> bytes:
        """Read `count` bytes."""
        data = self._inner.read_exactly(count, seconds)
        self._received(data)
        return data

    def drain(self, seconds: float) -> None:
        """Read what has arrived and what arrives, until the line is silent for so many seconds, and keep that too."""
        while True:
            try:
                self._received(self._inner.read_exactly(1, seconds))
            except TransportTimeout:
                return

    def close(self) -> None:
        """Release the line; again does nothing."""
        self._inner.close()

    def _received(self, data: bytes) -> None:
        if not self._exchanges:
            self._exchanges.append((bytearray(), bytearray()))
        self._exchanges[-1][1].extend(data)
