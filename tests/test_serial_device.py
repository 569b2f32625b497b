# SPDX-License-Identifier: Apache-2.0
"""A board as a device: the same samples as from its emulator, whatever the line does, and nothing half-returned."""

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from memory_board import LIMITS, MemoryBoard, MemoryTransport

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
from thermohw.backends import open_device, serial_journal
from thermohw.backends.serial_link import SerialLink
from thermohw.backends.serial_table import finest_table, is_exact
from thermohw.backends.serial_transfer import Transfer
from thermohw.device import ThermodynamicDevice
from thermohw.errors import DeviceLimitError, FileFormatError, InstrumentError, ProtocolError, TransportError
from thermohw.heat import HeatMeter
from thermohw.nonideal import (
    CouplingMismatch,
    NonidealDevice,
    Rails,
    ReadoutBandwidth,
    ReadoutNoise,
    TemperatureGradient,
)
from thermohw.samples import Samples
from thermohw.transport import block, seal, with_checksum

PROGRAM = Program(
    Topology.layered(3, 2), np.array(1.0), np.array(0.5), np.linspace(-1, 1, 5), np.linspace(-0.7, 0.6, 7)
)
SCHEDULE = BiasSchedule(np.array([0.0, 0.3]), np.array([[0.0] * 5, [1.0, 0.5, 0.0, -0.5, -1.0]]))
STATES = np.linspace(-1, 1, 60).reshape(12, 5).astype(np.float32)
PLAN = RunPlan(0.4, 12, 0.02, seed=3)
ARRAYS = (
    "states", "initial_states", "heat", "work", "trajectory", "times", "velocities", "initial_velocities", "entropy",
)  # fmt: skip


def opened(board: MemoryBoard, rate: float = 0.0, **settings: Any) -> SerialDevice:
    return SerialDevice("bench", transport=lambda: MemoryTransport(board, rate, seed=2), **settings)


def assert_same(samples: Samples, other: Samples) -> None:
    for name in ARRAYS:
        found, expected = getattr(samples, name), getattr(other, name)
        assert (found is None) == (expected is None), name
        if expected is not None:
            assert found.dtype == expected.dtype, name
            assert np.array_equal(found, expected), name
    assert samples.dt == other.dt


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


def inertial() -> ThermodynamicDevice:
    return open_device("mechanical_cantilever")


def graded() -> ThermodynamicDevice:
    return NonidealDevice(SimulatedDevice(), [TemperatureGradient(span=0.5)], 1)


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


# Boards that hold codes and measure no heat


def simple_board(**settings: Any) -> MemoryBoard:
    return MemoryBoard(programs=("table",), heat=False, **settings)


def test_a_program_of_few_digits_is_held_exactly() -> None:
    simple = replace(PROGRAM, biases=np.array([0.5, -1, 0, 2, 3.25]), couplings=np.arange(-3, 4) / 4)
    board = simple_board()
    with opened(board) as device:
        device.program(simple)
        assert device.held is simple
        assert np.array_equal(board.device.held.couplings, simple.couplings)
        assert device.run(PLAN).provenance["program"] == simple.digest


def test_another_program_is_rounded_to_what_is_held() -> None:
    board = simple_board()
    with opened(board) as device:
        device.program(PROGRAM)
        held = device.held
        assert held is not PROGRAM
        assert board.device.held.digest == held.digest == device.run(PLAN).provenance["program"]
        np.testing.assert_allclose(held.couplings, PROGRAM.couplings, rtol=0, atol=0.7 * 2.0**-15)
        assert (held.couplings != PROGRAM.couplings).any()


@pytest.mark.parametrize("bits", [2, 3, 8, 12, 16])
def test_a_table_goes_to_the_board_as_it_is(bits: int) -> None:
    random = np.random.default_rng(bits)
    program = Program(
        Topology.layered(9, 7), np.array(1.0), np.array(1.0), random.normal(size=16), random.normal(size=84)
    )
    table = CouplingTable.quantize(program, bits)
    board = simple_board()
    with opened(board) as device:
        device.program(table)
        assert device.held.digest == table.program.digest
        assert bytes(board.area) == table.to_bytes()
        device.program(table.program)  # its energies alone are as good: their common energy is found
        assert device.held.digest == table.program.digest


