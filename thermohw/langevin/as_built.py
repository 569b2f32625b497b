# SPDX-License-Identifier: Apache-2.0
"""What a device really integrates: per-unit parameters and a full coupling matrix."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from thermohw.errors import ProgramError
from thermohw.langevin.flicker import Flicker
from thermohw.langevin.onsite import OnSite
from thermohw.program import Program, dense_if_full


@dataclass(frozen=True, eq=False)
class AsBuilt:
    """The parameters of the equation of motion as a device built them.

    m_i dv_i = −(∂_iV + v_i/μ_i) dt + √(2 kT_i/μ_i) dW_i,  dx_i = v_i dt        with inertia
    dx_i = −μ_i ∂_iV dt + √(2 μ_i kT_i) dW_i                                      without
    ∂_iV = 2 J2_i x_i + 4 J4_i x_i³ − c_i w_i sin(w_i x_i) + b_i + Σ_j K_ij x_j

    An ideal device builds its program: no cosine and no inertia, K the symmetric coupling matrix, μ and kT uniform.
    Imperfect dynamics: √(2 μ_i kT_i) (y_i + φ_i) dt stands for the noise above, with y_i Ornstein–Uhlenbeck noise,
    τ_n,i dy_i = −y_i dt + dW_i, which tends to dW_i/dt as τ_n → 0, and φ_i flicker noise; and hard walls keep |x_i|
    below a rail.

    Attributes:
        visible: Number of visible units; they come first.
        J2: (units,) quadratic on-site energies.
        J4: (units,) quartic on-site energies.
        biases: (units,) linear energies.
        couplings: (units, units) `scipy.sparse.csr_array` K; K_ij is the coupling that unit i feels from unit j.
        mobility: (units,) μ, in 1/(energy · time).
        kT: (units,) thermal energies; zero switches a unit's noise off.
        cosine: (units,) c, energies of the on-site term c cos(w x) of a Josephson junction.
        wavenumber: (units,) w, dimensionless.
        mass: (units,) inertia m, energy · time²; zero in all units where the overdamped law holds.
        noise_time: (units,) correlation time τ_n of the noise, time; 0 where it is white.
        rail: (units,) |x| of the walls; inf where there are none.
        flicker: Excess 1/f noise of all units; None for none.

    Raises:
        ProgramError: A wrong shape or sign, a cosine without J2 > 0 to bound it, or inertia in some units only.
    """

    visible: int
    J2: NDArray[np.float64]
    J4: NDArray[np.float64]
    biases: NDArray[np.float64]
    couplings: Any
    mobility: NDArray[np.float64]
    kT: NDArray[np.float64]
    cosine: NDArray[np.float64] = field(default_factory=lambda: np.zeros(()))
    wavenumber: NDArray[np.float64] = field(default_factory=lambda: np.zeros(()))
    mass: NDArray[np.float64] = field(default_factory=lambda: np.zeros(()))
    noise_time: NDArray[np.float64] = field(default_factory=lambda: np.zeros(()))
    rail: NDArray[np.float64] = field(default_factory=lambda: np.full((), np.inf))
    flicker: Flicker | None = None

    def __post_init__(self) -> None:
        couplings: Any = sparse.csr_array(self.couplings, dtype=np.float64)
        units = int(couplings.shape[0])
        if couplings.shape != (units, units) or not np.isfinite(couplings.data).all():
            raise ProgramError(f"as-built couplings must be finite, of shape (units, units); got {couplings.shape}")
        object.__setattr__(self, "couplings", couplings)
        for name in ("J2", "J4", "biases", "mobility", "kT", "cosine", "wavenumber", "mass", "noise_time", "rail"):
            given = np.asarray(getattr(self, name), np.float64)
            if given.shape not in ((), (units,)):
                raise ProgramError(f"as-built {name} must be a scalar or of shape ({units},), got {given.shape}")
            values = np.array(np.broadcast_to(given, (units,)))
            sound = np.isfinite(values) | ((values == np.inf) & (name == "rail"))
            if not sound.all():
                raise ProgramError(f"as-built {name} of unit {int(np.argmin(sound))} is not finite")
            object.__setattr__(self, name, values)
        if (self.mobility <= 0).any() or (self.kT < 0).any():
            raise ProgramError("as-built mobilities must be positive and kT must not be negative")
        if (self.mass < 0).any() or (self.inertial and not self.mass.all()):
            raise ProgramError("as-built masses must be positive in all units, or zero in all")
        if (self.noise_time < 0).any() or (self.rail <= 0).any():
            raise ProgramError("as-built noise times must not be negative and rails must be positive")
        if ((self.cosine != 0) & (self.J2 <= 0) & (self.J4 <= 0)).any():
            raise ProgramError("an on-site cosine needs J2 > 0 or J4 > 0 that bounds the energy below")

    @staticmethod
    def from_program(program: Program, mobility: ArrayLike = 1.0, kT: ArrayLike = 1.0) -> "AsBuilt":
        """Build exactly the program, at the given mobility and kT (scalars or (units,))."""
        mu, energy = (np.asarray(values, np.float64) for values in (mobility, kT))
        return AsBuilt(program.topology.visible, program.J2, program.J4, program.biases, program.matrix, mu, energy)

    @property
    def units(self) -> int:
        """Get the number of units."""
        return len(self.J2)

    @property
    def inertial(self) -> bool:
        """Get whether units have inertia, so that states need velocities beside them."""
        return bool(self.mass.any())

    @property
    def linear(self) -> bool:
        """Get whether the forces are linear in x: no quartic and no cosine term."""
        return not (self.J4.any() or self.cosine.any())

    @property
    def coloured(self) -> bool:
        """Get whether the noise of a unit has a correlation time."""
        return bool(self.noise_time.any())

    @property
    def railed(self) -> bool:
        """Get whether a unit has rails."""
        return bool(np.isfinite(self.rail).any())

    @property
    def ideal_noise(self) -> bool:
        """Get whether all noise is white and no wall is in the way."""
        return not (self.coloured or self.railed or self.flicker is not None)

    @property
    def balanced(self) -> bool:
        """Get whether forces have a potential and all units one kT: heat is then the energy lost, entropy heat/kT."""
        return self.symmetric and bool((self.kT == self.kT[0]).all())

    @cached_property
    def _operator(self) -> Any:
        return dense_if_full(self.couplings)

    @cached_property
    def symmetric(self) -> bool:
        """Get whether the coupling matrix is symmetric, so that the forces have a potential."""
        difference = self.couplings - self.couplings.T
        return difference.nnz == 0 or not np.any(difference.data)

    @cached_property
    def onsite(self) -> OnSite:
        """Get the energy of each unit on its own, without bias."""
        return OnSite(self.J2, self.J4, self.cosine, self.wavenumber)

    @cached_property
    def thermal_variance(self) -> NDArray[np.float64]:
        """Get ⟨x_i²⟩₀ of each unit on its own, without bias and couplings, (units,), by quadrature."""
        return self.onsite.thermal_variance(self.kT)

    def wells(self, biases: NDArray[np.float64]) -> NDArray[np.float64]:
        """Get the largest |x| at which each unit on its own rests at biases (units,): ∂V/∂x = 0; returns (units,)."""
        return self.onsite.wells(np.abs(biases))

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
        return -(self.onsite.slope(x) + bias + fields)

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
            terms = self.onsite.energy(part) + (bias + 0.5 * fields) * part
            energies[first : first + rows] = terms.sum(axis=1)
        return energies

    def kinetic_energy(self, velocities: NDArray[Any]) -> NDArray[np.float64]:
        """Get Σ_i m_i v_i²/2 of velocities (chains, units)."""
        return 0.5 * np.asarray(velocities, np.float64) ** 2 @ self.mass
