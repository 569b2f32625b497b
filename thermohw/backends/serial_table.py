# SPDX-License-Identifier: Apache-2.0
"""The finest coupling table of a program, for boards that hold codes: 16 bits, exact where codes can be."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from thermohw import __version__
from thermohw.errors import DeviceLimitError, TableError
from thermohw.program import Program
from thermohw.tables import CouplingTable
from thermohw.tables.content import BIASES
from thermohw.tables.grids import levels_of

BITS = 16
LARGEST = levels_of(BITS)
"""The largest code."""

_PROBES = 12  # distinct values on which a scale is tried before all are
_ROUNDING = 1e-9  # of a code, far above that of its division


def finest_table(program: Program) -> CouplingTable:
    """Get the table of 16 bits nearest to a program.

    A block whose values are whole multiples of one energy, as those of any table are, gets that energy as its scale,
    and is exact. Any other gets the smallest power of two at which its largest value fits, whose codes are exact for
    values of few binary digits, and within half a scale, max|v|/2¹⁵, otherwise.

    Raises:
        DeviceLimitError: The rounded program is not bounded below.
    """
    topology = program.topology
    codes = np.zeros(len(topology.pairs), np.int32)
    scales: dict[str, float] = {}
    for name, mask in topology.blocks.items():
        codes[mask], scales[name] = _rounded(program.couplings[mask])
    bias_codes, scales[BIASES] = _rounded(program.biases)
    bits: Mapping[str, int] = dict.fromkeys(scales, BITS)
    facts = {"program": program.digest, "thermohw": __version__}
    try:
        return CouplingTable(topology, codes, bias_codes, program.J2, program.J4, scales, bits, "nearest", facts)
    except TableError as error:
        raise DeviceLimitError(f"the program in codes of {BITS} bits cannot run: {error}") from error


def is_exact(table: CouplingTable, program: Program) -> bool:
    """Get whether a table stands for exactly this program."""
    held = table.program
    return np.array_equal(held.couplings, program.couplings) and np.array_equal(held.biases, program.biases)


def _rounded(values: NDArray[np.float64]) -> tuple[NDArray[np.int32], float]:
    """Get the codes of values (values,) and the energy a code."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        return np.zeros(len(values), np.int32), 1.0
    mantissa, exponent = np.frexp(largest / LARGEST)
    power = float(np.ldexp(1.0, int(exponent) - (mantissa == 0.5)))
    scale = max(power, float(np.finfo(np.float64).tiny))
    distinct = np.unique(np.abs(values))
    if not _fits(distinct, scale):
        scale = _common_energy(distinct[distinct > 0]) or scale
    return np.rint(values / scale).astype(np.int32), scale


def _fits(values: NDArray[np.float64], scale: float) -> bool:
    return np.array_equal(np.rint(values / scale) * scale, values)


def _common_energy(values: NDArray[np.float64]) -> float | None:
    """Get an energy whose multiples up to the largest code the values (distinct, ascending) are; None for none."""
    if len(values) > LARGEST:
        return None
    candidates = values[-1] / np.arange(1, LARGEST + 1)
    probes = values[np.linspace(0, len(values) - 1, _PROBES).astype(int)]
    ratios = probes / candidates[:, None]
    near = (np.abs(ratios - np.rint(ratios)) < _ROUNDING).all(axis=1)
    for candidate in candidates[near]:
        for scale in (candidate, np.nextafter(candidate, 0), np.nextafter(candidate, np.inf)):
            if _fits(values, float(scale)):
                return float(scale)
    return None
