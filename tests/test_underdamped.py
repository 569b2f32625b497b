# SPDX-License-Identifier: Apache-2.0
"""The underdamped engine: path by path, its exact limits, damped oscillation, and thermal equilibrium."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from computers import COMPUTERS, INERTIAL, Precision, inertial, starts
from numpy.typing import NDArray

from thermohw import BiasSchedule, Program, Topology
from thermohw.errors import DivergenceError, PlanError, ProgramError
from thermohw.heat import HeatMeter
from thermohw.langevin import overdamped
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics, Engine, NoiseKey
from thermohw.langevin.ensemble import Ensemble, run_ensemble
from thermohw.langevin.equilibrium import UncoupledEquilibrium, maxwell_velocities
from thermohw.langevin.overdamped import OverdampedEngine
from thermohw.langevin.reference import ReferenceEngine
from thermohw.langevin.splitting import Splitting
from thermohw.langevin.stability import largest_stable_step
from thermohw.langevin.underdamped import UnderdampedEngine
from thermohw.testing import Boltzmann, assert_mean

KEY = NoiseKey(2**35 + 17, 5)


@pytest.fixture(params=["dense", "sparse"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the engine treat the couplings of every computer in one of its ways."""
    monkeypatch.setattr(overdamped, "SMALL_UNITS", 0)
    monkeypatch.setattr(overdamped, "SPARSE_FILL", -1.0 if request.param == "dense" else 1.0)
    return request.param


def follow(
    engine: Engine, computer: AsBuilt, dtype: Precision, steps: int, chains: int = 10, records: int = 0
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64], NDArray[Any]]:
    """Advance the usual states with thermal velocities; returns states, velocities, work and records."""
    states = starts(computer, chains, dtype)
    velocities = maxwell_velocities(computer, KEY, chains, np.float64).astype(dtype)
    work, record = np.zeros(chains), np.zeros((records, *states.shape), dtype)
    engine.advance(states, KEY, steps, work, record, velocities)
    return states, velocities, work, record


def ramp(units: int) -> BiasSchedule:
    return BiasSchedule(np.array([0.013, 0.131, 0.3777]), np.random.default_rng(4).normal(size=(3, units)))


@pytest.mark.parametrize("ramped", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", INERTIAL)
@pytest.mark.usefixtures("kernel")
def test_paths_follow_the_reference(name: str, dtype: Precision, ramped: bool) -> None:
    computer = INERTIAL[name]()
    dynamics = Dynamics(computer, 0.01, ramp(computer.units) if ramped else None, dtype=np.float64)
    expected = follow(ReferenceEngine(dynamics), computer, np.float64, 60, records=4)
    found = follow(UnderdampedEngine(replace(dynamics, dtype=dtype)), computer, dtype, 60, records=4)
    tolerance = 1e-11 if dtype is np.float64 else 1e-4
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * np.abs(other).max(initial=1))
    assert found[2].any() == ramped


@pytest.mark.parametrize("chains", [1, 2, 7, 8, 9, 130])
@pytest.mark.usefixtures("kernel")
def test_any_number_of_chains_follows_the_reference(chains: int) -> None:
    computer = INERTIAL["layered"]()
    dynamics = Dynamics(computer, 0.01, dtype=np.float64)
    expected = follow(ReferenceEngine(dynamics), computer, np.float64, 40, chains)[0]
    found = follow(UnderdampedEngine(dynamics), computer, np.float64, 40, chains)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.usefixtures("kernel")
def test_a_run_in_pieces_is_the_whole_run() -> None:
    computer = INERTIAL["layered"]()
    engine = UnderdampedEngine(Dynamics(computer, 0.01, ramp(computer.units), dtype=np.float64))
    whole = follow(engine, computer, np.float64, 50)
    states = starts(computer, 10)
    velocities, work = maxwell_velocities(computer, KEY, 10, np.float64), np.zeros(10)
    for first, steps in ((0, 5), (5, 1), (6, 44)):
        engine.advance(states, replace(KEY, first_step=first), steps, work, np.empty((0, *states.shape)), velocities)
    for one, other in zip((states, velocities, work), whole[:3], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ["full", "cosine", "grid"])
