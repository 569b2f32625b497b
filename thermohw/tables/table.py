# SPDX-License-Identifier: Apache-2.0
"""A coupling table: a program as a device with few bits holds it, made by quantization, saved and loaded."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermohw import __version__
from thermohw.errors import TableError
from thermohw.program import Program
from thermohw.tables import binary
from thermohw.tables.content import BIASES, TableContent
from thermohw.tables.formats import load_table, save_table
from thermohw.tables.quantize import BlockErrors, ScaleRule, block_errors, choose_scale, levels_of, nearest_codes

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
    ) -> "CouplingTable":
        """Round a program's couplings and biases to the nearest levels, each block with its own scale.

        A block without a value other than zero gets the scale 1. The provenance records the program's digest, the
        thermohw version, and each block's relative rms error.

        Args:
            program: The program to quantize.
            bits: Bits a coupling, 2 … 16: 2^bits − 1 levels, symmetric about zero.
            bias_bits: Bits a bias; as `bits` if None.
            scale: `max`, the largest magnitude of the block is the largest level; or `mse`, the scale of least mean
                squared error, clipping included (see `choose_scale`).
            clip: With `max`: fraction of the largest magnitude that the outermost level stands for, in (0, 1].

        Raises:
            TableError: `bits` outside 2 … 16, an unknown scale rule, a bad clip, or an energy that is no longer bounded
                below once it is rounded.
        """
        levels_of(bits)  # refused even where there is no pair that would need it
        topology = program.topology
        masks = topology.blocks
        codes = np.zeros(len(topology.pairs), np.int32)
        bits_of = {block: bits for block in masks} | {BIASES: bits if bias_bits is None else bias_bits}
        scales: dict[str, float] = {}
        for block, mask in masks.items():
            scales[block] = choose_scale(program.couplings[mask], bits, scale, clip)
            codes[mask] = nearest_codes(program.couplings[mask], scales[block], bits)
        scales[BIASES] = choose_scale(program.biases, bits_of[BIASES], scale, clip)
        bias_codes = nearest_codes(program.biases, scales[BIASES], bits_of[BIASES])
        errors = _errors(program, codes, bias_codes, scales, bits_of)
        provenance = {"program": program.digest, "thermohw": __version__}
        provenance |= {f"relative-rms-error.{block}": f"{found.relative_rms:.3g}" for block, found in errors.items()}
        return CouplingTable(
            topology, codes, bias_codes, program.J2, program.J4, scales, bits_of, _METHODS[scale], provenance
        )

    def report(self, program: Program) -> dict[str, BlockErrors]:
        """Compare each block with the program that the table was made from.

        Raises:
            TableError: The program has another topology.
        """
        if not self.topology.same_as(program.topology):
            raise TableError(
                "the program has other units or pairs than the table; compare a table with its own program"
            )
        return _errors(program, self.codes, self.bias_codes, self.scales, self.bits)

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


def _errors(
    program: Program,
    codes: NDArray[np.int32],
    bias_codes: NDArray[np.int32],
    scales: Mapping[str, float],
    bits: Mapping[str, int],
) -> dict[str, BlockErrors]:
    values = {block: (program.couplings[mask], codes[mask]) for block, mask in program.topology.blocks.items()}
    values[BIASES] = (program.biases, bias_codes)
    return {
        block: block_errors(exact, rounded, scales[block], bits[block]) for block, (exact, rounded) in values.items()
    }


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