def test_the_finest_table_errs_by_half_a_code_at_most() -> None:
    random = np.random.default_rng(0)
    for size in (1e-300, 1e-3, 1.0, 1e300):
        values = random.normal(size=10) * size
        program = Program(Topology.complete(5), np.array(1.0), np.array(1.0), np.zeros(5), values)
        table = finest_table(program)
        largest = np.abs(values).max()
        assert np.abs(table.program.couplings - values).max() <= largest / 2**15
        assert np.abs(table.codes).max() > 16_000
        assert not is_exact(table, program)


def test_a_program_that_codes_make_unstable_is_refused() -> None:
    pairs = Topology.from_pairs(4, 0, [(0, 1), (2, 3)])
    soft = Program(pairs, np.array(0.5), np.array(0.0), np.zeros(4), np.array([1 - 1e-9, 0.5772156649]))
    with (
        opened(simple_board()) as device,
        pytest.raises(DeviceLimitError, match=r"16 bits cannot run: .*bounded below"),
    ):
        device.program(soft)


@pytest.mark.parametrize("keep", ["none", "final", "both", "trajectory"])
@pytest.mark.parametrize("make", [SimulatedDevice, inertial])
def test_the_heat_of_a_board_that_measures_none_is_computed(keep: Any, make: Callable[[], ThermodynamicDevice]) -> None:
    simple = Program(Topology.complete(2), np.array(1.0), np.array(1.0), np.array([0.5, 0]), np.array([0.25]))
    plan = replace(PLAN, keep=keep, dt=None)
    with opened(MemoryBoard(make(), heat=False)) as device, make() as emulator:
        device.program(simple)
        emulator.program(simple)
        found, expected = device.run(plan), emulator.run(plan)
    np.testing.assert_allclose(found.heat, expected.heat, rtol=1e-4, atol=1e-4)
    assert np.array_equal(found.work, np.zeros(12))
    for name in ("states", "initial_states", "velocities"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))


# What goes wrong


class Trouble(MemoryBoard):
    """Does something else when it is asked for a certain thing."""

    def __init__(self, header: bytes, answer: Callable[["Trouble"], bytes | None], **settings: Any) -> None:
        super().__init__(**settings)
        self.header, self.instead = header, answer

    def _carry_out(self, message: bytes) -> list[bytes]:
        if message.startswith(self.header):
            answer = self.instead(self)
            if answer is not None:
                return [answer]
        return super()._carry_out(message)


def restarted(board: Trouble) -> None:
    board.restart()


def says(answer: bytes) -> Callable[[Trouble], bytes]:
    return lambda board: answer


TROUBLES: list[tuple[bytes, Callable[[Trouble], bytes | None], type[Exception], str]] = [
    (b"RUN:PROG?", restarted, InstrumentError, r"ideal at bench lost run \d+: it is at run 0, IDLE"),
    (b"FETC? ", restarted, InstrumentError, "refused FETC. 0,1: -230"),
    (b"INIT", restarted, InstrumentError, "no program"),
    (b"RUN:DUR ", says(b"OK"), InstrumentError, r"told RUN:DUR 0\.4 and holds 1"),
    (b"RUN:PROG?", says(b"1,DONE"), ProtocolError, "run,state,done,all was awaited"),
    (b"RUN:DT?", says(b"nan"), ProtocolError, "a number was awaited"),
    (b"PROG:CRC?", says(b"OK"), ProtocolError, "#H0123ABCD was awaited"),
    (b"FETC?", says(b"#11x"), ProtocolError, "ideal at bench"),
]


@pytest.mark.parametrize(("header", "answer", "kind", "words"), TROUBLES)
def test_trouble_ends_in_a_clear_error_and_a_stopped_board(
    header: bytes, answer: Callable[[Trouble], bytes | None], kind: type[Exception], words: str
) -> None:
    board = Trouble(b"never", answer)
    with opened(board) as device:
        device.program(PROGRAM)
        board.header = header
        with pytest.raises(kind, match=words):
            device.run(PLAN)
        assert board.messages[-1] == b"ABOR"


