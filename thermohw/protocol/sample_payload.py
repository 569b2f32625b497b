# SPDX-License-Identifier: Apache-2.0
"""Samples on the line: a header, then one record a sample (docs/protocol.md, section 3)."""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import ProtocolError
from thermohw.samples import Readout
from thermohw.transport import without_checksum
from thermohw.transport.blocks import CHECKSUM_BYTES

MAGIC = b"THWS"
LAYOUT_VERSION = 1
HEADER = struct.Struct("<4sHHIIIIII")
"""Magic, version, parts, run, first, count, units, recorded states, bytes a record."""

PARTS = {
    "states": 1,
    "initial_states": 2,
    "velocities": 4,
    "initial_velocities": 8,
    "trajectory": 16,
    "entropy": 32,
}
"""What a record can hold besides heat and work, by its bit; the names are those of `Readout`."""

_ORDER = ("heat", "work", "entropy", "states", "initial_states", "velocities", "initial_velocities", "trajectory")


@dataclass(frozen=True)
class SampleLayout:
    """How the records of a run are laid out.

    Attributes:
        parts: Sum of the bits in `PARTS`.
        units: Number of units.
        recorded: Recorded states in a trajectory, the first included; 0 where it is no part.

    Raises:
        ProtocolError: Unknown parts, or a trajectory without recorded states or the other way round.
    """

    parts: int
    units: int
    recorded: int

    def __post_init__(self) -> None:
        if self.parts & ~sum(PARTS.values()) or self.units < 1 or self.recorded < 0:
            raise ProtocolError(f"samples: parts {self.parts}, {self.units} units, {self.recorded} recorded states")
        if bool(self.parts & PARTS["trajectory"]) != (self.recorded > 0):
            raise ProtocolError(f"samples: parts {self.parts} do not go with {self.recorded} recorded states")

    @staticmethod
    def of(readout: Readout) -> "SampleLayout":
        """Get the layout that holds a readout: heat, work, and what else is there."""
        arrays = present(readout)
        parts = sum(PARTS[name] for name in arrays if name in PARTS)
        widths = {name: array.shape[-1] for name, array in arrays.items() if array.ndim > 1}
        recorded = 0 if readout.trajectory is None else readout.trajectory.shape[1]
        return SampleLayout(parts, next(iter(widths.values()), 1), recorded)

    @property
    def record_bytes(self) -> int:
        """Get the size of a record; plain arithmetic, so that a hostile header costs no memory."""
        vectors = sum(bool(self.parts & bit) for name, bit in PARTS.items() if name not in ("trajectory", "entropy"))
        scalars = 3 if self.parts & PARTS["entropy"] else 2
        return 8 * scalars + 4 * self.units * (vectors + self.recorded)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Get the record as a numpy type, without gaps."""
        shapes: dict[str, tuple[str, tuple[int, ...]]] = dict.fromkeys(("heat", "work", "entropy"), ("<f8", ()))
        shapes |= dict.fromkeys(_ORDER[3:7], ("<f4", (self.units,)))
        shapes["trajectory"] = ("<f4", (self.recorded, self.units))
        names = [name for name in _ORDER if name in ("heat", "work") or self.parts & PARTS[name]]
        return np.dtype([(name, *shapes[name]) for name in names])


def present(readout: Readout) -> dict[str, NDArray[Any]]:
    """Get the arrays of a readout that are there, by name, in the order of a record; empty ones left out."""
    arrays: dict[str, NDArray[Any] | None] = {name: getattr(readout, name) for name in _ORDER}
    return {
        name: array
        for name, array in arrays.items()
        if array is not None and (name in ("heat", "work") or len(array) == len(readout.heat))
    }


def pack_samples(readout: Readout, layout: SampleLayout, run: int, first: int, count: int) -> bytes:
    """Get the payload of samples `first` … `first + count − 1` of a run."""
    records = np.empty(count, layout.dtype)
    for name in layout.dtype.names or ():
        records[name] = getattr(readout, name)[first : first + count]
    sizes = (run, first, count, layout.units, layout.recorded, layout.record_bytes)
    header = HEADER.pack(MAGIC, LAYOUT_VERSION, layout.parts, *sizes)
    data = records.view(np.uint8).data
    checksum = zlib.crc32(data, zlib.crc32(header)).to_bytes(CHECKSUM_BYTES, "little")
    return b"".join((header, data, checksum))  # records are large: one copy


def unpack_samples(
    payload: bytes, run: int, first: int, count: int, layout: SampleLayout
) -> Mapping[str, NDArray[Any]]:
    """Read the samples that were asked for, and no others: arrays (count, …) by their names in `Readout`.

    Raises:
        ProtocolError: The payload is damaged, or of another run, other samples or another layout.
    """
    data = without_checksum(payload, "samples")
    if len(data) < HEADER.size:
        raise ProtocolError(f"samples: {len(data)} bytes, too few for the header")
    expected = (MAGIC, LAYOUT_VERSION, layout.parts, run, first, count, layout.units, layout.recorded)
    expected += (layout.record_bytes,)
    found = HEADER.unpack_from(data)
    if found != expected:
        raise ProtocolError(f"samples: the header is {found}, awaited was {expected}")
    if len(data) != HEADER.size + count * layout.record_bytes:
        raise ProtocolError(f"samples: {count} records take {count * layout.record_bytes} bytes, got {len(data)}")
    records = np.frombuffer(data, layout.dtype, offset=HEADER.size)
    return {name: records[name] for name in layout.dtype.names or ()}
