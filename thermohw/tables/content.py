# SPDX-License-Identifier: Apache-2.0
"""What a coupling table holds, checked: integer codes and the energy per code of each block."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import ProgramError, TableError
from thermohw.program import Program
from thermohw.storage import digest_arrays
from thermohw.tables.grids import MAX_BITS, levels_of
from thermohw.topology import Topology

SCHEMA = "thermohw-table/1"
BIASES = "biases"
BLOCKS = ("visible-visible", "visible-hidden", "hidden-hidden", BIASES)
"""Every block that can have bits and a scale of its own, in the order of the files."""

MAX_PROVENANCE_ENTRIES = 64
MAX_PROVENANCE_LENGTH = 1024

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, eq=False)
class TableContent:
    """A quantized program: integer codes, and the energy per code of each block of couplings and of the biases.

    J_ij = code_ij · scale(block of ij),  b_i = bias_code_i · scale(biases),  |code| ≤ 2^(bits−1) − 1.

    A block is one of `visible-visible`, `visible-hidden`, `hidden-hidden` (left out where the topology has no such
    pair) and `biases`. Equal tables have equal digests.

    Attributes:
        topology: The units and the pairs that may be coupled.
        codes: (pairs,) int32 coupling codes, in the order of `topology.pairs`.
        bias_codes: (units,) int32 bias codes.
        J2: (units,) quadratic on-site energies, not quantized.
        J4: (units,) quartic on-site energies, not quantized.
        scales: Energy per code of each block, in the unit of the program's energies; positive.
        bits: Bits a code of each block, 2 … 16.
        method: How the codes were found: `nearest`, `mse`, or the name of another rounding.
        provenance: Where the table comes from; keys and values are single lines of text.

    Raises:
        TableError: A wrong shape, a code that its bits cannot hold, blocks that do not fit the topology, or a program
            whose energy is not bounded below.
    """

    topology: Topology
    codes: NDArray[np.int32]
    bias_codes: NDArray[np.int32]
    J2: NDArray[np.float64]
    J4: NDArray[np.float64]
    scales: Mapping[str, float]
    bits: Mapping[str, int]
    method: str
    provenance: Mapping[str, str]

    def __post_init__(self) -> None:
        _check_text(self.method, self.provenance)
        blocks = block_names(self.topology)
        for name in ("scales", "bits"):
            given: Mapping[str, Any] = getattr(self, name)
            if set(given) != set(blocks):
                raise TableError(f"{name} are given for {sorted(given)}; this topology has the blocks {sorted(blocks)}")
        scales = {block: float(self.scales[block]) for block in blocks}
        for block, scale in scales.items():
            if not (np.isfinite(scale) and scale > 0):
                raise TableError(f"the scale of {block} is {scale}; an energy per code must be positive and finite")
            levels_of(self.bits[block])
        object.__setattr__(self, "scales", scales)
        object.__setattr__(self, "bits", {block: int(self.bits[block]) for block in blocks})
        object.__setattr__(self, "provenance", {key: self.provenance[key] for key in sorted(self.provenance)})
        object.__setattr__(self, "codes", _frozen_codes("codes", self.codes, len(self.topology.pairs)))
        object.__setattr__(self, "bias_codes", _frozen_codes("bias_codes", self.bias_codes, self.topology.units))
        self._check_ranges()
        try:
            program = self.program
        except ProgramError as error:
            raise TableError(f"the codes do not give a program: {error}") from error
        object.__setattr__(self, "J2", program.J2)
        object.__setattr__(self, "J4", program.J4)

    @cached_property
    def program(self) -> Program:
        """Get the program that the codes stand for: couplings and biases are exactly code · scale."""
        couplings = np.zeros(len(self.topology.pairs))
        with np.errstate(over="ignore"):  # a scale near the largest float64: the program refuses the infinity
            for block, mask in self.topology.blocks.items():
                couplings[mask] = self.codes[mask] * self.scales[block]
            biases = np.asarray(self.bias_codes * self.scales[BIASES], np.float64)
        return Program(self.topology, self.J2, self.J4, biases, couplings)

    @cached_property
    def digest(self) -> str:
        """Get the SHA-256 of the table's contents, 64 hex digits (recipe: docs/formats.md)."""
        details = {
            "bits": dict(self.bits),
            "hidden": self.topology.hidden,
            "method": self.method,
            "provenance": dict(self.provenance),
            "scales": {block: scale.hex() for block, scale in self.scales.items()},
            "schema": SCHEMA,
            "visible": self.topology.visible,
        }
        text = json.dumps(details, sort_keys=True, separators=(",", ":"))
        return digest_arrays({**self.arrays, "details": np.frombuffer(text.encode(), np.uint8)})

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Get the arrays of the table by name: `pairs`, `codes`, `bias_codes`, `J2`, `J4`."""
        codes = {"codes": self.codes, "bias_codes": self.bias_codes}
        return {"pairs": self.topology.pairs, **codes, "J2": self.J2, "J4": self.J4}

    def _check_ranges(self) -> None:
        for block, mask in self.topology.blocks.items():
            largest = levels_of(self.bits[block])
            outside = np.flatnonzero(mask & (np.abs(self.codes) > largest))
            if outside.size:
                pair, code = self.topology.pairs[outside[0]].tolist(), self.codes[outside[0]]
                raise TableError(
                    f"the code {code} of the pair ({pair[0]}, {pair[1]}) is outside −{largest} … {largest}, "
                    f"the range of {self.bits[block]} bits"
                )
        largest = levels_of(self.bits[BIASES])
        outside = np.flatnonzero(np.abs(self.bias_codes) > largest)
        if outside.size:
            raise TableError(
                f"the bias code {self.bias_codes[outside[0]]} of unit {outside[0]} is outside −{largest} … {largest}, "
                f"the range of {self.bits[BIASES]} bits"
            )


def block_names(topology: Topology) -> tuple[str, ...]:
    """Get the blocks of `BLOCKS` that a table on this topology has."""
    return tuple(block for block in BLOCKS if block == BIASES or block in topology.blocks)


def _frozen_codes(name: str, values: NDArray[Any], length: int) -> NDArray[np.int32]:
    given = np.asarray(values)
    if given.shape != (length,) or (given.size and given.dtype.kind not in "iu"):
        raise TableError(f"{name} must be integers of shape ({length},), got {given.dtype} {given.shape}")
    largest = max(abs(int(given.min())), abs(int(given.max()))) if given.size else 0
    if largest > levels_of(MAX_BITS):
        raise TableError(f"{name} hold the magnitude {largest}, more than the {MAX_BITS} bits that a table can have")
    codes = given.astype(np.int32)
    codes.flags.writeable = False
    return codes


def _check_text(method: str, provenance: Mapping[str, str]) -> None:
    if not _NAME.fullmatch(method):
        raise TableError(f"the method {method!r} is not a name: letters, digits and . _ - (at most 64)")
    if len(provenance) > MAX_PROVENANCE_ENTRIES:
        raise TableError(f"{len(provenance)} provenance entries; at most {MAX_PROVENANCE_ENTRIES} are allowed")
    for key, text in provenance.items():
        if not _NAME.fullmatch(key):
            raise TableError(f"the provenance key {key!r} is not a name: letters, digits and . _ - (at most 64)")
        if len(text) > MAX_PROVENANCE_LENGTH or not text.isprintable() or text != text.strip():
            raise TableError(
                f"the provenance of {key!r} must be one printable line without spaces at its ends, "
                f"of at most {MAX_PROVENANCE_LENGTH} characters"
            )
