# SPDX-License-Identifier: Apache-2.0
"""Imperfect dynamics in every engine: path by path, in pieces, at no strength at all, and what is refused."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from computers import COMPUTERS, Precision, inertial, random_program, starts
from numpy.typing import NDArray

from thermohw import BiasSchedule, RunPlan, SimulatedDevice, Topology
from thermohw.errors import DeviceLimitError, PlanError, ProgramError
from thermohw.langevin import overdamped
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics, Engine, Memory, NoiseKey
from thermohw.langevin.ensemble import Ensemble, run_ensemble
from thermohw.langevin.equilibrium import maxwell_velocities
from thermohw.langevin.flicker import Flicker
from thermohw.langevin.linear import LinearEngine
from thermohw.langevin.overdamped import OverdampedEngine
from thermohw.langevin.reference import ReferenceEngine
from thermohw.langevin.stability import check_step, largest_stable_step
from thermohw.langevin.underdamped import UnderdampedEngine

KEY = NoiseKey(2**35 + 17, 5)
FLICKER = Flicker(corner=3.0, lowest=0.02, highest=1.9)
RAIL = 0.9


@pytest.fixture(params=["dense", "sparse"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the engines treat the couplings of every computer in one of their ways."""
    monkeypatch.setattr(overdamped, "SMALL_UNITS", 0)
    monkeypatch.setattr(overdamped, "SPARSE_FILL", -1.0 if request.param == "dense" else 1.0)
    return request.param


def coloured(computer: AsBuilt) -> AsBuilt:
    """A third of the units white, the others with noise faster and slower than a step."""
    return replace(computer, noise_time=np.array([0.0, 0.004, 0.3])[np.arange(computer.units) % 3])


def railed(computer: AsBuilt) -> AsBuilt:
    return replace(computer, rail=np.array([RAIL, 1.2 * RAIL, np.inf])[np.arange(computer.units) % 3])


def flickering(computer: AsBuilt) -> AsBuilt:
    return replace(computer, flicker=FLICKER)


def all_at_once(computer: AsBuilt) -> AsBuilt:
    return railed(flickering(coloured(computer)))


EFFECTS: list[Callable[[AsBuilt], AsBuilt]] = [coloured, railed, flickering, all_at_once]
PLAIN = ["layered", "not reciprocal", "unequal units", "cosine in layers"]
CASES = [(name, False) for name in PLAIN] + [(name, True) for name in ("layered", "not reciprocal", "cosine in layers")]


@dataclass(frozen=True, eq=False)
class Outcome:
    states: NDArray[Any]
    velocities: NDArray[Any]
    work: NDArray[np.float64]
    record: NDArray[Any]
    memory: Memory

    def arrays(self) -> list[NDArray[Any]]:
        return [self.states, self.velocities, self.work, self.record, *self.memory.arrays()]


def start(dynamics: Dynamics, chains: int, records: int = 0) -> Outcome:
    computer, dtype = dynamics.as_built, dynamics.dtype
    states = np.clip(starts(computer, chains), -0.9 * computer.rail, 0.9 * computer.rail).astype(np.float32)
    velocities = maxwell_velocities(computer, KEY, chains, np.float64).astype(np.float32).astype(dtype)
    record = np.zeros((records, *states.shape), dtype)
    return Outcome(states.astype(dtype), velocities, np.zeros(chains), record, Memory.of(dynamics, KEY, chains))


def follow(engine: Any, dynamics: Dynamics, steps: int = 60, chains: int = 10, records: int = 4) -> Outcome:
    at = start(dynamics, chains, records)
    advancing: Engine = engine(dynamics)
    advancing.advance(at.states, KEY, steps, at.work, at.record, at.velocities, at.memory)
    return at


def dynamics_of(computer: AsBuilt, heavy: bool = False, dtype: Precision = np.float64, ramp: bool = True) -> Dynamics:
    biases = np.random.default_rng(4).normal(size=(3, computer.units))
    schedule = BiasSchedule(np.array([0.013, 0.131, 0.3777]), biases) if ramp else None
    return Dynamics(inertial(computer, 0.5) if heavy else computer, 0.01, schedule, dtype=dtype)


