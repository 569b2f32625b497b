# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with a board, and how it is left: clear errors, nothing half-returned, always stopped."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from memory_board import LIMITS, MemoryBoard, MemoryTransport
from serial_examples import PLAN, PROGRAM, Trouble, assert_same, opened

from thermohw import (
    RunPlan,
    SerialDevice,
    SimulatedDevice,
)
from thermohw.errors import InstrumentError, ProtocolError, TransportError
from thermohw.transport import block, with_checksum


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
