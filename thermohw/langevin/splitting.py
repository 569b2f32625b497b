# SPDX-License-Identifier: Apache-2.0
"""How a step with inertia is split into kicks, drifts and contact with the bath."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermohw.langevin.as_built import AsBuilt


@dataclass(frozen=True, eq=False)
class Splitting:
    """The coefficients of a BAOAB step for each unit, (units,).

    B: v −= (h/2m) ∂V;  A: x += (h/2) v;  O: v = e^{−Δt/μm} v + √((1 − e^{−2Δt/μm}) kT/m) η;  A;  B
    (B. Leimkuhler and C. Matthews, Appl. Math. Res. eXpress 2013, 34), with h² = 2 μ m Δt tanh(Δt/2μm)
    (D. A. Sivak, J. D. Chodera and G. E. Crooks, J. Phys. Chem. B 118, 6466 (2014)): a free particle then diffuses
    exactly at any Δt, and for m → 0 at fixed Δt the step is that of Leimkuhler–Matthews. Stable while
    r Δt tanh(Δt/2μm) < 2, r = μ V''.

    Attributes:
        length: h, time; tends to Δt for Δt ≪ μ m.
        kick: h²/m, which turns a force into a displacement.
        loss: 1 − e^{−Δt/μm}, the share of the velocity that friction takes: not its complement, which float32 would
            round to 1 where Δt ≪ μ m, and so take the friction but not the noise away.
        amplitude: h √((1 − e^{−2Δt/μm}) kT/m), the noise of a displacement.
    """

    length: NDArray[np.float64]
    kick: NDArray[np.float64]
    loss: NDArray[np.float64]
    amplitude: NDArray[np.float64]

    @staticmethod
    def of(built: AsBuilt, dt: float) -> "Splitting":
        """Get the coefficients for a time step."""
        inertia = built.mobility * built.mass
        kick = 2 * built.mobility * dt * np.tanh(dt / (2 * inertia))
        renewed = -np.expm1(-2 * dt / inertia)
        return Splitting(np.sqrt(kick * built.mass), kick, -np.expm1(-dt / inertia), np.sqrt(kick * renewed * built.kT))
