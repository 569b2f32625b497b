# SPDX-License-Identifier: Apache-2.0
"""A board as a device: the same samples as from its emulator, whatever the line does, and nothing half-returned."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from memory_board import LIMITS, MemoryBoard, MemoryTransport
from serial_examples import PLAN, PROGRAM, SCHEDULE, STATES, assert_same, graded, inertial, opened

from thermohw import (
    BiasSchedule,
    CouplingTable,
    PathStatistics,
    Program,
    RunPlan,
    SerialDevice,
    SimulatedDevice,
    Topology,
)
from thermohw.backends.serial_link import SerialLink
from thermohw.backends.serial_transfer import Transfer
from thermohw.device import ThermodynamicDevice
from thermohw.errors import DeviceLimitError, InstrumentError
from thermohw.heat import HeatMeter
from thermohw.nonideal import (
    CouplingMismatch,
    NonidealDevice,
    Rails,
    ReadoutBandwidth,
    ReadoutNoise,
)
from thermohw.samples import Samples
from thermohw.transport import seal


def both(
    plan: RunPlan, make: Callable[[], ThermodynamicDevice] = SimulatedDevice, **line: Any
) -> tuple[Samples, Samples, MemoryBoard]:
    board = MemoryBoard(make())
    with make() as emulator, opened(board, **line) as device:
        emulator.program(PROGRAM)
        device.program(PROGRAM)
        return device.run(plan), emulator.run(plan), board


# The same samples


@pytest.mark.parametrize("keep", ["none", "final", "both", "trajectory"])
@pytest.mark.parametrize(
    "change",
    [{}, {"dt": None}, {"bias_schedule": SCHEDULE}, {"initial": STATES}, {"initial": "unbiased", "first_chain": 9}],
    ids=["plain", "own step", "schedule", "states", "chains"],
)
def test_samples_are_those_of_the_emulator(keep: Any, change: dict[str, Any]) -> None:
    found, expected, _ = both(replace(PLAN, keep=keep, record_every=3, **change))
    assert_same(found, expected)


@pytest.mark.parametrize("make", [inertial, graded])
@pytest.mark.parametrize("keep", ["none", "final", "both", "trajectory"])
def test_velocities_and_entropy_come_along(make: Callable[[], ThermodynamicDevice], keep: Any) -> None:
    found, expected, _ = both(replace(PLAN, keep=keep, dt=None), make)
    assert_same(found, expected)
    assert (expected.entropy is not None) == (make is graded)


def test_a_noisy_line_changes_nothing_but_the_time() -> None:
    plan = replace(PLAN, n_samples=2000)
    found, expected, _ = both(plan, rate=1e-4)
    assert_same(found, expected)


def test_damage_of_one_byte_in_ten_thousand_is_lived_with() -> None:
    """A table of a megabyte goes up and a megabyte of samples comes back, sent one and a half times on average."""
    big = Program(
        Topology.complete(512), np.array(1.0), np.array(1.0), np.zeros(512), np.linspace(-1, 1, 130_816) * 0.01
    )
    table, plan = CouplingTable.quantize(big, 8), RunPlan(0.02, 250, 0.01, seed=1)
    board = MemoryBoard()
    moved: list[int] = []

    class Counting(MemoryTransport):
        def write(self, data: bytes) -> None:
            before = len(self.buffer)
            super().write(data)
            moved.append(len(data) + len(self.buffer) - before)

    with (
        SerialDevice("bench", transport=lambda: Counting(board, 1e-4, seed=5)) as device,
        SimulatedDevice() as emulator,
    ):
        device.program(table)
        emulator.program(table)
        assert_same(device.run(plan), emulator.run(plan))
        assert device.statistics.retries > 20
    payloads = len(table.to_bytes()) + 250 * (16 + 8 * 512)
    assert sum(moved) < 1.7 * payloads


# What goes over the line


def test_a_program_that_the_board_holds_is_not_sent_again() -> None:
    board = MemoryBoard()
    for _ in range(2):
        with opened(board) as device:
            device.program(PROGRAM)
            device.program(PROGRAM)
    assert len([message for message in board.messages if message.startswith(b"PROG:LOAD")]) == 1
    board.codes["PROG:BIAS"] = 1  # somebody replaced the biases
    with opened(board) as device:
        device.program(PROGRAM)
    assert len([message for message in board.messages if message.startswith(b"PROG:LOAD")]) == 2


def test_a_schedule_ends_with_the_run_that_asked_for_it() -> None:
    board = MemoryBoard()
    with opened(board) as device, SimulatedDevice() as emulator:
        device.program(PROGRAM)
        emulator.program(PROGRAM)
        for schedule in (SCHEDULE, None, SCHEDULE):
            plan = replace(PLAN, bias_schedule=schedule)
            assert_same(device.run(plan), emulator.run(plan))


def test_lines_are_no_longer_than_the_board_takes() -> None:
    board = MemoryBoard(limits=LIMITS.model_copy(update={"line_bytes": 128}))
    with opened(board) as device:
        device.program(PROGRAM)
        device.run(replace(PLAN, seed=2**64 - 1))
    lines = [seal(message.partition(b"#")[0], 1) for message in board.messages]
    assert 100 < max(map(len, lines)) <= 128


def test_a_plan_is_cut_to_the_boards_size() -> None:
    board = MemoryBoard(limits=LIMITS.model_copy(update={"samples": 5}))
    with opened(board) as device, SimulatedDevice() as emulator:
        device.program(PROGRAM)
        emulator.program(PROGRAM)
        for plan in (PLAN, replace(PLAN, initial=STATES), replace(PLAN, keep="trajectory")):
            board.runs = 0
            whole, parts = device.run(plan), [emulator.run(part) for part in plan.split(5)]
            assert board.runs == 3
            for name in ("states", "initial_states", "heat"):
                assert np.array_equal(getattr(whole, name), np.concatenate([getattr(part, name) for part in parts]))
            assert whole.provenance["plan"]["n_samples"] == 12


@pytest.mark.parametrize(
    ("keep", "dt", "runs"), [("both", 0.02, 2), ("trajectory", 0.02, 12), ("trajectory", None, 12)]
)
def test_a_plan_is_cut_to_the_boards_memory(keep: Any, dt: float | None, runs: int) -> None:
    """Where the step is the board's choice its refusals tell how much fits."""
    plan = replace(PLAN, keep=keep, dt=dt)
    with SimulatedDevice() as emulator:
        emulator.program(PROGRAM)
        alone = emulator.run(replace(plan, n_samples=1))
        recorded = 0 if alone.times is None else len(alone.times)
    record = 16 + 4 * 5 * (2 + recorded)
    board = MemoryBoard(limits=LIMITS.model_copy(update={"stored_bytes": 7 * record if keep == "both" else record + 8}))
    with opened(board) as device:
        device.program(PROGRAM)
        assert device.run(plan).states.shape == (12, 5)
        assert len(set(m for m in board.messages if m.startswith(b"INIT"))) >= runs
        with pytest.raises(DeviceLimitError, match=r"stores \d+ bytes of samples, and one of this plan takes"):
            device.run(RunPlan(1.0, 3, 0.001, seed=1, keep="trajectory"))


