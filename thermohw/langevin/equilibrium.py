# SPDX-License-Identifier: Apache-2.0
"""Exact samples of the uncoupled equilibrium: a product of one-dimensional Boltzmann densities, no burn-in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Floats, NoiseKey
from thermohw.langevin.inversion_kernel import CELLS, invert

DEPTH = 40.0
"""The density is cut where it is e^-40 of its maximum: a weight of about 1e-17."""


@dataclass(frozen=True, eq=False)
class UncoupledEquilibrium:
    """The density Π_i exp(−(J2_i x² + J4_i x⁴ + b_i x)/kT_i), tabulated once and inverted for each sample.

    The cumulative density is exact at 2049 points across the support of each unit and linear between them, which
    adds a share of 1.3e-5 or less to a unit's variance. Units with kT = 0 sit at their energy minimum.

    Attributes:
        edges: (kinds, 2) ends of each kind's support.
        cumulative: (kinds, 2049) cumulative density at equally spaced points.
        guide: (kinds, 2048) the cell in which to start looking for a uniform number.
        kind: (units,) which row belongs to which unit.
    """

    edges: NDArray[np.float64]
    cumulative: NDArray[np.float64]
    guide: NDArray[np.int32]
    kind: NDArray[np.int64]

    @staticmethod
    def of(built: AsBuilt, biases: NDArray[np.float64] | None = None) -> "UncoupledEquilibrium":
        """Tabulate the equilibrium of a computer with its couplings off, at biases (units,), default the built ones."""
        bias = built.biases if biases is None else biases
        parameters = np.stack([built.J2, built.J4, bias, built.kT], axis=1)
        kinds, kind = np.unique(parameters, axis=0, return_inverse=True)
        edges = np.array([_support(*row) for row in kinds])
        fine = edges[:, :1] + (edges[:, 1:] - edges[:, :1]) * np.linspace(0, 1, 2 * CELLS + 1)
        J2, J4, b, kT = (kinds[:, [column]] for column in range(4))
        energy = ((J4 * fine**2 + J2) * fine + b) * fine
        density = np.exp(-(energy - energy.min(axis=1, keepdims=True)) / np.where(kT > 0, kT, 1.0))
        cells = density[:, :-1:2] + 4 * density[:, 1::2] + density[:, 2::2]  # Simpson's rule on each cell
        cumulative = np.concatenate([np.zeros((len(kinds), 1)), np.cumsum(cells, axis=1)], axis=1)
        cumulative /= cumulative[:, -1:]
        targets = np.arange(CELLS) / CELLS
        guide = np.stack([np.searchsorted(row, targets, side="right") - 1 for row in cumulative]).astype(np.int32)
        return UncoupledEquilibrium(edges, cumulative, np.minimum(guide, CELLS - 1), kind.ravel())

    def sample(self, key: NoiseKey, chains: int, dtype: type[np.float32] | type[np.float64]) -> Floats:
        """Draw states (chains, units); a chain's state depends on the seed and its number only."""
        states: Floats = np.empty((chains, len(self.kind)), dtype)
        seed = (np.uint32(key.seed & 0xFFFFFFFF), np.uint32(key.seed >> 32))
        invert(states, self.edges, self.cumulative, self.guide, self.kind, key.first_chain, seed)
        return states


def _support(J2: float, J4: float, b: float, kT: float) -> tuple[float, float]:
    """Get the interval outside which exp(−V/kT) is below e^-40 of its maximum; a point where kT = 0."""
    resting = _real_roots([4 * J4, 0.0, 2 * J2, b])
    lowest = float(resting[np.argmin(((J4 * resting**2 + J2) * resting + b) * resting)])
    if kT == 0:
        return lowest, lowest
    # V(lowest + y) − V(lowest) = 40 kT, expanded about the minimum: the outermost roots y bound the support
    ends = _real_roots([J4, 4 * J4 * lowest, 6 * J4 * lowest**2 + J2, 0.0, -DEPTH * kT])
    return lowest + float(ends.min()), lowest + float(ends.max())


def _real_roots(coefficients: list[float]) -> NDArray[np.float64]:
    """Get the real roots of a polynomial, highest power first; of a pair that merges, the common value."""
    roots = np.asarray(np.roots(coefficients), np.complex128)
    real = np.abs(roots.imag) <= 1e-7 * np.abs(roots)
    return np.asarray(roots.real[real], np.float64)
