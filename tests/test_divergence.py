# SPDX-License-Identifier: Apache-2.0
"""What cannot work is refused at the call, what diverges in flight is stopped, and the stable step is stable."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from computers import Precision, built
from numpy.typing import NDArray

from thermohw import BiasSchedule, Program, RunPlan, SimulatedDevice, Topology
from thermohw.errors import DeviceLimitError, DivergenceError, PlanError, ProgramError
from thermohw.langevin import overdamped
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics, Integrator, NoiseKey
from thermohw.langevin.linear import LinearEngine
from thermohw.langevin.overdamped import OverdampedEngine
from thermohw.langevin.reference import ReferenceEngine
from thermohw.langevin.stability import SAFE, largest_stable_step

EngineType = type[OverdampedEngine] | type[ReferenceEngine]
ENGINES: dict[str, EngineType] = {
    "dense": OverdampedEngine,
    "sparse": OverdampedEngine,
    "reference": ReferenceEngine,
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> EngineType:
    monkeypatch.setattr(overdamped, "SMALL_UNITS", 0)
    monkeypatch.setattr(overdamped, "SPARSE_FILL", -1.0 if request.param == "dense" else 1.0)
    return ENGINES[request.param]


def advance(make: EngineType, dynamics: Dynamics, states: NDArray[np.float64], steps: int) -> NDArray[Any]:
    """Advance states with chain numbers from 7 on; returns the final ones."""
    moving = states.astype(dynamics.dtype)
    nothing = np.empty((0, *moving.shape), moving.dtype)
    make(dynamics).advance(moving, NoiseKey(1, 7), steps, np.zeros(len(moving)), nothing)
    return moving


def linear_pair(J: float = 3.0, J2: float = 2.0) -> AsBuilt:
    """Two linear units with the relaxation rates 2 J2 ± J at μ = 1/2."""
    program = Program(Topology.complete(2), np.array(J2), np.array(0.0), np.zeros(2), np.array([J]))
    return AsBuilt.from_program(program, mobility=0.5, kT=0.1)


@pytest.mark.parametrize("integrator", ["euler-maruyama", "leimkuhler-matthews"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_stable_step_of_linear_units_is_sharp(engine: EngineType, dtype: Precision, integrator: Integrator) -> None:
    pair = linear_pair()
    stable = largest_stable_step(pair)
    assert stable == pytest.approx(2 / (0.5 * (4 + 3)))
    below = advance(engine, Dynamics(pair, 0.98 * stable, None, integrator, dtype), np.ones((5, 2)), 1500)
    assert np.abs(below).max() < 10
    with pytest.raises(DivergenceError, match="diverged"):
        advance(engine, Dynamics(pair, 1.02 * stable, None, integrator, dtype), np.ones((5, 2)), 1500)


@pytest.mark.parametrize("bias", [0.0, -30.0, 1e4])
@pytest.mark.parametrize(("J2", "J4"), [(10.0, 10.0), (0.0, 5.0), (-4.0, 2.0)])
def test_the_stable_step_of_quartic_units_is_about_right(J2: float, J4: float, bias: float) -> None:
    """Quartic units have no sharp limit: a large fluctuation meets a steeper wall, so the advice is a tenth of it."""
    computer = AsBuilt.from_program(Program.uncoupled(Topology.complete(4), J2, J4, bias))
    stable = largest_stable_step(computer)
    start = np.tile(-np.sign(bias) * computer.wells(computer.biases), (40, 1))
    advance(OverdampedEngine, Dynamics(computer, SAFE * stable), start, 5000)
    with pytest.raises(DivergenceError, match=f"use at most {SAFE * stable:.2g}"):
        advance(OverdampedEngine, Dynamics(computer, 3 * stable), start, 5000)


@pytest.mark.parametrize("strength", [0.0, 100.0, -100.0])
def test_the_default_step_survives_strong_biases_and_couplings(strength: float) -> None:
    pairs = Topology.complete(6)
    program = Program(pairs, np.array(10.0), np.array(10.0), np.full(6, 3e3), np.full(len(pairs.pairs), strength))
    with SimulatedDevice() as device:
        device.program(program)
        samples = device.run(RunPlan(0.5, 20, seed=1))
        assert np.isfinite(samples.states).all()
        ramp = BiasSchedule(np.array([0, 0.2]), np.array([[0.0] * 6, [-1e4] * 6]))
        samples = device.run(RunPlan(0.5, 20, bias_schedule=ramp, seed=1))
        assert (samples.states > 3).all()


@pytest.mark.parametrize("name", ["overdamped", "reference"])
def test_a_step_that_must_diverge_is_refused_at_the_call(name: str) -> None:
    with SimulatedDevice(mobility=2.0, engine=name) as device:  # pyright: ignore[reportArgumentType]
        device.program(Program.uncoupled(Topology.complete(3), [1.0, 50.0, 1.0], 0.0))
        with pytest.raises(PlanError, match=r"unit 1 relaxes at the rate 200, so .* below 0\.01; .* accurate"):
            device.run(RunPlan(0.4, 2, 0.0125))
        device.run(RunPlan(0.4, 2, 0.004))


def test_an_exact_engine_takes_any_step() -> None:
    with SimulatedDevice() as device:
        device.program(Program.uncoupled(Topology.complete(3), 50.0, 0.0))
        assert np.isfinite(device.run(RunPlan(4.0, 2, 2.0)).states).all()


# In flight


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_divergence_names_chain_unit_time_and_step(engine: EngineType, dtype: Precision) -> None:
    computer = built(Topology.complete(5))
    states = np.zeros((6, 5))
    states[2, 3] = 40.0  # far up the quartic wall, where a step of 0.05 overshoots: chain 7 + 2, unit 3
    with pytest.raises(DivergenceError) as caught:
        advance(engine, Dynamics(computer, 0.05, None, "euler-maruyama", dtype), states, 100)
    message = str(caught.value)
    found = re.search(r"chain (\d+), unit (\d+) diverged at t = ([\d.]+) \(step (\d+)\) with dt = 0\.05", message)
    assert found is not None
    chain, unit, time, step = found.groups()
    assert (chain, unit) == ("9", "3")
    assert float(time) == pytest.approx(0.05 * int(step)) and 1 <= int(step) < 10
    assert f"stable below {largest_stable_step(computer):.2g}" in message


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_state_that_is_not_a_number_stops_the_run(engine: EngineType, dtype: Precision) -> None:
    states = np.zeros((6, 5))
    states[4, 1] = np.nan
    with pytest.raises(DivergenceError, match=r"chain 11, unit [0-4] .*step 1\)"):
        advance(engine, Dynamics(built(Topology.complete(5)), 0.01, None, "euler-maruyama", dtype), states, 3)


def test_a_device_passes_the_divergence_on() -> None:
    states = np.zeros((50, 2))
    states[37, 1] = 1e4
    with SimulatedDevice() as device:
        device.program(Program.uncoupled(Topology.complete(2), 1.0, 1.0))
        with pytest.raises(DivergenceError, match="chain 137, unit 1"):
            device.run(RunPlan(1.0, 50, 0.01, initial=states, first_chain=100))


@pytest.mark.parametrize("kT", [0.0, 1e-9])
def test_a_cold_computer_far_from_rest_has_not_diverged(engine: EngineType, kT: float) -> None:
    computer = replace(linear_pair(), kT=np.array(kT))
    found = advance(engine, Dynamics(computer, 0.01), np.full((3, 2), 20.0), 1000)
    np.testing.assert_allclose(found, 0, atol=1e-2)


# Refused states, programs and computers


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        (np.array([[0, np.nan]]), "chain 0, unit 1 is nan"),
        (np.array([[0, np.inf]]), "finite"),
        (np.array([[1e200, 0]]), "finite in float32"),
        (np.array([[0j, 1]]), "real numbers, got complex128"),
        (np.array([["a", "b"]]), "real numbers"),
        (np.zeros(2), r"shape \(1, units\)"),
        (np.zeros((2, 2)), r"shape \(1, units\)"),
    ],
)
def test_impossible_initial_states_are_refused(initial: NDArray[np.float64], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        RunPlan(1.0, 1, initial=initial)


PAIR = Topology.complete(2)


@pytest.mark.parametrize(
    ("J2", "J4", "J", "message"),
    [
        (1.0, -0.1, 0.0, r"J4 = -0\.1 < 0 at unit 0"),
        ([1.0, 1.0], [1.0, -2.0], 0.0, "J4 = -2 < 0 at unit 1"),
        (0.0, 0.0, 0.0, "J4 = 0 and J2 = 0"),
        ([1.0, -3.0], 0.0, 0.0, "unit 1 has J4 = 0 and J2 = -3"),
        (1.0, 0.0, 2.5, r"2 linear units \(J4 = 0\) has the eigenvalue -0\.5"),
        (1.0, 0.0, -2.5, r"eigenvalue -0\.5"),
        (0.1, 0.0, 0.2, "eigenvalue"),  # a flat direction: singular but for rounding
    ],
)
def test_an_energy_without_a_lower_bound_is_refused(J2: float, J4: float, J: float, message: str) -> None:
    with pytest.raises(ProgramError, match=f"not bounded below: .*{message}"):
        Program(PAIR, np.array(J2), np.array(J4), np.zeros(2), np.array([J]))


def test_an_energy_bounded_by_the_quartic_term_is_not_refused() -> None:
    Program(PAIR, np.array(-50.0), np.array(0.1), np.zeros(2), np.array([1e6]))
    Program(PAIR, np.array([1.0, -3.0]), np.array([0.0, 1.0]), np.zeros(2), np.array([1e6]))
    Program(PAIR, np.array(1.0), np.array(0.0), np.zeros(2), np.array([1.99]))


def test_a_large_symmetric_computer_hides_no_unbounded_mode() -> None:
    """Two identical rings, coupled: the lowest mode is antisymmetric, and invisible to a symmetric search."""
    ring = [[i, (i + 1) % 1600] for i in range(1600)]
    across = [[i, i + 1600] for i in range(1600)]
    topology = Topology.from_pairs(3200, 0, np.array([*ring, *(np.array(ring) + 1600).tolist(), *across]))
    between = topology.pairs[:, 1] - topology.pairs[:, 0] == 1600
    couplings = np.where(between, 0.9, -0.5)  # lowest eigenvalue of J: −0.9 − 2·0.5, alternating between the rings
    Program(topology, np.array(0.96), np.array(0.0), np.zeros(3200), couplings)
    with pytest.raises(ProgramError, match=r"3200 linear units .* eigenvalue -0\.1"):
        Program(topology, np.array(0.9), np.array(0.0), np.zeros(3200), couplings)


def test_the_linear_engine_refuses_what_is_not_linear_or_not_stable() -> None:
    with pytest.raises(ProgramError, match="unit 2 has not"):
        LinearEngine(Dynamics(replace(built(Topology.complete(3), J4=0.0), J4=np.array([0, 0, 1.0])), 0.1))
    with pytest.raises(ProgramError, match="relaxation rate"):
        LinearEngine(Dynamics(replace(linear_pair(), couplings=np.array([[0, 4.1], [4.1, 0]])), 0.1))
    with SimulatedDevice(engine="linear") as device, pytest.raises(DeviceLimitError, match="unit 0 has J4 = 10"):
        device.program(Program.uncoupled(PAIR))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kT": np.array([1.0, -1.0])}, "kT must not be negative"),
        ({"mobility": np.array(0.0)}, "mobilities must be positive"),
        ({"J2": np.array([1.0, np.nan])}, "J2 of unit 1 is not finite"),
        ({"biases": np.zeros(3)}, r"biases must be a scalar or of shape \(2,\)"),
        ({"couplings": np.zeros((2, 3))}, r"shape \(units, units\)"),
        ({"couplings": np.array([[0.0, np.inf], [0, 0]])}, "finite"),
    ],
)
def test_an_impossible_computer_is_refused(change: dict[str, NDArray[np.float64]], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        replace(linear_pair(), **change)


@pytest.mark.parametrize(
    ("times", "biases", "message"),
    [
        ([0.0, 0.0], [[1.0], [2.0]], "knot 1 does not"),
        ([0.0, 1.0], [[1.0]], "needs times"),
        ([], np.zeros((0, 1)), "needs times"),
        ([0.0], [[np.nan]], "finite"),
    ],
)
def test_an_impossible_schedule_is_refused(times: list[float], biases: list[list[float]], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        BiasSchedule(np.array(times), np.array(biases))
