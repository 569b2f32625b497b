# SPDX-License-Identifier: Apache-2.0
"""Training by gradient descent over noising trajectories, the paper's way (Eqs. 8-11)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from thermohw.device import Progress, ThermodynamicDevice
from thermohw.errors import TrainingError
from thermohw.plan import RunPlan
from thermohw.training.checkpoint import Checkpoint
from thermohw.training.config import TrainingConfig
from thermohw.training.likelihood import Solution
from thermohw.training.noising import NoisingProtocol
from thermohw.training.unit_law import UnitLaw

Floats = NDArray[np.float64]
TRAJECTORIES_AT_ONCE = 24
"""Noising trajectories held in memory at a time, …"""
BYTES_AT_ONCE = 2**29
"""… if they do not exceed this."""
_Onsite = tuple[float, float, float] | tuple[Floats, Floats, Floats]
"""J2, J4 and the own bias of units, k_BT."""
DIVERGED = 1e6
"""Parameters beyond this, k_BT, are those of a descent that diverged."""


def descend_trajectories(
    protocol: NoisingProtocol,
    biased: NDArray[np.int64],
    config: TrainingConfig,
    device: ThermodynamicDevice,
    checkpoint: Checkpoint,
    law: UnitLaw | None = None,
    progress: Progress | None = None,
) -> Solution:
    """Run noising trajectories one image after another and update the parameters after each.

    J_ij += α Σ_k ∂ln P̃/∂J_ij and b_i likewise (Eqs. 8–9), with −∂ln P̃/∂J_ij = [ρ_i x'_j + ρ_j x'_i]/2,
    ρ = r + Δt (J x' + b) (Eqs. 10–11, k_BT = μ = 1); a ridge adds ridge · t_f J_ij/2. It stops after
    `config.trajectories`: early, at the descent time τ = α · trajectories · t_f / 2, which is where balance of signs
    and mixing of modes come from.

    Args:
        protocol: What to run.
        biased: (trainable,) units whose biases are trained.
        config: Learning rate, number of trajectories, ridge, seed.
        device: Where noising runs.
        checkpoint: Where to resume from and save to.
        law: On-site law measured on the device; None for the one asked for.
        progress: Called with (trajectories done, all).

    Returns:
        The parameters, in k_BT, and −ln P̃ per unit time of each trajectory relative to that of zero couplings.

    Raises:
        TrainingError: The descent diverged, or the checkpoint belongs to another training.
    """
    pairs = len(protocol.topology.pairs)
    decay = np.zeros(pairs + len(biased))
    decay[:pairs] = config.ridge * protocol.duration / 2
    state = checkpoint.load({"z": (pairs + len(biased),), "gains": (config.trajectories,), "done": ()})
    z = state.get("z", np.zeros(pairs + len(biased)))
    gains = state.get("gains", np.zeros(config.trajectories))
    done = int(state.get("done", np.zeros(())))
    at_once = _trajectories_at_once(protocol)
    onsite: _Onsite = (protocol.J2, protocol.J4, 0.0)
    if law is not None:
        onsite = (law.J2 / device.spec.kT, law.J4 / device.spec.kT, law.offset / device.spec.kT)
    while done < config.trajectories:
        last = min(done + at_once, config.trajectories)
        paths = _noising_paths(protocol, device, config.seed, done, last)
        for number in range(done, last):
            gradient, gains[number] = _trajectory_gradient(protocol, biased, z, paths(number), onsite)
            z = z - config.learning_rate * (gradient + decay * z)
            if not np.abs(z).max(initial=0.0) < DIVERGED:
                raise TrainingError(
                    f"the descent diverged at trajectory {number + 1}: learning_rate {config.learning_rate:g} is too "
                    "large for this protocol; use less, and more trajectories in proportion"
                )
        done = last
        checkpoint.save({"z": z, "gains": gains, "done": np.array(done)}, done == config.trajectories)
        if progress is not None:
            progress(done, config.trajectories)
    times = config.descent_time * np.arange(1, config.trajectories + 1) / config.trajectories
    curve: Floats = np.stack([times, gains], axis=1)
    return Solution(z, curve, float("nan"))


def _trajectories_at_once(protocol: NoisingProtocol) -> int:
    """Get how many trajectories to run before the parameters see them: whole rounds of the images, if those fit."""
    images, units = protocol.fields.shape
    at_once = max(1, min(TRAJECTORIES_AT_ONCE, BYTES_AT_ONCE // (4 * units * (protocol.steps + 1))))
    return max(at_once // images * images, min(at_once, images))


def _noising_paths(
    protocol: NoisingProtocol, device: ThermodynamicDevice, seed: int, first: int, last: int
) -> Callable[[int], NDArray[np.float32]]:
    """Run trajectories first … last − 1, each of image number mod images; returns number → path (steps + 1, units)."""
    images = len(protocol.fields)
    runs: dict[int, NDArray[np.float32]] = {}
    for start in range(first, min(first + images, last)):
        image, count = start % images, len(range(start, last, images))
        chain = protocol.chain(image, start // images)
        plan = RunPlan(1.0, count, keep="trajectory", seed=seed, first_chain=chain)
        trajectory = protocol.run(device, image, plan).trajectory
        assert trajectory is not None  # asked for
        for row in range(count):
            runs[start + row * images] = trajectory[row]
    return runs.__getitem__


def _trajectory_gradient(
    protocol: NoisingProtocol, biased: NDArray[np.int64], z: Floats, path: NDArray[np.float32], onsite: _Onsite
) -> tuple[Floats, float]:
    """Get −∂ln P̃/∂z of one path (steps + 1, units), and −ln P̃ per unit time relative to that at z = 0."""
    J2, J4, offset = onsite
    i, j = protocol.topology.pairs.T
    couplings = np.zeros((path.shape[1],) * 2, np.float32)
    couplings[i, j] = z[: len(i)]
    couplings[j, i] = z[: len(i)]
    biases = np.zeros(path.shape[1], np.float32)
    biases[biased] = z[len(i) :]
    dt, after = np.float32(protocol.dt), path[1:]
    free = path[:-1] - after + dt * ((4 * J4 * after**2 + 2 * J2) * after + offset).astype(np.float32)
    residual = free + dt * (after @ couplings + biases)
    products = residual.T @ after
    gradient = np.concatenate([products[i, j] + products[j, i], residual[:, biased].sum(axis=0)]) / 2
    change = np.sum(residual**2, dtype=np.float64) - np.sum(free**2, dtype=np.float64)
    return gradient.astype(np.float64), float(change / (4 * protocol.dt * protocol.duration))
