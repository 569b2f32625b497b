# SPDX-License-Identifier: Apache-2.0
"""The wrapper that gives a device its imperfections: schedules, limits, refusals, and what it tells."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from nonideal_examples import LINEAR, PLAN, PROGRAM, Board, run
from numpy.typing import NDArray

from thermohw import BiasSchedule, CouplingTable, Program, RunPlan, SimulatedDevice, Topology
from thermohw.backends import JosephsonJunction, RCCircuit, open_device
from thermohw.errors import DeviceLimitError, DeviceStateError
from thermohw.nonideal import (
    EFFECTS,
    BiasOffset,
    ColouredNoise,
    CouplingMismatch,
    Crosstalk,
    Effect,
    GainOffset,
    Inertia,
    LineGainMismatch,
    NonidealDevice,
    OnsiteMismatch,
    ProgrammingNoise,
    Quantization,
    ReadoutBandwidth,
    ReadoutNoise,
    ReadoutQuantization,
    SamplingJitter,
)
from thermohw.nonideal.draws import WRITING, Draws
from thermohw.nonideal.effect import DynamicsEffect

# Schedules


@pytest.mark.parametrize(
    "effect",
    [
        BiasOffset(std=0.5, common=0.3),
        Crosstalk(bias=0.3),
        Quantization(bias_bits=2),
        ProgrammingNoise(bias_noise_std=0.3),
        ProgrammingNoise(bias_noise_std=0.3, proportional=True),
    ],
    ids=lambda effect: f"{effect.name()}",
)
def test_biases_of_a_schedule_are_written_as_those_of_a_program(effect: Effect) -> None:
    """A schedule that holds the program's biases makes no difference."""
    constant = BiasSchedule(np.zeros(1), PROGRAM.biases[None])
    plans = [replace(PLAN, bias_schedule=schedule) for schedule in (None, constant)]
    alone, scheduled = (run([effect], plan) for plan in plans)
    assert np.array_equal(scheduled.states, alone.states)
    assert np.array_equal(scheduled.heat, alone.heat)
    assert not np.array_equal(scheduled.states, run(plan=plans[1]).states)


def test_the_full_scale_of_a_schedule_is_that_of_its_largest_biases() -> None:
    schedule = BiasSchedule(np.array([0.0, 0.5, 1.0]), np.array([[0, 0.0], [-0.4, 0.6], [0.2, -1.0]]))

    def felt(effect: Effect) -> NDArray[np.float64]:
        board = Board()
        with NonidealDevice(board, [effect], 1) as device:
            device.program(Program.uncoupled(Topology.complete(2)))
            device.run(RunPlan(1.0, 1, bias_schedule=schedule, seed=1))
        assert board.plans[0].bias_schedule is not None
        return board.plans[0].bias_schedule.biases

    assert np.array_equal(felt(Quantization(bias_bits=2)), [[0, 0], [0, 1], [0, -1]])
    noise = felt(ProgrammingNoise(bias_noise_std=0.05)) - schedule.biases
    np.testing.assert_allclose(noise, 0.05 * np.tile(Draws(1, WRITING).normals("bias_noise", [0, 1]), (3, 1)))


def test_errors_hold_a_schedule_at_the_limits() -> None:
    schedule = BiasSchedule(np.array([0, 0.2]), np.array([[0.0], [0.9]]).repeat(3, axis=1))
    card = open_device("rc_board")
    limit = card.spec.bias_limit
    assert limit is not None
    steep = BiasSchedule(schedule.times, schedule.biases * limit)
    with NonidealDevice(card, [BiasOffset(common=0.5 * limit)], 1) as device:
        device.program(Program.uncoupled(Topology.complete(3), 10.0, 10.0))
        samples = device.run(RunPlan(1.0, 2, bias_schedule=steep, seed=1))
        assert (samples.states.mean() < 0) and np.isfinite(samples.work).all()


# Limits


def test_errors_saturate_at_the_limits_of_the_child() -> None:
    with NonidealDevice(Board(), [LineGainMismatch(common=3.0), BiasOffset(common=0.5)], 1) as device:
        device.program(PROGRAM)
        held = device.realised()
        assert np.array_equal(held.couplings, np.clip(4 * PROGRAM.couplings, -1, 1))
        assert np.array_equal(held.biases, np.clip(PROGRAM.biases + 0.5, -1.2, 1.2))
        assert isinstance(device.child, Board) and device.child.held.digest == held.digest


