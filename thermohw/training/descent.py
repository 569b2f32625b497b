# SPDX-License-Identifier: Apache-2.0
"""Training by gradient descent, the paper's way (Eqs. 8-11), and as the flow that many small steps tend to."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from thermohw.device import Progress, ThermodynamicDevice
from thermohw.plan import RunPlan
from thermohw.training.checkpoint import Checkpoint
from thermohw.training.config import TrainingConfig
from thermohw.training.likelihood import Solution
from thermohw.training.noising import NoisingProtocol
from thermohw.training.quadratic import PathQuadratic

Floats = NDArray[np.float64]
TRAJECTORIES_AT_ONCE = 24
"""Noising trajectories held in memory at a time."""
STABILITY_SHARE = 0.9
"""Step of the flow as a share of 2/(largest curvature), below which it is stable."""


def descend_trajectories(
    protocol: NoisingProtocol,
    biased: NDArray[np.int64],
    config: TrainingConfig,
    device: ThermodynamicDevice,
    checkpoint: Checkpoint,
    progress: Progress | None = None,
) -> Solution:
    """Run noising trajectories one image after another and update the parameters after each.

    J_ij += α Σ_k ∂ln P̃/∂J_ij and b_i likewise (Eqs. 8–9), with −∂ln P̃/∂J_ij = [ρ_i x'_j + ρ_j x'_i]/2,
    ρ = r + Δt (J x' + b) (Eqs. 10–11, k_BT = μ = 1). It stops after `config.trajectories`: early, at the descent
    time τ = α · trajectories · t_f / 2, which is where balance of signs and mixing of modes come from.

    Args:
        protocol: What to run.
        biased: (trainable,) units whose biases are trained.
        config: Learning rate, number of trajectories, seed.
        device: Where noising runs.
        checkpoint: Where to resume from and save to.
        progress: Called with (trajectories done, all).

    Returns:
        The parameters, in k_BT, and −ln P̃ per unit time of each trajectory relative to that of zero couplings.
    """
    pairs, images = len(protocol.topology.pairs), len(protocol.fields)
    state = checkpoint.load({"z": (pairs + len(biased),), "gains": (config.trajectories,), "done": ()})
    z = state.get("z", np.zeros(pairs + len(biased)))
    gains = state.get("gains", np.zeros(config.trajectories))
    done = int(state.get("done", np.zeros(())))
    rounds = max(1, TRAJECTORIES_AT_ONCE // images)
    while done < config.trajectories:
        last = min(done + rounds * images, config.trajectories)
        paths = _noising_paths(protocol, device, config.seed, done, last)
        for number in range(done, last):
            gradient, gains[number] = _trajectory_gradient(protocol, biased, z, paths(number))
            z = z - config.learning_rate * gradient
        done = last
        checkpoint.save({"z": z, "gains": gains, "done": np.array(done)}, done == config.trajectories)
        if progress is not None:
            progress(done, config.trajectories)
    times = config.learning_rate * protocol.duration / 2 * np.arange(1, config.trajectories + 1)
    return Solution(z, np.stack([times, gains], axis=1), float("nan"))


def descend_flow(quadratic: PathQuadratic, time: float) -> Solution:
    """Follow dz/dτ = −2 ∂f/∂z from zero to τ = `time`: the limit of small learning rates and many trajectories.

    Explicit steps of 0.9 of the stability limit 2/λ, λ the largest curvature, or shorter; run long enough they
    converge to `maximize_likelihood`.
    """
    hessian = LinearOperator((quadratic.size,) * 2, matvec=quadratic.hessian_product, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(quadratic.size)
    largest = float(eigsh(hessian, k=1, which="LA", v0=start, tol=1e-2, return_eigenvectors=False)[0])
    steps = max(1, int(np.ceil(time * largest / STABILITY_SHARE)))
    z = np.zeros(quadratic.size)
    curve = [(0.0, 0.0)]
    gradient = quadratic.linear
    for step in range(1, steps + 1):
        z = z - 2 * time / steps * gradient
        gradient = quadratic.gradient(z)
        curve.append((time * step / steps, 0.5 * float((gradient + quadratic.linear) @ z)))
    return Solution(z, np.array(curve), float(np.linalg.norm(gradient) / np.linalg.norm(quadratic.linear)))


def _noising_paths(
    protocol: NoisingProtocol, device: ThermodynamicDevice, seed: int, first: int, last: int
) -> Callable[[int], NDArray[np.float32]]:
    """Run trajectories number first … last − 1 (image = number mod images); returns number → path (steps + 1, units)."""
    images = len(protocol.fields)
    runs: dict[int, NDArray[np.float32]] = {}
    for image in range(min(images, last - first)):
        count = len(range(first + image, last, images))
        which = (first + image) % images
        plan = RunPlan(1.0, count, keep="trajectory", seed=seed, first_chain=which * 2**24 + first // images)
        trajectory = protocol.run(device, which, plan).trajectory
        assert trajectory is not None  # asked for
        runs[which] = trajectory
    return lambda number: runs[number % images][(number - first) // images]


def _trajectory_gradient(
    protocol: NoisingProtocol, biased: NDArray[np.int64], z: Floats, path: NDArray[np.float32]
) -> tuple[Floats, float]:
    """Get −∂ln P̃/∂z of one path (steps + 1, units), and −ln P̃ per unit time relative to that at z = 0."""
    i, j = protocol.topology.pairs.T
    couplings = np.zeros((path.shape[1],) * 2, np.float32)
    couplings[i, j] = z[: len(i)]
    couplings[j, i] = z[: len(i)]
    biases = np.zeros(path.shape[1], np.float32)
    biases[biased] = z[len(i) :]
    dt, after = np.float32(protocol.dt), path[1:]
    free = path[:-1] - after + dt * ((4 * protocol.J4 * after**2 + 2 * protocol.J2) * after).astype(np.float32)
    residual = free + dt * (after @ couplings + biases)
    products = residual.T @ after
    gradient = np.concatenate([products[i, j] + products[j, i], residual[:, biased].sum(axis=0)]) / 2
    change = np.sum(residual**2, dtype=np.float64) - np.sum(free**2, dtype=np.float64)
    return gradient.astype(np.float64), float(change / (4 * protocol.dt * protocol.duration))