def test_what_the_board_has_no_room_for_is_refused() -> None:
    with opened(MemoryBoard(limits=LIMITS.model_copy(update={"upload_bytes": 200, "knots": 1}))) as device:
        with pytest.raises(DeviceLimitError, match=r"takes payloads of 200 bytes; this one has"):
            device.program(PROGRAM)
        device.program(Program.uncoupled(Topology.complete(1), 1.0, 1.0))
        with pytest.raises(DeviceLimitError, match="takes 1 knots, the schedule has 2"):
            device.run(replace(PLAN, bias_schedule=BiasSchedule(np.array([0.0, 1.0]), np.zeros((2, 1)))))


def test_every_sample_is_fetched_once() -> None:
    board = MemoryBoard(limits=LIMITS.model_copy(update={"fetch_bytes": 300}))
    with opened(board) as device:
        device.program(PROGRAM)
        device.run(PLAN)
    numbers = [first + k for first, count in board.fetched[1:] for k in range(count)]  # the first tells the layout
    assert numbers == list(range(12))


# Observers, progress


def test_observers_see_what_they_would_see_of_the_emulator() -> None:
    for keep in ("none", "final", "trajectory"):
        plan = replace(PLAN, keep=keep, record_every=2)
        board = MemoryBoard(limits=LIMITS.model_copy(update={"samples": 7}))
        with opened(board) as device, SimulatedDevice() as emulator:
            device.program(PROGRAM)
            emulator.program(PROGRAM)
            pairs = [(PathStatistics(PROGRAM.J2, PROGRAM.J4), HeatMeter()) for _ in range(2)]
            found, expected = (one.run(plan, seen) for one, seen in zip((device, emulator), pairs, strict=True))
        assert (found.trajectory is None) == (expected.trajectory is None)
        assert found.states.shape == expected.states.shape
        (path, meter), (same_path, same_meter) = pairs
        assert (path.n, path.dt) == (same_path.n, same_path.dt)
        np.testing.assert_allclose(path.C, same_path.C, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(meter.heat, same_meter.heat, rtol=1e-5, atol=1e-5)


def test_imperfect_readout_goes_with_a_board_and_imperfect_dynamics_do_not() -> None:
    effects = [CouplingMismatch(std=0.1), ReadoutBandwidth(time_constant=0.1), ReadoutNoise(std=0.1)]
    with (
        NonidealDevice(opened(MemoryBoard()), effects, 1) as board,
        NonidealDevice(SimulatedDevice(), effects, 1) as emulator,
    ):
        board.program(PROGRAM)
        emulator.program(PROGRAM)
        for keep in ("both", "trajectory"):
            assert_same(board.run(replace(PLAN, keep=keep)), emulator.run(replace(PLAN, keep=keep)))
    with pytest.raises(DeviceLimitError, match=r"rails changes the equation of motion: ideal is no emulator"):
        NonidealDevice(opened(MemoryBoard()), [Rails(limit=1.0)])


def test_progress_rises_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    board = MemoryBoard(polls=3, limits=LIMITS.model_copy(update={"samples": 5, "fetch_bytes": 120}))
    with opened(board) as device:
        device.program(PROGRAM)
        device.run(PLAN, progress=lambda done, total: told.append((done, total)))
    assert [total for _, total in told] == [12] * len(told)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (12, 12)
    assert len(told) > 10


# Loads


def test_chunks_grow_on_a_clean_line_and_shrink_on_a_noisy_one() -> None:
    def sizes(rate: float) -> Sequence[int]:
        board = MemoryBoard()
        link = SerialLink(lambda: MemoryTransport(board, rate, seed=7), "bench")
        link.open()
        with pytest.raises(InstrumentError, match=r"-1\d\d"):  # no payload at all
            Transfer(link, LIMITS).load("PROG", bytes(400_000))
        return [len(message) for message in board.messages if message.startswith(b"UPL:DATA")]

    clean, noisy = sizes(0.0), sizes(1e-3)
    assert clean[:3] == sorted(clean[:3])
    assert max(clean) > 100_000
    assert np.median(noisy) < 2000
