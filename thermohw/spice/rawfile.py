# SPDX-License-Identifier: Apache-2.0
"""Reader of ngspice's binary raw files: a text header, then rows of little-endian float64, time first."""

import os
import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import FileFormatError, PlanError
from thermohw.storage import read_bytes

MAX_FILE_BYTES = 4 * 2**30
"""Largest file that is read, bytes."""

_MARKER = b"\nBinary:\n"
_TABLE = "Variables"
_COUNT = re.compile(r"[0-9]{1,18}")
_VARIABLE = re.compile(r"\s*([0-9]{1,9})\s+(\S+)\s+(\S+)(?:\s.*)?")


@dataclass(frozen=True, eq=False)
class RawFile:
    """A transient analysis: real variables at the simulator's own, unevenly spaced instants.

    With initial conditions (`uic`) ngspice leaves out t = 0: the first instant is that of its first step.

    Attributes:
        title: First line of the netlist.
        variables: Names of the variables without time, such as "v(n0)".
        units: What each is: "voltage", "current", …
        times: (points,) instants, s, increasing.
        values: (points, variables) values, SI.
    """

    title: str
    variables: tuple[str, ...]
    units: tuple[str, ...]
    times: NDArray[np.float64]
    values: NDArray[np.float64]

    def resample(self, interval: float) -> "RawFile":
        """Get the same variables at the multiples of `interval` (s) between first and last instant, interpolated.

        The instants cluster where sources change, so that averages are meaningful only after this.

        Raises:
            PlanError: The interval is not a positive number, or no multiple of it, or over 2³¹, lie in the file's time.
        """
        if not (np.isfinite(interval) and interval > 0):
            raise PlanError(f"the interval must be a positive time, got {interval}")
        ends = self.times[[0, -1]] / interval
        first, last = np.ceil(ends[0] - 1e-9 * abs(ends[0])), np.floor(ends[1] + 1e-9 * abs(ends[1]))
        if not 0 <= last - first < 2**31:
            raise PlanError(
                f"the file runs from {self.times[0]:g} to {self.times[-1]:g} s: an interval of {interval:g} s gives "
                f"{max(last - first + 1, 0):g} instants; 1 to 2³¹ go"
            )
        instants = interval * np.arange(int(first), int(last) + 1, dtype=np.float64)
        values = np.empty((len(instants), len(self.variables)))
        for column, known in enumerate(self.values.T):
            values[:, column] = np.interp(instants, self.times, known)
        return replace(self, times=instants, values=values)


@dataclass(frozen=True)
class _Header:
    title: str
    variables: tuple[tuple[str, str], ...]
    points: int


def read(path: str | os.PathLike[str]) -> RawFile:
    """Read a binary raw file with one transient analysis in real numbers.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: The file is cut off, damaged, ASCII, complex, not of a transient analysis, or holds more than
            one; the message names line or byte.
    """
    data = read_bytes(path, MAX_FILE_BYTES)
    end = data.find(_MARKER)
    if end < 0:
        raise FileFormatError(
            f"{path}: the line 'Binary:' is missing: cut off, or not a binary raw file (set filetype=binary)"
        )
    try:
        lines = data[:end].decode().split("\n")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path}: header: not UTF-8 text (byte {error.start})") from error
    header = _parse(lines, f"{path}")
    return _assemble(header, data, end + len(_MARKER), f"{path}")


def _parse(lines: list[str], where: str) -> _Header:
    fields: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines, 1):
        key, colon, value = line.partition(":")
        if not colon or key in fields:
            raise FileFormatError(f"{where}: line {number} must be 'key: value' with a new key, got {line[:60]!r}")
        fields[key] = number, value.strip()
        if key == _TABLE:
            break
    for key in ("Title", "Flags", "No. Variables", "No. Points", _TABLE):
        if key not in fields:
            raise FileFormatError(f"{where}: the header has no line '{key}:'")
    number, flags = fields["Flags"]
    if flags.split() != ["real"]:
        raise FileFormatError(f"{where}: line {number}: flags are {flags!r}; this reader takes 'real' values only")
    count, points = (_count(*fields[key], where) for key in ("No. Variables", "No. Points"))
    variables = _parse_variables(lines, fields[_TABLE][0], count, where)
    return _Header(fields["Title"][1], variables, points)


def _count(number: int, text: str, where: str) -> int:
    if not _COUNT.fullmatch(text) or not int(text):
        raise FileFormatError(f"{where}: line {number}: the count must be a positive whole number, got {text[:30]!r}")
    return int(text)


def _parse_variables(lines: list[str], begin: int, count: int, where: str) -> tuple[tuple[str, str], ...]:
    """Read the table of variables, whose first row has the index `begin` in `lines`."""
    if len(lines) - begin != count:
        raise FileFormatError(f"{where}: the header says {count} variables, but lists {len(lines) - begin}")
    variables: dict[str, str] = {}
    for index, line in enumerate(lines[begin:]):
        match = _VARIABLE.fullmatch(line)
        if match is None or int(match[1]) != index or match[2] in variables:
            raise FileFormatError(
                f"{where}: line {begin + index + 1} must be '{index} name type' with a new name, got {line[:60]!r}"
            )
        variables[match[2]] = match[3]
    if next(iter(variables.items())) != ("time", "time"):
        raise FileFormatError(f"{where}: line {begin + 1}: the first variable must be time: a transient analysis")
    return tuple(variables.items())


def _assemble(header: _Header, data: bytes, begin: int, where: str) -> RawFile:
    columns = len(header.variables)
    expected = 8 * columns * header.points
    if len(data) - begin != expected:
        raise FileFormatError(
            f"{where}: {header.points} points of {columns} variables take {expected} bytes from byte {begin} on, but "
            f"there are {len(data) - begin}"
        )
    rows = np.frombuffer(data, "<f8", offset=begin).astype(np.float64).reshape(header.points, columns)
    bad = np.flatnonzero(~np.isfinite(rows))
    if bad.size:
        raise FileFormatError(f"{where}: byte {begin + 8 * int(bad[0])}: {rows.flat[bad[0]]} is not a finite number")
    times = rows[:, 0].copy()
    backward = np.flatnonzero(np.diff(times) <= 0)
    if backward.size:
        row = int(backward[0]) + 1
        raise FileFormatError(
            f"{where}: byte {begin + 8 * columns * row}: time goes from {times[row - 1]:g} to {times[row]:g} s; "
            "it must increase"
        )
    names, units = zip(*header.variables[1:], strict=True) if columns > 1 else ((), ())
    return RawFile(header.title, names, units, times, rows[:, 1:])
