# SPDX-License-Identifier: Apache-2.0
"""The file formats of coupling tables, by suffix."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from thermohw.errors import FileFormatError
from thermohw.tables import binary, c_header, csv_format, json_format, npz_format
from thermohw.tables.content import TableContent


class TableFormat(NamedTuple):
    """How a table is written to a file of one format, and read."""

    save: Callable[[TableContent, Path], Path]
    load: Callable[[Path], TableContent]


FORMATS = {
    ".json": TableFormat(json_format.save, json_format.load),
    ".csv": TableFormat(csv_format.save, csv_format.load),
    ".npz": TableFormat(npz_format.save, npz_format.load),
    ".h": TableFormat(c_header.save, c_header.load),
    ".bin": TableFormat(binary.save, binary.load),
}


def save_table(table: TableContent, path: str | os.PathLike[str]) -> Path:
    """Write a table in the format of the suffix, atomically.

    Raises:
        FileFormatError: Unknown suffix.
        StorageError: The file cannot be written.
    """
    return _format_of(path).save(table, Path(path))


def load_table(path: str | os.PathLike[str]) -> TableContent:
    """Read a table in the format of the suffix.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: Unknown suffix, or a file that is damaged, edited or of another kind.
    """
    return _format_of(path).load(Path(path))


def _format_of(path: str | os.PathLike[str]) -> TableFormat:
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise FileFormatError(f"{path}: no table format has the suffix {suffix!r}; known: {', '.join(FORMATS)}")
    return FORMATS[suffix]