def test_what_was_asked_for_is_checked_and_not_saturated() -> None:
    with (
        NonidealDevice(Board(), [CouplingMismatch(std=0.1)], 1) as device,
        pytest.raises(DeviceLimitError, match=r"holds couplings up to ±1"),
    ):
        device.program(replace(PROGRAM, couplings=2 * PROGRAM.couplings))


def test_errors_that_leave_the_energy_unbounded_are_refused() -> None:
    with NonidealDevice(SimulatedDevice(), [LineGainMismatch(common=0.2)], 1) as device:
        with pytest.raises(
            DeviceLimitError, match="the program with the device's errors cannot run: energy is not bounded"
        ):
            device.program(LINEAR)
        with pytest.raises(DeviceStateError):
            device.run(RunPlan(1.0, 1))


def test_a_child_that_clips_tells_what_it_clipped_of_the_program_asked_for() -> None:
    with RCCircuit("rc_board", clip=True) as alone, RCCircuit("rc_board", clip=True) as child:
        limit = child.spec.coupling_limit
        assert limit is not None
        strong = replace(Program.uncoupled(Topology.complete(3)), couplings=limit * np.array([0.1, 3.0, -2.0]))
        alone.program(strong)
        with NonidealDevice(child, [CouplingMismatch(std=0.3)], 1) as device:
            assert device.clipping is None
            device.program(strong)
            assert device.clipping == alone.clipping
            assert device.clipping is not None and device.clipping.couplings == 2
            assert device.held.digest == alone.held.digest
            assert np.abs(device.realised().couplings).max() <= limit
            assert len(device.run(RunPlan(0.1, 2, seed=1)).states) == 2


# What hardware can have


@pytest.mark.parametrize("name", [name for name, kind in EFFECTS.items() if issubclass(kind, DynamicsEffect)])
def test_hardware_takes_no_effect_on_its_dynamics(name: str) -> None:
    strengths: dict[str, Any] = {
        "nonreciprocal_couplings": {"std": 0.1},
        "mobility_mismatch": {"std": 0.1},
        "temperature_offset": {"offset": 0.1},
        "temperature_gradient": {"span": 0.1},
        "inertia": {"mass": 0.1},
        "rails": {"limit": 1.0},
        "coloured_noise": {"correlation_time": 0.1},
        "excess_noise": {"corner_frequency": 0.1},
    }
    effect = EFFECTS[name](**strengths[name])
    with pytest.raises(DeviceLimitError, match=f"{name} changes the equation of motion: board is no emulator"):
        NonidealDevice(Board(trajectories=True), [effect], 1)
    NonidealDevice(Board(), [EFFECTS[name]()], 1)  # at no strength it asks for nothing
    assert NonidealDevice(SimulatedDevice(), [effect], 1).effects == (effect,)


@pytest.mark.parametrize(
    "effect", [ReadoutBandwidth(time_constant=0.1), SamplingJitter(std=0.1)], ids=lambda effect: f"{effect.name()}"
)
def test_readout_with_a_memory_needs_trajectories(effect: Effect) -> None:
    with pytest.raises(
        DeviceLimitError, match=f"{effect.name()} needs the states before a reading, and board shows no"
    ):
        NonidealDevice(Board(), [effect], 1)
    NonidealDevice(Board(trajectories=True), [effect], 1)


def test_hardware_takes_effects_on_the_program_and_on_readout() -> None:
    with NonidealDevice(Board(), [BiasOffset(common=0.1), GainOffset(gain_error=1.0)], 1) as device:
        device.program(CouplingTable.quantize(PROGRAM, 16))
        samples = device.run(RunPlan(1.0, 3, seed=1))
        np.testing.assert_allclose(samples.states, np.repeat(2 * (PROGRAM.biases + 0.1)[None], 3, axis=0), atol=1e-3)
        assert np.array_equal(samples.initial_states, samples.states)
        assert not len(device.run(RunPlan(1.0, 3, keep="none", seed=1)).states)


# The wrapper


def test_closing_closes_the_child() -> None:
    board = Board()
    with NonidealDevice(board, [ReadoutNoise(std=0.1)], 1) as device:
        device.program(PROGRAM)
    device.close()
    assert board.closed == 1
    with pytest.raises(DeviceStateError):
        board.program(PROGRAM)


