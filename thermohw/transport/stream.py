# SPDX-License-Identifier: Apache-2.0
"""Byte streams with deadlines, over whatever pyserial opens: a serial port, `socket://`, `rfc2217://`, `loop://`."""

import time
from typing import Any, Protocol

import serial

from thermohw.errors import TransportError, TransportTimeout

MAX_LINE_BYTES = 1 << 20
"""Longest line that is read, bytes; a line without an end must not fill the memory."""

_POLL = 0.05
"""Longest that pyserial is left waiting, s: to change its timeout would renegotiate a live line."""

_CHUNK = 1 << 20
_LONGEST_DRAIN = 30.0
_SHOWN = 60


class Transport(Protocol):
    """A stream of bytes to an instrument and back. A read gives all that was asked for, or raises."""

    @property
    def name(self) -> str:
        """Get what is at the other end, for messages."""
        ...

    def write(self, data: bytes) -> None:
        """Send all of the data."""
        ...

    def read_line(self, seconds: float) -> bytes:
        """Read up to a LF, without it; `seconds` is the longest silence allowed."""
        ...

    def read_exactly(self, count: int, seconds: float) -> bytes:
        """Read `count` bytes; `seconds` is the longest silence allowed."""
        ...

    def drain(self, seconds: float) -> None:
        """Forget what has arrived and what arrives, until the line is silent for so many seconds."""
        ...

    def close(self) -> None:
        """Release the line; again does nothing."""
        ...


class SerialTransport:
    """A transport over pyserial.

    Args:
        url: Device name (`/dev/ttyACM0`, `COM3`, a link to a pseudo-terminal) or pyserial URL.
        baudrate: Of a real serial port; other streams ignore it.
        write_timeout: Longest time that a write may take, s.

    Raises:
        TransportError: The line cannot be opened.
    """

    def __init__(self, url: str, baudrate: int = 115_200, write_timeout: float = 30.0) -> None:
        self._url = url
        longest = None if url.lower().startswith("rfc2217:") else write_timeout  # pyserial has none there
        try:
            self._port = serial.serial_for_url(url, baudrate=baudrate, timeout=_POLL, write_timeout=longest)
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise TransportError(f"cannot open {url}: {error}") from error
        self._buffer = bytearray()

    @property
    def name(self) -> str:
        """Get the URL."""
        return self._url

    def write(self, data: bytes) -> None:
        """Send all of the data.

        Raises:
            TransportTimeout: The instrument took no more bytes in time.
            TransportError: The line broke.
        """
        try:
            self._port.write(data)
        except serial.SerialTimeoutException as error:
            raise TransportTimeout(
                f"{self._url} did not take {len(data)} bytes in {self._port.write_timeout} s"
            ) from error
        except OSError as error:
            raise TransportError(f"{self._url} broke while {len(data)} bytes were written: {error}") from error

    def read_line(self, seconds: float) -> bytes:
        """Read up to a LF, without it.

        Raises:
            TransportTimeout: Nothing arrived for so many seconds.
            TransportError: The line broke, or the text has no end.
        """
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_LINE_BYTES:
                raise TransportError(f"{self._url} sent {searched} bytes without the end of a line")
            self._more(max(1, self._waiting()), seconds, "the end of a line")
        return self._take(end + 1)[:-1]

    def read_exactly(self, count: int, seconds: float) -> bytes:
        """Read `count` bytes.

        Raises:
            TransportTimeout: Nothing arrived for so many seconds.
            TransportError: The line broke.
        """
        while len(self._buffer) < count:
            self._more(count - len(self._buffer), seconds, f"{count} bytes")
        return self._take(count)

    def drain(self, seconds: float) -> None:
        """Forget what has arrived and what arrives, until the line is silent for so many seconds.

        Raises:
            TransportError: The line broke, or is never silent.
        """
        silent = 0.0
        deadline = time.monotonic() + _LONGEST_DRAIN
        while silent < seconds:
            started = time.monotonic()
            if started > deadline:
                raise TransportError(f"{self._url} is never silent: it sent for {_LONGEST_DRAIN:g} s")
            silent = 0.0 if self._read(_CHUNK) else silent + time.monotonic() - started
        self._buffer.clear()

    def close(self) -> None:
        """Release the line; again does nothing."""
        connection: Any = getattr(self._port, "_socket", None)
        self._port.close()
        if connection is not None:
            connection.close()  # pyserial leaves a socket open whose other end has gone

    def _take(self, count: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:count])
        del self._buffer[:count]
        return taken

    def _waiting(self) -> int:
        try:
            return min(self._port.in_waiting, _CHUNK)
        except OSError as error:
            raise TransportError(f"{self._url} broke: {error}") from error

    def _read(self, count: int) -> bytes:
        try:
            return self._port.read(min(count, _CHUNK))
        except OSError as error:
            raise TransportError(f"{self._url} broke: {error}") from error

    def _more(self, count: int, seconds: float, what: str) -> None:
        """Wait for up to `count` bytes, at least one."""
        deadline = time.monotonic() + seconds
        while not (arrived := self._read(count)):
            if time.monotonic() > deadline:
                raise TransportTimeout(
                    f"{self._url} fell silent for {seconds:g} s before {what}; "
                    f"{len(self._buffer)} bytes had arrived: {bytes(self._buffer[:_SHOWN])!r}"
                )
        self._buffer += arrived
