# SPDX-License-Identifier: Apache-2.0
"""Normalised path statistics, sampled or expected, in the form that the solvers need."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import TrainingError
from thermohw.path import PathStatistics
from thermohw.topology import Topology
from thermohw.training.pair_kernel import expand, project

Floats = NDArray[np.float64]


class SecondMoments(Protocol):
    """⟨y yᵀ⟩ and ⟨r yᵀ⟩/Δt of `PathStatistics`, as the two linear maps that the closed form needs."""

    @property
    def diagonal(self) -> Floats:
        """Get ⟨y_i²⟩, (units,)."""
        ...

    def anticommutator(self, topology: Topology, couplings: Floats) -> Floats:
        """Get [J S + S J]_ij on the allowed pairs, (pairs,)."""
        ...

    def symmetric_cross(self, topology: Topology) -> Floats:
        """Get [C + Cᵀ]_ij on the allowed pairs, (pairs,)."""
        ...


@dataclass(frozen=True, eq=False)
class DenseMoments:
    """Second moments as full matrices: S and C, (units, units)."""

    S: Floats
    C: Floats

    @property
    def diagonal(self) -> Floats:
        """Get ⟨y_i²⟩, (units,)."""
        return np.diagonal(self.S)

    def anticommutator(self, topology: Topology, couplings: Floats) -> Floats:
        """Get [J S + S J]_ij on the allowed pairs, (pairs,)."""
        i, j = topology.pairs.T
        J = np.zeros(self.S.shape)
        J[i, j] = couplings
        J[j, i] = couplings
        product = J @ self.S
        return product[i, j] + product[j, i]

    def symmetric_cross(self, topology: Topology) -> Floats:
        """Get [C + Cᵀ]_ij on the allowed pairs, (pairs,)."""
        i, j = topology.pairs.T
        return self.C[i, j] + self.C[j, i]


@dataclass(frozen=True, eq=False)
class LowRankMoments:
    """S = diag(D) + G Gᵀ and, off the diagonal, C = H Gᵀ, with few columns: independent units, few images.

    Attributes:
        D: (units,).
        G: (units, rank).
        H: (units, rank).
    """

    D: Floats
    G: Floats
    H: Floats

    @property
    def diagonal(self) -> Floats:
        """Get ⟨y_i²⟩, (units,)."""
        return self.D + (self.G**2).sum(axis=1)

    def anticommutator(self, topology: Topology, couplings: Floats) -> Floats:
        """Get [J S + S J]_ij on the allowed pairs, (pairs,)."""
        projected = np.zeros_like(self.G)
        project(topology.pairs, couplings, self.G, projected)
        out = np.empty(len(topology.pairs))
        expand(topology.pairs, couplings, self.D, self.G, projected, out)
        return out

    def symmetric_cross(self, topology: Topology) -> Floats:
        """Get [C + Cᵀ]_ij on the allowed pairs, (pairs,)."""
        out = np.empty(len(topology.pairs))
        expand(topology.pairs, np.zeros(len(topology.pairs)), self.D, self.G, self.H, out)
        return out


@dataclass(frozen=True, eq=False)
class PathMoments:
    """Path statistics per step: what `PathStatistics` holds, divided by n (and by Δt where r stands).

    Attributes:
        mobility: μ of the computer to be trained.
        kT: Its thermal energy.
        mean: (units,) ⟨y⟩.
        force: (units,) ⟨r⟩/Δt.
        second: ⟨y yᵀ⟩ and ⟨r yᵀ⟩/Δt.
        residual: ⟨r·r⟩/Δt².
        dt: Time step.
        steps: Number of steps averaged over.
    """

    mobility: float
    kT: float
    mean: Floats
    force: Floats
    second: SecondMoments
    residual: float
    dt: float
    steps: int

    @staticmethod
    def of(statistics: PathStatistics) -> "PathMoments":
        """Normalise sampled statistics.

        Raises:
            TrainingError: They hold no steps.
        """
        n, dt = statistics.n, statistics.dt
        if n == 0 or dt is None:
            raise TrainingError("the path statistics hold no steps")
        return PathMoments(
            statistics.mobility,
            statistics.kT,
            statistics.m / n,
            statistics.q / (n * dt),
            DenseMoments(statistics.S / n, statistics.C / (n * dt)),
            statistics.w / (n * dt**2),
            dt,
            n,
        )
