# SPDX-License-Identifier: Apache-2.0
"""What a server asks of a client's line, whatever it is."""

from typing import Protocol

READ_BYTES = 2**18
"""Most bytes that are read at once."""


class Stream(Protocol):
    """Bytes to and from one client, without waiting."""

    @property
    def name(self) -> str:
        """Get what is at the other end, for messages."""
        ...

    def fileno(self) -> int:
        """Get what a selector watches."""
        ...

    def read(self, count: int) -> bytes | None:
        """Read some bytes: none where the client has ended its side, None where nothing has arrived."""
        ...

    def write(self, data: memoryview) -> int:
        """Write some of the bytes; returns how many."""
        ...

    def hung_up(self) -> bool:
        """Get whether the client has ended its side, though bytes of it may still wait."""
        ...

    def close(self) -> None:
        """Break the line."""
        ...
