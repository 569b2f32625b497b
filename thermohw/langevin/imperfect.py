# SPDX-License-Identifier: Apache-2.0
"""The coefficients of imperfect dynamics and of heat without detailed balance, for compiled kernels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics, Floats


def inverse_temperatures(built: AsBuilt) -> NDArray[np.float64]:
    """Get 1/kT_i (units,); NaN where kT = 0: heat that such a bath takes has no finite entropy."""
    return 1 / np.where(built.kT > 0, built.kT, np.nan)


def onsite_heat(built: AsBuilt, states: Floats) -> NDArray[np.float64]:
    """Get the on-site energies of states (chains, units), without biases, and those over kT_i, summed; (chains, 2).

    What overdamped units lose of them is heat, exactly, at any time step: only the work of couplings and of changing
    biases depends on the path.
    """
    energy = built.onsite.energy(np.asarray(states, np.float64))
    return np.stack([energy.sum(axis=1), energy @ inverse_temperatures(built)], axis=1)


def imperfect_terms(dynamics: Dynamics, scale: NDArray[np.float64]) -> tuple[Any, ...]:
    """Get the coefficients of imperfect dynamics for compiled kernels; what is off has size 0.

    Args:
        dynamics: What is integrated.
        scale: (units,) by which kernels multiply forces.

    Returns:
        (fresh, rail, (holds, decay, kick), (1/scale, 1/kT)), each (units,) or (processes,).

    Raises:
        PlanError: The time step is too large for the flicker noise.
    """
    built, dtype = dynamics.as_built, dynamics.dtype
    nothing: Floats = np.empty(0, dtype)
    processes: tuple[Any, ...] = (np.empty(0, np.int64), nothing, nothing)
    if built.flicker is not None:
        renewal = built.flicker.renewal(dynamics.dt)
        processes = (renewal.holds, renewal.decay.astype(dtype), renewal.kick.astype(dtype))
    weights: tuple[Floats, Floats] = (nothing, nothing)
    if not built.balanced:
        weights = (1 / scale).astype(dtype), inverse_temperatures(built).astype(dtype)
    return (
        dynamics.fresh_share().astype(dtype) if built.coloured else nothing,
        built.rail.astype(dtype) if built.railed else nothing,
        processes,
        weights,
    )
