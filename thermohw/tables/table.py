# SPDX-License-Identifier: Apache-2.0
"""A coupling table: a program as a device with few bits holds it, made by quantization, saved and loaded."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermohw import __version__
from thermohw.errors import TableError
from thermohw.program import Program
from thermohw.tables import binary
from thermohw.tables.content import BIASES, TableContent
from thermohw.tables.formats import load_table, save_table
from thermohw.tables.grids import Grid, GridName
from thermohw.tables.quantize import BlockErrors, ScaleRule, block_errors, choose_scale, nearest_codes

_METHODS: dict[ScaleRule, str] = {"max": "nearest", "mse": "mse"}


class CouplingTable(TableContent):
    """A quantized program (its attributes: `TableContent`) that can be made, compared, saved and loaded."""

    @staticmethod
    def quantize(
        program: Program,
        bits: int = 8,
        *,
        bias_bits: int | None = None,
        scale: ScaleRule = "max",
        clip: float = 1.0,
        grid: GridName = "uniform",
    ) -> "CouplingTable":
        """Round a program's couplings and biases to the nearest levels, each block with its own scale.

        A block without a value other than zero gets the scale 1. The provenance records the program's digest, the
        thermohw version, and each block's relative rms error.

        Args:
            program: The program to quantize.
            bits: Bits a coupling, 2 … 16: 2^bits − 1 levels, symmetric about zero. On a power-of-two grid 2 … 5; the
                table's own bits are then as many as its codes need.
            bias_bits: Bits a bias; as `bits` if None.
            scale: `max`, the largest magnitude of the block is the largest level; or `mse`, the scale of least mean
                squared error, clipping included (see `choose_scale`).
            clip: With `max`: fraction of the largest magnitude that the outermost level stands for, in (0, 1].
            grid: Levels of the couplings (see `Grid`); biases have the uniform ones.

        Raises:
            TableError: `bits` outside 2 … 16, an unknown scale rule or grid, a bad clip, or an energy that is no longer
                bounded below once it is rounded.
        """
        levels = Grid(bits, grid)
        topology = program.topology
        codes = np.zeros(len(topology.pairs), np.int32)
        scales: dict[str, float] = {}
        for block, mask in topology.blocks.items():
            scales[block] = choose_scale(program.couplings[mask], levels, scale, clip)
            codes[mask] = levels.nearest(program.couplings[mask], scales[block])
        bias_bits = bits if bias_bits is None else bias_bits
        scales[BIASES] = choose_scale(program.biases, bias_bits, scale, clip)
        bias_codes = nearest_codes(program.biases, scales[BIASES], bias_bits)
        return CouplingTable.of_codes(program, levels, codes, scales, bias_codes, bias_bits, _METHODS[scale])

    @staticmethod
    def of_codes(
        program: Program,
        grid: Grid,
        codes: NDArray[np.int32],
        scales: Mapping[str, float],
        bias_codes: NDArray[np.int32],
        bias_bits: int,
        method: str,
        provenance: Mapping[str, str] | None = None,
    ) -> "CouplingTable":
        """Make the table of a program that was rounded elsewhere; its provenance tells grid, program and errors.

        Args:
            program: What the codes stand for.
            grid: Levels of the couplings.
            codes: (pairs,) codes of the couplings, on the grid.
            scales: Energy a code of each block of couplings and of `biases`.
            bias_codes: (units,) codes of the biases.
            bias_bits: Bits a bias.
            method: Name of the rounding.
            provenance: What else is to be recorded.

        Raises:
            TableError: Parts that do not fit each other, or an energy that is not bounded below.
        """
        bits = {block: grid.stored_bits for block in program.topology.blocks} | {BIASES: bias_bits}
        facts = {"program": program.digest, "thermohw": __version__, "grid": grid.name, "bits": str(grid.bits)}
        table = CouplingTable(program.topology, codes, bias_codes, program.J2, program.J4, scales, bits, method, facts)
        errors = {f"relative-rms-error.{name}": f"{e.relative_rms:.3g}" for name, e in table.report(program).items()}
        return table.with_provenance({**errors, **(provenance or {})})

    def with_provenance(self, entries: Mapping[str, str]) -> "CouplingTable":
        """Get the same table with more provenance."""
        return replace(self, provenance={**self.provenance, **entries})

    def report(self, program: Program) -> dict[str, BlockErrors]:
        """Compare each block with the program that the table was made from.

        Raises:
            TableError: The program has another topology.
        """
        topology = self.topology
        if not topology.same_as(program.topology):
            raise TableError(
                "the program has other units or pairs than the table; compare a table with its own program"
            )
        levels = {block: Grid.of_table(self.bits[block], self.provenance.get("grid", "")) for block in topology.blocks}
        found = {
            block: block_errors(program.couplings[mask], self.codes[mask], self.scales[block], levels[block])
            for block, mask in topology.blocks.items()
        }
        biases = block_errors(program.biases, self.bias_codes, self.scales[BIASES], self.bits[BIASES])
        return {**found, BIASES: biases}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table in the format of the suffix: .json, .csv, .npz, .h or .bin (formats: docs/formats.md).

        Raises:
            FileFormatError: Another suffix.
            StorageError: The file cannot be written.
        """
        return save_table(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "CouplingTable":
        """Read a table written by `save`; the suffix tells the format.

        Raises:
            StorageError: The file cannot be read.
            FileFormatError: Another suffix, or a file that is damaged, edited or of another kind.
        """
        return _with_verbs(load_table(path))

    def to_bytes(self) -> bytes:
        """Get the binary form, as a `.bin` file or a serial line carries it."""
        return binary.encode(self)

    @staticmethod
    def from_bytes(data: bytes, where: str = "binary table") -> "CouplingTable":
        """Read the binary form; `where` names the source in error messages.

        Raises:
            FileFormatError: The data are damaged, edited or of another kind.
        """
        return _with_verbs(binary.decode(data, where))


def _with_verbs(content: TableContent) -> CouplingTable:
    return CouplingTable(
        content.topology,
        content.codes,
        content.bias_codes,
        content.J2,
        content.J4,
        content.scales,
        content.bits,
        content.method,
        content.provenance,
    )
