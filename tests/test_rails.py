# SPDX-License-Identifier: Apache-2.0
"""Rails: initial states and the dynamics, with and without inertia, have the Boltzmann density cut off at the walls."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from thermohw import Program, Topology
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics, NoiseKey
from thermohw.langevin.equilibrium import UncoupledEquilibrium, maxwell_velocities
from thermohw.langevin.overdamped import OverdampedEngine
from thermohw.langevin.reference import reflected
from thermohw.langevin.underdamped import UnderdampedEngine
from thermohw.testing import assert_mean

Floats = NDArray[np.float64]
KEY = NoiseKey(2**33 + 5, 11)
KT = 0.7
J2 = np.array([0.5, -1.5, 1.0, 0.2, 2.0])
J4 = np.array([0.0, 1.5, 1.0, 0.0, 5.0])
BIAS = np.array([0.0, 0.3, -3.0, 1.5, 0.0])
RAIL = np.array([0.8, 0.9, 0.7, 1.5, np.inf])


def units(mass: float = 0.0, rail: Floats = RAIL) -> AsBuilt:
    program = Program(Topology.from_pairs(5, 0, []), J2, J4, BIAS, np.zeros(0))
    return replace(AsBuilt.from_program(program, mobility=1.3, kT=KT), rail=rail, mass=np.array(mass))


def figures(x: Floats) -> Floats:
    """Get what is compared: x, x², and how often a unit is in the outer tenth on either side, (…, 15)."""
    return np.concatenate([x, x**2, (np.abs(x) > 0.9 * np.minimum(RAIL, 0.5)).astype(np.float64)], axis=-1)


def law(rail: Floats = RAIL) -> Floats:
    """Get their means under the truncated Boltzmann density, by quadrature."""
    edge = np.minimum(rail, 6.0)
    x = np.linspace(-1, 1, 400_001)[:, None] * edge
    weight = np.exp(-(J2 * x**2 + J4 * x**4 + BIAS * x) / KT)
    return np.asarray(
        (weight.repeat(3, axis=0).reshape(len(x), 3, 5) * figures(x).reshape(len(x), 3, 5)).sum(axis=0)
        / weight.sum(axis=0)
    ).ravel()


def test_initial_states_are_those_of_the_truncated_density() -> None:
    computer = units()
    states = UncoupledEquilibrium.of(computer).sample(KEY, 100_000, np.float64)
    assert (np.abs(states) <= RAIL).all()
    assert_mean(figures(states), law(), sigmas=4)
    with pytest.raises(AssertionError):
        assert_mean(figures(states), law(1.03 * RAIL), sigmas=4)
    single = UncoupledEquilibrium.of(computer).sample(KEY, 1000, np.float32)
    assert (np.abs(single) <= RAIL.astype(np.float32)).all()


def test_a_cold_unit_rests_at_the_wall_that_holds_it_back() -> None:
    cold = replace(units(), kT=np.array(0.0))
    rest = UncoupledEquilibrium.of(cold).sample(KEY, 1, np.float64)[0]
    assert rest == pytest.approx([0.0, np.roots([6, 0, -3, 0.3]).min(), RAIL[2], -RAIL[3], 0.0], abs=1e-9)
    beside = replace(cold, cosine=np.full(5, 0.5), wavenumber=np.full(5, 4.0), J2=np.abs(J2))
    assert (np.abs(UncoupledEquilibrium.of(beside).sample(KEY, 1, np.float64)) <= RAIL).all()


@pytest.mark.parametrize("rail", [0.3, 2.0, 1e4])
@pytest.mark.parametrize("bias", [-40.0, 0.0, 2e4])
def test_the_density_is_resolved_however_far_the_well_lies(bias: float, rail: float) -> None:
    """One unit in a parabola: mean and variance of the truncated normal density, wherever its middle lies."""
    one = AsBuilt(1, np.array([0.5]), np.zeros(1), np.array([bias]), np.zeros((1, 1)), np.ones(1), np.ones(1))
    states = UncoupledEquilibrium.of(replace(one, rail=np.array(rail))).sample(KEY, 20_000, np.float64)[:, 0]
    peak = float(np.clip(-bias, -rail, rail))
    width = min(1.0, 1 / max(abs(peak + bias), 1e-9))
    x = np.unique(np.clip(peak + 40 * width * np.linspace(-1, 1, 200_001), -rail, rail))
    weight = np.exp(-((x + bias) ** 2 - (peak + bias) ** 2) / 2)
    mean = (weight * (x - peak)).sum() / weight.sum()
    assert_mean(states - peak, mean, sigmas=4)
    assert_mean((states - peak) ** 2, (weight * (x - peak) ** 2).sum() / weight.sum(), sigmas=4)


def clamped(dynamics: Dynamics, states: Floats, steps: int) -> Floats:
    """Advance with a wall that only stops what would pass it."""
    computer, generator = dynamics.as_built, np.random.default_rng(1)
    amplitude = np.sqrt(2 * computer.mobility * computer.kT * dynamics.dt)
    for _ in range(steps):
        move = computer.mobility * dynamics.dt * computer.force(states)
        states = np.clip(states + move + amplitude * generator.normal(size=states.shape), -RAIL, RAIL)
    return states


def test_reflected_steps_keep_and_reach_the_truncated_density() -> None:
    """From an equilibrium of other rails; the step is one at which a clamp is far off."""
    chains, dt, steps = 10_000, 1e-3, 2500
    dynamics = Dynamics(units(), dt, dtype=np.float64)
    states = UncoupledEquilibrium.of(units(rail=0.6 * RAIL)).sample(KEY, chains, np.float64)
    with pytest.raises(AssertionError):
        assert_mean(figures(states), law(), sigmas=4)
    start = states.copy()
    OverdampedEngine(dynamics).advance(states, KEY, steps, np.zeros(chains), np.empty((0, chains, 5)))
    assert (np.abs(states) <= RAIL).all()
    assert_mean(figures(states), law(), sigmas=4)
    for wrong in (law(0.95 * RAIL), law(1.05 * RAIL)):
        with pytest.raises(AssertionError):
            assert_mean(figures(states), wrong, sigmas=4)
    with pytest.raises(AssertionError):  # the control: it piles up at the wall
        assert_mean(figures(clamped(dynamics, start, 1000)), law(), sigmas=4)


@pytest.mark.parametrize("mass", [0.02, 0.5])
def test_with_inertia_units_bounce(mass: float) -> None:
    chains, computer = 10_000, units(mass)
    states = UncoupledEquilibrium.of(units(rail=0.6 * RAIL)).sample(KEY, chains, np.float64)
    velocities = np.sqrt(0.5) * maxwell_velocities(computer, KEY, chains, np.float64)
    steps = round(10 * max(0.35, mass) / 0.01)
    engine = UnderdampedEngine(Dynamics(computer, 0.01, dtype=np.float64))
    engine.advance(states, KEY, steps, np.zeros(chains), np.empty((0, chains, 5)), velocities)
    assert (np.abs(states) <= RAIL).all()
    assert_mean(figures(states), law(), sigmas=4)
    assert_mean(mass * velocities**2, KT, sigmas=4)
    with pytest.raises(AssertionError):
        assert_mean(figures(states), law(1.05 * RAIL), sigmas=4)


def test_a_frictionless_bounce_keeps_the_energy() -> None:
    """A unit in a box that nothing pulls goes to and fro at its speed: a triangle wave."""
    none, one = np.zeros(1), np.ones(1)
    box = AsBuilt(1, none, none, none, np.zeros((1, 1)), np.full(1, 1e6), none, mass=one, rail=one)
    states, velocities, record = np.zeros((1, 1)), np.full((1, 1), 0.37), np.empty((200, 1, 1))
    UnderdampedEngine(Dynamics(box, 0.1, dtype=np.float64)).advance(states, KEY, 200, np.zeros(1), record, velocities)
    way = 0.037 * np.arange(1, 201)
    wave = np.abs((way + 3) % 4 - 2) - 1
    np.testing.assert_allclose(record[:, 0, 0], wave, atol=1e-3)
    assert abs(float(velocities[0, 0])) == pytest.approx(0.37, rel=1e-4)


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e3))
def test_reflection_ends_within_the_rails_and_touches_nothing_inside(state: float, rail: float) -> None:
    x, v = (float(values[0]) for values in reflected(np.array([state]), np.array([1.5]), np.array([rail])))
    assert abs(x) <= rail
    assert (x, v) == (state, 1.5) if abs(state) <= rail else v == -1.5
    if rail < abs(state) < 3 * rail:
        assert abs(state) - rail == pytest.approx(rail - np.copysign(1, state) * x, rel=1e-9, abs=1e-12 * rail)
