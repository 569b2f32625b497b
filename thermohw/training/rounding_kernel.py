# SPDX-License-Identifier: Apache-2.0
# pyright: basic
"""Coordinate descent of couplings on a grid, in the metric of the training's Hessian; numba infers the types."""

from typing import Any

from thermohw.langevin.jit import compiled, inlined

_MARGIN = 1e-9
"""Steps of the grid by which a level must be nearer than the present one: rounding errors move nothing."""


@inlined
def nearest_level(levels: Any, start: int, wanted: float) -> int:
    """Get the number of the level nearest to a code that need not be whole, looked for from a level on."""
    k = start
    while k + 1 < levels.shape[0] and wanted > 0.5 * (levels[k] + levels[k + 1]) + _MARGIN:
        k += 1
    while k > 0 and wanted < 0.5 * (levels[k] + levels[k - 1]) - _MARGIN:
        k -= 1
    return k


@compiled
def descend(
    pairs: Any, exact: Any, index: Any, steps: Any, levels: Any, D: Any, G: Any, T: Any,
    square: Any, mean: Any, shift: Any, sweeps: int,
) -> int:  # fmt: skip
    """Move each coupling to its best level, all others held, until none moves; returns the moves of the last sweep.

    The gradient of ½ dᵀHd by the error d_ij, in units of μ/2kT, is

        (D_i + D_j) d_ij + [T Gᵀ + G Tᵀ]_ij + m_i β_j + m_j β_i

    with T = d G and β the errors of the biases; its derivative by d_ij itself is S_ii + S_jj.

    Args:
        pairs: (pairs, 2).
        exact: (pairs,) the couplings to come near to.
        index: (pairs,) number of each coupling's level; changed in place.
        steps: (pairs,) energy a code.
        levels: (levels,) the codes of the grid, ascending.
        D: (units,).
        G: (units, rank).
        T: (units, rank) d G at the start; changed in place.
        square: (units,) S_ii.
        mean: (units,) m.
        shift: (units,) β.
        sweeps: Passes over all pairs at most.
    """
    moved = 0
    for _ in range(sweeps):
        moved = 0
        for p in range(pairs.shape[0]):
            i, j, start, step = pairs[p, 0], pairs[p, 1], index[p], steps[p]
            curvature = square[i] + square[j]
            if curvature <= 0:
                continue
            slope = (D[i] + D[j]) * (levels[start] * step - exact[p]) + mean[i] * shift[j] + mean[j] * shift[i]
            for a in range(G.shape[1]):
                slope += T[i, a] * G[j, a] + G[i, a] * T[j, a]
            wanted = levels[start] - slope / (curvature * step)
            k = nearest_level(levels, start, wanted)
            if k != start:
                moved += 1
                index[p] = k
                change = (levels[k] - levels[start]) * step
                for a in range(G.shape[1]):
                    T[i, a] += change * G[j, a]
                    T[j, a] += change * G[i, a]
        if moved == 0:
            break
    return moved
