# SPDX-License-Identifier: Apache-2.0
"""Heat and entropy without detailed balance: against exact rates of linear computers, first law, and `HeatMeter`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from computers import COMPUTERS, INERTIAL, random_program, starts
from numpy.typing import NDArray
from scipy.linalg import solve_continuous_lyapunov

from thermohw import BiasSchedule, RunPlan, Samples, SimulatedDevice, Topology
from thermohw.errors import ProgramError
from thermohw.heat import EntropySplit, HeatMeter, entropy_split, steady_heat_rates
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics, Integrator, Memory, NoiseKey
from thermohw.langevin.ensemble import Block, Ensemble, run_ensemble
from thermohw.langevin.flicker import Flicker
from thermohw.langevin.linear import LinearEngine, linear_steady_state
from thermohw.langevin.overdamped import OverdampedEngine
from thermohw.langevin.underdamped import UnderdampedEngine
from thermohw.testing import assert_mean

Floats = NDArray[np.float64]
CHAINS = 4000
STIFFNESS = 2.0


def pair(felt: Floats, kT: list[float], mobility: float | list[float] = 1.0, mass: float = 0.0) -> AsBuilt:
    """Two linear units; felt[i, j] is the coupling that unit i feels from unit j."""
    bias = np.array([0.4, -1.0])
    mobilities = np.array(mobility)
    return AsBuilt(2, np.full(2, STIFFNESS / 2), np.zeros(2), bias, felt, mobilities, np.array(kT), mass=np.array(mass))


RECIPROCAL, TURNING = np.array([[0.0, 1.2], [1.2, 0.0]]), np.array([[0.0, 1.0], [-1.5, 0.0]])
PAIRS = {
    "two temperatures": pair(RECIPROCAL, [0.5, 2.0], [1.0, 0.6]),
    "not reciprocal": pair(TURNING, [0.8, 0.8], 0.7),
    "both": pair(TURNING, [0.5, 1.5], [0.5, 1.0]),
}


def steady(built: AsBuilt) -> Floats:
    """Draw states (chains, 2) of the steady state."""
    drift, covariance = linear_steady_state(built)
    normal = np.random.default_rng(5).normal(size=(CHAINS, 2))
    return np.linalg.solve(drift, -built.mobility * built.biases) + normal @ np.linalg.cholesky(covariance).T


def run(dynamics: Dynamics, initial: Floats, steps: int, observers: tuple[HeatMeter, ...] = (), seed: int = 7) -> Any:
    """Run an ensemble and join its blocks; returns heat, entropy, work, energy drop, initial and final states."""
    engine = (UnderdampedEngine if dynamics.as_built.inertial else OverdampedEngine)(dynamics)
    blocks: list[Block] = []
    for block in run_ensemble(Ensemble(engine, dynamics, initial, len(initial), steps, seed), observers):
        blocks.append(block)
        for observer, seen in zip(observers, block.observers, strict=True):
            observer.absorb(seen)
    names = ("heat", "entropy", "work", "energy_drop", "initial", "states")
    return [np.concatenate([np.atleast_1d(getattr(block, name)) for block in blocks]) for name in names]


# The rates of linear computers


def test_the_rates_of_two_known_machines() -> None:
    """Heat conducted from bath to bath, J² μ (T1 − T2)/2k, and what turns a linear pair round, 2 μ a² T/k."""
    conducting = pair(RECIPROCAL, [0.5, 2.0])
    current = 1.2**2 * (0.5 - 2.0) / (2 * STIFFNESS)
    np.testing.assert_allclose(steady_heat_rates(conducting), [-current, current], rtol=1e-12)
    turning = pair(np.array([[0.0, 1.1], [-1.1, 0.0]]), [0.8, 0.8])
    np.testing.assert_allclose(steady_heat_rates(turning), 1.1**2 * 0.8 / STIFFNESS, rtol=1e-12)
    np.testing.assert_allclose(steady_heat_rates(pair(RECIPROCAL, [0.8, 0.8], [0.3, 2.0])), 0, atol=1e-15)


@pytest.fixture(scope="module", params=PAIRS)
def steady_run(request: pytest.FixtureRequest) -> tuple[AsBuilt, float, list[Floats]]:
    built, time, steps = PAIRS[request.param], 3.0, 2000
    return built, time, run(Dynamics(built, time / steps, dtype=np.float64), steady(built), steps)


def test_heat_and_entropy_flow_at_the_exact_rates(steady_run: tuple[AsBuilt, float, list[Floats]]) -> None:
    built, time, (heat, entropy, *_) = steady_run
    rates = steady_heat_rates(built)
    entropy_rate = float((rates / built.kT).sum())
    assert entropy_rate > 0.1
    assert_mean(heat / time, rates.sum(), 4)
    assert_mean(entropy / time, entropy_rate, 4)
    for wrong in (0.0, 0.8 * entropy_rate, 1.2 * entropy_rate):
        with pytest.raises(AssertionError):
            assert_mean(entropy / time, wrong, 4)


def split_of(built: AsBuilt, outcome: list[Floats]) -> EntropySplit:
    return entropy_split(built, outcome[4], outcome[5], outcome[1])


def test_in_the_steady_state_all_entropy_keeps_house(steady_run: tuple[AsBuilt, float, list[Floats]]) -> None:
    built, time, outcome = steady_run
    split = split_of(built, outcome)
    np.testing.assert_allclose(split.excess + split.housekeeping, outcome[1], rtol=1e-12)
    assert_mean(split.excess, 0, 4)
    assert_mean(split.housekeeping / time, float((steady_heat_rates(built) / built.kT).sum()), 4)


@pytest.mark.parametrize("felt", [RECIPROCAL, TURNING])
def test_with_inertia_heat_flows_at_the_exact_rate(felt: Floats) -> None:
    """Bath i takes (⟨v_i²⟩ − kT_i/m)/μ_i per time, in the steady state of x and v, by Lyapunov's equation."""
    time, steps, mass, temperatures = 6.0, 1500, 0.5, np.array([0.5, 2.0])
    built = replace(pair(felt, temperatures.tolist(), [1.0, 0.6], mass), biases=np.zeros(2))
    friction = np.diag(1 / (built.mobility * mass))
    drift = np.block([[np.zeros((2, 2)), -np.eye(2)], [(felt + STIFFNESS * np.eye(2)) / mass, friction]])
    noise = np.diag([0.0, 0.0, *(2 * temperatures / (built.mobility * mass**2))])
    covariance = np.asarray(solve_continuous_lyapunov(drift, noise), np.float64)
    rates = (np.diag(covariance)[2:] - temperatures / mass) / built.mobility
    ends = np.random.default_rng(6).normal(size=(CHAINS, 4)) @ np.linalg.cholesky(covariance).T
    states, velocities = ends[:, :2].copy(), ends[:, 2:].copy()
    dynamics, key = Dynamics(built, time / steps, dtype=np.float64), NoiseKey(8)
    memory = Memory.of(dynamics, key, CHAINS)
    nothing = np.empty((0, CHAINS, 2))
    UnderdampedEngine(dynamics).advance(states, key, steps, np.zeros(CHAINS), nothing, velocities, memory)
    heat, entropy = memory.flow.T
    expected = float((rates / temperatures).sum())
    assert_mean(heat / time, rates.sum(), 4)
    assert_mean(entropy / time, expected, 4)
    for wrong in (0.0, 0.8 * expected, 1.2 * expected):
        with pytest.raises(AssertionError):
            assert_mean(entropy / time, wrong, 4)


