# SPDX-License-Identifier: Apache-2.0
"""Lines that pick up a share of their neighbours' signals."""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from thermohw.nonideal.effect import ProgramEffect, Programming, Stage
from thermohw.program import Program
from thermohw.topology import Topology


class Crosstalk(ProgramEffect):
    """J' = J + c (N J + J N) on the allowed pairs, b' = b + c_b N b; N couples neighbouring lines.

    Lines i and i + 1 are neighbours if both units are visible or both hidden. The error is coherent: neighbouring
    pixels, which are alike, add theirs.
    """

    stage: ClassVar[Stage] = Stage.LEAKAGE

    coupling: float = Field(default=0.0, ge=-0.25, le=0.25, description="c, share of a neighbouring line's couplings")
    bias: float = Field(default=0.0, ge=-0.5, le=0.5, description="c_b, share of a neighbouring line's bias")

    @property
    def active(self) -> bool:
        """Get whether anything leaks."""
        return bool(self.coupling or self.bias)

    def on_program(self, program: Program, writing: Programming) -> Program:
        """Add the neighbours' shares."""
        topology, couplings = program.topology, program.couplings
        if self.coupling and len(couplings):
            couplings = couplings + self.coupling * (leakage(topology) @ couplings)
        biases = program.biases + self.bias * (neighbours(topology) @ program.biases)
        return replace(program, couplings=couplings, biases=biases)


def leakage(topology: Topology) -> Any:
    """Get the map J ↦ N J + J N on the allowed pairs: a symmetric (pairs, pairs) `csr_array`."""
    pairs, units = topology.pairs.astype(np.int64), topology.units
    low, high = pairs.T
    keys = low * units + high  # they increase, as a topology's pairs are in order
    layer = (np.arange(units) >= topology.visible).astype(np.int64)
    rows: list[NDArray[np.int64]] = []
    columns: list[NDArray[np.int64]] = []
    for moved, kept in ((low, high), (high, low)):
        for step in (-1, 1):
            beside = np.clip(moved + step, 0, units - 1)
            key = np.minimum(beside, kept) * units + np.maximum(beside, kept)
            place = np.minimum(keys.searchsorted(key), len(keys) - 1)
            found = (keys[place] == key) & (beside == moved + step) & (layer[beside] == layer[moved])
            rows.append(np.flatnonzero(found))
            columns.append(place[found])
    row, column = np.concatenate(rows), np.concatenate(columns)
    entries: Any = (np.ones(len(row)), (row, column))
    return sparse.csr_array(entries, shape=(len(keys), len(keys)))


def neighbours(topology: Topology) -> Any:
    """Get N, (units, units): 1 for units i, i + 1 of the same layer."""
    first = np.arange(topology.units - 1)
    first = first[first != topology.visible - 1]
    rows, columns = np.concatenate([first, first + 1]), np.concatenate([first + 1, first])
    entries: Any = (np.ones(len(rows)), (rows, columns))
    return sparse.csr_array(entries, shape=(topology.units, topology.units))
