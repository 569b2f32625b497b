# SPDX-License-Identifier: Apache-2.0
"""The negative log-likelihood of reversed noising paths: a quadratic in couplings and biases."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from thermohw.topology import Topology
from thermohw.training.moments import PathMoments

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PathQuadratic:
    """f(z) = −ln P̃ / (n Δt), the negative log-likelihood per unit time, of packed parameters z.

    z = (couplings on the allowed pairs, biases of the trainable units). With S, m, C, q, w per step and unit time,

        f = w/(4 μ kT) + [⟨J, C⟩ + b·q]/(2 kT) + μ [tr(J S J) + 2 bᵀJ m + b·b]/(4 kT) + ridge · μ Σ J_ij²/(4 kT)

    Attributes:
        moments: The path statistics.
        topology: The allowed pairs.
        biased: (trainable,) unit numbers whose biases are trained.
        ridge: Penalty on the couplings.
    """

    moments: PathMoments
    topology: Topology
    biased: NDArray[np.int64]
    ridge: float = 0.0

    @property
    def size(self) -> int:
        """Get the number of parameters."""
        return len(self.topology.pairs) + len(self.biased)

    @cached_property
    def linear(self) -> Floats:
        """Get the gradient at zero, (size,)."""
        cross = self.moments.second.symmetric_cross(self.topology)
        return np.concatenate([cross, self.moments.force[self.biased]]) / (2 * self.moments.kT)

    @cached_property
    def curvature(self) -> Floats:
        """Get the diagonal of the Hessian, (size,)."""
        i, j = self.topology.pairs.T
        diagonal = self.moments.second.diagonal
        pairs = diagonal[i] + diagonal[j] + self.ridge
        return np.concatenate([pairs, np.ones(len(self.biased))]) * (self.moments.mobility / (2 * self.moments.kT))

    def hessian_product(self, z: Floats) -> Floats:
        """Get the Hessian times z, (size,)."""
        couplings, biases = self.unpack(z)
        i, j = self.topology.pairs.T
        mean = self.moments.mean
        pairs = self.moments.second.anticommutator(self.topology, couplings) + self.ridge * couplings
        units = biases[self.biased]
        if len(self.biased):
            pairs = pairs + biases[i] * mean[j] + mean[i] * biases[j]
            fields = np.bincount(i, couplings * mean[j], len(mean)) + np.bincount(j, couplings * mean[i], len(mean))
            units = units + fields[self.biased]
        return np.concatenate([pairs, units]) * (self.moments.mobility / (2 * self.moments.kT))

    def gradient(self, z: Floats) -> Floats:
        """Get ∂f/∂z, (size,)."""
        return self.linear + self.hessian_product(z)

    def value(self, z: Floats) -> float:
        """Get f(z), per unit time."""
        constant = self.moments.residual / (4 * self.moments.mobility * self.moments.kT)
        return constant + self.gain(z)

    def gain(self, z: Floats) -> float:
        """Get f(z) − f(0), per unit time."""
        return float(self.linear @ z + 0.5 * (z @ self.hessian_product(z)))

    def unpack(self, z: Floats) -> tuple[Floats, Floats]:
        """Split z into couplings (pairs,) and biases (units,), zero where not trained."""
        biases = np.zeros(self.topology.units)
        biases[self.biased] = z[len(self.topology.pairs) :]
        return z[: len(self.topology.pairs)], biases

    def pack(self, couplings: Floats, biases: Floats) -> Floats:
        """Join couplings (pairs,) and biases (units,) into z, (size,)."""
        return np.concatenate([couplings, biases[self.biased]])
