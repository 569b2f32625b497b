# SPDX-License-Identifier: Apache-2.0
"""What the binary forms share: their frame, and which topologies they name instead of listing their pairs.

The layouts, byte by byte, are in docs/formats.md.
"""

import struct
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from thermohw.errors import FileFormatError
from thermohw.topology import Topology

MAGIC = b"THWTABLE"
VERSION = 1

HEADER = struct.Struct("<8sHHBB4BHIII4dII")
TRAILER = struct.Struct("<32sI")
"""SHA-256 digest of the table, CRC-32 of everything before it."""


class BinaryHeader(NamedTuple):
    """The header's fields in their order; bits and scales are in the order of `BLOCKS`, 0 for a block without pairs."""

    magic: bytes
    version: int
    header_bytes: int
    kind: int
    unit_bytes: int
    bits: tuple[int, ...]
    reserved: int
    visible: int
    hidden: int
    pairs: int
    scales: tuple[float, ...]
    metadata_bytes: int
    total_bytes: int

    def pack(self) -> bytes:
        """Get the header's bytes."""
        return HEADER.pack(*self[:5], *self.bits, *self[6:10], *self.scales, *self[11:])

    @staticmethod
    def unpack(data: bytes) -> "BinaryHeader":
        """Read the header at the start of `data`, unchecked."""
        values = HEADER.unpack_from(data)
        return BinaryHeader._make((*values[:5], values[5:9], *values[9:13], values[13:17], *values[17:]))

    @property
    def layout(self) -> dict[str, tuple[str, int]]:
        """Get the dtype and the number of elements of each array, in their order."""
        units = self.visible + self.hidden
        listed = 2 * self.pairs if self.kind == LISTED else 0
        codes = {"codes": ("<i2", self.pairs), "bias_codes": ("<i2", units)}
        return {"J2": ("<f8", units), "J4": ("<f8", units), "pairs": (f"<u{self.unit_bytes}", listed), **codes}


class TopologyKind(NamedTuple):
    """A topology whose pairs follow from its numbers of visible and hidden units, so that a file leaves them out."""

    count: Callable[[int, int], int]
    build: Callable[[int, int], Topology]


def _layered_pairs(visible: int, hidden: int) -> int:
    return visible * hidden + hidden * (hidden - 1) // 2


def _bipartite_pairs(visible: int, hidden: int) -> int:
    return visible * hidden


def _bipartite(visible: int, hidden: int) -> Topology:
    return Topology.layered(visible, hidden, hidden_couplings=False)


def _complete_pairs(visible: int, hidden: int) -> int:
    return (visible + hidden) * (visible + hidden - 1) // 2


LISTED = 0
"""The kind byte of a file that lists its pairs."""

KINDS = {
    1: TopologyKind(_layered_pairs, Topology.layered),
    2: TopologyKind(_bipartite_pairs, _bipartite),
    3: TopologyKind(_complete_pairs, Topology.complete),
}
"""The other kinds by their byte: layered, layered without hidden–hidden pairs, all-to-all."""


def kind_of(topology: Topology) -> int:
    """Get the kind byte of a topology."""
    sizes = topology.visible, topology.hidden
    for byte, kind in KINDS.items():
        if kind.count(*sizes) == len(topology.pairs) and kind.build(*sizes).same_as(topology):
            return byte
    return LISTED


def check_frame(data: bytes, magic: bytes, version: int, header: struct.Struct, where: str) -> None:
    """Check magic, version, length and checksum: what must hold before the rest of a header is believed.

    Both forms have the version at byte 8 and their whole length at the header's end.

    Raises:
        FileFormatError: The data are damaged, cut off, or of another kind or version.
    """
    if data[:8] != magic:
        raise FileFormatError(f"{where}: it starts with {data[:8]!r} instead of {magic!r}")
    if len(data) < header.size + TRAILER.size:
        raise FileFormatError(f"{where}: cut off after {len(data)} bytes, inside the header")
    values = header.unpack_from(data)
    if values[1] != version:
        raise FileFormatError(f"{where}: version {values[1]}; this reader knows version {version}")
    if values[-1] != len(data):
        raise FileFormatError(f"{where}: {len(data)} bytes, but the header says {values[-1]}")
    expected = int.from_bytes(data[-4:], "little")
    found = zlib.crc32(memoryview(data)[:-4])
    if found != expected:
        raise FileFormatError(f"{where}: CRC-32 is {found:08x}, expected {expected:08x}; the data are damaged")


def pairs_of(kind: int, visible: int, hidden: int, pairs: int, listed: NDArray[Any], where: str) -> NDArray[Any]:
    """Get the pairs (pairs, 2) that a header names, or those that are listed.

    Raises:
        FileFormatError: The number of pairs is not that of the topology.
    """
    if kind == LISTED or not visible + hidden:
        return listed
    named = KINDS[kind]
    expected = named.count(visible, hidden)
    if pairs != expected:
        raise FileFormatError(
            f"{where}: {pairs} pairs, but topology kind {kind} with {visible} visible and {hidden} hidden units has "
            f"{expected}"
        )
    return named.build(visible, hidden).pairs


def pack_frame(content: bytes, digest: str) -> bytes:
    """Get content with its trailer: the digest, and the CRC-32 of everything before it."""
    content += bytes.fromhex(digest)
    return content + zlib.crc32(content).to_bytes(4, "little")
