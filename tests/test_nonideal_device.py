# SPDX-License-Identifier: Apache-2.0
"""The wrapper that gives a device its imperfections: identity at zero strength, order, seeds and drift."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from nonideal_examples import PLAN, PROGRAM, PROGRAM_EFFECTS, READOUT_EFFECTS, Board, assert_same, run
from numpy.typing import NDArray

from thermohw import PathStatistics, Program, RunPlan, SimulatedDevice
from thermohw.errors import DeviceLimitError
from thermohw.nonideal import (
    EFFECTS,
    BiasSettling,
    ColouredNoise,
    CouplingDrift,
    CouplingMismatch,
    Effect,
    MobilityMismatch,
    NonidealDevice,
    ProgrammingNoise,
    Rails,
    ReadoutBandwidth,
    ReadoutNoise,
    ReadoutQuantization,
    SamplingJitter,
    StuckCouplings,
    TemperatureOffset,
)
from thermohw.nonideal.draws import DEVICE, READING, WRITING, Draws
from thermohw.nonideal.effect import (
    DynamicsEffect,
    HistoryEffect,
    PlanEffect,
    ProgramEffect,
    Programming,
    Reading,
    ReadoutEffect,
    Stage,
)

# Zero strength

OFF: dict[str, Effect] = {name: kind() for name, kind in EFFECTS.items()} | {
    "coupling_drift": CouplingDrift(t0=1.0, elapsed=1e9),
    "stuck_couplings": StuckCouplings(stuck_at="max"),
    "programming_noise": ProgrammingNoise(proportional=True),
    "readout_quantization": ReadoutQuantization(span=0.1),
}


def test_a_device_without_effects_is_its_child() -> None:
    with SimulatedDevice() as child:
        child.program(PROGRAM)
        bare = child.run(PLAN)
    samples = run()
    assert_same(samples, bare)
    assert samples.provenance == bare.provenance


@pytest.mark.parametrize("effects", [[name] for name in EFFECTS] + [list(EFFECTS)], ids=lambda names: names[-1])
def test_effects_of_no_strength_change_no_bit(effects: list[str]) -> None:
    samples, bare = run([OFF[name] for name in effects], device_seed=2), run()
    assert_same(samples, bare)
    assert samples.provenance == bare.provenance


def test_observers_of_a_device_without_effects_see_what_the_childs_see() -> None:
    observers = [PathStatistics(PROGRAM.J2, PROGRAM.J4, mobility=1.0, kT=1.0) for _ in range(2)]
    with SimulatedDevice() as child:
        child.program(PROGRAM)
        child.run(PLAN, observers[:1])
    with NonidealDevice(SimulatedDevice(), list(OFF.values()), 2) as device:
        device.program(PROGRAM)
        device.run(PLAN, observers[1:])
    for name in ("n", "m", "q", "S", "C", "w"):
        assert np.array_equal(getattr(observers[0], name), getattr(observers[1], name))


@pytest.mark.parametrize(
    "effect",
    [*PROGRAM_EFFECTS, *READOUT_EFFECTS, BiasSettling(settling_time=0.1)],
    ids=lambda effect: f"{effect.name()}",
)
def test_any_strength_changes_the_samples(effect: Effect) -> None:
    """The control of the test above."""
    with pytest.raises(AssertionError):
        assert_same(run([effect]), run())


# Order


def test_the_catalogue_is_in_the_order_of_the_signal_chain() -> None:
    stages = [kind.stage for kind in EFFECTS.values()]
    assert stages == sorted(stages)
    kinds = (ProgramEffect, DynamicsEffect, PlanEffect, (ReadoutEffect, HistoryEffect))
    order = [next(k for k, kind in enumerate(kinds) if issubclass(effect, kind)) for effect in EFFECTS.values()]
    assert order == sorted(order)
    assert set(stages) == set(Stage)


def test_the_order_of_the_list_does_not_matter() -> None:
    everything: list[Effect] = [
        *PROGRAM_EFFECTS,
        *READOUT_EFFECTS,
        MobilityMismatch(std=0.1),
        TemperatureOffset(offset=0.1),
        BiasSettling(settling_time=0.05),
        ReadoutBandwidth(time_constant=0.05),
        SamplingJitter(std=0.01),
    ]
    samples = run(everything)
    shuffled = random.Random(1).sample(everything, len(everything))
    for other in (everything[::-1], shuffled):
        assert_same(run(other), samples)


@pytest.mark.parametrize("swap", [False, True])
def test_stages_by_hand_give_the_same(swap: bool) -> None:
    """Each program effect on the result of the one before, as the catalogue has them; any other order fails."""
    effects = {effect.name(): effect for effect in PROGRAM_EFFECTS}
    by_hand = [effects[name] for name in EFFECTS if name in effects]
    if swap:
        by_hand = by_hand[::-1]
    writing = Programming(PROGRAM, Draws(1, DEVICE), Draws(3, WRITING))
    expected = PROGRAM
    for effect in by_hand:
        assert isinstance(effect, ProgramEffect)
        expected = effect.on_program(expected, writing)
    device = NonidealDevice(SimulatedDevice(), PROGRAM_EFFECTS[::-1], 1)
    device.program(PROGRAM)
    assert (device.realised(3).digest == expected.digest) == (not swap)
    plan = replace(PLAN, bias_schedule=None)
    with SimulatedDevice() as ideal:
        ideal.program(expected)
        assert np.array_equal(ideal.run(plan).states, device.run(plan).states) == (not swap)


@pytest.mark.parametrize("swap", [False, True])
def test_readout_stages_by_hand_give_the_same(swap: bool) -> None:
    plan = replace(PLAN, keep="both")
    states = run(plan=plan).states.astype(np.float64)
    for effect in READOUT_EFFECTS[:: -1 if swap else 1]:
        assert isinstance(effect, ReadoutEffect)
        states = effect.on_states(states, Reading(Draws(1, DEVICE), Draws(3, READING), 0, 50))
    same = np.array_equal(states.astype(np.float32), run(READOUT_EFFECTS[::-1], plan).states)
    assert same == (not swap)


def test_two_of_a_kind_are_refused() -> None:
    with pytest.raises(DeviceLimitError, match="readout_noise is given 2 times"):
        NonidealDevice(SimulatedDevice(), [ReadoutNoise(std=0.1), ReadoutNoise()], 1)


# Seeds


def test_the_device_seed_is_the_device() -> None:
    effects: list[Effect] = [CouplingMismatch(std=0.1)]
    devices = [NonidealDevice(SimulatedDevice(), effects, seed) for seed in (5, 5, 6)]
    for device in devices:
        device.program(PROGRAM)
    first, same, other = (device.realised().digest for device in devices)
    assert first == same != other
    assert devices[0].realised(1).digest == devices[0].realised(2).digest == first


def test_a_missing_device_seed_is_chosen_and_recorded() -> None:
    first, second = (NonidealDevice(SimulatedDevice(), [CouplingMismatch(std=0.1)]) for _ in range(2))
    assert first.device_seed != second.device_seed
    first.program(PROGRAM)
    samples = first.run(PLAN)
    recorded = samples.provenance["device"]["details"]
    assert json.loads(recorded["effects"]) == {"coupling_mismatch": {"std": 0.1}}
    with NonidealDevice(SimulatedDevice(), [CouplingMismatch(std=0.1)], int(recorded["device_seed"])) as again:
        again.program(PROGRAM)
        assert_same(again.run(PLAN), samples)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_device_seed_beyond_64_bits_is_refused(seed: int) -> None:
    with pytest.raises(DeviceLimitError, match="device_seed must lie in"):
        NonidealDevice(SimulatedDevice(), [], seed)


def test_programming_noise_is_fresh_in_every_run_and_repeats_with_its_seed() -> None:
    effects: list[Effect] = [ProgrammingNoise(prog_noise_std=0.1, bias_noise_std=0.1)]
    with NonidealDevice(Board(), effects, 1) as device:
        device.program(PROGRAM)
        plans = [RunPlan(1.0, 1, seed=seed) for seed in (1, 2, 1)]
        first, second, again = (device.run(plan).states for plan in plans)
        assert np.array_equal(first, again)
        assert not np.array_equal(first, second)
        held = device.child
        assert isinstance(held, Board)
        assert held.programs[-1].digest == device.realised(1).digest
        assert held.programs[0].digest == PROGRAM.digest  # before any run, nothing fresh is drawn
        assert device.run(plans[0]).provenance["program"] == PROGRAM.digest


def test_the_child_is_written_anew_only_where_that_differs() -> None:
    with NonidealDevice(Board(), [CouplingMismatch(std=0.1)], 1) as device:
        device.program(PROGRAM)
        for seed in (1, 2, 3):
            device.run(RunPlan(1.0, 1, seed=seed))
        device.wait(10.0)
        device.run(RunPlan(1.0, 1, seed=1))
        assert isinstance(device.child, Board) and len(device.child.programs) == 1


# Drift


def drifting(times: Sequence[float], again: bool = False, elapsed: float = 0.0) -> Program:
    with NonidealDevice(SimulatedDevice(), [CouplingDrift(nu=0.1, nu_std=0.05, elapsed=elapsed)], 1) as device:
        device.program(PROGRAM)
        for time in times:
            device.wait(time)
        if again:
            device.program(PROGRAM)
        return device.realised()


def test_drift_is_one_history() -> None:
    whole = drifting([1000.0])
    np.testing.assert_allclose(drifting([300.0, 0.0, 700.0]).couplings, whole.couplings, rtol=1e-12)
    np.testing.assert_allclose(drifting([600.0], elapsed=400.0).couplings, whole.couplings, rtol=1e-12)
    assert (np.abs(whole.couplings) < 0.9 * np.abs(PROGRAM.couplings)).any()


def test_programming_starts_drift_anew_and_at_once_there_is_none() -> None:
    assert drifting([1000.0], again=True).digest == drifting([]).digest == PROGRAM.digest


def test_a_run_finds_the_couplings_that_have_drifted() -> None:
    with NonidealDevice(SimulatedDevice(), [CouplingDrift(nu=0.5)], 1) as device, SimulatedDevice() as ideal:
        device.program(PROGRAM)
        ideal.program(PROGRAM)
        assert np.array_equal(device.run(PLAN).states, ideal.run(PLAN).states)
        device.wait(1e4)
        ideal.program(replace(PROGRAM, couplings=PROGRAM.couplings * (1 + 1e4 / 20) ** -0.5))
        np.testing.assert_allclose(device.run(PLAN).states, ideal.run(PLAN).states, atol=1e-5)


@pytest.mark.parametrize("time", [-1.0, np.nan, np.inf])
def test_a_device_cannot_wait_for_ever(time: float) -> None:
    with pytest.raises(DeviceLimitError, match="finite time"):
        NonidealDevice(SimulatedDevice()).wait(time)


@pytest.mark.parametrize("effect", [ColouredNoise(correlation_time=0.01), Rails(limit=1.0)])
def test_a_device_says_in_which_steps_it_is_emulated(effect: Effect) -> None:
    """Leimkuhler–Matthews steps rest on white noise and smooth forces; without them the device says Euler–Maruyama."""
    plan = RunPlan(0.1, 5, 1e-3, seed=1)
    states: list[NDArray[np.float32]] = []
    for integrator in ("leimkuhler-matthews", "euler-maruyama"):
        with NonidealDevice(SimulatedDevice(integrator=integrator), [effect], 1) as device:
            assert device.spec.details["integrator"] == "euler-maruyama"
            device.program(PROGRAM)
            states.append(device.run(plan).states)
    np.testing.assert_array_equal(states[0], states[1])
    with NonidealDevice(
        SimulatedDevice(integrator="leimkuhler-matthews"), [TemperatureOffset(offset=0.1)], 1
    ) as device:
        assert device.spec.details["integrator"] == "leimkuhler-matthews"
