# SPDX-License-Identifier: Apache-2.0
"""How large a time step may be, and what to say when a trajectory diverges."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackError, eigs, eigsh

from thermohw.errors import DivergenceError, PlanError
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics, Floats

DIVERGED = 1e3
"""A unit whose |x| exceeds this many typical amplitudes has diverged."""
SAFE = 0.1
"""Share of the stable step at which quartic units survive: their fluctuations climb to where the walls are steeper."""


def relaxation_rates(built: AsBuilt, biases: NDArray[np.float64]) -> NDArray[np.float64]:
    """Get the rate at which each unit on its own relaxes at biases (units,), 1/time: μ_i V1_i''(x), without inertia.

    x² is ⟨x_i²⟩₀ without bias or the square of the biased well, whichever is larger; returns (units,).
    """
    square = np.maximum(built.thermal_variance, built.wells(biases) ** 2)
    return built.mobility * built.onsite.stiffness(square)


def largest_stable_step(built: AsBuilt, biases: NDArray[np.float64] | None = None) -> float:
    """Get the step at which an explicit scheme loses stability near equilibrium: 2/(stiffest rate) without inertia.

    With inertia, the larger of 2/rate and 2/ω, ω² = rate/(μ m): a little below the limit r Δt tanh(Δt/2μm) = 2 of
    the `UnderdampedEngine`.
    The stiffest rate is max_i (rate of unit i alone) + max_i μ_i · ρ(K) with ρ(K) the spectral radius of the coupling
    matrix: an upper bound for reciprocal couplings, exact where units are equal and linear and ρ(K) is an eigenvalue.
    Quartic units have no sharp limit, as large fluctuations meet steeper walls: a tenth of this step is safe for them.

    Args:
        built: The computer.
        biases: (units,) largest |b| in the course of the run; None for the built biases.
    """
    onsite = relaxation_rates(built, built.biases if biases is None else biases)
    rate = float(np.max(onsite) + np.max(built.mobility) * _spectral_radius(built))
    if rate <= 0:  # nothing pulls: kT = 0 in flat energies
        return np.inf
    return max(2 / rate, 2 * float(np.sqrt(np.min(built.mobility * built.mass) / rate)))


def check_step(dynamics: Dynamics) -> None:
    """Refuse a time step that is certain to diverge.

    Raises:
        PlanError: dt exceeds the stability limit of a single uncoupled unit (biases that change are left out of it).
    """
    built, dt = dynamics.as_built, dynamics.dt
    rates = relaxation_rates(built, built.biases if dynamics.schedule is None else np.zeros(built.units))
    unit = int(np.argmax(rates))
    inertia = float(built.mobility[unit] * built.mass[unit])
    if dt * rates[unit] * (np.tanh(dt / (2 * inertia)) if inertia else 1) >= 2:
        limit = max(2 / rates[unit], 2 * np.sqrt(inertia / rates[unit]))
        accurate = 0.05 * largest_stable_step(built, dynamics.largest_biases())
        raise PlanError(
            f"time step {dt:g} is beyond stability: unit {unit} relaxes at the rate {rates[unit]:.4g}, "
            f"so the step must be below {limit:.3g}; {accurate:.2g} is accurate"
        )


def amplitude_limit(dynamics: Dynamics) -> float:
    """Get the Σ_i x_i² of a chain beyond which it has diverged."""
    return min((DIVERGED * dynamics.as_built.typical_amplitude(dynamics.largest_biases())) ** 2, 1e37)


def check_finite(x: Floats, dynamics: Dynamics, step: int, first_chain: int) -> None:
    """Stop a run that has diverged.

    Args:
        x: (chains, units) states after `step`.
        dynamics: What was integrated.
        step: Number of the step just taken.
        first_chain: Number of the first row of x.

    Raises:
        DivergenceError: A state is not finite or far beyond any amplitude that the computer can hold.
    """
    sound = (np.asarray(x, np.float64) ** 2).sum(axis=1) < amplitude_limit(dynamics)
    if not sound.all():
        raise divergence(x, dynamics, step, first_chain)


def divergence(x: Floats, dynamics: Dynamics, step: int, first_chain: int) -> DivergenceError:
    """Describe a diverged block of chains: the worst unit, the time, and the stable step."""
    size = np.nan_to_num(np.abs(x), nan=np.inf, posinf=np.inf)
    chain, unit = np.unravel_index(int(np.argmax(size)), x.shape)
    stable = largest_stable_step(dynamics.as_built, dynamics.largest_biases())
    return DivergenceError(
        f"chain {first_chain + chain}, unit {unit} diverged at t = {(step + 1) * dynamics.dt:g} (step {step + 1}) "
        f"with dt = {dynamics.dt:g}; near equilibrium this computer is stable below {stable:.2g}: "
        f"use at most {SAFE * stable:.2g}"
    )


def _spectral_radius(built: AsBuilt) -> float:
    matrix: Any = built.couplings
    if matrix.nnz == 0:
        return 0.0
    if built.units <= 64:
        dense: NDArray[np.float64] = matrix.toarray()
        return float(np.max(np.abs(np.linalg.eigvals(dense))))
    start = np.random.default_rng(0).normal(size=built.units)  # fixed: the same computer, the same step
    solver: Any = eigsh if built.symmetric else eigs
    try:
        return float(np.abs(solver(matrix, k=1, which="LM", v0=start, tol=1e-3, return_eigenvectors=False)).max())
    except ArpackError:
        rows: Any = abs(matrix).sum(axis=1)
        return float(rows.max())
