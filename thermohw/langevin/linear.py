# SPDX-License-Identifier: Apache-2.0
"""The linear computer (J4 = 0) is an Ornstein–Uhlenbeck process: propagated exactly, with no time-step error."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from thermohw.errors import ProgramError
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics, Floats, Memory, NoiseKey
from thermohw.langevin.noise import normals


@dataclass(frozen=True, eq=False)
class LinearEngine:
    """x(t + Δt) = m + e^{−AΔt} (x − m) + L η,  A = μ (2 J2 + K),  m = −A⁻¹ μ b,  L² = Σ − e^{−AΔt} Σ e^{−AᵀΔt}.

    Σ is the stationary covariance, A Σ + Σ Aᵀ = 2 μ kT (Lyapunov's equation), so K need not be symmetric nor kT
    uniform. L is symmetric, so that paths tend to those of the reference engine as Δt → 0. Any Δt is exact for
    constant biases; a schedule is a staircase of step Δt, as in every engine. What the path does between steps is not
    known: without detailed balance the heat along it is NaN.
    Cost: O(units³) once, O(units²) a chain and step.

    Raises:
        ProgramError: A unit has J4 ≠ 0, a cosine, inertia, a rail or coloured noise, or the drift is not stable.
    """

    dynamics: Dynamics
    _propagator: NDArray[np.float64] = field(init=False, repr=False)
    _noise_factor: NDArray[np.float64] = field(init=False, repr=False)
    _inverse: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        built = self.dynamics.as_built
        drift, stationary = linear_steady_state(built)
        propagator = np.asarray(linalg.expm(-drift * self.dynamics.dt))
        covariance = stationary - propagator @ stationary @ propagator.T
        # the symmetric root: it exists where kT = 0 leaves directions without noise, and tends to the noise of Eq. 3
        variances, directions = np.linalg.eigh(0.5 * (covariance + covariance.T))
        object.__setattr__(self, "_propagator", propagator)
        root = (directions * np.sqrt(np.maximum(variances, 0))) @ directions.T
        object.__setattr__(self, "_noise_factor", root)
        object.__setattr__(self, "_inverse", np.linalg.inv(drift) * built.mobility)

    def advance(
        self,
        states: Floats,
        key: NoiseKey,
        steps: int,
        work: NDArray[np.float64],
        record: Floats,
        velocities: Floats | None = None,
        memory: Memory | None = None,
    ) -> None:
        """Advance states in place; see `Engine.advance`. A stable linear computer cannot diverge."""
        dynamics, built = self.dynamics, self.dynamics.as_built
        chains = key.first_chain + np.arange(len(states))
        spacing = steps // record.shape[0] if record.shape[0] else steps + 1
        x = states.astype(np.float64)
        bias = dynamics.biases_at(key.first_step)
        mean = -self._inverse @ bias
        for step in range(key.first_step, key.first_step + steps):
            noise = normals(key.seed, chains, step, built.units) @ self._noise_factor.T
            x = mean + (x - mean) @ self._propagator.T + noise
            if dynamics.schedule is not None:
                following = dynamics.biases_at(step + 1)
                work += x @ (following - bias)
                bias = following
                mean = -self._inverse @ bias
            taken = step + 1 - key.first_step
            if taken % spacing == 0:
                record[taken // spacing - 1] = x
        states[:] = x
        if memory is not None:
            memory.flow[:] = np.nan


def linear_steady_state(built: AsBuilt) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Get the drift matrix A = μ (2 J2 + K) and the steady-state covariance, A Σ + Σ Aᵀ = 2 μ kT, (units, units) each.

    Raises:
        ProgramError: A unit has J4 ≠ 0, a cosine, inertia, a rail or coloured noise, or the drift is not stable.
    """
    if not built.linear or built.inertial:
        unit = int(np.argmax((built.J4 != 0) | (built.cosine != 0) | (built.mass != 0)))
        raise ProgramError(f"the exact linear engine needs J4 = 0, no cosine and no inertia; unit {unit} has not")
    if not built.ideal_noise:
        raise ProgramError(
            "the exact linear law needs white noise and no rails; this computer has other noise or rails"
        )
    drift: NDArray[np.float64] = built.mobility[:, None] * (built.couplings.toarray() + np.diag(2 * built.J2))
    slowest = float(linalg.eigvals(drift).real.min())
    if slowest <= 0:
        raise ProgramError(f"the linear drift is not stable: it has the relaxation rate {slowest:.3g}, must be > 0")
    return drift, np.asarray(
        linalg.solve_continuous_lyapunov(drift, np.diag(2 * built.mobility * built.kT)), np.float64
    )