# At equilibrium, and where nothing is linear


def ramp(units: int) -> BiasSchedule:
    return BiasSchedule(np.array([0.013, 0.131, 0.3777]), np.random.default_rng(4).normal(size=(3, units)))


def nudged(computer: AsBuilt) -> AsBuilt:
    """The same computer, but that one kT differs by less than anything shows: it counts as out of balance."""
    return replace(computer, kT=computer.kT * (1 + 1e-13 * (np.arange(computer.units) == 0)))


@pytest.mark.parametrize("dt", [0.001, 0.01])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ["full", "layered", "grid", "cosine"])
def test_at_one_temperature_entropy_is_the_heat_of_the_first_law(name: str, dtype: Any, dt: float) -> None:
    computer = COMPUTERS[name]()
    dynamics = Dynamics(nudged(computer), dt, ramp(computer.units), dtype=dtype)
    initial = starts(computer, 30)
    heat, entropy, work, drop, *_ = run(dynamics, initial, round(0.4 / dt))
    np.testing.assert_array_equal(heat, drop + work)
    tolerance = 1e-9 if dtype is np.float64 else 2e-5
    np.testing.assert_allclose(0.8 * entropy, heat, rtol=tolerance, atol=tolerance * np.abs(heat).max())
    balanced = run(replace(dynamics, as_built=computer), initial, round(0.4 / dt))
    np.testing.assert_allclose(balanced[0], heat, rtol=tolerance)
    assert set(balanced[1].tolist()) == {None}


