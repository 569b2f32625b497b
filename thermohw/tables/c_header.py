# SPDX-License-Identifier: Apache-2.0
"""Coupling tables as a C99 header, to be compiled into the firmware of a board."""

import json
import re
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from thermohw.errors import FileFormatError
from thermohw.storage import parse_json, read_text, write_atomically
from thermohw.tables.content import BIASES, SCHEMA, TableContent
from thermohw.tables.header import MAX_FILE_BYTES, assemble, header_fields, parse_header

_HEADER = re.compile(r"^ \* (\{.*\})$", re.MULTILINE)
_ARRAY = re.compile(r"^static const \w+ thermohw_(\w+)\[\d+\](?:\[2\])? = \{([^;]*)\};$", re.MULTILINE)
_LINE = 12  # numbers or pairs a line

_PREAMBLE = """\
/*
 * Coupling table for a thermodynamic computer, written by thermohw. Do not edit: thermohw refuses a changed file.
 *
 * V(x) = sum_i (thermohw_J2[i] x_i^2 + thermohw_J4[i] x_i^4 + thermohw_bias_codes[i] THERMOHW_SCALE_BIASES x_i)
 *      + sum_k thermohw_codes[k] THERMOHW_SCALE_<block of k> x_i x_j,   (i, j) = thermohw_pairs[k]
 *
 * Units below THERMOHW_VISIBLE are visible, the others hidden; the block of a pair is the layers of its units.
 * Energies are in the unit of the program (k_B T for a device with kT = 1). An array without elements is left out.
 *
 * {header}
 */
"""


def save(table: TableContent, path: Path) -> Path:
    """Write a table as a C header, atomically.

    Raises:
        StorageError: The file cannot be written.
    """
    return write_atomically(path, encode(table))


def load(path: Path) -> TableContent:
    """Read a table from a C header that `save` wrote.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: The file is damaged, edited or of another kind.
    """
    return decode(read_text(path, MAX_FILE_BYTES), str(path))


def encode(table: TableContent) -> str:
    """Get the text of the C header of a table."""
    topology = table.topology
    # No slash and no question mark: a comment may hold neither its own ends nor a trigraph.
    header = json.dumps(header_fields(table)).replace("/", "\\/").replace("?", "\\u003f")
    code_bits = [bits for block, bits in table.bits.items() if block != BIASES]
    parts = [
        _PREAMBLE.replace("{header}", header),
        "#ifndef THERMOHW_TABLE_H\n#define THERMOHW_TABLE_H\n\n#include <stdint.h>\n\n",
        *(f"#define THERMOHW_{name} {value}\n" for name, value in _definitions(table).items()),
        _array(_unit_type(topology.units), "pairs", topology.pairs),
        _array(_code_type(max(code_bits, default=0)), "codes", table.codes),
        _array(_code_type(table.bits[BIASES]), "bias_codes", table.bias_codes),
        _array("double", "J2", table.J2),
        _array("double", "J4", table.J4),
        "\n#endif\n",
    ]
    return "".join(parts)


def decode(text: str, where: str) -> TableContent:
    """Read the text of a C header; `where` names the file in error messages.

    What is read is written again and must be the same text, but for the line endings: so the file says to a C compiler
    exactly what it says here.

    Raises:
        FileFormatError: Not a header that `encode` wrote, or not unchanged.
    """
    text = text.replace("\r\n", "\n")
    found = _HEADER.search(text)
    if found is None:
        raise FileFormatError(
            f"{where}: not a C header written by thermohw: the line ' * {{…}}' of metadata is missing"
        )
    header = parse_header(parse_json(found[1], f"{where}: metadata"), where)
    written = {match[1]: match[2].replace("{", "").replace("}", "") for match in _ARRAY.finditer(text)}
    unit_numbers = _numbers(written, "pairs", np.int64, where)
    if unit_numbers.size % 2:
        raise FileFormatError(
            f"{where}: thermohw_pairs holds {unit_numbers.size} unit numbers; pairs need an even number"
        )
    arrays = {
        "pairs": unit_numbers.reshape(-1, 2),
        "codes": _numbers(written, "codes", np.int64, where),
        "bias_codes": _numbers(written, "bias_codes", np.int64, where),
        "J2": _numbers(written, "J2", np.float64, where),
        "J4": _numbers(written, "J4", np.float64, where),
    }
    table = assemble(header, arrays, where)
    lines = zip_longest(text.split("\n"), encode(table).split("\n"))
    edited = next((number for number, (line, expected) in enumerate(lines, 1) if line != expected), None)
    if edited is not None:
        raise FileFormatError(f"{where}: line {edited} was edited; write the header again from the table")
    return table


def _definitions(table: TableContent) -> dict[str, str]:
    topology = table.topology
    names = {block: block.upper().replace("-", "_") for block in table.bits}
    return {
        "SCHEMA": f'"{SCHEMA}"',
        "DIGEST": f'"{table.digest}"',
        "VISIBLE": str(topology.visible),
        "HIDDEN": str(topology.hidden),
        "UNITS": str(topology.units),
        "PAIRS": str(len(topology.pairs)),
        **{f"BITS_{names[block]}": str(bits) for block, bits in table.bits.items()},
        **{f"SCALE_{names[block]}": repr(scale) for block, scale in table.scales.items()},
    }


def _code_type(bits: int) -> str:
    return "int8_t" if bits <= 8 else "int16_t"


def _unit_type(units: int) -> str:
    return "uint8_t" if units <= 2**8 else "uint16_t" if units <= 2**16 else "uint32_t"


def _array(c_type: str, name: str, values: NDArray[Any]) -> str:
    """Get the definition of an array, or nothing for an empty one, which C99 does not allow."""
    if not len(values):
        return ""
    if values.ndim == 2:
        elements = [f"{{{first},{second}}}" for first, second in values.tolist()]
        size = f"[{len(values)}][2]"
    else:
        elements = [repr(value) for value in values.tolist()]
        size = f"[{len(values)}]"
    lines = (",".join(elements[begin : begin + _LINE]) for begin in range(0, len(elements), _LINE))
    return f"\nstatic const {c_type} thermohw_{name}{size} = {{\n" + ",\n".join(lines) + "\n};\n"


def _numbers(written: dict[str, str], name: str, dtype: DTypeLike, where: str) -> NDArray[Any]:
    """Read the elements of an array that was found in a header."""
    if name not in written:
        return np.empty(0, dtype)
    convert = int if np.issubdtype(dtype, np.integer) else float
    try:
        return np.array([convert(text) for text in written[name].split(",")], dtype)
    except (ValueError, OverflowError) as error:
        raise FileFormatError(f"{where}: thermohw_{name} holds something that is no number: {error}") from error
