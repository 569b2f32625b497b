# SPDX-License-Identifier: Apache-2.0
# pyright: basic
"""Sequential rounding with error feedback, row by row, for moments of few columns; numba infers the types."""

from typing import Any

import numpy as np

from thermohw.langevin.jit import compiled, inlined
from thermohw.training.rounding_kernel import nearest_level


@inlined
def _slope(G: Any, T: Any, mean: Any, shift: Any, i: int, j: int) -> float:
    """Get what earlier rows and the biases contribute to the gradient by d_ij, in units of μ/2kT."""
    total = mean[i] * shift[j] + mean[j] * shift[i]
    for a in range(G.shape[1]):
        total += T[j, a] * G[i, a]
    return total


@compiled
def round_rows(
    pairs: Any, starts: Any, exact: Any, index: Any, steps: Any, levels: Any, D: Any, G: Any, T: Any,
    square: Any, mean: Any, shift: Any, dither: Any,
) -> None:  # fmt: skip
    """Round one coupling after another; those of the row that are still open make good for its error, optimally.

    Row i holds the pairs i < j. Its part of ½ dᵀHd is ½ Σ a_j d_j² + ½ |t|² + Σ c_j d_j, a_j = D_j + S_ii, t = T_i and
    c the slope. With the open couplings at their optimum, t becomes u = (1 + M)⁻¹ (t − v), M = Σ G_j G_jᵀ/a_j and
    v = Σ c_j G_j/a_j over the open ones, and the next coupling wants the error −(c_j + G_j·u)/a_j. A coupling that is
    rounded leaves M and v; P = (1 + M)⁻¹ follows by the formula of Sherman and Morrison.

    Args: as of `descend`; besides, starts (units + 1,) are the first pairs of the rows, and dither (pairs,) is added to
    what a coupling wants, in codes. index is filled in, and T is d G at the end.
    """
    rank = G.shape[1]
    kept = np.zeros(rank)
    for i in range(starts.shape[0] - 1):
        M, v = np.eye(rank), np.zeros(rank)
        for p in range(starts[i], starts[i + 1]):
            j = pairs[p, 1]
            a, c = D[j] + square[i], _slope(G, T, mean, shift, i, j)
            for b in range(rank):
                v[b] += c * G[j, b] / a
                for d in range(rank):
                    M[b, d] += G[j, b] * G[j, d] / a
        P = np.linalg.inv(M)
        for p in range(starts[i], starts[i + 1]):
            j = pairs[p, 1]
            a, c = D[j] + square[i], _slope(G, T, mean, shift, i, j)
            wanted, left = -c, a
            for b in range(rank):
                kept[b] = 0.0
                for d in range(rank):
                    kept[b] += P[b, d] * G[j, d]
                wanted -= kept[b] * (T[i, b] - v[b])
                left -= kept[b] * G[j, b]
            index[p] = nearest_level(levels, index[p], (exact[p] + wanted / a) / steps[p] + dither[p])
            error = levels[index[p]] * steps[p] - exact[p]
            for b in range(rank):
                v[b] -= c * G[j, b] / a
                T[i, b] += error * G[j, b]
                T[j, b] += error * G[i, b]
                for d in range(rank):
                    P[b, d] += kept[b] * kept[d] / left