def fast(heavy: bool) -> Any:
    return UnderdampedEngine if heavy else OverdampedEngine


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "heavy"), CASES)
@pytest.mark.usefixtures("kernel")
def test_paths_heat_and_memory_follow_the_reference(
    name: str, heavy: bool, dtype: Precision, effect: Callable[[AsBuilt], AsBuilt]
) -> None:
    computer = effect(COMPUTERS[name]())
    expected = follow(ReferenceEngine, dynamics_of(computer, heavy))
    found = follow(fast(heavy), dynamics_of(computer, heavy, dtype))
    tolerance = (1e-11 if dtype is np.float64 else 1e-4) * (1 if heavy else 0.2)
    for one, other in zip(found.arrays(), expected.arrays(), strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * np.nanmax(np.abs(other), initial=1))
    assert np.array_equal(found.record[-1], found.states)
    assert bool(len(found.memory.flow)) == (not computer.balanced)
    ideal = follow(ReferenceEngine, dynamics_of(COMPUTERS[name](), heavy))
    assert np.abs(expected.states - ideal.states).max() > 0.01  # the effect is seen


@pytest.mark.parametrize("chains", [1, 7, 9, 130])
@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.usefixtures("kernel")
def test_any_number_of_chains_follows_the_reference(chains: int, heavy: bool) -> None:
    dynamics = dynamics_of(all_at_once(COMPUTERS["not reciprocal"]()), heavy)
    expected, found = (follow(engine, dynamics, 40, chains) for engine in (ReferenceEngine, fast(heavy)))
    for one, other in zip(found.arrays(), expected.arrays(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("name", ["layered", "not reciprocal"])
@pytest.mark.usefixtures("kernel")
def test_a_run_in_pieces_is_the_whole_run(name: str, heavy: bool) -> None:
    dynamics = dynamics_of(all_at_once(COMPUTERS[name]()), heavy)
    for kind in (fast(heavy), ReferenceEngine):
        whole = follow(kind, dynamics, 50, records=0)
        at, engine = start(dynamics, 10), kind(dynamics)
        for first, steps in ((0, 5), (5, 1), (6, 17), (23, 27)):
            key = replace(KEY, first_step=first)
            engine.advance(at.states, key, steps, at.work, at.record, at.velocities, at.memory)
        for one, other in zip(at.arrays(), whole.arrays(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)
        forgetful = start(dynamics, 10)
        for first, steps in ((0, 5), (5, 45)):
            key = replace(KEY, first_step=first)
            engine.advance(forgetful.states, key, steps, forgetful.work, forgetful.record, forgetful.velocities)
        assert np.abs(forgetful.states - whole.states).max() > 1e-3  # the control: pieces that share no memory


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.usefixtures("kernel")
def test_an_effect_of_no_strength_changes_nothing(dtype: Precision, heavy: bool) -> None:
    computer = COMPUTERS["layered"]()
    ideal = follow(fast(heavy), dynamics_of(computer, heavy, dtype))
    far = follow(fast(heavy), dynamics_of(replace(computer, rail=np.array(50.0)), heavy, dtype))
    fine = follow(fast(heavy), dynamics_of(replace(computer, noise_time=np.array(1e-9)), heavy, dtype))
    weak = follow(fast(heavy), dynamics_of(replace(computer, flicker=replace(FLICKER, corner=1e-26)), heavy, dtype))
    tolerance = 1e-12 if dtype is np.float64 else 1e-5
    for other in (far, fine, weak):
        np.testing.assert_allclose(other.states, ideal.states, rtol=tolerance, atol=tolerance)
    if not heavy:  # with inertia and rails, a step moves in two halves
        assert np.array_equal(far.states, ideal.states)


def test_leimkuhler_and_matthews_give_way_to_euler_and_maruyama() -> None:
    for effect, same in ((coloured, True), (railed, True), (flickering, False)):
        dynamics = dynamics_of(effect(COMPUTERS["not reciprocal"]()))
        smooth = replace(dynamics, integrator="leimkuhler-matthews")
        one, other = follow(OverdampedEngine, dynamics), follow(OverdampedEngine, smooth)
        assert np.array_equal(one.states, other.states) == same
        np.testing.assert_allclose(other.states, follow(ReferenceEngine, smooth).states, rtol=1e-11, atol=1e-11)


def test_blocks_are_parts_of_the_ensemble_however_it_is_recorded() -> None:
    dynamics = dynamics_of(all_at_once(COMPUTERS["not reciprocal"]()))
    initial = start(dynamics, 100).states
    engine = OverdampedEngine(dynamics)
    whole = [*run_ensemble(Ensemble(engine, dynamics, initial, 100, 43, 3))]
    kept = [*run_ensemble(Ensemble(engine, dynamics, initial, 100, 43, 3, record_every=5, keep="trajectory"))]
    part = next(run_ensemble(Ensemble(engine, dynamics, initial[30:46], 16, 43, 3, first_chain=30)))
    for blocks in (whole, kept):
        states, heat = (np.concatenate([getattr(block, name) for block in blocks]) for name in ("states", "heat"))
        np.testing.assert_allclose(states[30:46], np.asarray(part.states), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(heat[30:46], part.heat, rtol=1e-9, atol=1e-9)
    entropy = np.concatenate([np.asarray(block.entropy) for block in whole])
    heat = np.concatenate([block.heat for block in whole])
    np.testing.assert_allclose(entropy, heat / 0.8, rtol=1e-9)  # one temperature, 0.8


# Devices


def test_an_alteration_takes_effect_at_the_next_program() -> None:
    program, plan = random_program(Topology.complete(5)), RunPlan(0.5, 40, 0.01, seed=3)
    with SimulatedDevice() as device, SimulatedDevice() as altered:
        device.program(program)
        altered.program(program)
        altered.alter(lambda built: replace(built, rail=np.array(0.4)))
        ideal = device.run(plan)
        assert np.array_equal(altered.run(plan).states, ideal.states)
        altered.program(program)
        assert altered.as_built is not None and altered.as_built.railed
        bounded = altered.run(plan)
        for name in ("states", "initial_states"):
            within, free = (float(np.abs(getattr(run, name)).max()) for run in (bounded, ideal))
            assert free > 0.5 > np.float32(0.4) >= within > 0.3
        again = altered.run(replace(plan, initial=bounded.states))  # what a run gave is a start for the next
        assert np.array_equal(again.initial_states, bounded.states)
        outside = bounded.states.copy()
        outside[7, 1] = -0.5
        with pytest.raises(PlanError, match=r"chain 7, unit 1 is -0\.5, its rails stand at ±0\.4"):
            altered.run(replace(plan, initial=outside))
        altered.alter(None)
        altered.program(program)
        assert np.array_equal(altered.run(plan).states, ideal.states)


@pytest.mark.parametrize("effect", [coloured, railed, flickering])
def test_a_linear_computer_with_imperfect_dynamics_is_not_propagated_exactly(
    effect: Callable[[AsBuilt], AsBuilt],
) -> None:
    program, plan = random_program(Topology.complete(4), J4=0.0, strength=0.3), RunPlan(0.5, 40, seed=3)
    with SimulatedDevice() as device, SimulatedDevice(engine="linear") as exact:
        for each in (device, exact):
            each.alter(effect)
        device.program(program)
        assert device.run(replace(plan, dt=0.01)).dt == pytest.approx(0.01)
        with pytest.raises(DeviceLimitError, match="white noise"):
            exact.program(program)
    with pytest.raises(ProgramError, match="white noise"):
        LinearEngine(dynamics_of(effect(AsBuilt.from_program(program))))


def test_what_makes_no_sense_is_refused() -> None:
    computer = COMPUTERS["full"]()
    for values in ({"noise_time": -1.0}, {"noise_time": np.inf}, {"rail": 0.0}, {"rail": np.nan}, {"rail": [1.0, 2.0]}):
        with pytest.raises(ProgramError, match=next(iter(values)).split("_")[0]):
            replace(computer, **values)
    noisy = replace(computer, flicker=Flicker(1.0, 0.1, 4.0))
    for engine in (OverdampedEngine, ReferenceEngine):
        with pytest.raises(PlanError, match=r"time step of at most 0\.00497, got 0\.01.* may be 1\.99"):
            follow(engine, dynamics_of(noisy))


def test_a_computer_that_nothing_moves_has_no_largest_step() -> None:
    none = np.zeros(2)
    flat = AsBuilt(1, none, none, none, np.zeros((2, 2)), np.ones(2), none)
    assert largest_stable_step(flat) == np.inf
    check_step(Dynamics(flat, 1e6))
