# SPDX-License-Identifier: Apache-2.0
"""Coupling tables in a compact little-endian binary form, for a serial line and for firmware that parses it in place.

The layout, byte by byte, is in docs/formats.md. Every array and number lies at a multiple of its own size.
"""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import FileFormatError
from thermohw.storage import parse_json, read_bytes, write_atomically
from thermohw.tables.binary_layout import (
    HEADER,
    KINDS,
    LISTED,
    MAGIC,
    TRAILER,
    VERSION,
    BinaryHeader,
    check_frame,
    kind_of,
    pack_frame,
    pairs_of,
)
from thermohw.tables.content import BLOCKS, SCHEMA, TableContent
from thermohw.tables.header import MAX_FILE_BYTES, TableHeader, assemble, parse_header


def save(table: TableContent, path: Path) -> Path:
    """Write a table in binary form, atomically.

    Raises:
        StorageError: The file cannot be written.
    """
    return write_atomically(path, encode(table))


def load(path: Path) -> TableContent:
    """Read a table in binary form.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: The file is damaged, edited or of another kind.
    """
    return decode(read_bytes(path, MAX_FILE_BYTES), str(path))


def encode(table: TableContent) -> bytes:
    """Get the binary form of a table."""
    topology = table.topology
    header = BinaryHeader(
        MAGIC,
        VERSION,
        HEADER.size,
        kind=kind_of(topology),
        unit_bytes=2 if topology.units <= 2**16 else 4,
        bits=tuple(table.bits.get(block, 0) for block in BLOCKS),
        reserved=0,
        visible=topology.visible,
        hidden=topology.hidden,
        pairs=len(topology.pairs),
        scales=tuple(table.scales.get(block, 0.0) for block in BLOCKS),
        metadata_bytes=0,
        total_bytes=0,
    )
    layout = header.layout.items()
    arrays = b"".join(table.arrays[name].astype(dtype).tobytes() for name, (dtype, count) in layout if count)
    metadata = json.dumps({"method": table.method, "provenance": dict(table.provenance)}).encode()
    metadata += b" " * (-(len(arrays) + len(metadata)) % 4)  # the checksum behind it lies at a multiple of 4
    total = HEADER.size + len(arrays) + len(metadata) + TRAILER.size
    header = header._replace(metadata_bytes=len(metadata), total_bytes=total)
    return pack_frame(header.pack() + arrays + metadata, table.digest)


def decode(data: bytes, where: str) -> TableContent:
    """Read the binary form of a table; `where` names the source in error messages.

    Raises:
        FileFormatError: The data are damaged, cut off, edited, or of another kind or version.
    """
    header = _check_frame(data, where)
    arrays: dict[str, NDArray[Any]] = {}
    offset = HEADER.size
    for name, (dtype, count) in header.layout.items():
        arrays[name] = np.frombuffer(data, dtype, count, offset)
        offset += arrays[name].nbytes
    listed = arrays["pairs"].reshape(-1, 2)
    arrays["pairs"] = pairs_of(header.kind, header.visible, header.hidden, header.pairs, listed, where)
    metadata = _metadata(data[offset : offset + header.metadata_bytes], where)
    digest = TRAILER.unpack_from(data, len(data) - TRAILER.size)[0].hex()
    return assemble(_table_header(header, metadata, digest, where), arrays, where)


def _check_frame(data: bytes, where: str) -> BinaryHeader:
    """Check everything that tells where the parts lie, so that nothing beyond `data` is read or allocated."""
    check_frame(data, MAGIC, VERSION, HEADER, f"{where}: not a binary coupling table")
    header = BinaryHeader.unpack(data)
    fixed = (header.header_bytes, header.reserved)
    if fixed != (HEADER.size, 0) or header.unit_bytes not in (2, 4) or header.kind not in (LISTED, *KINDS):
        raise FileFormatError(f"{where}: the header has a topology kind, width or reserved field that version 1 lacks")
    arrays = sum(np.dtype(dtype).itemsize * count for dtype, count in header.layout.values())
    total = HEADER.size + arrays + header.metadata_bytes + TRAILER.size
    if total != len(data):
        raise FileFormatError(f"{where}: the counts in the header add up to {total} bytes, but there are {len(data)}")
    return header


def _metadata(blob: bytes, where: str) -> dict[str, Any]:
    try:
        metadata = parse_json(blob.decode("ascii"), f"{where}: metadata")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{where}: metadata: not ASCII (byte {error.start})") from error
    if not isinstance(metadata, dict) or metadata.keys() != {"method", "provenance"}:
        raise FileFormatError(f"{where}: the metadata must be an object with the keys method and provenance")
    return cast(dict[str, Any], metadata)


def _table_header(header: BinaryHeader, metadata: dict[str, Any], digest: str, where: str) -> TableHeader:
    present = [index for index in range(len(BLOCKS)) if header.bits[index] or header.scales[index]]
    fields = {
        "schema": SCHEMA,
        "visible": header.visible,
        "hidden": header.hidden,
        "bits": {BLOCKS[index]: header.bits[index] for index in present},
        "scales": {BLOCKS[index]: header.scales[index] for index in present},
        "digest": digest,
    }
    return parse_header(fields | metadata, where)