def test_without_inertia_the_step_is_that_of_leimkuhler_and_matthews(name: str) -> None:
    computer = COMPUTERS[name]()
    limit = Dynamics(computer, 0.01, integrator="leimkuhler-matthews", dtype=np.float64)
    states, nothing = starts(computer, 10), np.empty((0, 10, computer.units))
    OverdampedEngine(limit).advance(states, KEY, 100, np.zeros(10), nothing)

    def distance(mass: float) -> float:
        light = replace(computer, mass=np.array(mass))
        found, half_kick = starts(computer, 10), 0.5 * Splitting.of(light, 0.01).length / mass
        # the full kick of the limit's first step: a run begins with half of it
        velocities = maxwell_velocities(light, KEY, 10, np.float64) + half_kick * light.force(found)
        engine = UnderdampedEngine(replace(limit, as_built=light))
        engine.advance(found, KEY, 100, np.zeros(10), nothing, velocities)
        return float(np.abs(found - states).max())

    assert distance(1e-6) < 1e-9  # Δt/2μm = 7000: the bath renews the velocity at every step
    assert distance(3e-2) > 1e-3  # the control: inertia that matters is seen


def oscillator(mass: float, kT: float = 0.0, J2: float = 5.0) -> AsBuilt:
    return replace(AsBuilt.from_program(Program.uncoupled(Topology.complete(1), J2, 0.0), kT=kT), mass=np.array(mass))


