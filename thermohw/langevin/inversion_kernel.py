# SPDX-License-Identifier: Apache-2.0
# pyright: basic
"""Samples by inversion of tabulated cumulative densities; numba infers the argument types."""

from typing import Any

import numpy as np

from thermohw.langevin.jit import compiled
from thermohw.langevin.noise import INITIAL
from thermohw.langevin.noise_kernel import fill_words

CELLS = 2048
"""Cells of each tabulated density."""


@compiled
def invert(states: Any, edges: Any, cumulative: Any, guide: Any, kind: Any, first_chain: int, key: Any) -> None:
    """Fill states (chains, units); see `UncoupledEquilibrium`."""
    chains, units = states.shape
    groups = (units + 3) // 4
    words = np.empty((4, groups), np.uint32)
    for r in range(chains):
        fill_words(words[0], words[1], words[2], words[3], 0, 1, first_chain + r, 0, 0, INITIAL, key[0], key[1])
        for unit in range(units):
            row = kind[unit]
            u = (np.float64(words[unit % 4, unit // 4]) + 0.5) * 2.0**-32
            cell = guide[row, int(u * CELLS)]
            while cumulative[row, cell + 1] < u:
                cell += 1
            low, high = cumulative[row, cell], cumulative[row, cell + 1]
            share = (u - low) / (high - low)
            states[r, unit] = edges[row, 0] + (edges[row, 1] - edges[row, 0]) * (cell + share) / CELLS
