# SPDX-License-Identifier: Apache-2.0
"""Programs in a binary form with float64 energies: what goes to a device that holds any energy, not codes.

The layout, byte by byte, is in docs/formats.md. Every array and number lies at a multiple of its own size.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import FileFormatError, ProgramError
from thermohw.program import Program
from thermohw.tables.binary_layout import KINDS, LISTED, TRAILER, check_frame, kind_of, pack_frame, pairs_of
from thermohw.topology import Topology

MAGIC = b"THWENERG"
VERSION = 1

HEADER = struct.Struct("<8sHHBBHIIII")
"""Magic, version, bytes of the header, topology kind, bytes a unit number, reserved, visible, hidden, pairs, total."""


def encode_program(program: Program) -> bytes:
    """Get the binary form of a program."""
    topology = program.topology
    kind, width = kind_of(topology), 2 if topology.units <= 2**16 else 4
    energies = (program.J2, program.J4, program.biases, program.couplings)
    arrays = b"".join(values.astype("<f8").tobytes() for values in energies)
    if kind == LISTED:
        arrays += topology.pairs.astype(f"<u{width}").tobytes()
    total = HEADER.size + len(arrays) + TRAILER.size
    sizes = (topology.visible, topology.hidden, len(topology.pairs), total)
    return pack_frame(HEADER.pack(MAGIC, VERSION, HEADER.size, kind, width, 0, *sizes) + arrays, program.digest)


def decode_program(data: bytes, where: str) -> Program:
    """Read the binary form of a program; `where` names the source in error messages.

    Raises:
        FileFormatError: The data are damaged, cut off, edited, or of another kind or version.
    """
    check_frame(data, MAGIC, VERSION, HEADER, f"{where}: not a binary program")
    _, _, header_bytes, kind, width, reserved, visible, hidden, pairs, _ = HEADER.unpack_from(data)
    if (header_bytes, reserved) != (HEADER.size, 0) or width not in (2, 4) or kind not in (LISTED, *KINDS):
        raise FileFormatError(f"{where}: the header has a topology kind, width or reserved field that version 1 lacks")
    units, listed = visible + hidden, 2 * pairs if kind == LISTED else 0
    total = HEADER.size + 8 * (3 * units + pairs) + width * listed + TRAILER.size
    if total != len(data):
        raise FileFormatError(f"{where}: the counts in the header add up to {total} bytes, but there are {len(data)}")
    energies: list[NDArray[np.float64]] = []
    offset = HEADER.size
    for count in (units, units, units, pairs):
        energies.append(np.frombuffer(data, "<f8", count, offset))
        offset += 8 * count
    given = np.frombuffer(data, f"<u{width}", listed, offset).reshape(-1, 2)
    try:
        named = pairs_of(kind, visible, hidden, pairs, given, where)
        program = Program(Topology(visible, hidden, named.astype(np.int32)), *energies)
    except ProgramError as error:
        raise FileFormatError(f"{where}: {error}") from error
    if program.digest != TRAILER.unpack_from(data, len(data) - TRAILER.size)[0].hex():
        raise FileFormatError(f"{where}: the digest is not that of the program; the data were edited")
    return program
