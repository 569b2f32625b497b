# SPDX-License-Identifier: Apache-2.0
"""Coupling tables as comma-separated values: for spreadsheets, for other programs, and to be looked at."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import FileFormatError
from thermohw.storage import read_text, write_atomically
from thermohw.tables.content import TableContent
from thermohw.tables.header import MAX_FILE_BYTES, TableHeader, assemble, header_fields, parse_header

COLUMNS = "kind,i,j,code,value"

_GROUPS = ("bits", "scales", "provenance")
_METADATA = re.compile(r"# ([A-Za-z0-9_.-]+): ?(.*)")
_UNIT, _CODE, _VALUE = r"([0-9]{1,10})", r"(-?[0-9]{1,5})", r"(-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)"
_ROWS = {
    "coupling": re.compile(f"coupling,{_UNIT},{_UNIT},{_CODE},{_VALUE}"),
    "bias": re.compile(f"bias,{_UNIT},,{_CODE},{_VALUE}"),
    "onsite2": re.compile(f"onsite2,{_UNIT},,,{_VALUE}"),
    "onsite4": re.compile(f"onsite4,{_UNIT},,,{_VALUE}"),
}
"""The rows of each kind: value is J_ij, b_i, J2_i or J4_i."""


def save(table: TableContent, path: Path) -> Path:
    """Write a table as CSV, atomically.

    Raises:
        StorageError: The file cannot be written.
    """
    return write_atomically(path, encode(table))


def load(path: Path) -> TableContent:
    """Read a table from CSV.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: The file is damaged, edited or of another kind.
    """
    return decode(read_text(path, MAX_FILE_BYTES), str(path))


def encode(table: TableContent) -> str:
    """Get the CSV text of a table: `# key: value` lines, the columns' names, a row for each coupling and energy."""
    program = table.program
    lines = [f"# {key}: {value}" for key, value in _flattened(header_fields(table)).items()]
    lines.append(COLUMNS)
    first, second = table.topology.pairs.T.tolist()
    couplings = zip(first, second, table.codes.tolist(), program.couplings.tolist(), strict=True)
    lines += [f"coupling,{i},{j},{code},{value!r}" for i, j, code, value in couplings]
    biases = zip(table.bias_codes.tolist(), program.biases.tolist(), strict=True)
    lines += [f"bias,{i},,{code},{value!r}" for i, (code, value) in enumerate(biases)]
    lines += [f"onsite2,{i},,,{value!r}" for i, value in enumerate(table.J2.tolist())]
    lines += [f"onsite4,{i},,,{value!r}" for i, value in enumerate(table.J4.tolist())]
    return "\n".join(lines) + "\n"


def decode(text: str, where: str) -> TableContent:
    """Read the CSV text of a table; `where` names the file in error messages.

    Line endings may be those of any system. Rows of one kind must be in the order in which they are written.

    Raises:
        FileFormatError: A line that is no metadata or row, a value that is not code · scale, or a digest that does not
            match.
    """
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    header, begin = _parse_metadata(lines, where)
    columns = _parse_rows(lines, begin, where)
    arrays = {
        "pairs": np.stack([_integers(columns["coupling"][0]), _integers(columns["coupling"][1])], axis=1),
        "codes": _integers(columns["coupling"][2]),
        "bias_codes": _integers(columns["bias"][1]),
        "J2": _energies(columns["onsite2"][1]),
        "J4": _energies(columns["onsite4"][1]),
    }
    for kind in ("bias", "onsite2", "onsite4"):
        if not np.array_equal(_integers(columns[kind][0]), np.arange(len(columns[kind][0]))):
            raise FileFormatError(f"{where}: the {kind} rows must be those of the units 0, 1, 2 … in order")
    table = assemble(header, arrays, where)
    _check_values(_energies(columns["coupling"][3]), table.program.couplings, f"{where}: coupling row")
    _check_values(_energies(columns["bias"][2]), table.program.biases, f"{where}: bias row")
    return table


def _flattened(fields: dict[str, Any]) -> dict[str, Any]:
    """Get the header with `group.key` for the entries of each group."""
    groups = {name: fields[name] for name in _GROUPS}
    entries = {f"{name}.{key}": value for name, group in groups.items() for key, value in group.items()}
    return {name: value for name, value in fields.items() if name not in groups} | entries


def _parse_metadata(lines: list[str], where: str) -> tuple[TableHeader, int]:
    """Read the `#` lines and the column names; get the header and the index of the first row."""
    groups: dict[str, dict[str, str]] = {name: {} for name in _GROUPS}
    single: dict[str, str] = {}
    for index, line in enumerate(lines):
        if line == COLUMNS:
            return parse_header({**single, **groups}, where), index + 1
        match = _METADATA.fullmatch(line)
        if match is None:
            raise FileFormatError(f"{where}: line {index + 1} must be '# key: value' or {COLUMNS!r}")
        key, value = match.groups()
        group, _, name = key.partition(".")
        target, entry = (groups[group], name) if group in groups else (single, key)
        if entry in target:
            raise FileFormatError(f"{where}: line {index + 1}: {key} stands twice")
        target[entry] = value
    raise FileFormatError(f"{where}: the line {COLUMNS!r} is missing")


def _parse_rows(lines: list[str], begin: int, where: str) -> dict[str, list[list[str]]]:
    """Get the columns of each kind of row as text, without those that are empty."""
    rows: dict[str, list[tuple[str, ...]]] = {kind: [] for kind in _ROWS}
    for index in range(begin, len(lines)):
        kind = lines[index].partition(",")[0]
        match = _ROWS[kind].fullmatch(lines[index]) if kind in _ROWS else None
        if match is None:
            raise FileFormatError(f"{where}: line {index + 1} is not a row of {COLUMNS}: {lines[index][:60]!r}")
        rows[kind].append(match.groups())
    return {
        kind: [[row[column] for row in found] for column in range(_ROWS[kind].groups)] for kind, found in rows.items()
    }


def _integers(column: list[str]) -> NDArray[np.int64]:
    return np.array([int(text) for text in column], np.int64)


def _energies(column: list[str]) -> NDArray[np.float64]:
    return np.array([float(text) for text in column], np.float64)


def _check_values(written: NDArray[np.float64], exact: NDArray[np.float64], where: str) -> None:
    wrong = np.flatnonzero(written != exact)
    if wrong.size:
        index = wrong[0]
        raise FileFormatError(
            f"{where} {index}: the value is {written[index]}, but code · scale is {exact[index]}; the file was edited"
        )
