# SPDX-License-Identifier: Apache-2.0
"""Every engine follows the reference engine path by path, whatever the computer, and however the work is split."""

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
from computers import COMPUTERS, Precision, built, random_program, starts
from numpy.typing import NDArray

from thermohw import BiasSchedule, PathStatistics, Program, RunPlan, Samples, SimulatedDevice, Topology
from thermohw.heat import HeatMeter
from thermohw.langevin import overdamped
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics, Engine, Integrator, NoiseKey
from thermohw.langevin.ensemble import Keep
from thermohw.langevin.linear import LinearEngine
from thermohw.langevin.overdamped import OverdampedEngine
from thermohw.langevin.reference import ReferenceEngine

SEED = 2**35 + 17
KERNELS = ("dense", "sparse")


@pytest.fixture(params=KERNELS)
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the overdamped engine take one of its kernels for every computer."""
    monkeypatch.setattr(overdamped, "SMALL_UNITS", 0)
    monkeypatch.setattr(overdamped, "SPARSE_FILL", -1.0 if request.param == "dense" else 1.0)
    return request.param


def dynamics_of(
    computer: AsBuilt,
    integrator: Integrator = "euler-maruyama",
    dtype: Precision = np.float64,
    ramp: bool = False,
    dt: float = 0.01,
) -> Dynamics:
    """The dynamics at a step of 0.01, with a schedule whose knots fall between the steps if `ramp`."""
    biases = np.random.default_rng(4).normal(size=(3, computer.units))
    schedule = BiasSchedule(np.array([0.013, 0.131, 0.3777]), biases) if ramp else None
    return Dynamics(computer, dt, schedule, integrator, dtype)


def follow(
    engine: Engine, states: NDArray[Any], steps: int, records: int = 0, first_chain: int = 5, first_step: int = 0
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[Any]]:
    """Advance a copy of the states; returns the final states, the work and the records."""
    states = states.copy()
    work, record = np.zeros(len(states)), np.zeros((records, *states.shape), states.dtype)
    engine.advance(states, NoiseKey(SEED, first_chain, first_step), steps, work, record)
    return states, work, record


def assert_follows_reference(
    computer: AsBuilt, integrator: Integrator, dtype: Precision, ramp: bool, chains: int
) -> None:
    exact = dynamics_of(computer, integrator, np.float64, ramp)
    fast = OverdampedEngine(replace(exact, dtype=dtype))
    expected = follow(ReferenceEngine(exact), starts(computer, chains), 60, records=4)
    found = follow(fast, starts(computer, chains, dtype), 60, records=4)
    tolerance = 1e-12 if dtype is np.float64 else 2e-5
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    assert np.array_equal(found[2][-1], found[0])
    assert found[1].any() == ramp


@pytest.mark.parametrize("ramp", [False, True])
@pytest.mark.parametrize("integrator", ["euler-maruyama", "leimkuhler-matthews"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", COMPUTERS)
@pytest.mark.usefixtures("kernel")
def test_paths_follow_the_reference(name: str, dtype: Precision, integrator: Integrator, ramp: bool) -> None:
    assert_follows_reference(COMPUTERS[name](), integrator, dtype, ramp, chains=10)


@pytest.mark.parametrize("chains", [1, 2, 7, 8, 9, 130])
@pytest.mark.usefixtures("kernel")
def test_any_number_of_chains_follows_the_reference(chains: int) -> None:
    assert_follows_reference(built(Topology.layered(5, 6)), "leimkuhler-matthews", np.float32, True, chains)


@pytest.mark.parametrize("topology", [Topology.complete(60), Topology.grid(10, 10), Topology.complete(48)])
def test_the_kernel_that_is_chosen_follows_the_reference(topology: Topology) -> None:
    assert_follows_reference(built(topology), "euler-maruyama", np.float32, False, chains=20)


@pytest.mark.usefixtures("kernel")
def test_a_fault_in_one_coupling_would_be_seen() -> None:
    computer = built(Topology.complete(53))
    couplings = computer.couplings.copy()
    couplings[3, 41] += 1e-3
    expected = follow(ReferenceEngine(dynamics_of(computer)), starts(computer, 10), 60)[0]
    found = follow(OverdampedEngine(dynamics_of(replace(computer, couplings=couplings))), starts(computer, 10), 60)[0]
    assert np.abs(found - expected)[:, 3].max() > 2e-5  # the widest tolerance above


@pytest.mark.parametrize("integrator", ["euler-maruyama", "leimkuhler-matthews"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.usefixtures("kernel")
def test_a_run_in_pieces_is_the_whole_run(integrator: Integrator, dtype: Precision) -> None:
    computer = built(Topology.layered(5, 6))
    engine = OverdampedEngine(dynamics_of(computer, integrator, dtype, ramp=True))
    whole, work, record = follow(engine, starts(computer, 9, dtype), 50, records=10)
    states, done, first = starts(computer, 9, dtype), np.zeros(9), 0
    for steps in (5, 20, 25):
        states, more, records = follow(engine, states, steps, records=steps // 5, first_step=first)
        assert np.array_equal(records, record[first // 5 : (first + steps) // 5])
        done, first = done + more, first + steps
    assert np.array_equal(states, whole)
    np.testing.assert_allclose(done, work, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.usefixtures("kernel")
def test_blocks_of_chains_are_parts_of_the_whole(dtype: Precision) -> None:
    computer = built(Topology.complete(53))
    engine = OverdampedEngine(dynamics_of(computer, "leimkuhler-matthews", dtype))
    states = starts(computer, 40, dtype)
    whole = follow(engine, states, 40)[0]
    parts = [follow(engine, states[a:b], 40, first_chain=5 + a)[0] for a, b in ((0, 1), (1, 14), (14, 40))]
    tolerance = 1e-13 if dtype is np.float64 else 1e-5
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=tolerance, atol=tolerance)


# Noise off


def engines(computer: AsBuilt, dt: float) -> Iterator[tuple[Engine, Precision]]:
    integrators: tuple[Integrator, ...] = ("euler-maruyama", "leimkuhler-matthews")
    for integrator in integrators:
        yield ReferenceEngine(dynamics_of(computer, integrator, dt=dt)), np.float64
        yield OverdampedEngine(dynamics_of(computer, integrator, dt=dt)), np.float64
        yield OverdampedEngine(dynamics_of(computer, integrator, np.float32, dt=dt)), np.float32


@pytest.mark.usefixtures("kernel")
def test_a_linear_unit_without_noise_relaxes_exponentially() -> None:
    program = Program.uncoupled(Topology.complete(1), J2=2.0, J4=0.0, biases=1.2)
    cold, dt, steps = AsBuilt.from_program(program, mobility=0.5, kT=0.0), 1e-3, 700
    rest, rate = -1.2 / 4.0, 0.5 * 4.0
    law = rest + (2.0 - rest) * np.exp(-rate * dt * steps)
    for engine, dtype in engines(cold, dt):
        found = follow(engine, np.array([[2.0]], dtype), steps)[0][0, 0]
        stepwise = rest + (2.0 - rest) * (1 - rate * dt) ** steps
        assert found == pytest.approx(stepwise, rel=1e-12 if dtype is np.float64 else 1e-4)
        assert found == pytest.approx(law, rel=5e-3)
    exact = LinearEngine(dynamics_of(cold, dt=dt * steps))
    assert follow(exact, np.array([[2.0]]), 1)[0][0, 0] == pytest.approx(law, rel=1e-13)


@pytest.mark.parametrize("name", ["full", "grid", "layered", "one unit"])
@pytest.mark.usefixtures("kernel")
def test_without_noise_the_energy_falls_at_every_step(name: str) -> None:
    cold = replace(COMPUTERS[name](), kT=np.array(0.0))
    for engine, dtype in engines(cold, 0.01):
        states = starts(cold, 4, dtype)
        record = follow(engine, states, 40, records=40)[2]
        energies = np.array([cold.energy(at) for at in (states, *record)])
        assert (np.diff(energies, axis=0) < 1e-5).all()
        assert (energies[-1] < energies[0] - 0.1).all()


def test_the_exact_linear_engine_tends_to_the_reference_as_the_step_shrinks() -> None:
    computer = replace(COMPUTERS["not reciprocal"](), J4=np.array(0.0), J2=np.array(3.0))

    def error(dt: float) -> float:
        dynamics = dynamics_of(computer, ramp=True, dt=dt)
        one, other = (follow(kind(dynamics), starts(computer, 10), 20)[0] for kind in (LinearEngine, ReferenceEngine))
        return float(np.sqrt(np.mean((one - other) ** 2)))

    # over 20 steps the deterministic parts differ by O(Δt²), the noise by O(Δt^{3/2})
    ratios = [error(dt) / error(dt / 4) for dt in (4e-3, 1e-3)]
    assert 6 < min(ratios) and max(ratios) < 18


# Devices: threads, processes, blocks


def sampled(executor: Executor | None, program: Program, observers: tuple[PathStatistics, HeatMeter]) -> Samples:
    plan = RunPlan(0.5, 150, 0.01, keep="trajectory", record_every=10, seed=8)
    with SimulatedDevice(executor=executor) as device:
        device.program(program)
        return device.run(plan, observers)


def watchers(program: Program) -> tuple[PathStatistics, HeatMeter]:
    return PathStatistics(program.J2, program.J4), HeatMeter()


@pytest.mark.parametrize("topology", [Topology.complete(60), Topology.grid(4, 4)])
def test_results_do_not_depend_on_threads_or_processes(topology: Topology) -> None:
    program = random_program(topology)
    seen = watchers(program)
    expected = sampled(None, program, seen)
    with ExitStack() as stack:
        executors: list[Executor] = [ThreadPoolExecutor(1), ThreadPoolExecutor(4)]
        if len(program.couplings) < 100:  # one pool of processes is slow enough
            executors.append(ProcessPoolExecutor(2, mp_context=get_context("spawn")))
        for executor in executors:
            observers = watchers(program)
            found = sampled(stack.enter_context(executor), program, observers)
            for name in ("states", "initial_states", "heat", "work", "trajectory", "times"):
                assert np.array_equal(getattr(found, name), getattr(expected, name)), name
            for name in ("m", "q", "S", "C", "w", "n"):
                assert np.array_equal(getattr(observers[0], name), getattr(seen[0], name)), name
            assert np.array_equal(observers[1].heat, seen[1].heat)


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_an_ensemble_is_made_of_its_parts(engine: Any) -> None:
    program = random_program(Topology.complete(60))
    with SimulatedDevice(engine=engine, precision="float64") as device:
        device.program(program)
        whole = device.run(RunPlan(0.2, 150, 0.01, seed=8))
        for first, count in ((0, 1), (1, 40), (41, 109)):
            part = device.run(RunPlan(0.2, count, 0.01, first_chain=first, seed=8))
            rows = slice(first, first + count)
            np.testing.assert_allclose(part.states, whole.states[rows], rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(part.heat, whole.heat[rows], rtol=1e-9, atol=1e-9)


def test_what_is_kept_does_not_change_what_happens() -> None:
    with SimulatedDevice() as device:
        device.program(random_program(Topology.complete(5)))
        schedule = BiasSchedule(np.array([0, 0.2]), np.array([[0.0] * 5, [1.0] * 5]))
        asked: list[tuple[int, Keep]] = [(1, "none"), (1, "both"), (5, "trajectory"), (30, "trajectory")]
        runs = [
            device.run(RunPlan(0.23, 20, 0.01, schedule, record_every=every, keep=keep, seed=3))
            for every, keep in asked
        ]
    for run in runs[1:]:
        np.testing.assert_allclose(run.heat, runs[0].heat, rtol=1e-12)
        np.testing.assert_allclose(run.work, runs[0].work, rtol=1e-12)
        assert np.array_equal(run.states, runs[1].states)
    assert runs[2].times is not None and np.allclose(runs[2].times, [0, 0.05, 0.1, 0.15, 0.2])
    assert runs[3].trajectory is not None and runs[3].trajectory.shape == (20, 1, 5)
