# SPDX-License-Identifier: Apache-2.0
"""What every table format says beside its arrays, and the last step of every reader: build the table and check it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thermohw.errors import FileFormatError, ProgramError, TableError
from thermohw.tables.content import SCHEMA, TableContent
from thermohw.tables.grids import MAX_BITS, MIN_BITS
from thermohw.topology import Topology

MAX_FILE_BYTES = 2**30
"""Largest table file that a reader accepts, bytes."""

Block = Literal["visible-visible", "visible-hidden", "hidden-hidden", "biases"]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


class TableHeader(BaseModel):
    """The part of a table file that is not an array."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    table_schema: Literal["thermohw-table/1"] = Field(alias="schema", description="Kind and version of the file.")
    visible: Count = Field(description="Number of visible units; they come first.")
    hidden: Count = Field(description="Number of hidden units.")
    bits: dict[Block, Annotated[int, Field(ge=MIN_BITS, le=MAX_BITS)]] = Field(description="Bits a code, by block.")
    scales: dict[Block, Annotated[float, Field(gt=0)]] = Field(
        description="Energy per code by block, in the unit of the program's energies (k_BT for a device with kT = 1)."
    )
    method: str = Field(description="How the codes were found.")
    provenance: dict[str, str] = Field(description="Where the table comes from.")
    digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the table's contents.")


def header_fields(table: TableContent) -> dict[str, Any]:
    """Get the header of a table as plain data, in the order in which it is written."""
    return {
        "schema": SCHEMA,
        "visible": table.topology.visible,
        "hidden": table.topology.hidden,
        "bits": dict(table.bits),
        "scales": dict(table.scales),
        "method": table.method,
        "provenance": dict(table.provenance),
        "digest": table.digest,
    }


def parse_header(fields: Mapping[str, Any], where: str) -> TableHeader:
    """Check a header that was read as plain data or as text values.

    Raises:
        FileFormatError: A field is missing, unknown, or of a wrong type or range.
    """
    try:
        return TableHeader.model_validate(fields)
    except ValidationError as error:
        raise FileFormatError(f"{where}: {first_fault(error)}") from error


def first_fault(error: ValidationError) -> str:
    """Say in one line what a validation found first, with the place in the document."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, fault["loc"]))
    return f"{place}: {fault['msg']}" if place else fault["msg"]


def assemble(header: TableHeader, arrays: Mapping[str, NDArray[Any]], where: str) -> TableContent:
    """Build the table that a file describes.

    Args:
        header: The checked header.
        arrays: `pairs` (pairs, 2), `codes` (pairs,), `bias_codes` (units,), `J2` (units,), `J4` (units,).
        where: Names the file in error messages.

    Raises:
        FileFormatError: The parts do not make a table, or its digest is not the one in the header.
    """
    pairs = arrays["pairs"]
    if pairs.size and int(pairs.max()) >= 2**31:
        raise FileFormatError(f"{where}: a pair names the unit {pairs.max()}; unit numbers are below 2^31")
    try:
        table = TableContent(
            Topology(header.visible, header.hidden, pairs.astype(np.int32)),
            arrays["codes"],
            arrays["bias_codes"],
            arrays["J2"],
            arrays["J4"],
            {block: scale for block, scale in header.scales.items()},
            {block: bits for block, bits in header.bits.items()},
            header.method,
            header.provenance,
        )
    except (ProgramError, TableError) as error:
        raise FileFormatError(f"{where}: {error}") from error
    if table.digest != header.digest:
        raise FileFormatError(f"{where}: the digest does not match the contents; the file is damaged or was edited")
    return table