@pytest.mark.parametrize("mass", [0.01, 0.1, 1.0, 200.0])
def test_a_unit_without_noise_is_a_damped_oscillator(mass: float) -> None:
    """From rest, m x'' = −2 J2 x − x'/μ: over- and underdamped, to 1e-3 of the start."""
    unit = oscillator(mass)
    rate, square = 1 / (2 * mass), 10 / mass
    frequency = np.sqrt(complex(square - rate**2))
    span = 3 * max(0.1, min(2 * mass, 30 / np.sqrt(square)))
    steps = int(np.ceil(span / (0.01 * largest_stable_step(unit))))
    for engine in (UnderdampedEngine, ReferenceEngine):
        states, record = np.ones((1, 1)), np.empty((steps // 10, 1, 1))
        dynamics = Dynamics(unit, span / steps, dtype=np.float64)
        engine(dynamics).advance(states, KEY, steps // 10 * 10, np.zeros(1), record, np.zeros((1, 1)))
        time = 10 * span / steps * np.arange(1, steps // 10 + 1)
        law = np.exp(-rate * time) * (np.cos(frequency * time) + rate * np.sin(frequency * time) / frequency)
        np.testing.assert_allclose(record[:, 0, 0], law.real, rtol=0, atol=1e-3)


@pytest.mark.parametrize("mass", [0.05, 1.0, 50.0])
def test_positions_and_velocities_are_thermal(mass: float) -> None:
    """Equilibrium is reached from a cold start, and kept: equipartition of both, and the marginal of x."""
    program = Program.uncoupled(Topology.complete(1), 1.0, 1.0)
    unit = replace(AsBuilt.from_program(program), mass=np.array(mass))
    dt = 0.1 * largest_stable_step(unit)
    steps = int(np.ceil(12 * max(mass, 1.0) / dt))
    chains = 8000
    states, velocities = np.zeros((chains, 1)), np.zeros((chains, 1))
    engine = UnderdampedEngine(Dynamics(unit, dt, dtype=np.float64))
    engine.advance(states, KEY, steps, np.zeros(chains), np.empty((0, chains, 1)), velocities)
    assert_mean(mass * velocities**2, 1.0, sigmas=4)
    truth = Boltzmann.of(program)
    powers = np.array([1, 2, 4])
    assert_mean(states**powers, truth.mean(lambda x: x**powers), sigmas=4)
    with pytest.raises(AssertionError):
        assert_mean(mass * velocities**2, 1.15, sigmas=4)
    hotter = Boltzmann.of(program, 1.3)
    with pytest.raises(AssertionError):
        assert_mean(states**powers, hotter.mean(lambda x: x**powers), sigmas=4)


def test_positions_of_an_oscillator_have_no_error_of_the_step() -> None:
    """BAOAB samples the positions of a harmonic oscillator exactly, even near the limit of stability."""
    unit = oscillator(1.0, kT=1.0)
    dynamics = Dynamics(unit, 0.5 * largest_stable_step(unit), dtype=np.float64)
    states, velocities = np.zeros((20_000, 1)), np.zeros((20_000, 1))
    UnderdampedEngine(dynamics).advance(states, KEY, 200, np.zeros(20_000), np.empty((0, 20_000, 1)), velocities)
    assert_mean(states**2, 1 / 10, sigmas=4)


@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
def test_free_diffusion_is_exact_at_any_step(ratio: float) -> None:
    """⟨x²⟩ of a nearly free unit grows as 2 μ kT [t − μm (1 − e^{−t/μm})], whatever Δt/μm."""
    unit = oscillator(0.5, kT=1.0, J2=1e-9)
    dt, steps = 0.5 * ratio, 40
    states = np.zeros((20_000, 1))
    velocities = maxwell_velocities(unit, KEY, 20_000, np.float64)
    engine = UnderdampedEngine(Dynamics(unit, dt, dtype=np.float64))
    engine.advance(states, KEY, steps, np.zeros(20_000), np.empty((0, 20_000, 1)), velocities)
    time = steps * dt
    assert_mean(states**2, 2 * (time - 0.5 * (1 - np.exp(-time / 0.5))), sigmas=4)


def test_the_first_law_counts_kinetic_energy() -> None:
    """A weight released without friction to speak of gives no heat; its potential energy has become kinetic."""
    unit = oscillator(1e5)
    dynamics = Dynamics(unit, 0.05, dtype=np.float64)
    quarter = round(0.5 * np.pi * np.sqrt(1e5 / 10) / 0.05)
    ensemble = Ensemble(UnderdampedEngine(dynamics), dynamics, np.ones((1, 1)), 1, quarter, 1)
    block = next(iter(run_ensemble(ensemble)))
    assert unit.energy(np.ones((1, 1)))[0] == 5.0
    assert abs(unit.energy(np.asarray(block.states, np.float64))[0]) < 1e-3
    assert block.energy_drop[0] == pytest.approx(0.0, abs=0.02)
    assert unit.kinetic_energy(block.velocities)[0] == pytest.approx(5.0, abs=0.02)


@pytest.mark.parametrize("mass", [0.01, 0.3, 30.0])
def test_the_stable_step_is_stable_and_nearly_sharp(mass: float) -> None:
    unit = oscillator(mass, kT=0.1)
    stable = largest_stable_step(unit)
    for factor in (0.98, 1.7):
        dynamics = Dynamics(unit, factor * stable, dtype=np.float64)
        states, velocities = np.ones((5, 1)), np.zeros((5, 1))
        arguments = (KEY, 1500, np.zeros(5), np.empty((0, 5, 1)), velocities)
        if factor < 1:
            UnderdampedEngine(dynamics).advance(states, *arguments)
            assert np.abs(states).max() < 20
        else:
            with pytest.raises(DivergenceError, match="diverged"):
                UnderdampedEngine(dynamics).advance(states, *arguments)


@pytest.mark.parametrize("ratio", [1e-8, 1e-5, 0.1, 50.0])
def test_friction_and_noise_balance_in_single_precision(ratio: float) -> None:
    """The bath's step keeps the Maxwell density: amplitude² = (2 loss − loss²) h² kT/m, however small Δt/μm."""
    unit = oscillator(1e4, kT=1.0, J2=1e-3)
    engine = UnderdampedEngine(Dynamics(unit, ratio * 1e4))
    split = Splitting.of(unit, ratio * 1e4)
    loss, amplitude = (float(np.float32(values[0])) for values in (split.loss, split.amplitude))
    assert amplitude**2 == pytest.approx((2 * loss - loss**2) * float(split.length[0]) ** 2 / 1e4, rel=1e-6)
    rounded = float(np.float32(np.exp(-ratio)))
    if ratio < 1e-4:  # the control: the complement, rounded, does not
        assert abs((1 - rounded**2) / (2 * loss - loss**2) - 1) > 1e-3
    assert engine.dynamics.dtype is np.float32


def test_what_makes_no_sense_is_refused() -> None:
    unit = oscillator(1.0, kT=1.0)
    engine = UnderdampedEngine(Dynamics(unit, 0.01, dtype=np.float64))
    with pytest.raises(ProgramError, match="velocities"):
        engine.advance(np.zeros((1, 1)), KEY, 1, np.zeros(1), np.empty((0, 1, 1)))
    with pytest.raises(ProgramError, match="masses"):
        replace(COMPUTERS["full"](), mass=np.arange(53) * 1.0)
    dynamics = Dynamics(unit, 0.01)
    ensemble = Ensemble(UnderdampedEngine(dynamics), dynamics, UncoupledEquilibrium.of(unit), 4, 10, 1)
    with pytest.raises(PlanError, match="inertia"):
        list(run_ensemble(ensemble, [HeatMeter()]))


def test_inertia_changes_the_paths() -> None:
    light, heavy = (inertial(COMPUTERS["full"](), mass) for mass in (1e-5, 1.0))
    one, other = (
        follow(UnderdampedEngine(Dynamics(c, 0.01, dtype=np.float64)), c, np.float64, 40)[0] for c in (light, heavy)
    )
    assert np.abs(one - other).max() > 0.1
