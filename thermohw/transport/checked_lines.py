# SPDX-License-Identifier: Apache-2.0
"""Lines that end in a tag and the CRC-32 of all before it (docs/protocol.md, section 2)."""

import re
import zlib
from typing import NamedTuple

from thermohw.errors import ProtocolError

UNREADABLE = 0
"""Tag of the answer to a line that could not be read."""

SEAL_BYTES = 12
"""Bytes of the seal: blank, tilde, two digits of tag, eight of CRC-32."""

_SEAL = re.compile(rb" ~([0-9A-Fa-f]{2})([0-9A-Fa-f]{8})")


class Sealed(NamedTuple):
    """A message that arrived whole, with the tag of the exchange that it belongs to."""

    message: bytes
    tag: int


def seal(message: bytes, tag: int) -> bytes:
    """Get the checked line of a message, LF included."""
    return message + seal_after(zlib.crc32(message), tag)


def seal_after(crc: int, tag: int) -> bytes:
    """Get the seal, LF included, of a message whose CRC-32 is known: one that is sent in pieces."""
    covered = b" ~%02X" % tag
    return b"%s%08X\n" % (covered, zlib.crc32(covered, crc))


def unseal(line: bytes, before: int = 0) -> Sealed | None:
    """Read a line without its LF: message and tag; None where it has no seal.

    Args:
        line: The line, or its end.
        before: CRC-32 of what stands before it.

    Raises:
        ProtocolError: It has a seal that does not fit: the line is damaged.
    """
    found = _SEAL.fullmatch(line, max(len(line) - SEAL_BYTES, 0))
    if found is None:
        return None
    stated, computed = int(found[2], 16), zlib.crc32(memoryview(line)[:-8], before)
    if stated != computed:
        raise ProtocolError(f"CRC-32 of a line is {computed:08X}, stated {stated:08X}: {line[:60]!r}")
    return Sealed(line[:-SEAL_BYTES], int(found[1], 16))
