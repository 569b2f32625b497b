# SPDX-License-Identifier: Apache-2.0
"""Exact samples of the uncoupled equilibrium: a product of one-dimensional Boltzmann densities, no burn-in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Floats, NoiseKey
from thermohw.langevin.inversion_kernel import CELLS, invert
from thermohw.langevin.noise_kernel import fill_noise
from thermohw.langevin.onsite import OnSite

DEPTH = 40.0
"""The density is cut where it is e^-40 of its maximum: a weight of about 1e-17."""


@dataclass(frozen=True, eq=False)
class UncoupledEquilibrium:
    """The density Π_i exp(−(V1_i(x) + b_i x)/kT_i), V1 the on-site energy, tabulated once and inverted for each sample.

    Rails cut it off. The cumulative density is exact at 2049 points across the support of each unit and linear between
    them, which adds a share of 1.3e-5 or less to a unit's variance. Units with kT = 0 sit at their energy minimum.

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
        parameters = np.stack([built.J2, built.J4, built.cosine, built.wavenumber, bias, built.kT, built.rail], axis=1)
        kinds, kind = np.unique(parameters, axis=0, return_inverse=True)
        edges = np.array([_support(*row) for row in kinds])
        fine = edges[:, :1] + (edges[:, 1:] - edges[:, :1]) * np.linspace(0, 1, 2 * CELLS + 1)
        b, kT = kinds[:, [4]], kinds[:, [5]]
        energy = OnSite(*kinds.T[:4, :, None]).energy(fine) + b * fine
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
        invert(states, self.edges, self.cumulative, self.guide, self.kind, key.first_chain, key.halves)
        return states


def maxwell_velocities(
    built: AsBuilt, key: NoiseKey, chains: int, dtype: type[np.float32] | type[np.float64]
) -> Floats:
    """Draw velocities (chains, units) of variance kT/m: noise number 0 of the run; (0, units) without inertia."""
    velocities: Floats = np.empty((chains if built.inertial else 0, built.units), dtype)
    if built.inertial:
        fill_noise(velocities, 0, key.first_chain, key.halves)
        velocities *= np.sqrt(built.kT / built.mass).astype(dtype)
    return velocities


def _support(
    J2: float, J4: float, cosine: float, wavenumber: float, b: float, kT: float, rail: float
) -> tuple[float, float]:
    """Get the interval within rails outside which exp(−V/kT) is below e^-40 of its maximum; a point where kT = 0."""
    unit = OnSite(*np.array([[J2], [J4], [cosine], [wavenumber]]))
    if cosine:
        reach = float(unit.reach(np.array([DEPTH * kT]), np.array([b]))[0])
        return _support_on_grid(unit, b, kT, np.linspace(-min(reach, rail), min(reach, rail), 100_001))
    low, high = _support_of_quartic(J2, J4, b, kT, rail)
    if -rail <= low and high <= rail:
        return low, high
    low, high = -rail, rail  # what is rare without rails may be frequent within them
    for _ in range(2):  # the second grid lies closely about what the first one found
        low, high = _support_on_grid(unit, b, kT, np.linspace(low, high, 2001))
    return low, high


def _support_of_quartic(J2: float, J4: float, b: float, kT: float, rail: float) -> tuple[float, float]:
    """Get the support of one unit without cosine; rails count only where kT = 0."""
    resting = _real_roots([4 * J4, 0.0, 2 * J2, b])
    if kT == 0:  # beyond a rail that is the lowest state lies another at which V' = 0
        resting = np.clip(resting, -rail, rail)
    lowest = float(resting[np.argmin(((J4 * resting**2 + J2) * resting + b) * resting)])
    if kT == 0:
        return lowest, lowest
    # V(lowest + y) − V(lowest) = 40 kT, expanded about the minimum: the outermost roots y bound the support
    ends = _real_roots([J4, 4 * J4 * lowest, 6 * J4 * lowest**2 + J2, 0.0, -DEPTH * kT])
    return lowest + float(ends.min()), lowest + float(ends.max())


def _support_on_grid(unit: OnSite, b: float, kT: float, x: NDArray[np.float64]) -> tuple[float, float]:
    """Get the support of one unit among ascending states x (points,), and a point beyond."""
    energy = unit.energy(x[:, None])[:, 0] + b * x
    if kT == 0:
        lowest = float(x[np.argmin(energy)])
        return lowest, lowest
    inside = np.flatnonzero(energy - energy.min() < DEPTH * kT)
    return float(x[max(inside[0] - 1, 0)]), float(x[min(inside[-1] + 1, len(x) - 1)])


def _real_roots(coefficients: list[float]) -> NDArray[np.float64]:
    """Get the real roots of a polynomial, highest power first; of a pair that merges, the common value."""
    roots = np.asarray(np.roots(coefficients), np.complex128)
    real = np.abs(roots.imag) <= 1e-7 * np.abs(roots)
    return np.asarray(roots.real[real], np.float64)
