# SPDX-License-Identifier: Apache-2.0
"""Coloured noise: its own correlation, and what it makes of linear units, against exact covariances."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import solve_discrete_lyapunov

from thermohw import Program, Topology
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics, Memory, NoiseKey
from thermohw.langevin.overdamped import OverdampedEngine
from thermohw.langevin.splitting import Splitting
from thermohw.langevin.underdamped import UnderdampedEngine
from thermohw.testing import assert_mean

Floats = NDArray[np.float64]
KEY = NoiseKey(11)
DT, CHAINS, kT, MOBILITY = 0.02, 4000, 0.8, 0.5
RATE = 1.0
"""Rate at which each unit relaxes."""
TIMES = np.array([0.01, 0.1, 1.0, 3.0, 10.0]) / RATE


def units(mass: float = 0.0) -> AsBuilt:
    """Linear units that do not see each other, one for each correlation time."""
    topology = Topology.from_pairs(len(TIMES), 0, [])
    built = AsBuilt.from_program(Program.uncoupled(topology, RATE / (2 * MOBILITY), 0.0), MOBILITY, kT)
    return replace(built, noise_time=TIMES, mass=np.array(mass))


def relaxed(dynamics: Dynamics, time: float) -> tuple[Floats, Floats, Memory]:
    """States, velocities and memory after a time from rest at 0."""
    states, memory = np.zeros((CHAINS, len(TIMES))), Memory.of(dynamics, KEY, CHAINS)
    velocities, nothing = np.zeros_like(states), np.empty((0, *states.shape))
    kind = UnderdampedEngine if dynamics.as_built.inertial else OverdampedEngine
    kind(dynamics).advance(states, KEY, round(time / DT), np.zeros(CHAINS), nothing, velocities, memory)
    return states, velocities, memory


def overdamped_covariance(kept: float) -> Floats:
    """⟨(x, y)(x, y)ᵀ⟩ of x' = (1 − r Δt) x + s y', y' = kept y + (1 − kept) η."""
    size = np.sqrt(2 * MOBILITY * kT * DT)
    forward = np.array([[1 - RATE * DT, size * kept], [0.0, kept]])
    fresh = (1 - kept) * np.array([size, 1.0])
    return np.asarray(solve_discrete_lyapunov(forward, np.outer(fresh, fresh)), np.float64)


def inertial_covariance(kept: float, built: AsBuilt) -> Floats:
    """⟨(x, v, y)(x, v, y)ᵀ⟩ of BAOAB whose O takes y'."""
    split = Splitting.of(built, DT)
    half, loss, size = (float(values[0]) for values in (0.5 * split.length, split.loss, split.amplitude))
    kick, drift, bath = np.eye(3), np.eye(3), np.diag([1.0, 1 - loss, kept])
    kick[1, 0] = -half / float(built.mass[0]) * 2 * float(built.J2[0])
    drift[0, 1] = half
    bath[1, 2] = kept * size / (2 * half)
    fresh = kick @ drift @ ((1 - kept) * np.array([0.0, size / (2 * half), 1.0]))
    return np.asarray(solve_discrete_lyapunov(kick @ drift @ bath @ drift @ kick, np.outer(fresh, fresh)), np.float64)


@pytest.fixture(scope="module")
def light() -> tuple[Floats, Floats, Memory]:
    return relaxed(Dynamics(units(), DT, dtype=np.float64), 40.0)


def test_linear_units_have_the_exact_covariance(light: tuple[Floats, Floats, Memory]) -> None:
    states, _, memory = light
    exact = np.array([overdamped_covariance(kept) for kept in np.exp(-DT / TIMES)])
    assert_mean(states**2, exact[:, 0, 0], 4)
    assert_mean(states * memory.noise, exact[:, 0, 1], 4)
    continuous = kT / (RATE / MOBILITY) / (1 + RATE * TIMES)
    np.testing.assert_allclose(exact[:, 0, 0], continuous, rtol=RATE * DT)


def test_the_variance_of_white_noise_is_refuted(light: tuple[Floats, Floats, Memory]) -> None:
    white = kT / (RATE / MOBILITY) / (1 - RATE * DT / 2)
    for unit in np.flatnonzero(TIMES >= 1 / RATE):
        with pytest.raises(AssertionError):
            assert_mean(light[0][:, unit] ** 2, white)


def test_units_with_inertia_have_the_exact_covariance() -> None:
    built = units(mass=0.7)
    states, velocities, memory = relaxed(Dynamics(built, DT, dtype=np.float64), 40.0)
    exact = np.array([inertial_covariance(kept, built) for kept in np.exp(-DT / TIMES)])
    assert_mean(states**2, exact[:, 0, 0], 4)
    assert_mean(velocities**2, exact[:, 1, 1], 4)
    assert_mean(states * memory.noise, exact[:, 0, 2], 4)
    with pytest.raises(AssertionError):
        assert_mean(velocities**2, kT / 0.7)


def test_the_noise_is_stationary_from_the_first_step_and_forgets_exponentially() -> None:
    dynamics = Dynamics(units(), DT, dtype=np.float64)
    engine, memory = OverdampedEngine(dynamics), Memory.of(dynamics, KEY, CHAINS)
    states, nothing = np.zeros((CHAINS, len(TIMES))), np.empty((0, CHAINS, len(TIMES)))
    kept, start, done = np.exp(-DT / TIMES), memory.noise.copy(), 0
    variance = (1 - kept) / (1 + kept)
    np.testing.assert_allclose(variance[2:], DT / (2 * TIMES[2:]), rtol=1e-4)  # of the process itself
    for lag in (0, 1, 5, 50, 200):
        key = replace(KEY, first_step=done)
        engine.advance(states, key, lag - done, np.zeros(CHAINS), nothing, None, memory)
        done = lag
        assert_mean(memory.noise**2, variance, 4)
        assert_mean(memory.noise * start, variance * kept**lag, 4)
    with pytest.raises(AssertionError):
        assert_mean(memory.noise * start, 0)  # after 200 steps, 4 time units


def test_noise_that_starts_in_the_course_of_a_run_is_stationary_too() -> None:
    late = Memory.of(Dynamics(units(), DT, dtype=np.float64), replace(KEY, first_step=77), CHAINS)
    early = Memory.of(Dynamics(units(), DT, dtype=np.float64), KEY, CHAINS)
    kept = np.exp(-DT / TIMES)
    assert_mean(late.noise**2, (1 - kept) / (1 + kept), 4)
    assert_mean(late.noise * early.noise, 0, 4)
