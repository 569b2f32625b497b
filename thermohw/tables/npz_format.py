# SPDX-License-Identifier: Apache-2.0
"""Coupling tables as NumPy archives (`.npz`): the fast way between Python programs."""

import json
from pathlib import Path

import numpy as np

from thermohw.errors import FileFormatError
from thermohw.storage import load_arrays, parse_json, save_arrays
from thermohw.tables.content import SCHEMA, TableContent
from thermohw.tables.header import assemble, header_fields, parse_header

_LAYOUT = {
    "pairs": (np.dtype(np.int32), 2),
    "codes": (np.dtype(np.int32), 1),
    "bias_codes": (np.dtype(np.int32), 1),
    "J2": (np.dtype(np.float64), 1),
    "J4": (np.dtype(np.float64), 1),
}
"""dtype and number of axes of each array."""


def save(table: TableContent, path: Path) -> Path:
    """Write a table as `.npz`, atomically.

    Raises:
        StorageError: The file cannot be written.
    """
    header = np.array(json.dumps(header_fields(table)))
    return save_arrays(path, SCHEMA, {**table.arrays, "header": header})


def load(path: Path) -> TableContent:
    """Read a table from `.npz`.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: The file is damaged, edited or of another kind.
    """
    arrays = load_arrays(path, SCHEMA, (*_LAYOUT, "header"))
    unknown = sorted(set(arrays) - {*_LAYOUT, "header"})
    if unknown:
        raise FileFormatError(f"{path}: unknown arrays: {', '.join(unknown)}")
    header = parse_json(str(arrays.pop("header")), f"{path}: header")
    for name, (dtype, axes) in _LAYOUT.items():
        if (arrays[name].dtype, arrays[name].ndim) != (dtype, axes):
            raise FileFormatError(f"{path}: {name} is {arrays[name].dtype} {arrays[name].shape}, expected {dtype}")
    return assemble(parse_header(header, f"{path}: header"), arrays, str(path))