def test_a_program_that_is_lost_before_the_run_is_missed() -> None:
    board = MemoryBoard()
    with opened(board) as device:
        device.program(PROGRAM)
        board.restart()
        with pytest.raises(InstrumentError, match="does not hold the program any more"):
            device.run(PLAN)
        device.program(PROGRAM)
        device.run(PLAN)


def test_a_failed_run_is_told_in_the_boards_words() -> None:
    with opened(MemoryBoard()) as device:
        device.program(PROGRAM)
        with pytest.raises(InstrumentError, match=r"run \d+ failed: .*beyond stability"):
            device.run(RunPlan(400.0, 2, 200.0, seed=1))


def test_states_that_are_not_finite_are_refused() -> None:
    class Spoilt(MemoryBoard):
        def start(self, run: int) -> None:
            super().start(run)
            assert self.readout is not None and self.readout.states is not None
            self.readout.states[3, 1] = np.nan

    with opened(Spoilt()) as device:
        device.program(PROGRAM)
        with pytest.raises(InstrumentError, match="states are not finite"):
            device.run(PLAN)


def test_ctrl_c_stops_the_board() -> None:
    board = MemoryBoard(polls=10**9)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with opened(board) as device:
        device.program(PROGRAM)
        with pytest.raises(KeyboardInterrupt):
            device.run(PLAN, progress=interrupt)
        assert board.messages[-1] == b"ABOR"
        board.polls = 1
        device.run(PLAN)


def test_a_run_survives_disconnections() -> None:
    board = MemoryBoard(limits=LIMITS.model_copy(update={"fetch_bytes": 200}))
    device = SerialDevice("bench", transport=lambda: MemoryTransport(board, breaks_after=7))
    with device, SimulatedDevice() as emulator:
        device.program(PROGRAM)
        emulator.program(PROGRAM)
        assert_same(device.run(PLAN), emulator.run(PLAN))
        assert device.statistics.reconnects >= 3
    assert board.runs == 1


def test_a_device_that_is_dropped_or_closed_leaves_the_board_stopped() -> None:
    board = MemoryBoard()
    device = opened(board)
    del device
    gc.collect()
    assert board.messages[-2:] == [b"ABOR", b"SYST:CHEC OFF"]
    device = opened(board)
    device.close()
    device.close()
    assert board.messages[-2:] == [b"ABOR", b"SYST:CHEC OFF"]


def test_a_script_that_ends_without_closing_leaves_the_board_stopped() -> None:
    script = """
import atexit
atexit.register(lambda: print(board.messages[-2:]))  # registered first, called last

from memory_board import MemoryBoard, MemoryTransport
from thermohw import SerialDevice

board = MemoryBoard()
device = SerialDevice("bench", transport=lambda: MemoryTransport(board))
raise SystemExit(3)
"""
    folder = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{folder.parent}"}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (3, "[b'ABOR', b'SYST:CHEC OFF']\n"), run.stderr


def test_closing_a_dead_line_raises_nothing() -> None:
    lines = [MemoryTransport(MemoryBoard())]

    def opener() -> MemoryTransport:
        if lines:
            return lines.pop()
        raise TransportError("no such device")

    transport = lines[0]
    device = SerialDevice("bench", transport=opener)
    transport.left = 0
    device.close()
    assert transport.closed


def test_an_unusable_capability_is_refused_and_the_line_released() -> None:
    board = Trouble(b"SYST:CAP?", lambda board: block(with_checksum(b"{}")))
    line = MemoryTransport(board)
    with pytest.raises(ProtocolError, match="bench: the capability's"):
        SerialDevice("bench", transport=lambda: line)
    assert line.closed
    assert board.messages[-1] == b"SYST:CHEC OFF"


