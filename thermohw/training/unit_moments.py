# SPDX-License-Identifier: Apache-2.0
"""Moments of one uncoupled unit during noising: its density is propagated step by step, for a table of biases."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import TrainingError

Floats = NDArray[np.float64]
RANK_TOLERANCE = 1e-7
MAX_GRID_POINTS = 4096
"""Of the grid that holds a unit's density; the memory is its square."""
DEPTH = 45.0
"""The grid reaches to where the density is e^-45 of its maximum."""


@dataclass(frozen=True, eq=False)
class UnitMoments:
    """Moments of one unit during noising, against the magnitude of its imposed bias.

    Time courses are projected on `rank` orthonormal functions of time. Square and residual are even functions of the
    bias, the others odd.

    Attributes:
        position: (rank, biases) projections of ⟨y⟩.
        force: (rank, biases) projections of ⟨r⟩/Δt.
        mean: (biases,) time average of ⟨y⟩.
        mean_force: (biases,) time average of ⟨r⟩/Δt.
        square: (biases,) time average of ⟨y²⟩.
        residual: (biases,) time average of ⟨r²⟩/Δt².
    """

    position: Floats
    force: Floats
    mean: Floats
    mean_force: Floats
    square: Floats
    residual: Floats

    def rows(self) -> Floats:
        """Get all moments stacked, (2 rank + 4, biases)."""
        return np.vstack([self.position, self.force, self.mean, self.mean_force, self.square, self.residual])


def unit_moments(magnitudes: Floats, ramp: Floats, J2: float, J4: float, dt: float) -> UnitMoments:
    """Propagate one unit's density through the noising steps for each imposed bias.

    x_{k+1} = x_k − Δt (2 J2 x + 4 J4 x³ + s_k B) + √(2Δt) η from the Boltzmann density at s = 1, on a periodic grid
    fine enough (0.6 of the noise's width) for quadrature to be exact to rounding, or to 1e-8 where Δt comes near the
    relaxation time. With y = x_{k+1} and φ(y) = −y + Δt (2 J2 y + 4 J4 y³), the residual is r = x_k + φ(y).

    Args:
        magnitudes: (biases,) imposed biases B ≥ 0, k_BT.
        ramp: (steps,) s_k.
        J2: Quadratic on-site energy, k_BT.
        J4: Quartic on-site energy, k_BT.
        dt: Time step.

    Raises:
        TrainingError: The time step is too large for the law to be stable, or too small for the grid.
    """
    x = _grid(float(magnitudes.max(initial=0.0)), J2, J4, dt)
    slope = (4 * J4 * x**2 + 2 * J2) * x
    phi = dt * slope - x
    transfer = np.exp(-((x[:, None] + phi) ** 2) / (4 * dt))
    transfer /= transfer.sum(axis=0)
    wavenumbers = 2j * np.pi * np.fft.rfftfreq(len(x), float(x[1] - x[0]))
    density = _boltzmann(x, magnitudes, J2, J4)
    count = len(magnitudes)
    mean, square = x @ density, x**2 @ density
    sums = np.zeros((4, count))  # of ⟨y⟩, ⟨r⟩/Δt, ⟨y²⟩, ⟨r²⟩/Δt²
    means, drives = np.zeros((count, count)), np.zeros((count, count))  # sums of ⟨y⟩⟨y⟩ᵀ, ⟨r⟩⟨y⟩ᵀ/Δt over the steps
    for share in ramp:
        moved = transfer @ np.hstack([density, x[:, None] * density])
        shift = np.exp(np.outer(wavenumbers, dt * share * magnitudes))
        moved = np.fft.irfft(np.fft.rfft(moved, axis=0) * np.hstack([shift, shift]), len(x), axis=0)
        density, joint = moved[:, :count], moved[:, count:]
        drive = (mean + phi @ density) / dt
        residual = (square + 2 * (phi @ joint) + phi**2 @ density) / dt**2
        mean, square = x @ density, x**2 @ density
        sums += mean, drive, square, residual
        means += np.outer(mean, mean)
        drives += np.outer(drive, mean)
    return _reduced(sums / len(ramp), means / len(ramp), drives / len(ramp))


def _reduced(averages: Floats, means: Floats, drives: Floats) -> UnitMoments:
    """Factor the time averages: means = positionᵀ position, drives = forceᵀ position."""
    squares, directions = np.linalg.eigh(means)
    sizes = np.sqrt(np.maximum(squares[::-1], 0.0))
    rank = max(1, int((sizes > RANK_TOLERANCE * sizes[0]).sum()))
    directions = directions[:, ::-1][:, :rank].T
    force = directions @ drives.T / np.where(sizes[:rank] > 0, sizes[:rank], 1.0)[:, None]
    return UnitMoments(sizes[:rank, None] * directions, force, *averages)


def _boltzmann(x: Floats, magnitudes: Floats, J2: float, J4: float) -> Floats:
    """Get the equilibrium weights of the grid points at each bias, (points, biases)."""
    energy = ((J4 * x**2 + J2) * x)[:, None] * x[:, None] + x[:, None] * magnitudes
    weights = np.exp(-(energy - energy.min(axis=0)))
    return weights / weights.sum(axis=0)


def _grid(bias: float, J2: float, J4: float, dt: float) -> Floats:
    """Get a grid that holds the densities at biases 0 … ±bias, with room for one step's noise.

    Raises:
        TrainingError: From the grid's edge a step overshoots, or the grid would be too large.
    """
    width = float(np.sqrt(2 * dt))
    widest = 2 * np.sqrt(max(-J2, 0) / J4) + 2 * (DEPTH / J4) ** 0.25 + 2 * np.cbrt(bias / J4)
    x: Floats = np.linspace(0, float(widest), 40001)
    energy = ((J4 * x**2 + J2) * x - bias) * x
    last = int(np.flatnonzero(energy - energy.min() < DEPTH)[-1])
    reach = float(x[min(last + 1, len(x) - 1)]) + 8 * width
    stiffest = 2 * J2 + 4 * J4 * reach**2
    if dt * stiffest > 2:
        raise TrainingError(
            f"time step {dt:g} is too large for J2 = {J2:g}, J4 = {J4:g} and biases up to {bias:.4g}: a unit at "
            f"|x| = {reach:.3g} would overshoot; use at most {1 / stiffest:.2g}"
        )
    half = int(np.ceil(reach / (0.6 * width)))
    if 2 * half > MAX_GRID_POINTS:
        enough = 1.1 * dt * (2 * half / MAX_GRID_POINTS) ** 2
        raise TrainingError(
            f"time step {dt:g} is too small to tabulate expected statistics: they need a grid of {2 * half} points, "
            f"at most {MAX_GRID_POINTS} are accepted; use at least {enough:.2g}, or sampled statistics"
        )
    return np.linspace(-reach, reach, 2 * half, endpoint=False)
