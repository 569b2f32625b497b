# SPDX-License-Identifier: Apache-2.0
"""The fixed header of a binary coupling table, and which topologies it names instead of listing their pairs.

The layout, byte by byte, is in docs/formats.md.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

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