def test_the_spec_is_the_boards_with_its_address() -> None:
    with opened(MemoryBoard(SimulatedDevice(2.0, 0.5))) as device:
        assert (device.spec.mobility, device.spec.kT, device.spec.name) == (2.0, 0.5, "ideal")
        assert device.spec.details["url"] == "bench"
        assert device.spec.details["instrument"] == "thermohw,memory,0,0.1.0 protocol 1.0"
        assert device.spec.details["engine"] == "auto"


# Journals


class Killed(BaseException):
    pass


def interrupted_run(board: MemoryBoard, folder: Path, plan: RunPlan, after: int) -> None:
    """Run a plan in a client that is killed after so many calls of its progress."""
    calls: list[int] = []

    def kill(done: int, total: int) -> None:
        calls.append(done)
        if len(calls) == after:
            raise Killed

    with pytest.raises(Killed):
        device = opened(board, journal=folder)
        device.program(PROGRAM)
        device.run(plan, progress=kill)


@pytest.mark.parametrize("keep", ["none", "both", "trajectory"])
@pytest.mark.parametrize("after", [1, 4, 7])
@pytest.mark.parametrize("forgotten", [False, True])
def test_another_process_goes_on_by_sample_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: Any, after: int, forgotten: bool
) -> None:
    monkeypatch.setattr(serial_journal, "FLUSH_SECONDS", 0.0)
    plan = replace(PLAN, keep=keep)
    board = MemoryBoard(polls=2, limits=LIMITS.model_copy(update={"samples": 8, "fetch_bytes": 150}))
    interrupted_run(board, tmp_path / "journal", plan, after)
    kept = sum(
        len(arrays["heat"]) for _, arrays in serial_journal.Journal(tmp_path / "journal", PROGRAM, plan).pieces()
    )
    if forgotten:
        board.restart()
    with opened(board, journal=tmp_path / "journal") as device:
        device.program(PROGRAM)
        found = device.run(plan)
    with SimulatedDevice() as emulator:
        emulator.program(PROGRAM)
        parts = [emulator.run(part) for part in plan.split(8)]
    for name in ("states", "heat", "trajectory"):
        whole = [getattr(part, name) for part in parts]
        assert whole[0] is None or np.array_equal(getattr(found, name), np.concatenate(whole)), name
    assert not (tmp_path / "journal").exists()
    if after == 4 and not forgotten:  # the first of two runs was over, and some of it fetched
        assert 0 < kept < 12
        assert board.runs == 2


def test_a_journal_is_of_one_plan_and_one_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_journal, "FLUSH_SECONDS", 0.0)
    board = MemoryBoard(limits=LIMITS.model_copy(update={"fetch_bytes": 150}))
    interrupted_run(board, tmp_path, PLAN, 6)
    kept = sorted(tmp_path.iterdir())
    assert len(kept) > 1
    with opened(board, journal=tmp_path) as device:
        device.program(PROGRAM)
        device.run(replace(PLAN, seed=4))
        assert sorted(tmp_path.iterdir()) == kept
        runs = board.runs
        device.run(PLAN, [HeatMeter()])  # observers must see every sample
        assert board.runs == runs + 1
        assert sorted(tmp_path.iterdir()) == kept


def test_a_damaged_journal_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_journal, "FLUSH_SECONDS", 0.0)
    board = MemoryBoard(limits=LIMITS.model_copy(update={"fetch_bytes": 150}))
    interrupted_run(board, tmp_path, PLAN, 6)
    for file in sorted(tmp_path.iterdir()):
        content = file.read_bytes()
        file.write_bytes(content[:-30] + bytes(30))
        with opened(board, journal=tmp_path) as device, pytest.raises(FileFormatError, match=file.name):
            device.program(PROGRAM)
            device.run(PLAN)
        file.write_bytes(content)


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


def test_a_run_is_not_slow() -> None:
    board = MemoryBoard()
    with opened(board) as device:
        device.program(PROGRAM)
        device.run(PLAN)
        started = time.monotonic()
        for _ in range(10):
            device.run(PLAN)
        assert time.monotonic() - started < 5
