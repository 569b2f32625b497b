# SPDX-License-Identifier: Apache-2.0
"""Payloads that go to a board and the times that come back: layouts in docs/protocol.md, section 3."""

import struct
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermohw.errors import FileFormatError, PlanError, ProtocolError
from thermohw.langevin.schedule import BiasSchedule
from thermohw.program import Program
from thermohw.tables import CouplingTable
from thermohw.tables.binary_program import MAGIC as PROGRAM_MAGIC
from thermohw.tables.binary_program import decode_program, encode_program
from thermohw.transport import with_checksum, without_checksum

Real = TypeVar("Real", np.float32, np.float64)

_SIZES = struct.Struct("<II")


def pack_program(program: Program | CouplingTable) -> bytes:
    """Get the payload of a table, or of a program with float64 energies."""
    return program.to_bytes() if isinstance(program, CouplingTable) else encode_program(program)


def unpack_program(payload: bytes) -> Program | CouplingTable:
    """Read the payload of a table or program, whichever its first bytes name.

    Raises:
        ProtocolError: It is damaged or neither.
    """
    try:
        if payload[:8] == PROGRAM_MAGIC:
            return decode_program(payload, "program")
        return CouplingTable.from_bytes(payload)
    except FileFormatError as error:
        raise ProtocolError(str(error)) from error


def pack_biases(biases: ArrayLike) -> bytes:
    """Get the payload of biases (units,), rounded to float32."""
    return with_checksum(np.asarray(biases, "<f4").tobytes())


def unpack_biases(payload: bytes, units: int) -> NDArray[np.float64]:
    """Read biases (units,).

    Raises:
        ProtocolError: They are damaged, too many or too few, or not finite.
    """
    data = without_checksum(payload, "biases")
    if len(data) != 4 * units:
        raise ProtocolError(f"biases: {units} units take {4 * units} bytes and a CRC-32, got {len(data)} bytes")
    return _finite(np.frombuffer(data, "<f4").astype(np.float64), "biases")


def pack_schedule(schedule: BiasSchedule | None) -> bytes:
    """Get the payload of a bias schedule; None ends one."""
    if schedule is None:
        return with_checksum(_SIZES.pack(0, 0))
    arrays = schedule.times.astype("<f8").tobytes() + schedule.biases.astype("<f8").tobytes()
    return with_checksum(_SIZES.pack(*schedule.biases.shape) + arrays)


def unpack_schedule(payload: bytes, units: int) -> BiasSchedule | None:
    """Read a bias schedule for so many units.

    Raises:
        ProtocolError: It is damaged, of the wrong size, or not a schedule.
    """
    data = without_checksum(payload, "schedule")
    knots, columns = _sizes(data, "schedule")
    if not knots:
        return None
    if columns != units or len(data) != _SIZES.size + 8 * knots * (1 + units):
        raise ProtocolError(f"schedule: {knots} knots of {columns} units in {len(data)} bytes; the program has {units}")
    values = np.frombuffer(data, "<f8", offset=_SIZES.size)
    try:
        return BiasSchedule(values[:knots], values[knots:].reshape(knots, units))
    except PlanError as error:
        raise ProtocolError(f"schedule: {error}") from error


def pack_states(states: ArrayLike) -> bytes:
    """Get the payload of states (samples, units), rounded to float32."""
    array = np.asarray(states, "<f4")
    return with_checksum(_SIZES.pack(*array.shape) + array.tobytes())


def unpack_states(payload: bytes, units: int) -> NDArray[np.float32]:
    """Read states (samples, units).

    Raises:
        ProtocolError: They are damaged, of the wrong size, or not finite.
    """
    data = without_checksum(payload, "states")
    samples, columns = _sizes(data, "states")
    if columns != units or len(data) != _SIZES.size + 4 * samples * units:
        raise ProtocolError(f"states: {samples} of {columns} units in {len(data)} bytes; the program has {units}")
    return _finite(np.frombuffer(data, "<f4", offset=_SIZES.size).reshape(samples, units).copy(), "states")


def pack_times(times: ArrayLike) -> bytes:
    """Get the payload of times (records,)."""
    return with_checksum(np.asarray(times, "<f8").tobytes())


def unpack_times(payload: bytes) -> NDArray[np.float64]:
    """Read times (records,).

    Raises:
        ProtocolError: They are damaged, not finite, or do not increase.
    """
    data = without_checksum(payload, "times")
    if len(data) % 8:
        raise ProtocolError(f"times: {len(data)} bytes are no whole number of float64")
    times = _finite(np.frombuffer(data, "<f8").copy(), "times")
    if (np.diff(times) <= 0).any():
        raise ProtocolError("times: they do not increase")
    return times


def _sizes(data: memoryview, what: str) -> tuple[int, int]:
    if len(data) < _SIZES.size:
        raise ProtocolError(f"{what}: {len(data)} bytes, too few for its two sizes")
    rows, columns = _SIZES.unpack_from(data)
    return rows, columns


def _finite(values: NDArray[Real], what: str) -> NDArray[Real]:
    if not np.isfinite(values).all():
        raise ProtocolError(f"{what}: number {int(np.argmin(np.isfinite(values).ravel()))} is not finite")
    return values
