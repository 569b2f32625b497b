# SPDX-License-Identifier: Apache-2.0
"""IEEE 488.2 blocks of definite length, and payloads that end in their CRC-32 (docs/protocol.md, sections 1 and 3)."""

import zlib

from thermohw.errors import ProtocolError

CHECKSUM_BYTES = 4

Bytes = bytes | bytearray | memoryview


def block(payload: Bytes) -> bytes:
    """Get a payload behind the header that states its length: `#`, number of digits, length."""
    length = str(len(payload)).encode()
    return b"#%d%s" % (len(length), length) + bytes(payload)


def with_checksum(data: Bytes) -> bytes:
    """Get data with their CRC-32 behind them: a payload."""
    return bytes(data) + zlib.crc32(data).to_bytes(CHECKSUM_BYTES, "little")


def without_checksum(payload: Bytes, what: str) -> memoryview:
    """Get the data of a payload, checked; `what` names them in errors.

    Raises:
        ProtocolError: The payload is too short for a checksum, or damaged.
    """
    view = memoryview(payload)
    if len(view) < CHECKSUM_BYTES:
        raise ProtocolError(f"{what}: a payload ends in a CRC-32, but this one has {len(view)} bytes")
    data, stated = view[:-CHECKSUM_BYTES], int.from_bytes(view[-CHECKSUM_BYTES:], "little")
    found = zlib.crc32(data)
    if found != stated:
        raise ProtocolError(f"{what}: CRC-32 is {found:08X}, stated {stated:08X}; the {len(view)} bytes are damaged")
    return data
