# SPDX-License-Identifier: Apache-2.0
"""Second moments S as a diagonal and few columns, so that one coupling's gradient costs few operations."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from thermohw.training.moments import DenseMoments, LowRankMoments, SecondMoments

Floats = NDArray[np.float64]
TOLERANCE = 1e-5
"""Relative error of S off its diagonal that ends the search for more columns."""
MAX_COLUMNS = 64
PASSES = 4
"""Times that the diagonal and the columns of a full matrix are fitted in turn."""


@dataclass(frozen=True, eq=False)
class ReducedMoments:
    """S ≈ diag(D) + G Gᵀ, exact on the diagonal.

    Attributes:
        D: (units,).
        G: (units, columns).
        error: Frobenius norm of the difference off the diagonal, over that of S off its diagonal.
    """

    D: Floats
    G: Floats
    error: float

    @property
    def diagonal(self) -> Floats:
        """Get S_ii, (units,)."""
        return self.D + (self.G**2).sum(axis=1)


def reduce_moments(second: SecondMoments, tolerance: float = TOLERANCE, columns: int = MAX_COLUMNS) -> ReducedMoments:
    """Approximate S by its diagonal and its leading eigenvectors.

    Low-rank moments keep the leading singular vectors of their own G. Of a full S those of S − D are taken, with D and
    G fitted in turn (principal factors, starting from D = the least eigenvalue of S).

    Args:
        second: Second moments.
        tolerance: No more columns than bring the error below it.
        columns: The most columns.
    """
    diagonal = second.diagonal
    if isinstance(second, LowRankMoments):
        left, sizes, _ = np.linalg.svd(second.G, full_matrices=False)
        G = left * sizes
        return _fewest(G @ G.T, diagonal, G, tolerance, columns)
    S = cast(DenseMoments, second).S
    D = np.full(len(S), max(0.0, float(linalg.eigvalsh(S, subset_by_index=[0, 0])[0])))
    G = np.zeros((len(S), 0))
    for _ in range(PASSES):
        top = [max(0, len(S) - columns), len(S) - 1]
        sizes, vectors = linalg.eigh(S - np.diag(D), subset_by_index=top)
        G = (vectors * np.sqrt(np.maximum(sizes, 0.0)))[:, ::-1]
        D = np.maximum(diagonal - (G**2).sum(axis=1), 0.0)
    return _fewest(S, diagonal, G, tolerance, columns)


def _fewest(S: Floats, diagonal: Floats, G: Floats, tolerance: float, columns: int) -> ReducedMoments:
    """Keep as few of the leading columns of G as the tolerance allows."""
    rest = S - np.diag(np.diagonal(S))
    size = float(np.linalg.norm(rest))
    error = 1.0 if size > 0 else 0.0
    kept = 0
    while kept < min(columns, G.shape[1]) and error > tolerance:
        column = G[:, kept]
        rest -= np.outer(column, column)
        np.fill_diagonal(rest, 0.0)
        error = float(np.linalg.norm(rest)) / size
        kept += 1
    G = np.ascontiguousarray(G[:, :kept])
    return ReducedMoments(diagonal - (G**2).sum(axis=1), G, error)