def test_an_error_in_writing_a_run_leaves_no_wrong_program_behind() -> None:
    """A linear program that the noise of one run makes unbounded, and that of another does not."""
    with NonidealDevice(SimulatedDevice(), [ProgrammingNoise(prog_noise_std=0.2)], 1) as device:
        device.program(LINEAR)
        outcomes: dict[int, NDArray[np.float32] | None] = {}
        for seed in range(12):
            try:
                outcomes[seed] = device.run(RunPlan(0.5, 2, seed=seed)).states
            except DeviceLimitError:
                outcomes[seed] = None
        refused = [seed for seed, states in outcomes.items() if states is None]
        assert 0 < len(refused) < 12
        for seed, states in outcomes.items():
            if states is not None:
                assert np.array_equal(device.run(RunPlan(0.5, 2, seed=seed)).states, states)


def test_a_failed_upload_is_made_good_by_the_next_run() -> None:
    class Flaky(Board):
        def _program(self, program: Program) -> None:
            super()._program(program)
            if len(self.programs) == 3:
                raise ConnectionError("the line is down")

    with NonidealDevice(Flaky(), [ProgrammingNoise(bias_noise_std=0.1)], 1) as device:
        device.program(PROGRAM)
        before = device.run(RunPlan(1.0, 1, seed=1)).states
        with pytest.raises(ConnectionError):
            device.run(RunPlan(1.0, 1, seed=2))
        assert np.array_equal(device.run(RunPlan(1.0, 1, seed=1)).states, before)


def test_effects_of_a_device_can_be_stacked() -> None:
    """A wrapper goes around any device, another wrapper too."""
    inner = NonidealDevice(SimulatedDevice(), [CouplingMismatch(std=0.1)], 1)
    with NonidealDevice(inner, [ReadoutNoise(std=0.1)], 2) as outer:
        outer.program(PROGRAM)
        stacked = outer.run(PLAN)
    assert np.array_equal(stacked.heat, run([CouplingMismatch(std=0.1)]).heat)
    assert not np.array_equal(stacked.states, run([CouplingMismatch(std=0.1)]).states)


def test_what_a_device_is_and_does_is_told() -> None:
    effects: list[Effect] = [Inertia(mass=0.2), ColouredNoise(), ReadoutQuantization(bits=8, source="data sheet")]
    device = NonidealDevice(SimulatedDevice(), effects, 7)
    assert [effect.name() for effect in device.effects] == ["inertia", "readout_quantization"]
    told = json.loads(device.spec.details["effects"])
    assert told == {"inertia": {"mass": 0.2}, "readout_quantization": {"bits": 8, "source": "data sheet"}}
    assert device.spec.details["device_seed"] == "7"
    assert not device.reads_exactly
    assert NonidealDevice(SimulatedDevice(), [Inertia(mass=0.2)], 7).reads_exactly
    device.program(PROGRAM)
    assert device.as_built is not None and (device.as_built.mass == 0.2).all()


@pytest.mark.parametrize(("field", "value"), [("std", -0.1), ("std", np.nan), ("std", np.inf), ("stdd", 0.1)])
def test_impossible_strengths_are_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        ReadoutNoise.model_validate({field: value})


def test_errors_saturate_at_a_range_that_depends_on_the_units() -> None:
    """A loop's flux that is 1 k_BT of bias goes with its stiffness, and so does the largest bias of each unit."""
    device = open_device("josephson_overdamped")
    assert isinstance(device, JosephsonJunction)
    topology = Topology.from_pairs(4, 0, [])
    plain = Program.uncoupled(topology, 10.0, 10.0)
    largest = float(device.saturated(plain.with_biases(np.full(4, 1e6))).biases[0])
    program = plain.with_biases(np.full(4, 0.999 * largest))
    with NonidealDevice(device, [OnsiteMismatch(J2_std=0.1, J4_std=0.1)], device_seed=1) as built:
        built.program(program)
        held = built.realised(seed=1)
        assert (held.biases <= 0.999 * largest).all() and (held.biases < 0.999 * largest).any()
        limits = device.saturated(held.with_biases(np.full(4, 1e6))).biases
        assert np.ptp(limits) > 0.01 * largest
        np.testing.assert_allclose(held.biases, np.minimum(program.biases, limits))
