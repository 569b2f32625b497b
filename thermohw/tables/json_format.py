# SPDX-License-Identifier: Apache-2.0
"""Coupling tables as JSON: self-describing, one array a line."""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import FailFast, Field, ValidationError

from thermohw.errors import FileFormatError
from thermohw.storage import parse_json, read_text, write_atomically
from thermohw.tables.content import TableContent
from thermohw.tables.header import MAX_FILE_BYTES, Count, TableHeader, assemble, first_fault, header_fields
from thermohw.tables.quantize import MAX_BITS, levels_of

_LARGEST = levels_of(MAX_BITS)

Pair = Annotated[list[Count], Field(min_length=2, max_length=2)]
Codes = Annotated[list[Annotated[int, Field(ge=-_LARGEST, le=_LARGEST)]], FailFast()]
Energies = Annotated[list[float], FailFast()]


class TableDocument(TableHeader):
    """A whole JSON table: the header, then the arrays."""

    pairs: Annotated[list[Pair], FailFast()] = Field(description="Coupled units i < j, in order.")
    codes: Codes = Field(description="Code of each pair: J_ij = code · scale of the pair's block.")
    bias_codes: Codes = Field(description="Code of each unit's bias: b_i = code · scale of `biases`.")
    J2: Energies = Field(description="Quadratic on-site energy of each unit, not quantized.")
    J4: Energies = Field(description="Quartic on-site energy of each unit, not quantized.")


def save(table: TableContent, path: Path) -> Path:
    """Write a table as JSON, atomically.

    Raises:
        StorageError: The file cannot be written.
    """
    return write_atomically(path, encode(table))


def load(path: Path) -> TableContent:
    """Read a table from JSON.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: The file is damaged, edited or of another kind.
    """
    return decode(read_text(path, MAX_FILE_BYTES), str(path))


def encode(table: TableContent) -> str:
    """Get the JSON text of a table: each field on a line of its own."""
    arrays: dict[str, NDArray[Any]] = table.arrays
    fields = header_fields(table) | {name: array.tolist() for name, array in arrays.items()}
    lines = (f"{json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}" for name, value in fields.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def decode(text: str, where: str) -> TableContent:
    """Read the JSON text of a table; `where` names the file in error messages.

    Raises:
        FileFormatError: Not JSON, not of this schema, or the digest does not match.
    """
    fields = parse_json(text, where)
    try:
        document = TableDocument.model_validate(fields, strict=True)
    except ValidationError as error:
        raise FileFormatError(f"{where}: {first_fault(error)}") from error
    arrays = {
        "pairs": np.array(document.pairs, np.int64).reshape(-1, 2),
        "codes": np.array(document.codes, np.int64),
        "bias_codes": np.array(document.bias_codes, np.int64),
        "J2": np.array(document.J2, np.float64),
        "J4": np.array(document.J4, np.float64),
    }
    return assemble(document, arrays, where)
