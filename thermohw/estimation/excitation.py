# SPDX-License-Identifier: Apache-2.0
"""Patterns of applied biases: known energies that give everything else its unit."""

import numpy as np
from scipy.linalg import hadamard

from thermohw.errors import CalibrationError
from thermohw.estimation.basis import Floats
from thermohw.topology import Topology

ROUNDING = 1e-9
"""Share of the limit that is left to rounding."""


def signs(patterns: int, topology: Topology) -> Floats:
    """Get the signs (patterns, units) of the applied biases: for each unit a column of a Hadamard matrix.

    Columns are balanced, and those of different units orthogonal as long as there are fewer units than patterns;
    beyond that units share columns, those that may be coupled last of all.

    Args:
        patterns: A power of two, at least 2.
        topology: Units and pairs.

    Raises:
        CalibrationError: Another number of patterns.
    """
    if patterns < 2 or patterns & (patterns - 1):
        raise CalibrationError(f"patterns of applied biases must be a power of two (2, 4, 8 …), got {patterns}")
    columns: Floats = hadamard(patterns).astype(np.float64)[:, 1:]  # the first is constant
    chosen = np.full(topology.units, -1)
    used = np.zeros(patterns - 1)
    for unit, partners in enumerate(topology.partners):
        taken = chosen[partners]
        crowding = np.bincount(taken[taken >= 0], minlength=patterns - 1)
        chosen[unit] = np.lexsort((used, crowding))[0]
        used[chosen[unit]] += 1
    return columns[:, chosen]


def applied_biases(patterns: int, topology: Topology, biases: Floats, amplitude: float, limit: float | None) -> Floats:
    """Get the biases (patterns, units) to add to a program's: ±amplitude about a centre that keeps within the limit.

    The centre is the program's own bias, or as near to it as the limit allows; no more than the limit is applied.

    Args:
        patterns: Number of patterns.
        topology: Units and pairs.
        biases: (units,) of the program.
        amplitude: In the unit of the program's energies.
        limit: Largest |b| that the device holds, same unit; None: any.

    Raises:
        CalibrationError: A number of patterns that is no power of two.
    """
    most = np.inf if limit is None else limit * (1 - ROUNDING)
    size = min(amplitude, most)
    room = most - size
    return np.clip(biases, -room, room) - biases + size * signs(patterns, topology)
