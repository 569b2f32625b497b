# SPDX-License-Identifier: Apache-2.0
"""What a device really integrates: per-unit parameters and a full coupling matrix."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from thermohw.errors import ProgramError
from thermohw.program import Program, dense_if_full


@dataclass(frozen=True, eq=False)
class AsBuilt:
    """The parameters of Eq. 1 as a device built them.

    dx_i = −μ_i (2 J2_i x_i + 4 J4_i x_i³ + b_i + Σ_j K_ij x_j) dt + √(2 μ_i kT_i) dW_i

    An ideal device builds its program: K is then the symmetric coupling matrix, and μ and kT are uniform.

    Attributes:
        visible: Number of visible units; they come first.
        J2: (units,) quadratic on-site energies.
        J4: (units,) quartic on-site energies.
        biases: (units,) linear energies.
        couplings: (units, units) `scipy.sparse.csr_array` K; K_ij is the coupling that unit i feels from unit j.
        mobility: (units,) μ, in 1/(energy · time).
        kT: (units,) thermal energies; zero switches a unit's noise off.

    Raises:
        ProgramError: A wrong shape or sign.
    """

    visible: int
    J2: NDArray[np.float64]
    J4: NDArray[np.float64]
    biases: NDArray[np.float64]
    couplings: Any
    mobility: NDArray[np.float64]
    kT: NDArray[np.float64]

    def __post_init__(self) -> None:
        couplings: Any = sparse.csr_array(self.couplings, dtype=np.float64)
        units = int(couplings.shape[0])
        if couplings.shape != (units, units) or not np.isfinite(couplings.data).all():
            raise ProgramError(f"as-built couplings must be finite, of shape (units, units); got {couplings.shape}")
        object.__setattr__(self, "couplings", couplings)
        for name in ("J2", "J4", "biases", "mobility", "kT"):
            given = np.asarray(getattr(self, name), np.float64)
            if given.shape not in ((), (units,)):
                raise ProgramError(f"as-built {name} must be a scalar or of shape ({units},), got {given.shape}")
            values = np.array(np.broadcast_to(given, (units,)))
            if not np.isfinite(values).all():
                raise ProgramError(f"as-built {name} of unit {int(np.argmin(np.isfinite(values)))} is not finite")
            object.__setattr__(self, name, values)
        if (self.mobility <= 0).any() or (self.kT < 0).any():
            raise ProgramError("as-built mobilities must be positive and kT must not be negative")

    @staticmethod
    def from_program(program: Program, mobility: ArrayLike = 1.0, kT: ArrayLike = 1.0) -> "AsBuilt":
        """Build exactly the program, at the given mobility and kT (scalars or (units,))."""
        given = (np.asarray(values, np.float64) for values in (mobility, kT))
        return AsBuilt(program.topology.visible, program.J2, program.J4, program.biases, program.matrix, *given)

    @property
    def units(self) -> int:
        """Get the number of units."""
        return len(self.J2)

    @cached_property
    def _operator(self) -> Any:
        return dense_if_full(self.couplings)

    @cached_property
    def symmetric(self) -> bool:
        """Get whether the coupling matrix is symmetric, so that the forces have a potential."""
        difference = self.couplings - self.couplings.T
        return difference.nnz == 0 or not np.any(difference.data)

    @cached_property
    def thermal_variance(self) -> NDArray[np.float64]:
        """Get ⟨x_i²⟩₀ of each unit on its own, without bias and couplings, (units,), by quadrature."""
        return _thermal_variance(self.J2, self.J4, self.kT)

    def wells(self, biases: NDArray[np.float64]) -> NDArray[np.float64]:
        """Get the largest |x| at which each unit on its own rests at biases (units,): ∂V/∂x = 0; returns (units,)."""
        pull = np.abs(biases)
        quartic = self.J4 > 0
        linear = pull / (2 * np.where(quartic, 1.0, self.J2))
        J4 = np.where(quartic, self.J4, 1.0)
        p, q = self.J2 / (2 * J4), pull / (4 * J4)
        x = np.cbrt(q) + np.sqrt(np.maximum(-p, 0))
        for _ in range(12):  # Newton's iteration on x³ + p x = q comes down from above without overshooting
            slope = 3 * x**2 + p
            x = x - np.where(slope > 0, x**3 + p * x - q, 0.0) / np.where(slope > 0, slope, 1.0)
        return np.where(quartic, x, linear)

    def typical_amplitude(self, biases: NDArray[np.float64]) -> float:
        """Get the largest |x| that the computer is expected to hold at biases (units,): thermal spread plus wells.

        At least 1, the scale of a program's states.
        """
        push = np.abs(biases) + np.asarray(abs(self.couplings).sum(axis=1)).ravel()
        thermal = 4 * np.sqrt(self.thermal_variance)
        quartic = self.J4 > 0
        J4 = np.where(quartic, self.J4, 1.0)
        well = np.sqrt(np.maximum(push - 2 * self.J2, 0) / (4 * J4)) + np.cbrt(push / (4 * J4))
        linear = 10 * thermal + self.wells(biases)
        return max(1.0, float(np.max(thermal + np.where(quartic, well, linear))))

    def force(self, x: NDArray[np.float64], biases: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Get the deterministic force on states x (chains, units) at biases (units,), default the built ones."""
        bias = self.biases if biases is None else biases
        fields = np.asarray((self._operator @ x.T).T)
        return -((4 * self.J4 * x**2 + 2 * self.J2) * x + bias + fields)

    def energy(self, x: NDArray[Any], biases: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Get V(x) of states (chains, units); with a non-symmetric K, of its symmetric part.

        The states are cast to float64 a few rows at a time.
        """
        bias = self.biases if biases is None else biases
        energies = np.empty(len(x))
        rows = max(1, 2**22 // self.units)
        for first in range(0, len(x), rows):
            part = np.asarray(x[first : first + rows], np.float64)
            fields = np.asarray((self._operator @ part.T).T)
            terms = ((self.J4 * part**2 + self.J2) * part + bias + 0.5 * fields) * part
            energies[first : first + rows] = terms.sum(axis=1)
        return energies


def _thermal_variance(J2: NDArray[np.float64], J4: NDArray[np.float64], kT: NDArray[np.float64]) -> NDArray[np.float64]:
    kinds, which = np.unique(np.stack([J2, J4, kT], axis=1), axis=0, return_inverse=True)
    variances = np.empty(len(kinds))
    for row in range(len(kinds)):
        quadratic, quartic, temperature = (float(value) for value in kinds[row])
        if temperature == 0:
            variances[row] = max(0.0, -quadratic / (2 * quartic)) if quartic else 0.0
            continue
        if quartic == 0:
            variances[row] = temperature / (2 * quadratic)
            continue
        reach = math.sqrt((abs(quadratic) + math.sqrt(quadratic**2 + 160 * quartic * temperature)) / (2 * quartic))
        x = np.linspace(-reach, reach, 4001)
        energy = quadratic * x**2 + quartic * x**4
        weight = np.exp(-(energy - energy.min()) / temperature)
        variances[row] = (weight * x**2).sum() / weight.sum()
    return variances[which.ravel()]
