# SPDX-License-Identifier: Apache-2.0
"""The upload area: memory that a payload is written into piece by piece."""

import mmap

from thermohw.instrument.command_error import CommandError
from thermohw.transport import without_checksum
from thermohw.transport.blocks import CHECKSUM_BYTES


class UploadArea:
    """Memory that takes up as much as was written into it, and starts as zeros.

    Args:
        size: Bytes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._memory: mmap.mmap | None = None

    def write(self, offset: int, payload: bytearray) -> None:
        """Write a payload's bytes, without their CRC-32, at an offset.

        Raises:
            CommandError: They lie beyond the end.
            ProtocolError: They are damaged.
        """
        data = without_checksum(payload, "upload")
        if offset + len(data) > self._size:
            raise CommandError(-223, f"the upload area has {self._size} bytes, {offset} + {len(data)} lie beyond")
        if self._memory is None:
            self._memory = mmap.mmap(-1, self._size)  # pages exist once they are written
        self._memory[offset : offset + len(data)] = data

    def payload(self, length: int, checksum: int) -> bytes:
        """Get the first `length` bytes, the last four of which must read as `checksum`.

        Raises:
            CommandError: There are not as many, or they end otherwise.
        """
        if not CHECKSUM_BYTES <= length <= self._size:
            raise CommandError(-222, f"a payload in the upload area has {CHECKSUM_BYTES} ... {self._size} bytes")
        stated = b"" if self._memory is None else self._memory[length - CHECKSUM_BYTES : length]
        if int.from_bytes(stated, "little") != checksum or self._memory is None:
            found = int.from_bytes(stated, "little")
            raise CommandError(-161, f"the upload area's {length} bytes end in {found:08X}, not in {checksum:08X}")
        return self._memory[:length]

    def clear(self) -> None:
        """Forget all."""
        self._memory = None