@pytest.mark.parametrize("name", ["full", "layered"])
def test_with_inertia_the_baths_take_what_the_first_law_says(name: str) -> None:
    computer = INERTIAL[name]()
    errors: list[float] = []
    for dt in (0.004, 0.002):
        dynamics = Dynamics(nudged(computer), dt, ramp(computer.units), dtype=np.float64)
        heat, entropy, *_ = run(dynamics, starts(computer, 30), round(0.4 / dt))
        errors.append(float(np.abs(0.8 * entropy - heat).max() / np.abs(heat).max()))
    assert errors[1] < 2e-3 and errors[0] > 3 * errors[1]  # BAOAB keeps the energy to second order


def metered(computer: AsBuilt, dt: float, integrator: Integrator) -> tuple[Floats, Floats]:
    """Heat of the run and of a meter that sees every step, (chains,)."""
    meter = HeatMeter()
    dynamics = Dynamics(computer, dt, ramp(computer.units), integrator, np.float64)
    heat, entropy, work, drop, *_ = run(dynamics, starts(computer, 40), round(0.4 / dt), (meter,))
    np.testing.assert_allclose(entropy, heat / 0.8, rtol=1e-10)
    assert np.abs(heat / (drop + work) - 1).max() > 0.02  # it is not the energy that the symmetric part lost
    return heat, meter.heat


@pytest.mark.parametrize("integrator", ["euler-maruyama", "leimkuhler-matthews"])
def test_heat_is_what_the_heat_meter_measures(integrator: Integrator) -> None:
    quartic = COMPUTERS["not reciprocal"]()
    linear = replace(quartic, J4=np.zeros(quartic.units))
    np.testing.assert_allclose(*metered(linear, 0.01, integrator), rtol=1e-10)
    errors = [float(np.abs(np.subtract(*metered(quartic, dt, integrator))).mean()) for dt in (4e-3, 1e-3)]
    assert errors[0] > 3 * errors[1]  # the meter's trapezoidal rule tends to it
    heat, meter = metered(quartic, 1e-3, integrator)
    np.testing.assert_allclose(heat, meter, rtol=2e-3, atol=2e-3 * heat.max())


def test_a_bath_without_temperature_takes_heat_but_its_entropy_is_not_a_number() -> None:
    computer = COMPUTERS["unequal units"]()
    assert not computer.kT.all()
    heat, entropy, work, drop, *_ = run(Dynamics(computer, 0.01, dtype=np.float64), starts(computer, 20), 20)
    np.testing.assert_array_equal(heat, drop + work)
    assert np.isnan(entropy).all()


def test_a_device_tells_heat_in_its_own_kT_and_entropy_only_where_it_is_not_the_heat(tmp_path: Path) -> None:
    program, plan = random_program(Topology.complete(5)), RunPlan(0.5, 40, 0.01, seed=3)
    unequal = np.linspace(0.3, 1.2, 5)
    with SimulatedDevice(kT=0.8, precision="float64") as device:
        device.program(program)
        assert device.run(plan).entropy is None
        device.alter(lambda built: replace(built, kT=unequal))
        device.program(program)
        samples, built = device.run(plan), device.as_built
    assert samples.entropy is not None and built is not None
    np.testing.assert_allclose(
        samples.heat, (built.energy(samples.initial_states) - built.energy(samples.states)) / 0.8, rtol=1e-4, atol=1e-4
    )
    assert np.abs(samples.entropy - samples.heat).max() > 0.1
    again = Samples.load(samples.save(tmp_path / "samples.npz")).entropy
    assert again is not None and np.array_equal(again, samples.entropy)


# What has no answer


def test_entropies_that_do_not_exist_are_refused() -> None:
    states = np.zeros((3, 2))
    with pytest.raises(ProgramError, match="unit 1 has kT = 0"):
        entropy_split(pair(TURNING, [1.0, 0.0]), states, states, np.zeros(3))
    wrong: list[dict[str, Any]] = [
        {"J4": np.ones(2)}, {"mass": np.ones(2)}, {"noise_time": np.ones(2)}, {"rail": np.ones(2)},
        {"flicker": Flicker(1.0, 0.1, 1.0)}, {"J2": np.full(2, -1.0)},
    ]  # fmt: skip
    for change in wrong:
        with pytest.raises(ProgramError):
            steady_heat_rates(replace(PAIRS["both"], **change))
        with pytest.raises(ProgramError):
            entropy_split(replace(PAIRS["both"], **change), states, states, np.zeros(3))


def test_exact_propagation_does_not_pretend_to_know_the_path() -> None:
    dynamics = Dynamics(PAIRS["both"], 0.5, dtype=np.float64)
    block = next(run_ensemble(Ensemble(LinearEngine(dynamics), dynamics, np.zeros((4, 2)), 4, 2, 1)))
    assert np.isnan(block.heat).all() and block.entropy is not None and np.isnan(block.entropy).all()
