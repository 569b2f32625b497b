# SPDX-License-Identifier: Apache-2.0
"""A pseudo-terminal as a serial port: raw from the start, behind a symbolic link that lasts."""

import contextlib
import os
import re
from pathlib import Path

from thermohw.errors import StorageError, TransportError
from thermohw.instrument.stream import READ_BYTES

_TERMINAL = re.compile(r"/dev/(pts/\d+|ttys\d+)")


class TerminalStream:
    """The instrument's end of a pseudo-terminal; the other end is kept open, so that clients may come and go.

    Raises:
        TransportError: The system has no pseudo-terminal to give.
    """

    def __init__(self) -> None:
        try:
            import tty  # Windows has neither

            self._master, self._slave = os.openpty()
        except (ImportError, AttributeError, OSError) as error:
            raise TransportError(f"no pseudo-terminal: {error}; offer a TCP port instead") from error
        tty.setraw(self._slave)  # or a client that does not would have its own replies echoed as commands
        os.set_blocking(self._master, False)
        self._name = os.ttyname(self._slave)

    @property
    def name(self) -> str:
        """Get the name of the terminal's device."""
        return self._name

    def fileno(self) -> int:
        """Get the master's descriptor."""
        return self._master

    def read(self, count: int) -> bytes | None:
        """Read some bytes; None where nothing has arrived."""
        try:
            return os.read(self._master, min(count, READ_BYTES))
        except BlockingIOError:
            return None

    def write(self, data: memoryview) -> int:
        """Write some of the bytes; returns how many."""
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def hung_up(self) -> bool:
        """Get whether the client has gone, which a pseudo-terminal does not tell."""
        return False

    def close(self) -> None:
        """Close both ends: a client that has it open gets an error."""
        os.close(self._master)
        os.close(self._slave)


class TerminalEndpoint:
    """A pseudo-terminal behind a link; once it was closed, a new one behind the same link.

    Args:
        link: Path of the link; None: there is only the terminal's own name.

    Raises:
        TransportError: The system has no pseudo-terminal to give.
        StorageError: The link cannot be made, or something else is in its place.
    """

    def __init__(self, link: Path | None) -> None:
        self._link = link
        if link is not None:
            _require_free(link)
        self._target = ""
        self._ready: TerminalStream | None = self._open()

    @property
    def url(self) -> str:
        """Get the link, or the terminal's name."""
        return self._target if self._link is None else str(self._link)

    def connect(self) -> TerminalStream:
        """Get the terminal."""
        stream, self._ready = self._ready or self._open(), None
        return stream

    def close(self) -> None:
        """Remove the link, unless something else has taken its place."""
        if self._ready is not None:
            self._ready.close()
            self._ready = None
        if self._link is not None:
            with contextlib.suppress(OSError):
                if os.readlink(self._link) == self._target:
                    self._link.unlink()

    def _open(self) -> TerminalStream:
        stream = TerminalStream()
        if self._link is not None:
            new = self._link.with_name(f".{self._link.name}.{os.getpid()}")
            try:
                new.unlink(missing_ok=True)
                new.symlink_to(stream.name)
                new.replace(self._link)
            except OSError as error:
                stream.close()
                raise StorageError(f"cannot link {self._link} to {stream.name}: {error.strerror}") from error
        self._target = stream.name
        return stream


def _require_free(link: Path) -> None:
    """Refuse to replace anything but a link that a server left behind.

    Raises:
        StorageError: Something else is there.
    """
    if not os.path.lexists(link):
        return
    target = os.readlink(link) if link.is_symlink() else ""
    if not _TERMINAL.fullmatch(target):
        raise StorageError(f"{link} is there, and is no link to a pseudo-terminal: give the link another name")
    if os.path.exists(target):
        raise StorageError(
            f"{link} is a link to {target}, which is in use: stop the server there, or remove the link if there is none"
        )
