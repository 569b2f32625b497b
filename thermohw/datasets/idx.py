# SPDX-License-Identifier: Apache-2.0
"""The IDX format of the MNIST files, raw or gzip-packed, read strictly.

Layout: two zero bytes, element type (0x08, unsigned byte), number of dimensions, each dimension as a big-endian
uint32, then the elements in C order and nothing more. A raw file carries no checksum, so that damaged elements cannot
be told from true ones; a packed one carries a CRC-32, which is checked.
"""

import gzip
import io
import math
import os
import zlib

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import FileFormatError
from thermohw.storage import read_bytes

MAX_ELEMENTS = 2**30
"""Largest number of elements that is accepted from one file."""

_UNSIGNED_BYTE = 0x08
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 2**20


def read_idx(path: str | os.PathLike[str], dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, raw or gzip-packed (told by its first bytes, not by its name).

    Args:
        path: The file.
        dimensions: Number of dimensions wanted: 3 for images, 1 for labels.

    Returns:
        The elements, an array of that many dimensions.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: The file is not such an IDX file; the message names the byte.
    """
    return parse_idx(read_bytes(path, MAX_ELEMENTS + _CHUNK), dimensions, str(path))


def parse_idx(data: bytes, dimensions: int, where: str) -> NDArray[np.uint8]:
    """Parse the bytes of an IDX file, raw or gzip-packed; `where` names them in error messages.

    Never unpacks more than the header announces, so that a small file cannot fill the memory.

    Raises:
        FileFormatError: Not such an IDX file; the message names the byte.
    """
    start = 4 + 4 * dimensions
    shape = _parse_header(_unpack(data, start, where), dimensions, where)
    end = start + math.prod(shape)
    content = _unpack(data, end + 1, where)
    if len(content) != end:
        size = " × ".join(map(str, shape))
        found = f"data go on after byte {end}" if len(content) > end else f"data end at byte {len(content)}"
        raise FileFormatError(f"{where}: {found}; the {size} elements that the header announces end at byte {end}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _parse_header(header: bytes, dimensions: int, where: str) -> tuple[int, ...]:
    wanted = (
        (0, "an IDX file starts with two zero bytes"),
        (0, "an IDX file starts with two zero bytes"),
        (_UNSIGNED_BYTE, "the element type must be 0x08 (unsigned byte)"),
        (dimensions, f"the number of dimensions must be {dimensions}"),
    )
    for position, (found, (expected, rule)) in enumerate(zip(header, wanted, strict=False)):
        if found != expected:
            raise FileFormatError(f"{where}: byte {position} is 0x{found:02x}; {rule}")
    if len(header) < 4 + 4 * dimensions:
        raise FileFormatError(f"{where}: data end at byte {len(header)}, inside the {4 + 4 * dimensions}-byte header")
    shape = tuple(int.from_bytes(header[byte : byte + 4], "big") for byte in range(4, 4 + 4 * dimensions, 4))
    if 0 in shape:
        raise FileFormatError(f"{where}: byte {4 + 4 * shape.index(0)}: dimension {shape.index(0)} is 0")
    if math.prod(shape) > MAX_ELEMENTS:
        size = " × ".join(map(str, shape))
        raise FileFormatError(f"{where}: bytes 4 … announce {size} elements, more than the {MAX_ELEMENTS} accepted")
    return shape


def _unpack(data: bytes, limit: int, where: str) -> bytes:
    """Get the first `limit` bytes of raw or gzip-packed data; the CRC is checked where the data end before `limit`."""
    if not data.startswith(_GZIP_MAGIC):
        return data[:limit]
    unpacked = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            while chunk := stream.read(min(_CHUNK, limit - len(unpacked))):
                unpacked += chunk
    except (EOFError, OSError, zlib.error) as error:
        raise FileFormatError(f"{where}: gzip damage after unpacked byte {len(unpacked)}: {error}") from error
    return bytes(unpacked)
