# SPDX-License-Identifier: Apache-2.0
"""The negative log-likelihood of reversed noising paths: a quadratic in couplings and biases."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.nonideal.crosstalk import leakage
from thermohw.topology import Topology
from thermohw.training.coupling_errors import CouplingErrors
from thermohw.training.moments import PathMoments

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PathQuadratic:
    """f(z) = −ln P̃ / (n Δt), the negative log-likelihood per unit time, of packed parameters z.

    z = (couplings on the allowed pairs, biases of the trainable units). With S, m, C, q, w per step and unit time,

        f = w/(4 μ kT) + [⟨J, C⟩ + b·q]/(2 kT) + μ [tr(J S J) + 2 bᵀJ m + b·b]/(4 kT) + ridge · μ Σ J_ij²/(4 kT)

    With errors it is the mean of f over what a device makes of J (see `CouplingErrors`), again a quadratic: J becomes
    g K in the terms of first order, tr(J S J) becomes A [tr(K S K) + I Σ K_ij² (S_ii + S_jj)], sums over pairs, with A
    the errors' `second_order` and I their `incoherence`.

    Attributes:
        moments: The path statistics.
        topology: The allowed pairs.
        biased: (trainable,) unit numbers whose biases are trained.
        ridge: Penalty on the couplings.
        errors: What the device is expected to make of the couplings; its range is the solver's business.
    """

    moments: PathMoments
    topology: Topology
    biased: NDArray[np.int64]
    ridge: float = 0.0
    errors: CouplingErrors = field(default_factory=CouplingErrors)

    @property
    def size(self) -> int:
        """Get the number of parameters."""
        return len(self.topology.pairs) + len(self.biased)

    @cached_property
    def linear(self) -> Floats:
        """Get the gradient at zero, (size,)."""
        cross = self.errors.gain * self._leak(self.moments.second.symmetric_cross(self.topology))
        return np.concatenate([cross, self.moments.force[self.biased]]) / (2 * self.moments.kT)

    @cached_property
    def curvature(self) -> Floats:
        """Get the diagonal of the Hessian, (size,)."""
        i, j = self.topology.pairs.T
        diagonal = self.moments.second.diagonal
        pairs = self.errors.second_order * (1 + self.errors.incoherence) * (diagonal[i] + diagonal[j]) + self.ridge
        return np.concatenate([pairs, np.ones(len(self.biased))]) * (self.moments.mobility / (2 * self.moments.kT))

    def hessian_product(self, z: Floats) -> Floats:
        """Get the Hessian times z, (size,)."""
        asked, biases = self.unpack(z)
        i, j = self.topology.pairs.T
        couplings, mean, diagonal = self._leak(asked), self.moments.mean, self.moments.second.diagonal
        pairs = self.errors.second_order * self.moments.second.anticommutator(self.topology, couplings)
        incoherent = self.errors.second_order * self.errors.incoherence
        if incoherent:
            pairs = pairs + incoherent * (diagonal[i] + diagonal[j]) * couplings
        units = biases[self.biased]
        if len(self.biased):
            gain = self.errors.gain
            pairs = pairs + gain * (biases[i] * mean[j] + mean[i] * biases[j])
            fields = np.bincount(i, couplings * mean[j], len(mean)) + np.bincount(j, couplings * mean[i], len(mean))
            units = units + gain * fields[self.biased]
        pairs = self._leak(pairs) + self.ridge * asked
        return np.concatenate([pairs, units]) * (self.moments.mobility / (2 * self.moments.kT))

    def gradient(self, z: Floats) -> Floats:
        """Get ∂f/∂z, (size,)."""
        return self.linear + self.hessian_product(z)

    def value(self, z: Floats) -> float:
        """Get f(z), per unit time."""
        constant = self.moments.residual / (4 * self.moments.mobility * self.moments.kT)
        if self.errors.additive:
            i, j = self.topology.pairs.T
            diagonal = self.moments.second.diagonal
            spread = self.errors.additive**2 * float((diagonal[i] + diagonal[j]).sum())
            constant += spread * self.moments.mobility / (4 * self.moments.kT)
        return constant + self.gain(z)

    def _leak(self, couplings: Floats) -> Floats:
        """Get K of J on the pairs (pairs,): a symmetric operator, so that it is its own transpose in gradients."""
        share = self.errors.crosstalk
        return couplings + share * (self._leakage @ couplings) if share and len(couplings) else couplings

    @cached_property
    def _leakage(self) -> Any:
        return leakage(self.topology)

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
