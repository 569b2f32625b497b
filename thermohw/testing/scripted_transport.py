# SPDX-License-Identifier: Apache-2.0
"""A transport that plays one side of a script: it answers what was written, if that is what the script says."""

from collections.abc import Sequence

from thermohw.errors import TransportTimeout

CONTEXT = 40
"""Bytes shown on either side of a difference."""


class ScriptedTransport:
    """The other end of a line, from a script.

    What is written must be, byte for byte, what the script says, in its order, however it is cut into writes. When all
    that an entry says has been written, its answer can be read; reading more is a timeout, as on a silent line.

    Args:
        script: (sent, answer) of each exchange; nothing sent: the answer comes by itself. Neither may be None.
        name: What is at the other end.
    """

    def __init__(self, script: Sequence[tuple[bytes, bytes]], name: str = "scripted") -> None:
        self._script = [(bytes(sent), bytes(answer)) for sent, answer in script]
        self._name = name
        self._entry, self._written = 0, 0
        self._readable = bytearray()
        self._answer()

    @property
    def name(self) -> str:
        """Get what is at the other end."""
        return self._name

    def write(self, data: bytes) -> None:
        """Compare what is sent with the script.

        Raises:
            AssertionError: It differs, or the script has ended; shows both sides around the first difference.
        """
        if self._entry == len(self._script) and data:
            raise AssertionError(f"the script has ended after {self._entry} exchanges, but {_shown(data)} was sent")
        while data:
            expected = self._script[self._entry][0]
            part = expected[self._written : self._written + len(data)]
            if not data.startswith(part):
                self._differ(expected, expected[: self._written] + data)
            data, self._written = data[len(part) :], self._written + len(part)
            if data and (self._readable or self._script[self._entry][1]):
                self._differ(expected, expected + data)
            self._answer()
            if data and self._entry == len(self._script):
                raise AssertionError(f"the script has ended after {self._entry} exchanges, but {_shown(data)} was sent")

    def read_line(self, seconds: float) -> bytes:
        """Read up to a LF, without it.

        Raises:
            TransportTimeout: The script has no such line to read now.
        """
        end = self._readable.find(b"\n")
        if end < 0:
            raise self._silence(seconds, "the end of a line")
        return self.read_exactly(end + 1, seconds)[:-1]

    def read_exactly(self, count: int, seconds: float) -> bytes:
        """Read `count` bytes.

        Raises:
            TransportTimeout: The script has fewer to read now.
        """
        if len(self._readable) < count:
            raise self._silence(seconds, f"{count} bytes")
        taken = bytes(self._readable[:count])
        del self._readable[:count]
        return taken

    def drain(self, seconds: float) -> None:
        """Forget what can be read."""
        self._readable.clear()

    def close(self) -> None:
        """Do nothing: a script can be gone on with."""

    def check_finished(self) -> None:
        """Check that all has been sent and read.

        Raises:
            AssertionError: Something is left over.
        """
        if self._entry < len(self._script):
            sent = self._script[self._entry][0]
            raise AssertionError(
                f"exchange {self._entry} of {len(self._script)} was not sent to its end; left over: "
                f"{_shown(sent[self._written :])}"
            )
        if self._readable:
            raise AssertionError(f"{len(self._readable)} bytes were not read: {_shown(self._readable)}")

    def _answer(self) -> None:
        """Go on to the next entry where all of this one has been written."""
        while self._entry < len(self._script) and self._written == len(self._script[self._entry][0]):
            self._readable += self._script[self._entry][1]
            self._entry, self._written = self._entry + 1, 0

    def _silence(self, seconds: float, what: str) -> TransportTimeout:
        return TransportTimeout(
            f"{self._name} fell silent for {seconds:g} s before {what}; {len(self._readable)} bytes can be read: "
            f"{_shown(self._readable)}"
        )

    def _differ(self, expected: bytes, sent: bytes) -> None:
        common = zip(expected, sent, strict=False)
        place = next((at for at, (a, b) in enumerate(common) if a != b), min(len(expected), len(sent)))
        start = max(0, place - CONTEXT)
        raise AssertionError(
            f"exchange {self._entry} of {len(self._script)} differs at byte {place}:\n"
            f"  expected …{expected[start : place + CONTEXT]!r} ({len(expected)} bytes)\n"
            f"  sent     …{sent[start : place + CONTEXT]!r} ({len(sent)} bytes)"
        )


def _shown(data: bytes | bytearray) -> str:
    more = "" if len(data) <= 2 * CONTEXT else f" … ({len(data)} bytes)"
    return f"{bytes(data[: 2 * CONTEXT])!r}{more}"
